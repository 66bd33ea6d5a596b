"""Selection of one hypothesis, or averaging over all (figure 2, appendix D)."""

import pathlib

import numpy as np
import xarray as xr

from icl_graphs.analysis import concepts, thresholds
from icl_graphs.experiments import coin_subject, recipe
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
  curves = np.stack(list(predicted.values()))
  each = _slopes(curves, lengths)
  averaging = _slopes(_averaging(lengths), lengths)
  known = np.isfinite(each - averaging)
  mean, reference = _mean(each[known]), _mean(averaging[known])
  low, high = _interval((each - averaging)[known], subject.settings)
  _draw(
    folder,
    lengths,
    predicted[_CONCEPT],
    dict(zip(predicted, each, strict=True)),
  )
  return recipe.Outcome(
    (_judged(mean, reference, low, high, known),),
    {
      "evidence_slope": {"value": mean, "null": reference},
      "evidence_slope_beyond_averaging": {
        "value": mean - reference,
        "low": low,
        "high": high,
        "null": 0.0,
      },
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


def _mean(values) -> float:
  return float(values.mean()) if len(values) else np.nan


def _interval(values, settings) -> tuple[float, float]:
  """Of the mean, over concepts."""
  if len(values) < 2:
    return np.nan, np.nan
  generator = np.random.default_rng(settings.seed)
  drawn = generator.integers(
    len(values), size=(settings.resamples, len(values))
  )
  low, high = np.quantile(values[drawn].mean(axis=1), (0.025, 0.975))
  return float(low), float(high)


def _judged(mean, reference, low, high, known) -> recipe.Claim:
  if known.sum() < 2:
    return recipe.Claim(
      *(_CLAIM, _CRITERION, recipe.CANNOT_TELL),
      f"Only {known.sum()} of {len(known)} concepts are ever believed long"
      " enough to measure a slope.",
    )
  numbers = (
    f"{mean:.2f} nats per flip over {known.sum()} of {len(known)} concepts;"
    f" averaging {reference:.2f}, difference {mean - reference:.2f}"
    f" [{low:.2f}, {high:.2f}]."
  )
  if low > 0:
    return recipe.Claim(_CLAIM, _CRITERION, recipe.SHOWN, numbers)
  why = " Averaging is as sharp, so the curves need no selection."
  return recipe.Claim(_CLAIM, _CRITERION, recipe.NOT_SHOWN, numbers + why)


def _draw(folder, lengths, model, slopes):
  flips = _PUBLISHED_FLIPS
  published = coin_selection.published(flips)
  corrected = coin_selection.corrected(flips)
  figures.hypotheses(
    folder / "hypotheses.png",
    flips,
    {
      "published (count)": published.posterior,
      "corrected (sequence)": corrected.posterior,
    },
    _predictions(published),
    _predictions(corrected),
  )
  seen = lengths[lengths > 0]
  figures.observed(
    folder / "observed.png",
    seen,
    model[lengths > 0],
    _predictions(coin_selection.corrected(seen)),
    {name: slope for name, slope in slopes.items() if np.isfinite(slope)},
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
    "Two hypotheses, a fair coin and the repeated concept 01, with a prior of"
    " .25 for the concept. Left: belief in the concept. As published, a coin is"
    " weighed by the probability of its count of Tails, which falls slowly, so"
    " that the curves cross near 50 flips; with the probability of the sequence"
    " they cross at 3. Middle and right: the next flip under both. With the"
    " corrected weights averaging itself is steep.",
    "Posterior and predictions of averaging and selection against flips seen.",
  ),
  recipe.Figure(
    "observed.png",
    "Left: the model's probability of the concept's next flip, beside averaging"
    " and selection with corrected weights. Right: how fast the model's"
    " log-odds for each concept grow once it believes in it; the dashed line is"
    " what averaging gives, ln 2 per flip.",
    "The model's next-flip curve, and evidence slopes by concept.",
  ),
)
_NOTES = (
  "The published crossing near 51 exists only because a count's probability"
  " decays as the square root of its length; a sharp curve alone does not tell"
  " selection from averaging, the slope of the log-odds does.",
  "Belief is 2 P(concept's next flip) - 1: what a fair coin does not explain.",
)

RECIPE = recipe.Recipe(
  "selection",
  "Selecting a hypothesis, or averaging",
  "Does the model change its mind more sharply than averaging allows?",
  "arXiv 2310.17639, figure 2 and appendix D",
  run,
)
