"""Class means seen through the modes of the graph.

Eigenvalues of symmetric graphs repeat, and within a repeated eigenvalue single
eigenvectors are arbitrary. Everything here depends on whole eigenspaces only.
"""

from typing import NamedTuple

from jaxtyping import Float
import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import energy
from icl_graphs.analysis import gram as gram_lib

# Eigenvalues closer than this share of the largest count as one.
TIE_TOLERANCE = 1e-8


class Modes(NamedTuple):
  """Eigenpairs of a symmetric matrix over nodes, and which of them are tied.

  values: [n], in the order given; vectors: [n, n] orthonormal columns;
  space: [n] int, the number of the eigenspace each belongs to, from 0.
  """

  values: Float[np.ndarray, " n"]
  vectors: Float[np.ndarray, "n n"]
  space: np.ndarray


def symmetric_modes(
  matrix: Float[np.ndarray, "n n"], descending: bool = False
) -> Modes:
  """Eigenpairs of a symmetric matrix, ascending unless told otherwise."""
  values, vectors = np.linalg.eigh(matrix)
  if descending:
    values, vectors = values[::-1], vectors[:, ::-1]
  gap = TIE_TOLERANCE * np.abs(values).max()
  space = np.concatenate([[0], np.cumsum(np.abs(np.diff(values)) > gap)])
  return Modes(values, vectors, space)


def laplacian_modes(adjacency: Float[np.ndarray, "n n"]) -> Modes:
  """Laplacian eigenpairs, smallest eigenvalue first (symmetrised adjacency).

  Raises:
    InputError: fewer than three nodes, or the graph is not connected.
  """
  if len(adjacency) < 3:
    raise errors.InputError(
      f"the graph has {len(adjacency)} nodes; its geometry needs at least 3"
    )
  modes = symmetric_modes(energy.laplacian(adjacency))
  if modes.space[1] == 0:
    raise errors.InputError("the graph is not connected")
  return modes


def fiedler_projector(modes: Modes) -> Float[np.ndarray, "n n"]:
  """Projector on the whole eigenspaces that cover z2 and z3."""
  basis = modes.vectors[:, 1:][:, modes.space[1:] <= modes.space[2]]
  return basis @ basis.T


def fiedler_weights(modes: Modes) -> Float[np.ndarray, "n n"]:
  """Matrix M with tr(Hc' M Hc) = p2 + p3 (times |Hc|_F^2).

  Where the eigenspace of z3 is larger than what p2 + p3 takes from it, each of
  its modes enters with the mean of the eigenspace, the average over bases.
  """
  weights = np.zeros(len(modes.values))
  for space in {modes.space[1], modes.space[2]}:
    inside = modes.space == space
    weights[inside] = inside[1:3].sum() / inside.sum()
  return (modes.vectors * weights) @ modes.vectors.T


def power(
  gram: Float[np.ndarray, "*batch n n"], modes: Modes
) -> Float[np.ndarray, "*batch n-1"]:
  """Laplacian power p_k = |z_k' Hc|^2 / |Hc|_F^2 for k = 2..n, summing to 1.

  Tied modes all carry the mean of their eigenspace. Flat value 1 / (n - 1).
  """
  centred = gram_lib.centre(gram)
  raw = np.einsum("ik,...ij,jk->...k", modes.vectors, centred, modes.vectors)
  same = modes.space[:, None] == modes.space
  raw = raw @ (same / same.sum(axis=0))
  return raw[..., 1:] / gram_lib.variance(gram)[..., None]


def bipartition(
  adjacency: Float[np.ndarray, "n n"],
) -> Float[np.ndarray, " n"] | None:
  """+1 / -1 per side of a connected bipartite graph, None if it is not one."""
  linked = energy.symmetrised(adjacency) != 0
  side = np.zeros(len(linked))
  side[0] = 1
  frontier = [0]
  while frontier:
    node = frontier.pop()
    for other in np.flatnonzero(linked[node]):
      if side[other] == 0:
        side[other] = -side[node]
        frontier.append(int(other))
      elif side[other] == side[node]:
        return None
  return side


def parity_projector(
  adjacency: Float[np.ndarray, "n n"],
) -> Float[np.ndarray, "n n"] | None:
  """Projector on the centred +1 / -1 vector; None if not bipartite."""
  side = bipartition(adjacency)
  if side is None:
    return None
  side = side - side.mean()
  return np.outer(side, side) / (side @ side)


def principal_cosines(
  vectors: Float[np.ndarray, "*batch n k"],
  projector: Float[np.ndarray, "n n"],
) -> Float[np.ndarray, "*batch 2"]:
  """Cosines of the angles between span(u_1, u_2) and a subspace of nodes.

  Args:
    vectors: orthonormal columns; the first two are used.
    projector: Z Z' for an orthonormal basis Z of the subspace.

  Returns:
    The singular values of U' Z, larger first.
  """
  first, second = vectors[..., 0], vectors[..., 1]
  mapped = first @ projector
  a = (mapped * first).sum(axis=-1)
  c = (mapped * second).sum(axis=-1)
  b = ((second @ projector) * second).sum(axis=-1)
  middle, half = (a + b) / 2, np.hypot((a - b) / 2, c)
  squares = np.stack([middle + half, middle - half], axis=-1)
  return np.sqrt(np.clip(squares, 0, 1))


def walk_power(
  gram: Float[np.ndarray, "*batch n n"],
  adjacency: Float[np.ndarray, "n n"],
  degree_corrected: bool = True,
) -> tuple[Float[np.ndarray, " n-1"], Float[np.ndarray, "*batch n-1"]]:
  """Power per mode of the walk matrix, mu = 1 smooth to mu = -1 alternating.

  With S = D^-1/2 A D^-1/2 = sum mu_k v_k v_k' and G = D^1/2 (H - 1 pi' H):
  q_k = |v_k' G|^2 / |G|_F^2. Tied modes all carry the mean of their eigenspace.

  Args:
    gram: inner products of the class means.
    adjacency: symmetrised if directed.
    degree_corrected: divide q_k by v_k' D v_k and renormalise, so that
      unstructured rows give a flat spectrum in expectation.

  Returns:
    (mu_k for k = 2..n, descending; q_k for k = 2..n, summing to 1).
  """
  symmetric = energy.symmetrised(adjacency)
  degrees = symmetric.sum(axis=1)
  root = np.sqrt(degrees)
  modes = symmetric_modes(symmetric / np.outer(root, root), descending=True)
  # v_k is orthogonal to v_1 = sqrt(pi), so subtracting the stationary mean
  # leaves the inner products with k >= 2 as they are.
  loaded = modes.vectors[:, 1:] * root[:, None]
  raw = np.einsum("ik,...ij,jk->...k", loaded, gram, loaded)
  scale = (modes.vectors[:, 1:] ** 2 * degrees[:, None]).sum(axis=0)
  same = modes.space[1:, None] == modes.space[1:]
  mean = same / same.sum(axis=0)
  if degree_corrected:
    raw, scale = raw @ mean, scale @ mean
    raw = raw / scale
  else:
    raw = raw @ mean
  return modes.values[1:], raw / raw.sum(axis=-1, keepdims=True)
