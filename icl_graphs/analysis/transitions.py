"""Where a curve over context length bends: piecewise-linear fits in log10 t.

Two segments are the detector of arXiv 2501.00070 (section 4; recipe of the
project's specification, 2.10); three segments find the slow phase, the fast
phase and the plateau at once. Where two segments bend depends on the range of t
that they are fitted to, so every result belongs to a stated range.

All fits are vectorised over curves: R curves are R rows, typically bootstrap
replicates of one mean curve. A hinge at every candidate breakpoint is made
orthogonal to the straight line once; then each fit is a matrix product.
"""

import functools
from typing import NamedTuple

from jaxtyping import Float, Int
import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import nulls

POINTS = 200
CANDIDATES = 400
# Breakpoints stay this factor away from the ends of the range, and from each
# other.
MARGIN = 1.3
# A plateau begins where this share of the whole rise is behind.
PLATEAU_SHARE = 0.95
_COINCIDE = 1e-9


class Segments(NamedTuple):
  """Continuous piecewise-linear fits in log10 t with k breakpoints.

  at: [R, k], in units of t, ascending. slopes: [R, k + 1], per decade of t.
  residual: [R], root mean square. line: [R], the same of one straight line.
  start: [R], fitted value at t_min, which is `first`.
  """

  at: Float[np.ndarray, "R k"]
  slopes: Float[np.ndarray, "R k+1"]
  residual: Float[np.ndarray, " R"]
  line: Float[np.ndarray, " R"]
  start: Float[np.ndarray, " R"]
  first: float

  def curve(self, t: Float[np.ndarray, " P"]) -> Float[np.ndarray, "R P"]:
    """The fits at other context lengths."""
    x = np.log10(np.asarray(t, np.float64))
    bends = np.maximum(0, x - np.log10(self.at)[..., None])
    changes = np.diff(self.slopes, axis=1)[..., None]
    rise = self.slopes[:, :1] * (x - np.log10(self.first))
    return self.start[:, None] + rise + (changes * bends).sum(axis=1)


class Estimate(NamedTuple):
  """A positive quantity with its bootstrap interval on the log scale.

  replicates: [R], on which `lag` and anything else derived can be based.
  """

  value: float
  low: float
  high: float
  replicates: Float[np.ndarray, " R"]


def points(low: int, high: int, count: int = POINTS) -> Int[np.ndarray, " P"]:
  """Log-spaced whole context lengths from low to high, without repetitions.

  Raises:
    InputError: the range does not hold two breakpoints' margins.
  """
  if low < 1 or high < MARGIN**2 * low:
    raise errors.InputError(
      f"no transition can be fitted to t from {low} to {high}; the range must "
      f"start at 1 or later and span a factor of {MARGIN**2:.2f} at least"
    )
  return np.unique(np.rint(np.geomspace(low, high, count)).astype(np.int64))


