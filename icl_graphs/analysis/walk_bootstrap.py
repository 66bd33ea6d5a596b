"""Means over walks and their ratios, with intervals over walks.

Arrays begin with an axis over independent walks; NaN marks a walk that says
nothing about an entry and is left out of it.
"""

from typing import NamedTuple

from jaxtyping import Float
import numpy as np
from scipy import special

from icl_graphs.analysis import nulls

RESAMPLES = 1000


class Estimate(NamedTuple):
  """A number per entry, and its 95% bootstrap interval over walks.

  Limits are NaN where fewer than two walks say anything.
  """

  value: Float[np.ndarray, "..."]
  low: Float[np.ndarray, "..."]
  high: Float[np.ndarray, "..."]

  def at(self, *index) -> dict[str, float]:
    """One entry, as it goes into a summary."""
    return {
      name: float(part[index])
      for name, part in zip(self._fields, self, strict=True)
    }


def mean(
  values: Float[np.ndarray, "R ..."],
  *,
  seed: int = 0,
  resamples: int = RESAMPLES,
  bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Estimate:
  """Mean over walks. Differences of two conditions are paired: give them.

  Args:
    values: per walk.
    seed: of the resampling.
    resamples: of it.
    bounds: values the mean can take; the interval is cut there.
  """
  known = np.isfinite(values).astype(np.float64)
  return _ratio(values, known, seed, resamples, bounds)


def ratio(
  top: Float[np.ndarray, "R ..."],
  bottom: Float[np.ndarray, "R ..."],
  *,
  seed: int = 0,
  resamples: int = RESAMPLES,
) -> Estimate:
  """Ratio of two means over the same walks, resampled together.

  Walks where either is NaN are left out of both.
  """
  known = np.isfinite(top) & np.isfinite(bottom)
  top, bottom = (np.where(known, one, np.nan) for one in (top, bottom))
  return _ratio(top, bottom, seed, resamples, (-np.inf, np.inf))


def jackknife(
  value: Float[np.ndarray, "..."],
  without: Float[np.ndarray, "G ..."],
  bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Estimate:
  """A number and its interval from leaving out one group of walks at a time.

  Args:
    value: from all G groups.
    without: the same without each group.
    bounds: values it can take; the interval is cut there.
  """
  groups = len(without)
  spread = without - without.mean(axis=0)
  error = np.sqrt((groups - 1) / groups * (spread**2).sum(axis=0))
  reach = special.stdtrit(groups - 1, 0.975) * error
  return Estimate(
    value, np.clip(value - reach, *bounds), np.clip(value + reach, *bounds)
  )


def _ratio(top, bottom, seed, resamples, bounds) -> Estimate:
  """sum(top) / sum(bottom), where top is not NaN."""
  known = np.isfinite(top)
  top = np.where(known, top, 0).astype(np.float64)
  bottom = np.where(known, bottom, 0).astype(np.float64)
  walks = len(top)
  weights = nulls.bootstrap_weights(walks, resamples, seed)

  def divided(weights):
    below = np.tensordot(weights, bottom, 1)
    above = np.tensordot(weights, top, 1)
    return above / np.where(below != 0, below, np.nan)

  value = divided(np.ones(walks))
  low, high = nulls.interval(value, divided(weights), walks, bounds=bounds)
  few = known.sum(axis=0) < 2
  return Estimate(
    value, np.where(few, np.nan, low), np.where(few, np.nan, high)
  )
