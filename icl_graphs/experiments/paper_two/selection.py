"""Selection of one hypothesis, or averaging over all (figure 2, appendix D)."""

import pathlib

import numpy as np
import xarray as xr

from icl_graphs.analysis import concepts, thresholds
from icl_graphs.experiments import coin_subject, recipe
from icl_graphs.experiments.paper_two import over_concepts
from icl_graphs.report.paper_two import selection as figures
from icl_graphs.tasks import coins
from icl_graphs.theory import coin_mixture, coin_selection

_CONCEPT = "01"
_PUBLISHED_FLIPS = np.arange(1, 100)
_TAU = 50
_CLAIM = (
  "In-context learning selects one hypothesis rather than averaging over them:"
  " predictions change more sharply than averaging allows (summary page of the"
  " paper)."
)
_CRITERION = (
  "the slope of the log-odds of the concept, from n50 to n99, exceeds that of"
  " an observer who averages over a fair coin and all repeated words of up to"
  " 20 flips, measured in the same way (about ln 2 = .693 nats per flip); 95%"
  " interval of the mean difference over concepts above 0"
)


def next_flip(
  log_mass: np.ndarray, concept: str, lengths: np.ndarray
) -> np.ndarray:
  """Probability of the concept's next flip after each context, [n]."""
  tails = concepts.share_of_second(log_mass)
  wanted = coins.bits(concept)[lengths % len(concept)]
  return np.where(wanted == 1, tails, 1 - tails)


def run(
  subject: coin_subject.CoinSubject, folder: pathlib.Path
) -> recipe.Outcome:
  """See `recipe.Recipe`."""
  predicted = {}
  for concept in coins.TREE_CONCEPTS:
    found, lengths = subject.trees(concept)
    predicted[concept] = next_flip(found[:, 0], concept, lengths)
  settings = subject.settings
  curves = np.stack(list(predicted.values()))
  expected = _averaging(lengths)
  each, averaging = _slopes(curves, lengths), _slopes(expected, lengths)
  known = np.isfinite(each - averaging)
  mean, reference, beyond = (
    over_concepts.mean(values[known], settings.resamples, settings.seed)
    for values in (each, averaging, each - averaging)
  )
  _draw(
    folder,
    lengths,
    *(one[coins.TREE_CONCEPTS.index(_CONCEPT)] for one in (curves, expected)),
    {
      name: (each[row], averaging[row])
      for row, name in enumerate(predicted)
      if known[row]
    },
  )
  return recipe.Outcome(
    (_judged(mean, reference, beyond, known),),
    {
      "evidence_slope": {**mean._asdict(), "null": reference.value},
      "evidence_slope_beyond_averaging": {**beyond._asdict(), "null": 0.0},
      "concepts_with_a_transition": int(known.sum()),
    },
    _FIGURES,
    (),
    xr.Dataset(
      {
        "next_flip": (("concept", "length"), curves),
        "evidence_slope": (("concept",), each),
        "averaging_slope": (("concept",), averaging),
      },
      {"concept": list(predicted), "length": lengths},
    ),
    _NOTES,
  )


def _averaging(lengths) -> np.ndarray:
  """What an observer who averages over repeated words expects, [concept, n]."""
  curves = []
  for concept in coins.TREE_CONCEPTS:
    flips = coins.repeated(concept, lengths[-1] + 1)
    tails = coin_mixture.next_tails(flips[:-1])
    curves.append(np.where(flips == 1, tails, 1 - tails)[lengths])
  return np.stack(curves)


def _slopes(curves, lengths) -> np.ndarray:
  # A coin gives the concept's flip half the time: what is above is belief.
  belief = np.clip(2 * curves - 1, 0, 1)
  return thresholds.evidence_slope(belief, lengths)


