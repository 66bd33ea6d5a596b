"""Is a rise a step, a logistic, a line or nothing?

Least-squares fits of R curves at once. For every midpoint and width of a grid
the two levels of a logistic are linear, so that the whole grid is a few matrix
products; the best of it is then refined.
"""

from typing import NamedTuple

from jaxtyping import Float
import numpy as np
from scipy import special

from icl_graphs import errors

# From 10% to 90% of a logistic's rise, in units of its scale: 2 ln 9.
RISE = 2 * np.log(9)
# Free numbers of each shape; the spread of the residuals is one more for all.
SHAPES = {"constant": 1, "line": 2, "step": 3, "logistic": 4}
_MIDPOINTS = 80
_SCALES = 40
_STEPS = 40
# Lengths of a curve whose shape can be told.
FEWEST = 6
# Residuals below this are rounding.
_ROUNDING = 1e-9


class Logistic(NamedTuple):
  """low + (high - low) / (1 + exp(-(n - midpoint) / scale)); [R] each.

  residual: sum of squares.
  """

  low: Float[np.ndarray, " R"]
  high: Float[np.ndarray, " R"]
  midpoint: Float[np.ndarray, " R"]
  scale: Float[np.ndarray, " R"]
  residual: Float[np.ndarray, " R"]

  @property
  def width(self) -> Float[np.ndarray, " R"]:
    """From 10% to 90% of the rise, in flips."""
    return RISE * self.scale

  def curve(self, lengths: Float[np.ndarray, " n"]) -> Float[np.ndarray, "R n"]:
    low, high, midpoint, scale = (part[:, None] for part in self[:4])
    rise = special.expit((np.asarray(lengths) - midpoint) / scale)
    return low + (high - low) * rise


def _checked(curves, lengths):
  curves = np.asarray(curves, np.float64)
  lengths = np.asarray(lengths, np.float64)
  if curves.ndim != 2 or curves.shape[1:] != lengths.shape:
    raise errors.InputError(
      f"curves of shape {curves.shape} at {lengths.size} lengths; expected"
      " [curve, length]"
    )
  if lengths.size < FEWEST or (np.diff(lengths) <= 0).any():
    raise errors.InputError(
      f"{lengths.size} lengths; a shape needs at least {FEWEST}, ascending"
    )
  if not np.isfinite(curves).all():
    raise errors.InputError("curves hold values that are not finite")
  return curves, lengths


def logistic(
  curves: Float[np.ndarray, "R n"], lengths: Float[np.ndarray, " n"]
) -> Logistic:
  """Fits a logistic to every curve.

  The midpoint stays within the lengths. Where neighbouring lengths hold the
  whole rise the scale is not determined; it ends at a tenth of their distance.

  Raises:
    InputError: shapes differ, values are missing, or too few lengths.
  """
  curves, lengths = _checked(curves, lengths)
  span = lengths[-1] - lengths[0]
  least = np.diff(lengths).min() / 10
  midpoints, scales = (
    grid.ravel()
    for grid in np.meshgrid(
      np.linspace(lengths[0], lengths[-1], _MIDPOINTS),
      np.geomspace(least, span, _SCALES),
    )
  )
  rises = special.expit((lengths - midpoints[:, None]) / scales[:, None])
  # A level and a rise: what is left of the curves after projection on both.
  rises = rises - rises.mean(axis=1, keepdims=True)
  unit = rises / np.sqrt((rises**2).sum(axis=1, keepdims=True))
  rest = curves - curves.mean(axis=1, keepdims=True)
  best = ((rest @ unit.T) ** 2).argmax(axis=1)
  parts = np.stack([midpoints[best], np.log(scales[best])])
  limits = np.array([[lengths[0], np.log(least)], [lengths[-1], np.log(span)]])
  parts = _refined(parts, curves, lengths, limits[..., None])
  (low, high), left = _levels(parts, curves, lengths)
  return Logistic(low, high, parts[0], np.exp(parts[1]), (left**2).sum(axis=1))


