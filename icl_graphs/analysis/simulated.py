"""Statistics of observed sequences beside those of simulated ones.

Legend: P conditions, S simulated sets, R bootstrap replicates.
"""

from typing import NamedTuple

from jaxtyping import Float
import numpy as np

from icl_graphs.analysis import nulls

# Least share of the way from independent flips to the gambler's fallacy that
# counts as going there.
LEAST_SHARE = 0.1


class Values(NamedTuple):
  """One statistic, by condition.

  Attributes:
    model: observed.
    replicates: of it, sequences drawn with replacement; None where repeating
      sequences would change the statistic by itself.
    bernoulli: of sets of independent flips with the observed mean, each with as
      many sequences.
    window: of sets of a window average with that mean.
  """

  model: Float[np.ndarray, " P"]
  replicates: Float[np.ndarray, "P R"] | None
  bernoulli: Float[np.ndarray, "P S"]
  window: Float[np.ndarray, "P S"]


class Pooled(NamedTuple):
  """Relative difference from independent flips, averaged over conditions.

  Attributes:
    value: 0 is independent flips, -.1 a tenth less.
    low, high: its bootstrap interval; NaN where there is none.
    null_low, null_high: limits of sets of independent flips, 2.5% each.
    window: the same difference of the window average.
    share: of the way to the window average; 1 is there.
  """

  value: float
  low: float
  high: float
  null_low: float
  null_high: float
  window: float
  share: float

  @property
  def towards_window(self) -> bool:
    """Whether it leaves the limits on the window average's side.

    By at least `LEAST_SHARE` of the way: with enough sequences any difference,
    however small, leaves the limits.
    """
    outside = not self.null_low <= self.value <= self.null_high
    return outside and self.share >= LEAST_SHARE

  def numbers(self) -> dict[str, float]:
    return {
      "value": self.value,
      "low": self.low,
      "high": self.high,
      "null": 0.0,
      "null_low": self.null_low,
      "null_high": self.null_high,
      "window_5": self.window,
      "share_of_the_way_to_window_5": self.share,
    }


def pooled(values: Values, groups: int) -> Pooled:
  """Pools a statistic; conditions whose simulations are all 0 are left out.

  Args:
    values: by condition.
    groups: sequences of a condition, for the width of the interval.
  """
  centre = values.bernoulli.mean(axis=1)
  used = centre > 0
  if not used.any():
    return Pooled(*[np.nan] * 7)
  centre = centre[used][:, None]

  def relative(rows):
    return (rows[used] / centre - 1).mean(axis=0)

  value = float(relative(values.model[:, None])[0])
  low, high = np.nan, np.nan
  if values.replicates is not None:
    low, high = nulls.interval(value, relative(values.replicates), groups)
  limits = nulls.limits(relative(values.bernoulli))
  window = float(relative(values.window).mean())
  share = value / window if window else np.nan
  return Pooled(value, *map(float, (low, high, *limits)), window, float(share))
