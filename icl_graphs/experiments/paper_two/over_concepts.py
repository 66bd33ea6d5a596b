"""Means over concepts with intervals."""

from typing import NamedTuple

from jaxtyping import Float
import numpy as np

from icl_graphs.analysis import nulls

# Of the concepts of trees.
NOTE = (
  "Intervals over concepts treat the 16 as independent. They are the 12 cycles"
  " of 2 to 5 flips, those of 3 in each of their phases: rotations of a cycle,"
  " and words that differ by Heads for Tails, resemble each other."
)


class Mean(NamedTuple):
  """A mean and its 95% interval; NaN where there is none."""

  value: float
  low: float
  high: float

  def text(self, digits: int = 2) -> str:
    """`0.42 [0.31, 0.55]`; without what is unknown, `-` where all is."""
    value, low, high = (f"{number:.{digits}f}" for number in self)
    if np.isnan(self.value):
      return "-"
    return value if np.isnan(self.low) else f"{value} [{low}, {high}]"


def mean(
  values: Float[np.ndarray, " concepts"], resamples: int, seed: int
) -> Mean:
  """Mean over concepts; those with NaN are left out.

  Args:
    values: of each concept.
    resamples: bootstrap draws over concepts.
    seed: of the draws.
  """
  values = np.asarray(values, np.float64)
  known = values[np.isfinite(values)]
  if len(known) < 2:
    return Mean(float(known[0]) if len(known) else np.nan, np.nan, np.nan)
  weights = nulls.bootstrap_weights(len(known), resamples, seed)
  middle = known.mean()
  low, high = nulls.interval(middle, weights @ known / len(known), len(known))
  return Mean(float(middle), float(low), float(high))