def _levels(parts, curves, lengths):
  """Best levels (low, high) [2, R] and what is left of the curves [R, n]."""
  midpoint, scale = parts[0][:, None], np.exp(parts[1])[:, None]
  rises = special.expit((lengths - midpoint) / scale)
  centre = rises - rises.mean(axis=1, keepdims=True)
  rest = curves - curves.mean(axis=1, keepdims=True)
  size = (centre**2).sum(axis=1)
  height = (centre * rest).sum(axis=1) / np.maximum(size, _ROUNDING)
  low = curves.mean(axis=1) - height * rises.mean(axis=1)
  return np.stack([low, low + height]), rest - height[:, None] * centre


def _refined(parts, curves, lengths, limits):
  """Gauss-Newton with damping over midpoint and log scale [2, R].

  Levels follow at every step, so that only two numbers are searched for.
  """
  damping = np.full(len(curves), 1e-2)
  (low, high), left = _levels(parts, curves, lengths)
  loss = (left**2).sum(axis=1)
  for _ in range(_STEPS):
    midpoint, scale = parts[0][:, None], np.exp(parts[1])[:, None]
    rise = special.expit((lengths - midpoint) / scale)
    steep = (high - low)[:, None] * rise * (1 - rise)
    slopes = np.stack(
      [-steep / scale, -steep * (lengths - midpoint) / scale], axis=1
    )
    # What levels take up of a change is no change.
    ground = np.stack([np.ones_like(rise), rise], axis=1)
    weights = np.linalg.pinv(ground @ np.swapaxes(ground, 1, 2))
    along = slopes @ np.swapaxes(ground, 1, 2)
    slopes = slopes - along @ weights @ ground
    squares = slopes @ np.swapaxes(slopes, 1, 2)
    size = np.einsum("rii->ri", squares) + _ROUNDING**2
    damped = squares + np.eye(2) * (damping[:, None] * size)[:, None]
    step = np.linalg.solve(damped, slopes @ left[..., None])[..., 0].T
    tried = np.clip(parts + step, limits[0], limits[1])
    (low_tried, high_tried), left_tried = _levels(tried, curves, lengths)
    loss_tried = (left_tried**2).sum(axis=1)
    good = loss_tried < loss
    parts = np.where(good, tried, parts)
    low, high = np.where(good, low_tried, low), np.where(good, high_tried, high)
    left = np.where(good[:, None], left_tried, left)
    loss = np.where(good, loss_tried, loss)
    damping = np.clip(np.where(good, damping / 5, damping * 5), 1e-9, 1e9)
    if not good.any() and (damping > 1e3).all():
      break
  return parts


def information(
  curves: Float[np.ndarray, "R n"], lengths: Float[np.ndarray, " n"]
) -> dict[str, Float[np.ndarray, " R"]]:
  """BIC of every one of `SHAPES`: n ln(RSS / n) + k ln n; lower is better.

  k counts the spread of the residuals too, and the place of a step or of a
  midpoint. Points are treated as independent: differences between shapes are a
  description, not a test, where curves are smooth.

  Raises:
    InputError: as `logistic`.
  """
  curves, lengths = _checked(curves, lengths)
  rest = curves - curves.mean(axis=1, keepdims=True)
  time = lengths - lengths.mean()
  slope = rest @ time / (time**2).sum()
  residuals = {
    "constant": (rest**2).sum(axis=1),
    "line": ((rest - slope[:, None] * time) ** 2).sum(axis=1),
    "step": _step(curves),
    "logistic": logistic(curves, lengths).residual,
  }
  number = len(lengths)
  return {
    name: number * np.log(residuals[name] / number + _ROUNDING**2)
    + (free + 1) * np.log(number)
    for name, free in SHAPES.items()
  }


def _step(curves):
  """Sum of squares about two levels, at the best place for the step."""
  number = curves.shape[1]
  before = np.arange(1, number)
  total = np.cumsum(curves - curves.mean(axis=1, keepdims=True), axis=1)[:, :-1]
  # Variance between two parts, whose deviations from the mean add to zero.
  between = total**2 * (1 / before + 1 / (number - before))
  return np.maximum(
    ((curves - curves.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    - between.max(axis=1),
    0,
  )