def plateau_start(
  curve: Float[np.ndarray, " T"], low: int = 1, part: float = PLATEAU_SHARE
) -> int:
  """First t at which 95% (`part`) of a curve's whole change is behind.

  The change is from the mean around `low` to the mean over the last tenth; the
  curve is smoothed over the 20% of context lengths around t. Two segments that
  are to find the slow and the fast phase are fitted up to here.

  Args:
    curve: at t = 1..T.
    low: first context length of the fit.
    part: of the change.
  """
  curve = np.asarray(curve, np.float64)
  length = len(curve)
  t = np.arange(1, length + 1)
  before = np.maximum(np.floor(t / 1.1).astype(int), 1) - 1
  after = np.minimum(np.ceil(t * 1.1).astype(int), length)
  known = np.isfinite(curve)
  total = np.append(0, np.cumsum(np.where(known, curve, 0)))
  number = np.append(0, np.cumsum(known))
  count = number[after] - number[before]
  smooth = (total[after] - total[before]) / np.where(count > 0, count, np.nan)
  start = smooth[(t >= low) & np.isfinite(smooth)][0]
  share = (smooth - start) / (
    np.nanmean(curve[-max(1, length // 10) :]) - start
  )
  reached = np.flatnonzero((share >= part) & (t >= low))
  return int(t[reached[0]]) if len(reached) else length


@functools.lru_cache(maxsize=64)
def _basis(t: tuple[float, ...], candidates: int):
  """Line basis [P, 2], candidates in t [B], unit hinges [B, P], their lengths.

  Hinges are max(0, x - b), less their projection on the line.
  """
  x = np.log10(t)
  if len(x) < 5 or (np.diff(x) <= 0).any() or x[0] < 0:
    raise errors.InputError(
      f"{len(x)} context lengths; a transition needs at least 5, ascending "
      "from 1 or later"
    )
  at = np.geomspace(MARGIN * t[0], t[-1] / MARGIN, candidates)
  if at[-1] <= at[0]:
    raise errors.InputError(
      f"context lengths {t[0]:g} to {t[-1]:g} span less than a factor of "
      f"{MARGIN**2:.2f}; no breakpoint fits in between"
    )
  line, _ = np.linalg.qr(np.stack([np.ones_like(x), x], axis=1))
  hinge = np.maximum(0, x - np.log10(at)[:, None])
  hinge = hinge - (hinge @ line) @ line.T
  length = np.sqrt((hinge**2).sum(axis=1))
  return x, line, at, hinge / length[:, None]


def _prepare(curves, t, candidates):
  curves = np.asarray(curves, np.float64)
  if curves.ndim != 2 or curves.shape[1] != len(t):
    raise errors.InputError(
      f"curves of shape {curves.shape} at {len(t)} context lengths; expected "
      "[curve, context length]"
    )
  basis = _basis(tuple(np.asarray(t, np.float64).tolist()), candidates)
  _, line, _, hinge = basis
  rest = curves - (curves @ line) @ line.T
  return curves, basis, rest, rest @ hinge.T


def two_segments(
  curves: Float[np.ndarray, "R P"],
  t: Float[np.ndarray, " P"],
  bend: int = 0,
  candidates: int = CANDIDATES,
) -> Segments:
  """One breakpoint: least squares on (1, x, max(0, x - b)), x = log10 t.

  Args:
    curves: values at t; the fit is NaN where a curve holds NaN.
    t: ascending context lengths, usually from `points`.
    bend: 1 if the slope must grow at the breakpoint (an accuracy that takes
      off, an energy that bottoms out), -1 if it must shrink, 0 for either. A
      curve with both kinds of bend may be fitted at the wrong one otherwise,
      and so may some of its bootstrap replicates. NaN where there is none.
    candidates: breakpoints tried, log-spaced in [1.3 t_min, t_max / 1.3].

  Raises:
    InputError: shapes differ, or the range is too short.
  """
  curves, basis, rest, along = _prepare(curves, t, candidates)
  allowed = np.where(bend * along >= 0, np.nan_to_num(along) ** 2, 0)
  best = allowed.argmax(axis=1)
  largest = allowed[np.arange(len(best)), best]
  none = largest <= _COINCIDE**2 * (curves**2).sum(axis=1)
  curves = np.where(none[:, None], np.nan, curves)
  return _described(curves, basis, rest, best[:, None])


def three_segments(
  curves: Float[np.ndarray, "R P"],
  t: Float[np.ndarray, " P"],
  candidates: int = CANDIDATES,
) -> Segments:
  """Two breakpoints, a factor of 1.3 apart at least; otherwise the same."""
  curves, basis, rest, along = _prepare(curves, t, candidates)
  _, _, at, hinge = basis
  along = np.nan_to_num(along)
  overlap = hinge @ hinge.T
  first_free = np.searchsorted(at, at * MARGIN * (1 - 1e-12))
  rows = np.arange(len(curves))
  best = np.full(len(curves), -np.inf)
  chosen = np.zeros((len(curves), 2), np.int64)
  for i, j in enumerate(first_free.tolist()):
    if j >= len(at):
      break
    # Squared length of the projection on both hinges. Hinges with the same
    # context lengths on either side can coincide; two add nothing to one.
    one, other, c = along[:, i, None], along[:, j:], overlap[i, j:]
    apart = np.where(1 - c**2 > _COINCIDE, 1 - c**2, np.inf)
    gain = one**2 + (other - c * one) ** 2 / apart
    place = gain.argmax(axis=1)
    better = gain[rows, place] > best
    best = np.where(better, gain[rows, place], best)
    chosen[better] = np.stack([np.full_like(place, i), place + j], 1)[better]
  if not np.isfinite(best).all():
    raise errors.InputError(
      f"context lengths {t[0]:g} to {t[-1]:g} have no room for two breakpoints"
    )
  return _described(curves, basis, rest, chosen)


def _described(curves, basis, rest, chosen) -> Segments:
  """Breakpoints, slopes and residuals of the chosen candidates [R, k]."""
  x, line, at, _ = basis
  hinges = np.maximum(0, x - np.log10(at[chosen])[..., None])
  design = np.concatenate(
    [
      np.broadcast_to(np.stack([np.ones_like(x), x]), (len(curves), 2, len(x))),
      hinges,
    ],
    axis=1,
  )
  known = np.isfinite(curves).all(axis=1)
  filled = np.where(known[:, None], curves, 0)
  weights = np.linalg.solve(
    design @ np.swapaxes(design, 1, 2), design @ filled[..., None]
  )[..., 0]
  residual = filled - (weights[:, None] @ design)[:, 0]
  blank = np.where(known, 0, np.nan)
  return Segments(
    at[chosen] + blank[:, None],
    np.cumsum(weights[:, 1:], axis=1) + blank[:, None],
    np.sqrt((residual**2).mean(axis=1)) + blank,
    np.sqrt((rest**2).mean(axis=1)),
    weights[:, 0] + weights[:, 1] * x[0] + blank,
    float(10 ** x[0]),
  )


def resampled(
  sums: Float[np.ndarray, "G T"],
  count: Float[np.ndarray, "G T"],
  resamples: int,
  seed: int,
) -> Float[np.ndarray, "draw T"]:
  """Mean curve, then bootstrap replicates of it over groups.

  Args:
    sums, count: of the scored values of each group (one walk, say), as from
      `accuracy.group_totals`, at the context lengths wanted.
    resamples: R.
    seed: of the draws; the same for curves whose order is asked about, so that
      `lag` is paired.
  """
  drawn = nulls.bootstrap_weights(len(sums), resamples, seed)
  weights = np.concatenate([np.ones((1, len(sums))), drawn])
  total = weights @ count
  return (weights @ sums) / np.where(total > 0, total, np.nan)


def estimate(
  values: Float[np.ndarray, " draw"],
  groups: int,
  level: float = 0.95,
  bounds: tuple[float, float] = (0.0, np.inf),
) -> Estimate:
  """A positive number and its interval, from itself and its replicates.

  Args:
    values: the estimate first, then its bootstrap replicates.
    groups: drawn by the bootstrap.
    level: nominal coverage.
    bounds: values it can take; the interval is cut there.
  """
  with np.errstate(divide="ignore"):
    logs, ends = np.log10(values), np.log10(bounds)
  low, high = nulls.interval(
    logs[0], logs[1:], groups, level, (float(ends[0]), float(ends[1]))
  )
  return Estimate(
    float(values[0]), float(10**low), float(10**high), np.asarray(values[1:])
  )


def lag(
  first: Estimate, second: Estimate, groups: int, level: float = 0.95
) -> Estimate:
  """second / first with its interval; above 1 means that `second` is later.

  Both must come from the same bootstrap draws: events of one run go together,
  and the interval is about their ratio.
  """
  values = np.append(
    second.value / first.value, second.replicates / first.replicates
  )
  return estimate(values, groups, level)
