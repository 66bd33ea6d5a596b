"""Transition tables: where each node leads, and how a number picks a neighbour.

Cumulative probabilities are multiples of 2^-23, like the uniform numbers that
are compared with them: float32 holds both exactly, so every backend picks the
same neighbour.

Legend: n nodes, K largest number of neighbours, M stacked graphs.
"""

from typing import NamedTuple

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int
import numpy as np

from icl_graphs import errors
from icl_graphs.tasks import graphs, streams


class TransitionTable(NamedTuple):
  """Where each node leads, padded; tables padded alike stack to [M, ...].

  Attributes:
    neighbours: int32 [n, K], out-neighbours of each node, then padding.
    cumulative: float32 [n, K], cumulative step probabilities in multiples of
      2^-23; the last neighbour and the padding hold 1.
    degree: int32 [n], out-degree; 0 marks a padding node.
  """

  neighbours: Int[Array, "*M n K"]
  cumulative: Float[Array, "*M n K"]
  degree: Int[Array, "*M n"]


def transition_table(
  graph: graphs.Graph | Float[np.ndarray, "n n"],
  max_nodes: int | None = None,
  max_degree: int | None = None,
) -> TransitionTable:
  """The table of one graph, padded to max_nodes and max_degree if given.

  Args:
    graph: a `graphs.Graph`, or float [n, n] weights (entry i, j leads from i
      to j). Only neighbours are kept, so large sparse graphs stay small.
    max_nodes: rows of the table; default n.
    max_degree: columns of the table; default the largest out-degree.

  Raises:
    InputError: padding smaller than the graph, or an arc whose share of its
      node's weight is below 2^-23, the resolution of the sampler.
  """
  if not isinstance(graph, graphs.Graph):
    graph = graphs.from_adjacency(graph)
  degree = np.bincount(graph.arcs[:, 0], minlength=graph.n)
  rows = graph.n if max_nodes is None else max_nodes
  columns = int(degree.max()) if max_degree is None else max_degree
  if rows < graph.n or columns < degree.max():
    raise errors.InputError(
      f"graph {graph.spec!r} has {graph.n} nodes and up to {degree.max()}"
      f" neighbours, more than the table's {rows} and {columns}"
    )
  neighbours = np.zeros((rows, columns), np.int32)
  quanta = np.full((rows, columns), streams.RESOLUTION, np.int64)
  ends = np.cumsum(degree)
  for i, (begin, end) in enumerate(zip(ends - degree, ends, strict=True)):
    neighbours[i, : end - begin] = graph.arcs[begin:end, 1]
    share = np.cumsum(graph.weights[begin:end])
    quanta[i, : end - begin] = np.rint(share / share[-1] * streams.RESOLUTION)
    if (np.diff(quanta[i, : end - begin], prepend=0) < 1).any():
      raise errors.InputError(
        f"graph {graph.spec!r}: an edge at node {graph.node_names[i]!r} has"
        " less than 2^-23 of the node's weight and would never be taken; drop"
        " it or bring the weights closer together"
      )
  padded_degree = np.zeros(rows, np.int32)
  padded_degree[: graph.n] = degree
  return TransitionTable(
    neighbours=jnp.asarray(neighbours),
    cumulative=jnp.asarray((quanta / streams.RESOLUTION).astype(np.float32)),
    degree=jnp.asarray(padded_degree),
  )


def stack_tables(tables: list[TransitionTable]) -> TransitionTable:
  """Tables of one padded shape as a single table with a leading axis M."""
  return jax.tree.map(lambda *leaves: jnp.stack(leaves), *tables)


def uniform_node(
  uniform: Float[Array, "..."], table: TransitionTable
) -> Int[Array, "..."]:
  """The node, out of all nodes alike, that a uniform number selects."""
  n = jnp.sum(table.degree > 0)
  return jnp.floor(uniform * n.astype(jnp.float32)).astype(jnp.int32)


def choose(
  table: TransitionTable, node: Int[Array, ""], uniform: Float[Array, ""]
) -> Int[Array, ""]:
  """The neighbour of `node` that a uniform number selects."""
  passed = uniform >= table.cumulative[node]
  return table.neighbours[node, jnp.sum(passed, dtype=jnp.int32)]


def skip_neighbour(
  table: TransitionTable,
  node: Int[Array, ""],
  excluded: Int[Array, ""],
  uniform: Float[Array, ""],
) -> Float[Array, ""]:
  """Maps a uniform number off the share of `excluded` (kept at dead ends)."""
  cumulative = table.cumulative[node]
  slots = jnp.arange(cumulative.shape[0])
  degree = table.degree[node]
  match = (table.neighbours[node] == excluded) & (slots < degree)
  # Shares are multiples of 2^-23, so these sums are exact.
  high = jnp.sum(jnp.where(match, cumulative, 0.0))
  before = jnp.concatenate([jnp.zeros(1, jnp.float32), cumulative[:-1]])
  low = jnp.sum(jnp.where(match, before, 0.0))
  share = high - low
  # The floor keeps the result a multiple of 2^-23: no addition below rounds,
  # whether or not a compiler fuses it with the product.
  shrunk = (
    jnp.floor(uniform * (1 - share) * streams.RESOLUTION) / streams.RESOLUTION
  )
  skipped = jnp.where(shrunk >= low, shrunk + share, shrunk)
  return jnp.where(jnp.any(match) & (degree > 1), skipped, uniform)
