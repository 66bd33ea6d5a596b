"""The transition of one set of walks, found in every way that is reported.

One place fixes the choices that a result could depend on, the same for every
graph and model: the range of t, the plateau that is left out, the bend that
counts. That a breakpoint also needs a positive curvature to be `determined` was
added after a first look at the bundled model.
"""

from typing import NamedTuple

from jaxtyping import Float, Int
import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import log_odds, nulls, transitions

# The first words tell a reader nothing yet.
FIRST = 5
LEVEL = 0.95
# Pairs of breakpoints are many; these are 2% apart over the longest contexts.
_PAIR_CANDIDATES = 200
# A breakpoint this close to the end of what the search allows was cut off.
_AT_THE_END = 1.05


class Interval(NamedTuple):
  """A number and its 95% interval."""

  value: float
  low: float
  high: float


class Detection(NamedTuple):
  """Where and how accuracy takes off; t in words.

  t: [P] context lengths of the two-segment fit, from `FIRST` to where the
  plateau starts. bend: breakpoint at which the slope grows (NaN: it nowhere
  does). found: share of the bootstrap replicates with such a breakpoint.
  determined: whether the interval is known and clear of the ends of the
  search, all but 5% of the replicates bend, and the curvature is above 0.
  before, after: slopes per decade. curvature: coefficient of
  (log10 t)^2 over the same range; a slow phase before a fast one makes it
  positive. three: both breakpoints of three segments up to the last word.
  three_slopes: of those. residuals: root mean squares of a line, two segments
  and a log-odds line on t, and of three segments on `whole`, all context
  lengths of the points. fits: the curves of two segments on t and of three on
  `whole`.
  """

  t: Int[np.ndarray, " P"]
  bend: transitions.Estimate
  found: float
  determined: bool
  before: Interval
  after: Interval
  curvature: Interval
  three: tuple[transitions.Estimate, transitions.Estimate]
  three_slopes: tuple[float, float, float]
  residuals: dict[str, float]
  whole: Int[np.ndarray, " Q"]
  fits: dict[str, Float[np.ndarray, " P"]]


def detect(
  sums: Float[np.ndarray, "G T"],
  count: Float[np.ndarray, "G T"],
  resamples: int,
  seed: int,
  *,
  first: int = FIRST,
  candidates: int = transitions.CANDIDATES,
) -> Detection:
  """Fits everything to the mean curve and to its bootstrap replicates.

  Args:
    sums, count: of the scored values of each group (a walk, say) at t = 1..T.
    resamples: R, of groups.
    seed: of the draws.
    first: shortest context of all fits.
    candidates: breakpoints tried.

  Raises:
    InputError: fewer than two groups, or contexts too short for any fit.
  """
  groups, length = sums.shape
  if groups < 2:
    raise errors.InputError(
      f"{groups} groups of walks have no interval; give at least 2"
    )
  curves = transitions.resampled(sums, count, resamples, seed)
  t = transitions.points(first, end_of_range(curves[0], first))
  part = curves[:, t - 1]
  two = transitions.two_segments(part, t, 1, candidates)
  bend = transitions.estimate(two.at[:, 0], groups, LEVEL)
  edges = t[0] * transitions.MARGIN, t[-1] / transitions.MARGIN
  inside = edges[0] * _AT_THE_END < bend.low and (
    bend.high < edges[1] / _AT_THE_END
  )
  found = float(np.isfinite(two.at[1:, 0]).mean())
  curvature = interval(_curvature(part, t), groups)
  whole = transitions.points(first, length)
  three = transitions.three_segments(
    curves[:, whole - 1], whole, min(candidates, _PAIR_CANDIDATES)
  )
  line = log_odds.fit(np.clip(part[:1], 0, 1), t, exponent=0.0)
  return Detection(
    t,
    bend,
    found,
    bool(inside and found >= LEVEL and curvature.low > 0),
    interval(two.slopes[:, 0], groups),
    interval(two.slopes[:, 1], groups),
    curvature,
    tuple(transitions.estimate(three.at[:, k], groups, LEVEL) for k in (0, 1)),
    tuple(three.slopes[0].tolist()),
    {
      "line": float(two.line[0]),
      "two_segments": float(two.residual[0]),
      "log_odds_line": float(line.residual[0]),
      "three_segments": float(three.residual[0]),
    },
    whole,
    {
      "two_segments": two.curve(t)[0],
      "three_segments": three.curve(whole)[0],
    },
  )


def end_of_range(curve: Float[np.ndarray, " T"], first: int = FIRST) -> int:
  """Longest context of the two-segment fit: where the plateau starts.

  All of them where the plateau leaves no room for two segments.
  """
  end = transitions.plateau_start(curve, first)
  return end if end >= first * transitions.MARGIN**3 else len(curve)


class Belief(NamedTuple):
  """Log-odds b + g t^(1 - alpha): midpoint in words, rate, exponent.

  crossed: whether the fitted midpoint lies among the context lengths, so that
  it is read off and not extrapolated.
  """

  midpoint: transitions.Estimate
  rate: Interval
  exponent: Interval
  residual: float
  r2: float
  crossed: bool
  curve: Float[np.ndarray, " P"]
  t: Int[np.ndarray, " P"]


def belief(
  sums: Float[np.ndarray, "G T"],
  count: Float[np.ndarray, "G T"],
  resamples: int,
  seed: int,
  *,
  first: int = FIRST,
) -> Belief:
  """The belief-dynamics fit over t from `first` to T; see `log_odds`."""
  groups, length = sums.shape
  curves = transitions.resampled(sums, count, resamples, seed)
  t = transitions.points(first, length)
  found = log_odds.fit(np.clip(curves[:, t - 1], 0, 1), t)
  midpoint = transitions.estimate(found.midpoint, groups, LEVEL)
  return Belief(
    midpoint,
    interval(found.rate, groups),
    interval(found.exponent, groups),
    float(found.residual[0]),
    float(found.r2[0]),
    bool(t[0] <= midpoint.value <= t[-1]),
    found.curve(t)[0],
    t,
  )


def _curvature(curves, t) -> np.ndarray:
  x = np.log10(t)
  return np.polynomial.polynomial.polyfit(x, np.nan_to_num(curves).T, 2)[2]


def interval(values: Float[np.ndarray, " draw"], groups: int) -> Interval:
  """From an estimate and, after it, its bootstrap replicates."""
  low, high = nulls.interval(np.array(values[0]), values[1:], groups, LEVEL)
  return Interval(float(values[0]), float(low), float(high))


def limits(
  curves: Float[np.ndarray, "draw P"], groups: int
) -> tuple[Float[np.ndarray, " P"], Float[np.ndarray, " P"]]:
  """The same for every point of a curve."""
  return nulls.interval(curves[0], curves[1:], groups, LEVEL)
