"""Laplacians: of a graph, of the edges that a walk has shown, of edge lists.

All are symmetric and positive semidefinite. With weights A and degrees
d = A 1: combinatorial D - A (the energy of arXiv 2501.00070), normalised
I - D^-1/2 A D^-1/2. Directed weights are symmetrised to (A + A') / 2.

A matrix [n, n] serves small graphs. `Edges` serves large ones: time and
memory are linear in the edges.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int
import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from icl_graphs import errors
from icl_graphs.analysis import energy

KINDS = ("combinatorial", "normalised")
# Rows of a Laplacian must sum to zero after scaling by this share of it.
_ROUNDING = 1e-5


class Edges(NamedTuple):
  """A Laplacian as a list of undirected edges; axes before E and n are extra.

  arcs: int32 [E, 2], each edge once; an edge (i, i) counts for nothing.
  weights: [E]. scale: [n], so that the operator is S (D - A) S: ones for the
  combinatorial Laplacian, D^-1/2 for the normalised one.
  """

  arcs: Int[Array, "*P E 2"] | np.ndarray
  weights: Float[Array, "*P E"] | np.ndarray
  scale: Float[Array, "*P n"] | np.ndarray


def matrix(
  adjacency: Float[np.ndarray, "n n"], kind: str = "combinatorial"
) -> Float[np.ndarray, "n n"]:
  """The Laplacian of a connected weighted graph, float64.

  Raises:
    InputError: not square, negative or not finite weights, not connected, or
      an unknown kind.
  """
  _check_kind(kind)
  adjacency = np.asarray(adjacency, np.float64)
  if adjacency.ndim != 2 or adjacency.shape[0] != adjacency.shape[1]:
    raise errors.InputError(
      f"an adjacency matrix must be square, not {adjacency.shape}"
    )
  symmetric = energy.symmetrised(adjacency)
  found = np.argwhere(np.triu(symmetric) != 0)
  # A negative weight may cancel its positive reverse.
  _check_weights(adjacency[adjacency != 0], np.argwhere(adjacency != 0))
  _check_connected(found, len(adjacency))
  degrees = symmetric.sum(axis=1)
  result = np.diag(degrees) - symmetric
  return result if kind == "combinatorial" else _scaled(result, degrees)


def edges(
  arcs: Int[np.ndarray, "E 2"],
  weights: Float[np.ndarray, " E"] | None = None,
  num_nodes: int | None = None,
  kind: str = "combinatorial",
) -> Edges:
  """The Laplacian of a connected graph given by its arcs, float64.

  Args:
    arcs: pairs of nodes. Where both directions are listed the weight of the
      edge is their mean, as for a symmetrised adjacency matrix; where one is,
      that one's (a list of undirected edges).
    weights: of the arcs; ones by default.
    num_nodes: n; default the largest node and one.
    kind: see the module.

  Raises:
    InputError: as `matrix`, or a node out of range.
  """
  _check_kind(kind)
  arcs = np.asarray(arcs)
  if arcs.ndim != 2 or arcs.shape[1] != 2 or not len(arcs):
    raise errors.InputError(f"arcs have shape {arcs.shape}; expected [E, 2]")
  weights = np.ones(len(arcs)) if weights is None else np.asarray(weights)
  if weights.shape != (len(arcs),):
    raise errors.InputError(
      f"{len(arcs)} arcs but weights of shape {weights.shape}"
    )
  nodes = int(arcs.max()) + 1 if num_nodes is None else num_nodes
  if arcs.min() < 0 or arcs.max() >= nodes:
    raise errors.InputError(
      f"arcs name nodes {arcs.min()} to {arcs.max()} but the graph has nodes "
      f"0 to {nodes - 1}"
    )
  _check_weights(weights, arcs)
  kept = arcs[:, 0] != arcs[:, 1]
  ordered = np.sort(arcs[kept], axis=1)
  pairs, place = np.unique(ordered, axis=0, return_inverse=True)
  total = np.bincount(place.reshape(-1), weights[kept].astype(np.float64))
  total /= np.bincount(place.reshape(-1))
  _check_connected(pairs, nodes)
  degrees = np.bincount(pairs[:, 0], total, nodes)
  degrees += np.bincount(pairs[:, 1], total, nodes)
  scale = np.ones(nodes) if kind == "combinatorial" else 1 / np.sqrt(degrees)
  return Edges(pairs.astype(np.int32), total, scale)


def shown(
  walks: Int[np.ndarray, "*B T"],
  num_nodes: int,
  length: int,
  weights: str = "counts",
) -> Float[np.ndarray, "n n"]:
  """Adjacency of the edges that walks had shown by a context length.

  Args:
    walks: nodes in the order in which words came; -1 is no node.
    num_nodes: n.
    length: T; only the first T words of every walk count.
    weights: "counts" (how often the two words stood side by side, in either
      order) or "binary" (1 where they ever did). Steps that stay put show no
      edge.

  Raises:
    InputError: nodes out of range, a length outside the walk, unknown weights.
  """
  walks = np.atleast_2d(np.asarray(walks))
  if weights not in ("counts", "binary"):
    raise errors.InputError(
      f"unknown weights {weights!r}; choose counts or binary"
    )
  if not 1 <= length <= walks.shape[-1]:
    raise errors.InputError(
      f"context length {length} is outside a walk of {walks.shape[-1]} words"
    )
  if walks.min() < -1 or walks.max() >= num_nodes:
    raise errors.InputError(
      f"a walk visits nodes {walks.min()} to {walks.max()} but the graph has "
      f"nodes 0 to {num_nodes - 1}"
    )
  walks = walks.reshape(-1, walks.shape[-1])[:, :length]
  before, after = walks[:, :-1].reshape(-1), walks[:, 1:].reshape(-1)
  steps = (before >= 0) & (after >= 0) & (before != after)
  result = np.zeros((num_nodes, num_nodes))
  np.add.at(result, (before[steps], after[steps]), 1.0)
  result += result.T
  return result if weights == "counts" else (result > 0).astype(np.float64)


def padded(
  matrices: Sequence[Float[np.ndarray, "_ _"]], size: int | None = None
) -> Float[np.ndarray, "P n n"]:
  """Laplacians of different graphs with zero rows up to a common size.

  Raises:
    InputError: a graph has more nodes than `size`.
  """
  largest = max(len(one) for one in matrices)
  size = largest if size is None else size
  if largest > size:
    raise errors.InputError(f"a graph has {largest} nodes, more than {size}")
  result = np.zeros((len(matrices), size, size))
  for row, one in zip(result, matrices, strict=True):
    row[: len(one), : len(one)] = one
  return result


def real_nodes(
  laplacian: Float[np.ndarray, "n n"],
) -> Int[np.ndarray, ""]:
  """How many nodes a padded Laplacian has; padding comes last."""
  return np.sum(np.diagonal(laplacian, axis1=-2, axis2=-1) > 0, axis=-1)


def check_matrix(laplacian: Float[np.ndarray, "n n"]) -> None:
  """Refuses what is no padded Laplacian of a connected graph.

  Raises:
    InputError: not square, not finite, not symmetric, a positive entry off the
      diagonal (a negative weight), or not connected.
  """
  if laplacian.ndim != 2 or laplacian.shape[0] != laplacian.shape[1]:
    raise errors.InputError(
      f"a Laplacian must be square, not {laplacian.shape}"
    )
  if not np.isfinite(laplacian).all():
    raise errors.InputError("the Laplacian has entries that are not finite")
  size = np.abs(laplacian).max()
  if np.abs(laplacian - laplacian.T).max() > _ROUNDING * size:
    raise errors.InputError("the Laplacian is not symmetric; symmetrise it")
  off = -laplacian * (1 - np.eye(len(laplacian)))
  found = np.argwhere(np.triu(off) != 0)
  _check_weights(off[tuple(found.T)], found)
  nodes = int(real_nodes(laplacian))
  if np.abs(laplacian[nodes:]).max(initial=0) > 0:
    raise errors.InputError(
      "padding nodes must come last, with rows and columns of zeros"
    )
  _check_connected(found, nodes)


def check_edges(laplacian: Edges) -> None:
  """The same for one edge list without extra axes."""
  arcs, weights = np.asarray(laplacian.arcs), np.asarray(laplacian.weights)
  kept = arcs[:, 0] != arcs[:, 1]
  _check_weights(weights[kept], arcs[kept])
  _check_connected(arcs[kept], len(laplacian.scale))


def apply(
  laplacian: Float[Array, "n n"] | Edges, rows: Float[Array, "n d"]
) -> Float[Array, "n d"]:
  """L H, under jit; memory linear in the edges for an edge list."""
  if not isinstance(laplacian, Edges):
    return laplacian @ rows
  first, second = laplacian.arcs[:, 0], laplacian.arcs[:, 1]
  rows = rows * laplacian.scale[:, None]
  flow = laplacian.weights[:, None] * (rows[first] - rows[second])
  total = jax.ops.segment_sum(flow, first, len(rows))
  total = total - jax.ops.segment_sum(flow, second, len(rows))
  return total * laplacian.scale[:, None]


def dirichlet_energy(
  laplacian: Float[Array, "n n"] | Edges, rows: Float[Array, "n d"]
) -> Float[Array, ""]:
  """tr(H' L H), under jit; its gradient is 2 L H."""
  return jnp.sum(rows * apply(laplacian, rows))


def largest_eigenvalue(laplacian: Float[np.ndarray, "n n"] | Edges) -> float:
  """lambda_n, or for an edge list a bound that is at most twice as large.

  The bound is the largest row sum of absolute values (Gershgorin).
  """
  if not isinstance(laplacian, Edges):
    return float(np.linalg.eigvalsh(laplacian)[-1])
  arcs, scale = np.asarray(laplacian.arcs), np.asarray(laplacian.scale)
  weights = np.asarray(laplacian.weights, np.float64)
  first, second = arcs[:, 0], arcs[:, 1]
  sums = np.zeros(len(scale))
  for one, other in ((first, second), (second, first)):
    entry = weights * scale[one] * (scale[one] + scale[other])
    sums += np.bincount(one, entry * (one != other), len(scale))
  return float(sums.max())


def _check_kind(kind: str) -> None:
  if kind not in KINDS:
    raise errors.InputError(
      f"unknown Laplacian {kind!r}; choose one of {', '.join(KINDS)}"
    )


def _check_weights(weights: np.ndarray, arcs: np.ndarray) -> None:
  for bad, what in ((~np.isfinite(weights), "not finite"), (weights < 0, "")):
    if bad.any():
      i, j = arcs[np.flatnonzero(bad)[0]]
      raise errors.InputError(
        f"the edge {i}-{j} has weight {weights[bad][0]:g}; weights must be "
        f"{'finite' if what else 'positive'}"
      )


def _check_connected(pairs: np.ndarray, nodes: int) -> None:
  if not len(pairs):
    raise errors.InputError("the graph is not connected: it has no edges")
  links = sparse.coo_array(
    (np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (nodes, nodes)
  )
  count, part = csgraph.connected_components(links, directed=False)
  if count == 1:
    return
  sizes = np.bincount(part)
  stray = np.flatnonzero(part != sizes.argmax())
  listed = ", ".join(map(str, stray[:5])) + (", ..." if len(stray) > 5 else "")
  raise errors.InputError(
    f"the graph is not connected: nodes {listed} cannot be reached from the "
    "others; keep one component, or use a longer context if the edges are "
    "those of a walk"
  )


def _scaled(laplacian: np.ndarray, degrees: np.ndarray) -> np.ndarray:
  root = np.sqrt(degrees)
  return laplacian / np.outer(root, root)
