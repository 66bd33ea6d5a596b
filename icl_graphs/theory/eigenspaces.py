"""Power of class means per eigenspace, and what a power spectrum says.

Powers are means over the modes of an eigenspace and sum to 1 when weighted by
multiplicity. Those of the walk matrix ("signed", mu from 1 smooth to -1
alternating) are degree-corrected, so unrelated words give a flat spectrum.
"""

from typing import NamedTuple

from jaxtyping import Float, Int
import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import geometry, spectrum

# Rates of the exponential in mu that is fitted beside the quadratic.
_RATES = np.geomspace(0.05, 20, 200)
SMOOTH, MIDDLE = -0.7, 0.4


class Eigenspaces(NamedTuple):
  """Eigenspaces of a matrix over nodes, without that of the common mean.

  values: [S] eigenvalues; multiplicity: [S]; operators: [S, n, n], with
  tr(operator K) the mean raw power of the space's modes in a Gram matrix K.
  Insensitive to a row added to all class means.
  """

  values: Float[np.ndarray, " S"]
  multiplicity: Int[np.ndarray, " S"]
  operators: Float[np.ndarray, "S n n"]

  @property
  def flat(self) -> float:
    """Power of every mode without structure, 1 / (n - 1)."""
    return 1 / float(self.multiplicity.sum())


def walk(graph: geometry.Frame, degree_corrected: bool = True) -> Eigenspaces:
  """Of the walk matrix, mu descending; see `spectrum.walk_power`."""
  root = np.sqrt(graph.adjacency.sum(axis=1))
  modes = spectrum.symmetric_modes(
    graph.adjacency / np.outer(root, root), descending=True
  )
  found = _grouped(modes, modes.vectors * root[:, None])
  if not degree_corrected:
    return found
  scale = np.einsum("sii->s", found.operators)
  return found._replace(operators=found.operators / scale[:, None, None])


def laplacian(graph: geometry.Frame) -> Eigenspaces:
  """Of the Laplacian, eigenvalues ascending."""
  return _grouped(graph.modes, graph.modes.vectors)


def _grouped(modes: spectrum.Modes, vectors: np.ndarray) -> Eigenspaces:
  labels = np.unique(modes.space[1:])
  inside = [np.flatnonzero(modes.space == label) for label in labels]
  return Eigenspaces(
    np.array([modes.values[space].mean() for space in inside]),
    np.array([len(space) for space in inside]),
    np.stack([vectors[:, k] @ vectors[:, k].T / len(k) for k in inside]),
  )


def powers(
  gram: Float[np.ndarray, "*batch n n"], spaces: Eigenspaces
) -> Float[np.ndarray, "*batch S"]:
  """Normalised mean power per eigenspace; NaN where there is no variance."""
  flat = gram.reshape(*gram.shape[:-2], gram.shape[-1] ** 2)
  raw = flat @ spaces.operators.reshape(len(spaces.values), -1).T
  return normalised(raw, spaces.multiplicity)


def normalised(
  raw: Float[np.ndarray, "*batch S"], multiplicity: Int[np.ndarray, " S"]
) -> Float[np.ndarray, "*batch S"]:
  """Raw powers scaled so that they sum to 1 over modes."""
  total = (raw @ multiplicity.astype(np.float64))[..., None]
  return raw / np.where(total > 0, total, np.nan)


def explained(
  observed: Float[np.ndarray, " S"],
  fitted: Float[np.ndarray, " S"],
  multiplicity: Int[np.ndarray, " S"],
) -> float:
  """Share of the variance of the modes' powers about their mean, R2."""
  mean = multiplicity @ observed / multiplicity.sum()
  return float(
    1
    - multiplicity
    @ (observed - fitted) ** 2
    / (multiplicity @ (observed - mean) ** 2)
  )


