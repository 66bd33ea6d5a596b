"""Distances between what a model predicts, beside distances between its states.

Behaviour geometry (arXiv 2605.05115): nodes whose next-node distributions are
alike should be near one another in activation space. Distances are straight
lines, or lengths along a neighbour graph of the points themselves.
"""

from typing import NamedTuple

from jaxtyping import Float, Int, Shaped
import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import gram as gram_lib


class Geodesics(NamedTuple):
  """Lengths of shortest ways along a neighbour graph.

  lengths: [*batch, n, n]; neighbours: [*batch] int, the k that was needed.
  """

  lengths: Float[np.ndarray, "*batch n n"]
  neighbours: Int[np.ndarray, "*batch"]


def hellinger(
  probs: Float[np.ndarray, "*batch n m"],
) -> Float[np.ndarray, "*batch n n"]:
  """|sqrt p_i - sqrt p_j| / sqrt 2 between distributions, 0 to 1.

  Args:
    probs: n distributions over m outcomes, rows that sum to 1.
  """
  roots = np.sqrt(np.asarray(probs, np.float64))
  return straight(gram_lib.from_rows(roots)) / np.sqrt(2)


def straight(
  gram: Float[np.ndarray, "*batch n n"],
) -> Float[np.ndarray, "*batch n n"]:
  """Euclidean distances between the rows behind a Gram matrix."""
  return np.sqrt(gram_lib.squared_distances(gram))


def geodesics(
  distances: Float[np.ndarray, "*batch n n"], neighbours: int
) -> Geodesics:
  """Shortest ways over links between near points.

  A point is linked with its k nearest and with those that it is among the k
  nearest of (Tenenbaum et al. 2000, Isomap). Where that leaves several parts,
  k is raised until all points are reached.

  Args:
    distances: symmetric, zero on the diagonal; NaN throughout where unknown.
    neighbours: k to begin with, at least 1.

  Raises:
    InputError: k below 1 or above n - 1.
  """
  distances = np.asarray(distances, np.float64)
  *batch, nodes, _ = distances.shape
  if not 1 <= neighbours < nodes:
    raise errors.InputError(
      f"{neighbours} neighbours among {nodes} points; choose 1 to {nodes - 1}"
    )
  flat = distances.reshape(-1, nodes, nodes)
  # Rank 0 is the point itself: nothing is nearer than distance zero.
  off = flat + np.where(np.eye(nodes, dtype=bool), -1.0, 0.0)
  ranks = off.argsort(axis=-1).argsort(axis=-1)
  lengths = np.full_like(flat, np.nan)
  used = np.zeros(len(flat), int)
  left = np.flatnonzero(np.isfinite(flat).all(axis=(1, 2)))
  for k in range(neighbours, nodes):
    near = ranks[left] <= k
    linked = near | np.swapaxes(near, 1, 2)
    found = _shortest(np.where(linked, flat[left], np.inf))
    whole = np.isfinite(found).all(axis=(1, 2))
    lengths[left[whole]], used[left[whole]] = found[whole], k
    left = left[~whole]
    if not left.size:
      break
  return Geodesics(lengths.reshape(distances.shape), used.reshape(batch))


def _shortest(links: np.ndarray) -> np.ndarray:
  """All shortest ways in graphs [R, n, n] (Floyd and Warshall)."""
  ways = links.copy()
  for via in range(ways.shape[-1]):
    detour = ways[:, :, via, None] + ways[:, via, None, :]
    np.minimum(ways, detour, out=ways)
  return ways


def agreement(
  first: Float[np.ndarray, "*batch n n"],
  second: Float[np.ndarray, "*batch n n"],
  strata: Shaped[np.ndarray, "n n"] | None = None,
) -> Float[np.ndarray, "*batch"]:
  """Pearson correlation over node pairs of two distance matrices.

  Args:
    first, second: symmetric; only pairs i < j are read.
    strata: pairs with the same entry are one stratum. Both sides are then
      taken about their means within strata, so that what both owe to the
      stratum (say, the distance in the graph) does not count.

  Returns:
    NaN where either side does not vary, or is unknown.
  """
  upper = np.triu_indices(first.shape[-1], 1)
  strata = np.zeros(first.shape[-2:]) if strata is None else strata
  _, place = np.unique(np.asarray(strata)[upper], return_inverse=True)
  member = np.eye(place.max() + 1)[place]
  mean = member / member.sum(axis=0)
  sides = []
  for matrix in (first, second):
    pairs = np.asarray(matrix, np.float64)[..., *upper]
    size = np.linalg.norm(pairs, axis=-1, keepdims=True)
    pairs = pairs - (pairs @ mean) @ member.T
    spread = np.linalg.norm(pairs, axis=-1, keepdims=True)
    sides.append(
      pairs / np.where(spread > gram_lib.COINCIDE * size, spread, np.nan)
    )
  return (sides[0] * sides[1]).sum(axis=-1)


def relabelled(
  matrix: Float[np.ndarray, "n n"], labels: Int[np.ndarray, "P n"]
) -> Float[np.ndarray, "P n n"]:
  """Rows and columns moved together, the null of a Mantel test."""
  return matrix[labels[:, :, None], labels[:, None, :]]
