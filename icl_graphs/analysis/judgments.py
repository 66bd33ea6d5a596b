"""When, and how sharply, repeated flips are no longer judged random.

Curves are p(non-random | first n flips), array [R, n], one per concept.
"""

from typing import NamedTuple

from jaxtyping import Float, Int
import numpy as np
from scipy import special

from icl_graphs.analysis import curve_shapes, thresholds

# From 10% to 90% of a rise of ln 2 nats per flip, in flips.
IDEAL_WIDTH = curve_shapes.RISE / thresholds.IDEAL_SLOPE
# Least slope, in nats per flip, of an observer whose log-odds are within 1 nat
# of the ideal ones: a nat too high at one half and one too low at 99%, which
# the ideal observer takes log(99) / log(2) = 6.6 flips to reach, is some 0.3
# nats per flip less (the band of evidence slopes of the specification).
LEAST_SLOPE = 0.40
# The width that goes with it.
WIDEST = curve_shapes.RISE / LEAST_SLOPE
# Says so in a criterion.
WIDEST_REASON = (
  f"within {WIDEST:.1f} flips: {LEAST_SLOPE:.2f} nats per flip, the least where"
  " log-odds stay within 1 nat of those of an ideal observer, who gains ln 2 ="
  f" .693 and takes {IDEAL_WIDTH:.1f} flips"
)
# Shapes that count as a change rather than a drift.
CHANGES = ("step", "logistic")

Values = Float[np.ndarray, " R"]


class Transitions(NamedTuple):
  """Of every curve; NaN for "never".

  Attributes:
    n50, n90, n99: see `thresholds.settled`.
    crossing: of one half, interpolated.
    smooth: the same after averaging over the concept's length.
    rise, rise_at: the largest step, and the length it leads to.
    peak, peak_at, after_peak: the largest false alarm, see
      `thresholds.false_peak`.
    midpoint, width: of a logistic; from 10% to 90% in flips.
    slope: of the log-odds between n50 and n99, nats per flip.
    shape: the one of `curve_shapes.SHAPES` with the lowest BIC.
  """

  n50: Values
  n90: Values
  n99: Values
  crossing: Values
  smooth: Values
  rise: Values
  rise_at: Values
  peak: Values
  peak_at: Values
  after_peak: Values
  midpoint: Values
  width: Values
  slope: Values
  shape: tuple[str, ...]


def transitions(
  curves: Float[np.ndarray, "R n"],
  lengths: Int[np.ndarray, " n"],
  periods: Int[np.ndarray, " R"],
) -> Transitions:
  """Every estimate of a transition, curve by curve.

  Args:
    curves: p(non-random).
    lengths: numbers of flips, ascending.
    periods: lengths of the concepts.

  Raises:
    InputError: shapes differ, values are missing, or too few lengths.
  """
  information = curve_shapes.information(curves, lengths)
  fitted = curve_shapes.logistic(curves, lengths)
  rise = thresholds.largest_rise(curves, lengths)
  peak = thresholds.false_peak(curves, lengths)
  best = np.argmin(np.stack(list(information.values())), axis=0)
  return Transitions(
    *(thresholds.settled(curves, lengths, k) for k in thresholds.LEVELS),
    thresholds.crossing(curves, lengths),
    _smooth_crossing(curves, lengths, periods),
    *(*rise, *peak),
    fitted.midpoint,
    fitted.width,
    thresholds.evidence_slope(curves, lengths),
    tuple(list(information)[place] for place in best),
  )


def sharp(found: Transitions, first: float) -> np.ndarray:
  """Which curves change sharply, [R] of bool.

  They settle above one half after the first length; a step or a logistic
  describes them better than a line does; and they rise from 10% to 90% within
  `WIDEST` flips.

  Args:
    found: of the curves.
    first: shortest length measured.
  """
  return (
    (found.n50 > first)
    & np.isin(found.shape, CHANGES)
    & (found.width <= WIDEST)
  )


def relative(log_mass: Float[np.ndarray, "R m 2"]) -> Float[np.ndarray, "R n"]:
  """Log-odds of non-random after 1 to n flips, less those of an empty list.

  A model may like one answer word better whatever it has read.

  Args:
    log_mass: log-probability of (random, non) after 0 to n flips.
  """
  odds = np.subtract(log_mass[..., 1], log_mass[..., 0], dtype=np.float64)
  return odds[:, 1:] - odds[:, :1]


def as_probability(odds: np.ndarray) -> np.ndarray:
  """p(non-random) of a model without a liking for either word."""
  return special.expit(odds)


def _smooth_crossing(curves, lengths, periods):
  """Crossing of one half where ripples with the phase are averaged out."""
  widest = len(lengths) - 1
  found = np.empty(len(curves))
  for place, period in enumerate(np.minimum(periods, widest).tolist()):
    found[place] = thresholds.crossing(
      *thresholds.window_average(curves[place][None], lengths, period)
    )[0]
  return found
