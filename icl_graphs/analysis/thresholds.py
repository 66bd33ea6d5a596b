"""Where and how steeply a probability rises with the number of flips.

Curves are arrays [R, n] at ascending numbers of flips `lengths` [n]; R of them
at once, typically bootstrap replicates of one mean curve. Unlike the bends of
`transitions`, these are about probabilities that rise to 1: p(non-random) or
the probability of a concept. NaN stands for "never".
"""

from typing import NamedTuple

from jaxtyping import Float
import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import concepts

LEVELS = (0.5, 0.9, 0.99)
# An observer who compares a repeated word with a fair coin gains this per flip.
IDEAL_SLOPE = np.log(2)

Curves = Float[np.ndarray, "R n"]
Lengths = Float[np.ndarray, " n"]


class Rise(NamedTuple):
  """The largest step from one length to the next.

  height: of the step, [R]. at: length it leads to, [R].
  """

  height: Float[np.ndarray, " R"]
  at: Float[np.ndarray, " R"]


class Peak(NamedTuple):
  """The highest value before n50 that the curve comes down from.

  height, at: of the peak, [R]. then: value at the next length, [R].
  """

  height: Float[np.ndarray, " R"]
  at: Float[np.ndarray, " R"]
  then: Float[np.ndarray, " R"]


def _checked(curves, lengths):
  curves = np.asarray(curves, np.float64)
  lengths = np.asarray(lengths, np.float64)
  if curves.ndim != 2 or curves.shape[1:] != lengths.shape:
    raise errors.InputError(
      f"curves of shape {curves.shape} at {lengths.size} lengths; expected"
      " [curve, length]"
    )
  if lengths.size < 2 or (np.diff(lengths) <= 0).any():
    raise errors.InputError("lengths must ascend, and there must be two")
  return curves, lengths


def _first(curves, level):
  """Place from which a curve stays at the level; its length if it never does.

  NaN counts as below.
  """
  below = ~(curves >= level)
  return curves.shape[1] - np.where(
    below.any(axis=1), below[:, ::-1].argmax(axis=1), curves.shape[1]
  )


def settled(
  curves: Curves, lengths: Lengths, level: float = 0.5
) -> Float[np.ndarray, " R"]:
  """Smallest length from which a curve is at `level` or above to the end.

  n50, n90 and n99 for levels of `LEVELS`. Equal to the first length where the
  curve always is: no transition was seen then.

  Raises:
    InputError: shapes differ, or lengths do not ascend.
  """
  curves, lengths = _checked(curves, lengths)
  return np.append(lengths, np.nan)[_first(curves, level)]


def crossing(
  curves: Curves, lengths: Lengths, level: float = 0.5
) -> Float[np.ndarray, " R"]:
  """Where the line to the point that `settled` finds passes the level.

  The first length where the curve always is at the level.
  """
  curves, lengths = _checked(curves, lengths)
  last = _first(curves, level)
  inside = np.clip(last, 1, len(lengths) - 1)
  rows = np.arange(len(curves))
  low, high = curves[rows, inside - 1], curves[rows, inside]
  with np.errstate(divide="ignore", invalid="ignore"):
    share = (level - low) / (high - low)
  gap = lengths[inside] - lengths[inside - 1]
  between = lengths[inside - 1] + share * gap
  found = np.where(last == 0, lengths[0], between)
  return np.where(last == len(lengths), np.nan, found)


def window_average(
  curves: Curves, lengths: Lengths, window: int
) -> tuple[Curves, Lengths]:
  """Means of `window` neighbouring points, at the middle of their lengths.

  With the length of a concept, what ripples with its phase is averaged out.

  Raises:
    InputError: the window is wider than the curves.
  """
  curves, lengths = _checked(curves, lengths)
  if not 1 <= window <= len(lengths) - 1:
    raise errors.InputError(
      f"a window of {window} points on curves of {len(lengths)}; give 1 to"
      f" {len(lengths) - 1}"
    )

  def mean(array):
    windows = np.lib.stride_tricks.sliding_window_view(array, window, axis=-1)
    return windows.mean(axis=-1)

  return mean(curves), mean(lengths)


def largest_rise(curves: Curves, lengths: Lengths) -> Rise:
  """The largest rise between neighbouring lengths; NaN steps left out."""
  curves, lengths = _checked(curves, lengths)
  steps = np.diff(curves, axis=1)
  steps = np.where(np.isnan(steps), -np.inf, steps)
  place = steps.argmax(axis=1)
  height = steps[np.arange(len(steps)), place]
  known = np.isfinite(height)
  return Rise(
    np.where(known, height, np.nan), np.where(known, lengths[place + 1], np.nan)
  )


def false_peak(curves: Curves, lengths: Lengths) -> Peak:
  """The largest false alarm before a curve settles above one half.

  Where it never settles, the whole curve is looked at; where it never falls,
  there is none.
  """
  curves, lengths = _checked(curves, lengths)
  before = np.arange(len(lengths)) < _first(curves, 0.5)[:, None]
  falls = np.zeros_like(before)
  falls[:, :-1] = before[:, 1:] & (curves[:, 1:] < curves[:, :-1])
  heights = np.where(falls, curves, -np.inf)
  place = heights.argmax(axis=1)
  then = curves[np.arange(len(curves)), np.minimum(place + 1, len(lengths) - 1)]
  found = falls.any(axis=1)
  return Peak(
    *(
      np.where(found, values, np.nan)
      for values in (heights.max(axis=1), lengths[place], then)
    )
  )


def evidence_slope(
  curves: Curves, lengths: Lengths, clip: float = 4.0
) -> Float[np.ndarray, " R"]:
  """Least-squares slope of the log-odds, in nats per flip, as a curve rises.

  From n50 to n99, or to where the log-odds reach `clip`, which is left out:
  beyond, rounding and a model's floor decide. Where fewer than two points lie
  between, a curve that reaches the clip, and was never above one half before
  n50, is steeper than can be fitted: the slope from the last point before n50
  to the first at the clip, both clipped, is what it has at least. NaN where a
  curve does not settle, settles too late to tell, or only comes back from a
  dip. Compare `IDEAL_SLOPE`: a steep curve alone is what plain
  averaging of hypotheses gives as well.
  """
  curves, lengths = _checked(curves, lengths)
  odds = concepts.log_odds(curves, clip)
  place = np.arange(len(lengths))[None]
  start = _first(curves, 0.5)[:, None]
  high = (odds >= clip) & (place >= start)
  reached = np.where(high.any(axis=1), high.argmax(axis=1), len(lengths))
  stop = np.minimum(reached, _first(curves, 0.99) + 1)[:, None]
  used = (place >= start) & (place < stop) & np.isfinite(odds)
  count = used.sum(axis=1)
  with np.errstate(divide="ignore", invalid="ignore"):
    middle = (used * lengths).sum(axis=1) / count
    apart = np.where(used, lengths - middle[:, None], 0)
    slope = (apart * np.where(used, odds, 0)).sum(axis=1) / (apart**2).sum(1)
    ends = np.clip([start[:, 0] - 1, reached], 0, len(lengths) - 1)
    low, top = odds[np.arange(len(odds)), ends]
    least = (top - low) / np.diff(lengths[ends], axis=0)[0]
  early = ((curves >= 0.5) & (place < start)).any(axis=1)
  reaches = (reached < len(lengths)) & (start[:, 0] > 0) & ~early
  return np.where(count >= 2, slope, np.where(reaches, least, np.nan))
