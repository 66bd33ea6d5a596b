"""Accuracy as belief: log-odds that grow with the evidence read so far.

p(t) = sigma(b + g t^(1 - alpha)), the belief dynamics of arXiv 2511.00617
(section 8 of the project's specification). Fitted by least squares on p at
log-spaced t, for many curves at once, in coordinates that are nearly
independent of each other: with u = t / t*,

  log-odds = rate (u^k - 1) / k,   k = 1 - alpha,

so t* is where p = 1/2, `rate` the slope of the log-odds against ln t there, and
k = 0 stands for log-odds that are linear in ln t, which plain counting gives.
"""

from typing import NamedTuple

from jaxtyping import Float
import numpy as np
from scipy import special

from icl_graphs import errors

# Of k = 1 - alpha; beyond, curves on any range of t cannot be told apart.
EXPONENTS = (-2.0, 3.0)
_STEPS = 60
# Steps of ln t*, rate and exponent below which a descent ends.
_CONVERGED = 1e-5
# Of ln t* beyond the range of t: further out it is not determined.
_BEYOND = 5.0
_RATES = (-50.0, 50.0)


class Sigmoid(NamedTuple):
  """Fits of R curves, [R] each.

  midpoint: t*, where p = 1/2. rate: slope of the log-odds against ln t there.
  exponent: 1 - alpha. residual: root mean square. r2: share of the variance
  over the points.
  """

  midpoint: Float[np.ndarray, " R"]
  rate: Float[np.ndarray, " R"]
  exponent: Float[np.ndarray, " R"]
  residual: Float[np.ndarray, " R"]
  r2: Float[np.ndarray, " R"]

  @property
  def alpha(self) -> Float[np.ndarray, " R"]:
    return 1 - self.exponent

  @property
  def prior(self) -> Float[np.ndarray, " R"]:
    """b, the log-odds before any evidence; infinite towards alpha = 1."""
    with np.errstate(divide="ignore"):
      return -self.rate / self.exponent

  @property
  def growth(self) -> Float[np.ndarray, " R"]:
    """g, what the evidence is worth."""
    return -self.prior * self.midpoint**-self.exponent

  def curve(self, t: Float[np.ndarray, " P"]) -> Float[np.ndarray, "R P"]:
    parts = np.stack([np.log(self.midpoint), self.rate, self.exponent])
    return _value_and_slopes(parts, np.log(t))[0]


def fit(
  curves: Float[np.ndarray, "R P"],
  t: Float[np.ndarray, " P"],
  exponent: float | None = None,
) -> Sigmoid:
  """Least squares over t*, rate and exponent (Levenberg-Marquardt).

  Args:
    curves: probabilities at t; NaN gives NaN. The descent starts at the fit to
      their mean, as suits replicates of one curve.
    t: ascending context lengths from 1.
    exponent: held fixed, 0 for log-odds linear in ln t.

  Raises:
    InputError: shapes differ, values outside [0, 1], or too few points.
  """
  curves = np.asarray(curves, np.float64)
  if curves.ndim != 2 or curves.shape[1] != len(t) or len(t) < 5:
    raise errors.InputError(
      f"curves of shape {curves.shape} at {len(t)} context lengths; expected "
      "[curve, context length] with at least 5"
    )
  known = np.isfinite(curves).all(axis=1)
  target = np.where(known[:, None], curves, 0.5)
  if target.min() < 0 or target.max() > 1:
    raise errors.InputError(
      f"probabilities run from {target.min():.3g} to {target.max():.3g}; "
      "they must lie in 0 to 1"
    )
  x = np.log(np.asarray(t, np.float64))
  limits = np.array([(x[0] - _BEYOND, x[-1] + _BEYOND), _RATES, EXPONENTS]).T[
    ..., None
  ]
  free = np.array([True, True, exponent is None])
  middle = target[known].mean(axis=0, keepdims=True) if known.any() else target
  starts = (0.0, 0.5, 1.5) if exponent is None else (exponent,)
  tried = [
    _descend(_start(middle, x, start, limits), middle, x, limits, free)
    for start in starts
  ]
  start = min(tried, key=lambda one: one[1][0])[0][:, :1]
  parts, loss = _descend(
    np.repeat(start, len(target), axis=1), target, x, limits, free
  )
  spread = ((target - target.mean(axis=1, keepdims=True)) ** 2).mean(axis=1)
  blank = np.where(known, 0, np.nan)
  with np.errstate(divide="ignore", invalid="ignore"):
    return Sigmoid(
      np.exp(parts[0]) + blank,
      parts[1] + blank,
      parts[2] + blank,
      np.sqrt(loss) + blank,
      1 - loss / spread + blank,
    )


def _start(target, x, exponent, limits) -> np.ndarray:
  """[3, R]: log-odds regressed on ln t, whatever the exponent."""
  logits = special.logit(np.clip(target, 0.01, 0.99))
  centre = x - x.mean()
  rate = logits @ centre / (centre @ centre)
  rate = np.where(np.abs(rate) > 1e-3, rate, 1e-3)
  midpoint = x.mean() - logits.mean(axis=1) / rate
  parts = np.stack([midpoint, rate, np.full_like(rate, exponent)])
  return np.clip(parts, limits[0], limits[1])


def _value_and_slopes(parts, x):
  """p [R, P] and its derivatives [3, R, P] in (ln t*, rate, exponent)."""
  middle, rate, k = (part[:, None] for part in parts)
  u = x - middle
  power = np.exp(np.clip(k * u, -60, 60))
  small = np.abs(k) < 1e-4
  safe = np.where(small, 1.0, k)
  # (u^k - 1) / k and its derivative in k, with their limits at k = 0.
  growth = np.where(small, u + k * u**2 / 2, (power - 1) / safe)
  bent = np.where(small, u**2 / 2 + k * u**3 / 3, (u * power - growth) / safe)
  p = special.expit(rate * growth)
  steep = p * (1 - p)
  return p, np.stack(
    [-steep * rate * power, steep * growth, steep * rate * bent]
  )


def _descend(parts, target, x, limits, free):
  """Levenberg-Marquardt for all curves; (parts [3, R], mean square [R])."""
  damping = np.full(len(target), 1e-2)
  p, slopes = _value_and_slopes(parts, x)
  loss = ((target - p) ** 2).mean(axis=1)
  eye = np.eye(3)
  for _ in range(_STEPS):
    slopes = slopes * free[:, None, None]
    by_curve = np.moveaxis(slopes, 1, 0)
    squares = by_curve @ np.swapaxes(by_curve, 1, 2)
    along = (by_curve @ (target - p)[..., None])[..., 0]
    scale = np.einsum("rii->ri", squares) + 1e-9
    damped = squares + eye * (damping[:, None] * scale + 1e-12)[:, None]
    step = np.linalg.solve(damped, along[..., None])[..., 0].T
    tried = np.clip(parts + step * free[:, None], limits[0], limits[1])
    p_tried, slopes_tried = _value_and_slopes(tried, x)
    loss_tried = ((target - p_tried) ** 2).mean(axis=1)
    good = loss_tried < loss
    moved = np.abs(tried - parts).max(axis=0)
    parts = np.where(good, tried, parts)
    p = np.where(good[:, None], p_tried, p)
    slopes = np.where(good[None, :, None], slopes_tried, slopes)
    loss = np.where(good, loss_tried, loss)
    damping = np.clip(np.where(good, damping / 10, damping * 5), 1e-9, 1e9)
    if (moved < _CONVERGED).all():
      break
  return parts, loss