def _judged(mean, reference, beyond, known) -> recipe.Claim:
  if known.sum() < 2:
    return recipe.Claim(
      *(_CLAIM, _CRITERION, recipe.CANNOT_TELL),
      f"Only {known.sum()} of {len(known)} concepts are ever believed long"
      " enough to measure a slope.",
    )
  numbers = (
    f"{mean.text()} nats per flip over {known.sum()} of {len(known)} concepts;"
    f" averaging {reference.value:.2f}, difference {beyond.text()}."
  )
  if beyond.low > 0:
    return recipe.Claim(_CLAIM, _CRITERION, recipe.SHOWN, numbers)
  why = " Not measurably sharper than averaging: no selection is needed."
  return recipe.Claim(_CLAIM, _CRITERION, recipe.NOT_SHOWN, numbers + why)


def _draw(folder, lengths, model, expected, slopes):
  flips = _PUBLISHED_FLIPS
  published = coin_selection.published(flips)
  corrected = coin_selection.corrected(flips)
  figures.hypotheses(
    folder / "hypotheses.png",
    flips,
    {
      "fair coin": np.exp(published.coin),
      "concept 01": np.exp(published.concept),
    },
    {
      "published (count)": published.posterior,
      "corrected (sequence)": corrected.posterior,
    },
    _predictions(published),
    _predictions(corrected),
  )
  figures.exponents(
    folder / "exponents.png",
    flips,
    {
      f"{name} weights": {
        tau: coin_selection.soft(weights, tau) for tau in coin_selection.TAUS
      }
      for name, weights in (("Published", published), ("Corrected", corrected))
    },
  )
  seen = lengths[lengths > 0]
  figures.observed(
    folder / "observed.png",
    seen,
    model[lengths > 0],
    {"averaging over repeated words": expected[lengths > 0]}
    | _predictions(coin_selection.corrected(seen)),
    slopes,
    float(thresholds.IDEAL_SLOPE),
  )


def _predictions(weights):
  return {
    "averaging": coin_selection.averaging(weights),
    f"selection, tau = {_TAU}": coin_selection.soft(weights, _TAU),
    "selection, the larger": coin_selection.selection(weights),
  }


_FIGURES = (
  recipe.Figure(
    "hypotheses.png",
    "Two hypotheses after m flips of (01) repeated: a fair coin, and the"
    " concept 01 with a prior of .25. Top left: as published, a coin is weighed"
    " by the probability of its count of Tails, which falls slowly, and the"
    " concept by a constant. Top right: belief in the concept, which passes one"
    " half at 52 as published, and at 4 (m = 3) with the probability of the"
    " sequence. Bottom: the next flip under both; the right panel ends at 21."
    " With the corrected weights averaging itself is steep.",
    "Weights, posterior and predictions of averaging and selection.",
  ),
  recipe.Figure(
    "exponents.png",
    "Soft selection: weights to the power tau, renormalised; 1 is averaging,"
    " larger is sharper (the released code calls tau a temperature). With the"
    " published weights all curves are near .75 at 51 and differ in steepness;"
    " with the corrected ones all are steep at once (right, ends at 21).",
    "Probability of the next flip against m + 1 for ten exponents.",
  ),
  recipe.Figure(
    "observed.png",
    "Left: the model's probability of the concept's next flip, beside an"
    " observer who averages over a fair coin and all repeated words of up to 20"
    " flips, and beside averaging and selection between the coin and 01 alone"
    " (corrected weights). Right: how fast the model's"
    " log-odds for each concept grow once it believes in it; crosses are the"
    " observer of repeated words, measured in the same way.",
    "The model's next-flip curve, and evidence slopes by concept.",
  ),
)
_NOTES = (
  "The published crossing near 51 exists only because a count's probability"
  " decays as the square root of its length; a sharp curve alone does not tell"
  " selection from averaging, the slope of the log-odds does.",
  "Belief is 2 P(concept's next flip) - 1: what a fair coin does not explain.",
  "A curve that rises too fast for a slope to be fitted counts with the least"
  " slope that it can have.",
  over_concepts.NOTE,
)

RECIPE = recipe.Recipe(
  "selection",
  "Selecting a hypothesis, or averaging",
  "Does the model change its mind more sharply than averaging allows?",
  "arXiv 2310.17639, figure 2 and appendix D",
  run,
)
