"""Flips that a model generated, beside those that two simple models make."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from jaxtyping import Float, Int
import numpy as np

from icl_graphs.analysis import concepts, nulls, sequences, simulated
from icl_graphs.engine import flip_law
from icl_graphs.experiments import coin_subject
from icl_graphs.theory import coin_fits, coin_models

# Simulated sets per condition: the least and the largest are limits of 2.5%.
SETS = 39
# Fewer whole sequences are not analysed.
FEWEST = 8
WINDOW = 5
# Numbers of simulated sequences of two conditions never overlap.
_APART = 2**20


class Condition(NamedTuple):
  """What one prompt gave.

  Attributes:
    percent: stated probability of Tails, in percent.
    flips: of the N sequences that have all T flips.
    drop_rate: share of sequences that are shorter.
    captured: probability on Heads and Tails together where a flip was due, the
      first T of each sequence, whatever was drawn there.
    others: items that were no flips, per sequence.
    bernoulli: independent flips with the sequences' mean.
    window: of a window average of 5 with that mean.
  """

  percent: int
  flips: Int[np.ndarray, "N T"]
  drop_rate: float
  captured: concepts.Captured
  others: float
  bernoulli: Int[np.ndarray, "S N T"]
  window: Int[np.ndarray, "S N T"]

  @property
  def stated(self) -> float:
    return self.percent / 100

  @property
  def usable(self) -> bool:
    return len(self.flips) >= FEWEST


def conditions(
  subject: coin_subject.CoinSubject, *, fair: bool = False
) -> list[Condition]:
  """One per stated probability, or the one of the fair-coin wording."""
  percents = (50,) if fair else subject.settings.percents
  drawn = subject.generated(percents, fair=fair)
  return [
    _condition(percent, drawn[percent], subject.settings.seed, place)
    for place, percent in enumerate(percents)
  ]


def _condition(
  percent: int, drawn: flip_law.Drawn, seed: int, place: int
) -> Condition:
  whole = np.asarray(drawn.counts) == drawn.flips.shape[1]
  flips = np.asarray(drawn.flips)[whole].astype(np.int8)
  number, length = flips.shape
  made = [np.zeros((SETS, 0, length), np.int8)] * 2
  if number >= FEWEST:
    p = coin_fits.bernoulli(flips, smoothing=0.5).p
    made = [
      coin_models.simulate(
        model, seed, SETS * number, length, first=place * _APART
      ).reshape(SETS, number, length)
      for model in (
        coin_models.Bernoulli(p),
        coin_models.WindowAverage(p, WINDOW, 0.0),
      )
    ]
  return Condition(
    percent,
    flips,
    float(1 - whole.mean()),
    concepts.captured(drawn.due_mass),
    float(np.mean(drawn.others)),
    *made,
  )


def spread(flips: Int[np.ndarray, "N T"]) -> float:
  """Standard deviation of sequence means."""
  return float(flips.mean(axis=1).std(ddof=1))


def _mean_of(statistic):
  return lambda flips: float(statistic(flips).mean())


PER_SEQUENCE: Mapping[str, Callable[..., np.ndarray]] = {
  "mean": lambda flips: flips.mean(axis=1),
  "running_sd": lambda flips: sequences.running_extent(flips).sd,
  "alternation": sequences.alternation_rate,
  "longest_run": sequences.longest_run,
}


def values(
  found: Sequence[Condition], name: str, resamples: int, seed: int
) -> simulated.Values:
  """A statistic of `PER_SEQUENCE`, averaged, or "sd_of_mean"; by condition."""
  statistic = spread
  if name in PER_SEQUENCE:
    statistic = _mean_of(PER_SEQUENCE[name])
  replicates = np.stack(
    [
      # Sequences of every prompt are resampled for themselves.
      _replicates(one.flips, name, resamples, seed + place)
      for place, one in enumerate(found)
    ]
  )
  return computed(found, statistic)._replace(replicates=replicates)


def computed(
  found: Sequence[Condition], statistic: Callable[..., float]
) -> simulated.Values:
  """Any statistic of a set of sequences, without replicates."""
  return simulated.Values(
    np.array([statistic(one.flips) for one in found], np.float64),
    None,
    np.array([[statistic(made) for made in one.bernoulli] for one in found]),
    np.array([[statistic(made) for made in one.window] for one in found]),
  )


def _replicates(flips, name, resamples, seed) -> Float[np.ndarray, " R"]:
  number = len(flips)
  weights = nulls.bootstrap_weights(number, resamples, seed) / number
  if name in PER_SEQUENCE:
    return weights @ PER_SEQUENCE[name](flips)
  means = flips.mean(axis=1)
  variance = weights @ means**2 - (weights @ means) ** 2
  return np.sqrt(np.maximum(variance, 0) * number / (number - 1))
