"""How far the trained coin model is from the exact Bayesian predictor.

Quantities, exact values and bands are those of the project's specification of
the bundled model: at most .002 nats per flip above the least possible loss,
log-odds within one nat at 90% of points, and sampling intervals of 99.9% for
200 sequences of 50 flips.
"""

import dataclasses
import pathlib
import tempfile
from typing import Any, NamedTuple

from jaxtyping import Float
import numpy as np
from scipy import special

from icl_graphs.analysis import concepts as concepts_lib
from icl_graphs.analysis import sequences, thresholds
from icl_graphs.engine import flip_law
from icl_graphs.experiments import coin_bands, coin_losses, coin_subject
from icl_graphs.tasks import coins
from icl_graphs.theory import coin_mixture

CLIP = 4.0
_PERCENTS = coins.PERCENTS
_FAIR_LENGTHS = (1, 5, 10, 15, 20, 25, 30, 40)
_FALSE_PEAKS = {"0000011111": 5, "00001": 4}


@dataclasses.dataclass(frozen=True)
class Settings:
  """What scores depend on, beside the model.

  Attributes:
    sequences: drawn at each stated probability.
    fair: sequences of fair flips that are judged.
    documents: of each kind, for the losses.
    seed: of all of them.
  """

  sequences: int = 200
  fair: int = 27
  documents: int = 256
  seed: int = 0


def scores(model: pathlib.Path, settings: Settings) -> dict[str, Any]:
  """Scores of a model folder.

  Args:
    model: the folder.
    settings: of the measurement.

  Returns:
    "settings"; "rows": quantity to {"exact", "low", "high", "value", "met"};
    "curves": judgments and concept probabilities beside the exact ones.

  Raises:
    InputError: a folder whose model or tokenizer cannot be used.
  """
  asked = coin_subject.Settings(
    model=str(model), sequences=settings.sequences, seed=settings.seed
  )
  with tempfile.TemporaryDirectory() as work:
    subject = coin_subject.CoinSubject(asked, pathlib.Path(work))
    rows = coin_losses.rows(subject, settings.documents, settings.seed)
    rows |= _generation(subject)
    rows |= _window(subject)
    judged, curves = _judgments(subject, settings)
    trees, probabilities = _trees(subject)
  rows |= judged | trees
  masses = [row["value"] for key, row in rows.items() if _is_mass(key)]
  mass = np.nan if None in masses else min(masses)
  rows["captured mass, least mean of all reads"] = coin_bands.row(
    1.0, 0.99, 1.0, mass
  )
  rows = {key: row for key, row in rows.items() if not _is_mass(key)}
  return {
    "settings": dataclasses.asdict(settings),
    "rows": rows,
    "curves": curves | probabilities,
  }


def _is_mass(key: str) -> bool:
  return key.startswith("mass:")


def _mass(log_mass: np.ndarray) -> dict[str, Any]:
  """Mean probability on both words, over the reads that were made."""
  total = np.exp(special.logsumexp(log_mass, axis=-1))
  total = total[~np.isnan(total)]
  mean = total.mean() if total.size else np.nan
  return coin_bands.row(1.0, 0.99, 1.0, mean)


class _Drawn(NamedTuple):
  """Statistics of the sequences that have all their flips; NaN without two."""

  whole: float
  mean: float
  spread: float
  alternation: float
  run: float


def _statistics(drawn: flip_law.Drawn) -> _Drawn:
  flips = drawn.flips[drawn.counts == drawn.flips.shape[1]]
  whole = len(flips) / len(drawn.counts)
  if len(flips) < 2:
    return _Drawn(whole, *[np.nan] * 4)
  means = flips.mean(axis=1)
  return _Drawn(
    whole,
    means.mean(),
    means.std(ddof=1),
    sequences.alternation_rate(flips).mean(),
    sequences.longest_run(flips).mean(),
  )


def _generation(subject: coin_subject.CoinSubject) -> dict[str, Any]:
  """Means, spreads and runs at every stated probability."""
  rows, means = {}, []
  for percent, drawn in subject.generated(_PERCENTS).items():
    p, found = percent / 100, _statistics(drawn)
    width = np.sqrt(p * (1 - p))
    means.append(found.mean)
    rows[f"G {percent}%: mean"] = coin_bands.row(
      p, p - 0.096 * width, p + 0.096 * width, found.mean
    )
    bernoulli = width / np.sqrt(drawn.flips.shape[1])
    rows[f"G {percent}%: SD of mean / Bernoulli's"] = coin_bands.row(
      1.0, 0.84, 1.17, found.spread / bernoulli
    )
    if percent in coin_bands.RUNS:
      rows[f"G {percent}%: longest run"] = coin_bands.row(
        *coin_bands.RUNS[percent], found.run
      )
    rows[f"mass: G {percent}"] = _mass(drawn.due_mass)
    rows[f"G {percent}%: share of whole sequences"] = coin_bands.row(
      1.0, None, None, found.whole
    )
  stated = np.array(_PERCENTS) / 100
  means = np.array(means) - np.mean(means)
  slope = means @ stated / np.sum((stated - stated.mean()) ** 2)
  rows["G: slope of mean on p"] = coin_bands.row(1.0, 0.93, 1.07, slope)
  return rows