class SignedFit(NamedTuple):
  """What tells same-space smoothing from copying into another space.

  a, b, c: q(mu) = a + b mu + c mu^2 by multiplicity-weighted least squares.
  alpha = sqrt(c / a) and rho = b / (2 sqrt(a c)) of `partial_overlap`; NaN
  unless a and c are positive. floor, scale, rate: floor + scale exp(rate mu),
  what heat flow with a floor gives on a regular graph. The R2 of both, also
  with every eigenspace left out of the fit once and predicted (NaN with fewer
  than 5 eigenspaces). shared_r2: R2 of floor + scale (1 + mu)^2. contrast: mean
  power of the modes with mu < -0.7 minus that with |mu| < 0.4, the pre-stated
  statistic; NaN where there are none.
  """

  a: float
  b: float
  c: float
  alpha: float
  rho: float
  quadratic_r2: float
  quadratic_left_out_r2: float
  floor: float
  scale: float
  rate: float
  exponential_r2: float
  exponential_left_out_r2: float
  shared_r2: float
  contrast: float


def signed_fit(
  power: Float[np.ndarray, " S"], spaces: Eigenspaces
) -> SignedFit:
  """Fits both shapes to a signed spectrum.

  Args:
    power: per eigenspace of `walk`.
    spaces: from `walk`.

  Raises:
    InputError: not one finite power per eigenspace.
  """
  if power.shape != spaces.values.shape or not np.isfinite(power).all():
    raise errors.InputError(
      f"powers of shape {power.shape} for {len(spaces.values)} eigenspaces; "
      "give one finite power for each"
    )
  mu, count = spaces.values, spaces.multiplicity
  unknown = float("nan")
  a = b = c = alpha = rho = quadratic = quadratic_out = unknown
  if len(mu) >= 3:
    design = np.stack([np.ones_like(mu), mu, mu**2], axis=-1)
    a, b, c = (float(x) for x in _least_squares(design, power, count))
    quadratic = explained(power, design @ [a, b, c], count)
    quadratic_out = _left_out(
      power, count, lambda kept: _predict(design, power, count * kept)
    )
  if a > 0 and c > 0:
    alpha, rho = float(np.sqrt(c / a)), float(b / (2 * np.sqrt(a * c)))
  shared = np.stack([np.ones_like(mu), (1 + mu) ** 2], axis=-1)
  shared = explained(power, _predict(shared, power, count), count)
  floor, scale, rate, curve = _exponential(mu, power, count)
  return SignedFit(
    *(a, b, c, alpha, rho, quadratic, quadratic_out),
    *(floor, scale, rate, explained(power, curve, count)),
    _left_out(
      power, count, lambda kept: _exponential(mu, power, count * kept)[3]
    ),
    shared,
    float(contrast(power, spaces)),
  )


def contrast(
  power: Float[np.ndarray, "*batch S"], spaces: Eigenspaces
) -> Float[np.ndarray, "*batch"]:
  """Mean power of modes with mu < -0.7 minus that of modes with |mu| < 0.4."""
  result = 0.0
  for sign, inside in (
    (1, spaces.values < SMOOTH),
    (-1, np.abs(spaces.values) < MIDDLE),
  ):
    weights = spaces.multiplicity * inside
    total = weights.sum() or np.nan
    result = result + sign * (power @ weights) / total
  return result


def _least_squares(design, power, count) -> np.ndarray:
  root = np.sqrt(count.astype(np.float64))
  return np.linalg.lstsq(design * root[:, None], power * root, rcond=None)[0]


def _predict(design, power, count) -> np.ndarray:
  return design @ _least_squares(design, power, count)


def _left_out(power, count, fit) -> float:
  if len(power) < 5:
    return float("nan")
  found = np.array(
    [fit(np.arange(len(power)) != k)[k] for k in range(len(power))]
  )
  return explained(power, found, count)


def _exponential(mu, power, count):
  """Best floor, scale and rate on a grid of rates, and the curve."""
  curves = np.exp(_RATES[:, None] * mu)
  weights = count / count.sum()
  shifted = curves - (curves @ weights)[:, None]
  target = power - weights @ power
  scale = (shifted * weights) @ target / ((shifted**2) @ weights)
  misfit = ((target - scale[:, None] * shifted) ** 2) @ weights
  best = int(misfit.argmin())
  floor = weights @ power - scale[best] * (curves[best] @ weights)
  fitted = floor + scale[best] * curves[best]
  return float(floor), float(scale[best]), float(_RATES[best]), fitted
