"""Dirichlet energies of class means over a graph, each under its own name.

Published work uses several normalisations under one word; they differ in what
they hold constant, so none is "the" energy. With Gram matrix K = H H' and
Laplacian Q = D - A, tr(H' Q H) = sum(Q * K).

Weights enter as they are: a weighted adjacency makes every mean over edges a
weighted mean. A directed adjacency is symmetrised to (A + A') / 2, which
leaves sum_ij A_ij |h_i - h_j|^2 unchanged.
"""

from jaxtyping import Float
import numpy as np

from icl_graphs.analysis import gram as gram_lib

NAMES = (
  "energy_sum",
  "energy_edge",
  "energy_frobenius",
  "energy_centred",
  "energy_ratio",
  "energy_degree",
  "energy_relative",
)


def symmetrised(
  adjacency: Float[np.ndarray, "n n"],
) -> Float[np.ndarray, "n n"]:
  """(A + A') / 2 without the diagonal; an undirected graph is unchanged."""
  adjacency = np.asarray(adjacency, np.float64)
  symmetric = (adjacency + adjacency.T) / 2
  return symmetric - np.diag(np.diag(symmetric))


def laplacian(adjacency: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
  """D - A of the symmetrised adjacency."""
  symmetric = symmetrised(adjacency)
  return np.diag(symmetric.sum(axis=1)) - symmetric


def energies(
  gram: Float[np.ndarray, "*batch n n"],
  adjacency: Float[np.ndarray, "n n"],
  hidden_size: int,
) -> dict[str, Float[np.ndarray, "*batch"]]:
  """Every energy of the rows behind a Gram matrix, not centred beforehand.

  Args:
    gram: inner products of the n class means.
    adjacency: weights of the edges, directed or not.
    hidden_size: D, the width of the class means (`energy_frobenius` only).

  Returns:
    energy_sum: sum over ordered pairs of A_ij |h_i - h_j|^2 = 2 tr(H'QH), as
      in arXiv 2501.00070.
    energy_edge: its mean over edges, tr(H'QH) / |E|.
    energy_frobenius: tr(H'QH) / (D |H|_F^2) with H not centred; follows the
      common mean as much as the graph.
    energy_centred: tr(H'QH) / |Hc|_F^2 with Hc the centred rows.
    energy_ratio: edge sum over the sum for all pairs (arXiv 2602.04212);
      energy_centred / n.
    energy_degree: tr(H'QH) / tr(Hc' D Hc).
    energy_relative: energy_centred over its value without structure.
    Ratios are NaN where all rows coincide.
  """
  symmetric = symmetrised(adjacency)
  degrees = symmetric.sum(axis=1)
  nodes, edges = len(degrees), degrees.sum() / 2
  centred = gram_lib.centre(gram)
  total = gram_lib.inner(centred, np.diag(degrees) - symmetric)
  in_units = total / gram_lib.variance(gram)
  by_degree = gram_lib.inner(centred, np.diag(degrees))
  size = gram_lib.trace(gram)
  return {
    "energy_sum": 2 * total,
    "energy_edge": total / edges,
    "energy_frobenius": total / (hidden_size * _positive(size)),
    "energy_centred": in_units,
    "energy_ratio": in_units / nodes,
    "energy_degree": total / _positive(by_degree) + 0 * in_units,
    "energy_relative": in_units * (nodes - 1) / (2 * edges),
  }


def no_structure(
  gram: Float[np.ndarray, "*batch n n"],
  adjacency: Float[np.ndarray, "n n"],
  hidden_size: int,
) -> dict[str, Float[np.ndarray, "*batch"]]:
  """Value of each energy when the rows do not know the graph.

  The exact mean over all relabellings of the nodes of the same rows, except
  for `energy_degree`, where it is the ratio of the two means, n / (n - 1).
  """
  nodes = gram.shape[-1]
  edges = symmetrised(adjacency).sum() / 2
  variance = gram_lib.variance(gram)
  total = 2 * edges * variance / (nodes - 1)
  ones = np.ones_like(variance)
  return {
    "energy_sum": 2 * total,
    "energy_edge": total / edges,
    "energy_frobenius": total / (hidden_size * _positive(gram_lib.trace(gram))),
    "energy_centred": ones * 2 * edges / (nodes - 1),
    "energy_ratio": ones * 2 * edges / (nodes * (nodes - 1)),
    "energy_degree": ones * nodes / (nodes - 1),
    "energy_relative": ones,
  }


def _positive(values: np.ndarray) -> np.ndarray:
  return np.where(values > 0, values, np.nan)