def _window(subject: coin_subject.CoinSubject) -> dict[str, Any]:
  """The gambler's fallacy of the fair-coin wording."""
  drawn = subject.generated((50,), fair=True)[50]
  found = _statistics(drawn)
  values = (found.mean, found.spread, found.alternation, found.run)
  rows = {
    f"W: {key}": coin_bands.row(*bands, value)
    for (key, bands), value in zip(
      coin_bands.WINDOW.items(), values, strict=True
    )
  }
  return rows | {"mass: W": _mass(drawn.due_mass)}


def _judgments(
  subject: coin_subject.CoinSubject, settings: Settings
) -> tuple[dict[str, Any], dict[str, Any]]:
  """Judgments of the 27 concepts and of fair flips, with their exact values."""
  length = coins.LONGEST_JUDGED
  names = coins.JUDGMENT_CONCEPTS
  generator = np.random.default_rng(settings.seed)
  fair = coin_mixture.draw(generator, length, None, settings.fair)
  repeated = np.array([coins.repeated(name, length) for name in names])
  flips = np.concatenate([repeated, fair])
  log_mass = subject.judged(flips)[:, 1:]
  found = concepts_lib.share_of_second(log_mass)
  exact = coin_mixture.not_random(flips)[:, 1:]
  count = len(names)
  rows = _transitions(names, found[:count])
  for concept, n in _FALSE_PEAKS.items():
    curve = found[names.index(concept)]
    for at in (n, n + 1):
      rows[f"false peak {concept}: p(non) at n = {at}"] = coin_bands.row(
        *coin_bands.PEAKS[concept, at], curve[at - 1]
      )
  for n in _FAIR_LENGTHS:
    rows[f"fair flips: mean p(random) at n = {n}"] = coin_bands.row(
      1 - exact[count:, n - 1].mean(),
      None,
      None,
      1 - found[count:, n - 1].mean(),
    )
  late = np.median(1 - found[count:, 39:], axis=0)
  rows["fair flips: least median p(random) from n = 40"] = coin_bands.row(
    1.0, 0.95, 1.0, late.min()
  )
  apart = np.abs(_clipped(found) - _clipped(exact))
  rows["log-odds of judgments within a nat: share of points"] = coin_bands.row(
    1.0, 0.9, 1.0, float((apart <= 1).mean())
  )
  rows["mass: J"] = _mass(log_mass)
  curves = {
    "judged": {
      name: [np.round(c, 4).tolist() for c in pair]
      for name, *pair in zip(names, found, exact, strict=False)
    }
  }
  return rows, curves


def _transitions(
  names: tuple[str, ...], curves: Float[np.ndarray, "concept n"]
) -> dict[str, Any]:
  """n50, n90 and the slope between n50 and n99, concept by concept."""
  lengths = np.arange(1, curves.shape[1] + 1)
  rows = {}
  for level, bands in ((0.5, coin_bands.N50), (0.9, coin_bands.N90)):
    found = thresholds.settled(curves, lengths, level)
    for name, value in zip(names, found, strict=True):
      rows[f"J {name}: n{100 * level:.0f}"] = coin_bands.row(
        *bands[len(name)], value
      )
  slopes = thresholds.evidence_slope(curves, lengths, CLIP)
  for name, value in zip(names, slopes, strict=True):
    rows[f"J {name}: evidence slope"] = coin_bands.row(
      np.log(2), 0.40, 0.98, value
    )
  return rows


def _trees(
  subject: coin_subject.CoinSubject,
) -> tuple[dict[str, Any], dict[str, Any]]:
  """Concept probability of the 16 tree concepts, with the exact curves."""
  rows, curves = {}, {}
  for concept in coins.TREE_CONCEPTS:
    log_mass, lengths = subject.trees(concept)
    tails = concepts_lib.share_of_second(log_mass)
    rows[f"mass: T {concept}"] = _mass(log_mass)
    for depth in (4, 6):
      found = concepts_lib.concept_probability(tails, concept, depth)
      exact = coin_mixture.concept_probability(concept, lengths[-1], depth)
      key = f"T {concept}, d = {depth}"
      curves[key] = [np.round(c, 4).tolist() for c in (found, exact)]
      for level, bands in zip(
        (0.5, 0.9), coin_bands.CONCEPTS[len(concept), depth], strict=True
      ):
        value = thresholds.settled(found[None], lengths, level)[0]
        rows[f"{key}: n{100 * level:.0f}"] = coin_bands.row(*bands, value)
  return rows, {"concept probability": curves}


def _clipped(share: np.ndarray) -> np.ndarray:
  return concepts_lib.log_odds(share, CLIP)


def missed(own: dict[str, Any]) -> list[str]:
  """Quantities outside their bands."""
  return [key for key, row in own["rows"].items() if row["met"] is False]
