"""Where energy minimisation ends, and the linear flows, in closed form.

Minimising tr(H' L H) subject to sigma_k(H) >= eps_k, k = 1..s, with
eps_1 > ... > eps_s > 0 on a connected graph gives sum_k eps_k^2 lambda_k, at
H* = sum_k eps_k z_k w_k' for orthonormal w_k (arXiv 2501.00070, Theorem 5.1;
Ky Fan's inequality). Where eigenvalues repeat, only whole eigenspaces are
determined. sigma_1 may be larger than eps_1, because lambda_1 = 0.

float64 numpy; matrices over nodes are small here. For large graphs
`lowest_modes` of `sparse_modes` gives the same `Modes`.
"""

from jaxtyping import Float
import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import energy, spectrum

Modes = spectrum.Modes


def modes(laplacian: Float[np.ndarray, "n n"]) -> Modes:
  """All eigenpairs, smallest first; lambda_1 is exactly zero."""
  found = spectrum.symmetric_modes(np.asarray(laplacian, np.float64))
  values = found.values.copy()
  values[0] = 0.0
  return found._replace(values=values)


def checked_floors(
  floors: Float[np.ndarray, " s"], nodes: int, width: int
) -> Float[np.ndarray, " s"]:
  """The eps as float64.

  Raises:
    InputError: none, not finite, not positive, not strictly decreasing, or
      more than nodes or dimensions.
  """
  floors = np.asarray(floors, np.float64)
  shown = ", ".join(f"{eps:g}" for eps in floors.reshape(-1)[:8])
  if floors.ndim != 1 or not floors.size:
    raise errors.InputError(
      f"eps has shape {floors.shape}; give a list of one or more numbers"
    )
  if not np.isfinite(floors).all() or floors.min() <= 0:
    raise errors.InputError(f"eps must be positive and finite, not {shown}")
  if (np.diff(floors) >= 0).any():
    raise errors.InputError(f"eps must be strictly decreasing, not {shown}")
  if floors.size > min(nodes, width):
    raise errors.InputError(
      f"{floors.size} eps, but rows of {nodes} nodes in {width} dimensions "
      f"have only {min(nodes, width)} singular values; give fewer eps or a "
      "larger width"
    )
  return floors


def minimum_energy(
  values: Float[np.ndarray, " k"], floors: Float[np.ndarray, " s"]
) -> float:
  """sum_k eps_k^2 lambda_k, the least tr(H' L H).

  Args:
    values: at least s lowest eigenvalues of L, ascending.
    floors: eps.
  """
  floors = np.asarray(floors, np.float64)
  return float(np.square(floors) @ values[: len(floors)])


def embedding(
  found: Modes, floors: Float[np.ndarray, " s"]
) -> Float[np.ndarray, "n s"]:
  """The minimiser H* in its own principal frame, columns eps_k z_k.

  Its centred part, columns 2..s, is the spectral embedding: the k-th principal
  component is eps_(k+1) z_(k+1).
  """
  floors = np.asarray(floors, np.float64)
  return found.vectors[:, : len(floors)] * floors


def principal_cosines(
  rows: Float[np.ndarray, "n d"], found: Modes, count: int
) -> Float[np.ndarray, " s"]:
  """How well the leading left singular vectors are the lowest modes.

  Singular vectors are compared with whole eigenspaces: u_k with the eigenspace
  of lambda_k. Vectors that share one (a tie) enter together.

  Args:
    rows: H, not centred.
    found: eigenpairs that cover the eigenspace of lambda_count completely.
    count: s, singular vectors to compare.

  Returns:
    Cosines of the principal angles, ascending within each eigenspace.
  """
  left = np.linalg.svd(rows, full_matrices=False)[0][:, :count]
  cosines = []
  space = np.asarray(found.space)
  for label in np.unique(space[:count]):
    own = np.flatnonzero(space[:count] == label)
    overlap = found.vectors[:, space == label].T @ left[:, own]
    cosines += sorted(np.linalg.svd(overlap, compute_uv=False))
  return np.clip(cosines, 0, 1)


def heat_operator(
  found: Modes, times: Float[np.ndarray, "*K"]
) -> Float[np.ndarray, "*K n n"]:
  """exp(-tau L) for each tau: heat flow takes H0 to exp(-tau L) H0.

  For a Gram matrix K0 of the start, that of the flow is E K0 E.
  """
  times = np.asarray(times, np.float64)
  if (times < 0).any():
    raise errors.InputError("heat flows forward; times must be at least 0")
  decay = np.exp(-times[..., None] * found.values)
  return (decay[..., None, :] * found.vectors) @ found.vectors.T


def lazy_operator(
  adjacency: Float[np.ndarray, "n n"],
  stay: float,
  rounds: Float[np.ndarray, "*K"],
) -> Float[np.ndarray, "*K n n"]:
  """(stay I + (1 - stay) D^-1 A)^r, r rounds of lazy-walk smoothing.

  Args:
    adjacency: symmetrised if directed; every degree positive.
    stay: probability of staying, 0 to 1. From 1/2 on no eigenvalue is
      negative and rounds need not be whole numbers.
    rounds: r, at least 0.

  Raises:
    InputError: stay outside 0 to 1, negative rounds, or fractional rounds with
      a negative eigenvalue.
  """
  rounds = np.asarray(rounds, np.float64)
  if not 0 <= stay <= 1:
    raise errors.InputError(f"stay must be a probability, not {stay}")
  if (rounds < 0).any():
    raise errors.InputError("rounds of smoothing must be at least 0")
  symmetric = energy.symmetrised(adjacency)
  root = np.sqrt(symmetric.sum(axis=1))
  walk = spectrum.symmetric_modes(symmetric / np.outer(root, root))
  factors = stay + (1 - stay) * walk.values
  if (rounds % 1).any():
    # Rounding must not turn a zero into a negative number.
    factors = np.where(np.abs(factors) < 1e-12, 0, factors)
    if factors.min() < 0:
      raise errors.InputError(
        "fractional rounds of smoothing need a walk that stays with "
        f"probability 1/2 or more, not {stay}"
      )
  powers = factors ** rounds[..., None]
  left, right = walk.vectors / root[:, None], walk.vectors * root[:, None]
  return (powers[..., None, :] * left) @ right.T


def nearest_minimiser(
  rows: Float[np.ndarray, "n d"],
  found: Modes,
  floors: Float[np.ndarray, " s"],
) -> Float[np.ndarray, "n s"]:
  """Of the minimisers that repeated eigenvalues allow, one like given rows.

  Columns eps_k z_k, where the basis z of each eigenspace is turned towards the
  left singular vectors of the rows (orthogonal Procrustes).
  """
  floors = np.asarray(floors, np.float64)
  count = len(floors)
  left = np.linalg.svd(rows, full_matrices=False)[0][:, :count]
  columns = []
  for label in np.unique(found.space[:count]):
    own = left[:, np.flatnonzero(found.space[:count] == label)]
    basis = found.vectors[:, found.space == label]
    u, _, vt = np.linalg.svd(basis.T @ own, full_matrices=False)
    columns.append(basis @ (u @ vt))
  return np.concatenate(columns, axis=1) * floors
