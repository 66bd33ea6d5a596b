"""Transition tables: where each node leads, and how a number picks an arc.

Random numbers are whole numbers below 2^23, and cumulative probabilities are
multiples of 2^-23: choosing is integer arithmetic, the same on every backend.

Legend: n nodes, K largest number of neighbours, M stacked graphs, A = M n K
arcs (some of them padding).
"""

from typing import NamedTuple

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int, UInt32
import numpy as np

from icl_graphs import errors
from icl_graphs.tasks import graphs, streams

# A node's word holds its number above its degree, so that one look-up tells
# all that the next step needs to know of it.
_DEGREE_BITS = 9
_MAX_DEGREE = 2**_DEGREE_BITS - 1
_MAX_NODES = 2 ** (32 - _DEGREE_BITS)


class TransitionTable(NamedTuple):
  """Where each node leads, padded; tables padded alike stack to [M, ...].

  Attributes:
    neighbours: int32 [n, K], out-neighbours of each node, then padding.
    back: int32 [n, K], which neighbour of that neighbour the node itself is;
      -1 where no arc leads back.
    degree: int32 [n], out-degree; 0 marks a padding node.
    cumulative: float32 [n, K], cumulative step probabilities in multiples of
      2^-23; the last neighbour and the padding hold 1. None if all neighbours
      of a node are alike, which makes steps faster.
  """

  neighbours: Int[Array, "*M n K"]
  back: Int[Array, "*M n K"]
  degree: Int[Array, "*M n"]
  cumulative: Float[Array, "*M n K"] | None = None


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
    InputError: padding smaller than the graph, an arc whose share of its
      node's weight is below 2^-23, the resolution of the sampler, or more than
      2^23 nodes.
  """
  if not isinstance(graph, graphs.Graph):
    graph = graphs.from_adjacency(graph)
  sources, targets = graph.arcs.T
  degree = np.bincount(sources, minlength=graph.n)
  rows = graph.n if max_nodes is None else max_nodes
  columns = int(degree.max()) if max_degree is None else max_degree
  if rows < graph.n or columns < degree.max():
    raise errors.InputError(
      f"graph {graph.spec!r} has {graph.n} nodes and up to {degree.max()}"
      f" neighbours, more than the table's {rows} and {columns}"
    )
  if rows > _MAX_NODES:
    raise errors.InputError(
      f"a table of {rows:,} nodes; walks are sampled on at most {_MAX_NODES:,}"
    )
  slots = np.arange(len(sources)) - (np.cumsum(degree) - degree)[sources]
  neighbours = np.zeros((rows, columns), np.int32)
  neighbours[sources, slots] = targets
  back = np.full((rows, columns), -1, np.int32)
  back[sources, slots] = _slots_back(sources, targets, slots, graph.n)
  padded_degree = np.zeros(rows, np.int32)
  padded_degree[: graph.n] = degree
  weights = np.zeros((rows, columns))
  weights[sources, slots] = graph.weights
  quanta = _quanta(weights, padded_degree)
  light = np.diff(quanta, prepend=0) < 1
  light &= np.arange(columns) < padded_degree[:, None]
  if light.any():
    raise errors.InputError(
      f"graph {graph.spec!r}: an edge at node"
      f" {graph.node_names[int(light.any(axis=1).argmax())]!r} has less than"
      " 2^-23 of the node's weight and would never be taken; drop it or bring"
      " the weights closer together"
    )
  table = TransitionTable(*map(jnp.asarray, (neighbours, back, padded_degree)))
  alike = _quanta(weights > 0, padded_degree)
  if columns <= _MAX_DEGREE and (quanta == alike).all():
    return table
  cumulative = (quanta / streams.RESOLUTION).astype(np.float32)
  return table._replace(cumulative=jnp.asarray(cumulative))


def _slots_back(sources, targets, slots, n):
  """For each arc, the slot of the reverse arc in its row, -1 if none."""
  arcs = sources.astype(np.int64) * n + targets
  reverse = targets.astype(np.int64) * n + sources
  # The arcs of a graph are sorted.
  found = np.minimum(np.searchsorted(arcs, reverse), len(arcs) - 1)
  return np.where(arcs[found] == reverse, slots[found], -1)


def _quanta(weights, degree):
  """Cumulative probabilities times 2^23, int64 [n, K]."""
  share = np.cumsum(weights, axis=1, dtype=np.float64)
  share /= np.where(degree > 0, share[:, -1], 1)[:, None]
  quanta = np.rint(share * streams.RESOLUTION).astype(np.int64)
  last = np.arange(weights.shape[1]) >= degree[:, None] - 1
  return np.where(last, streams.RESOLUTION, quanta)


def stack_tables(tables: list[TransitionTable]) -> TransitionTable:
  """Tables of one padded shape as a single table with a leading axis M."""
  if any(table.cumulative is not None for table in tables):
    tables = [
      table._replace(cumulative=_cumulative(table) / streams.RESOLUTION)
      for table in tables
    ]
  return jax.tree.map(lambda *leaves: jnp.stack(leaves), *tables)


class Arcs(NamedTuple):
  """Tables laid out for steps: arc (m n + i) K + k is neighbour k of node i.

  Attributes:
    columns: K.
    roots: uint32 [M n], the word of each node.
    words: uint32 [A], the word of the node that each arc leads to.
    cumulative: uint32 [A], cumulative probabilities times 2^23; None if all
      neighbours of a node are alike.
    back: uint32 [A + 1] and [A + 1], the share of the way back, times 2^23,
      among the ways that lead on from an arc, and the cumulative probability
      below it. A share of 0 forbids no way: dead ends, and the last entry,
      which stands for no arc at all. None if walks may turn back.
  """

  columns: int
  roots: UInt32[Array, " Mn"]
  words: UInt32[Array, " A"]
  cumulative: UInt32[Array, " A"] | None
  back: tuple[UInt32[Array, " A1"], UInt32[Array, " A1"]] | None


def arcs(table: TransitionTable, *, non_backtracking: bool) -> Arcs:
  """The look-ups of a table [n, K], or of a stack [M, n, K]."""
  *graph_axis, n, columns = table.neighbours.shape
  degree = table.degree.reshape(-1)
  graph = jnp.arange(degree.size, dtype=jnp.int32) // n
  targets = graph[:, None] * n + table.neighbours.reshape(-1, columns)
  nodes = jnp.arange(degree.size, dtype=jnp.uint32) % np.uint32(n)
  # Degrees that do not fit belong to tables that do not need them.
  clipped = jnp.minimum(degree, _MAX_DEGREE).astype(jnp.uint32)
  roots = nodes << _DEGREE_BITS | clipped
  cumulative = None
  if table.cumulative is not None:
    cumulative = _cumulative(table).astype(jnp.uint32).reshape(-1)
  back = None
  if non_backtracking:
    slots = table.back.reshape(-1, columns)
    quanta = _cumulative(table).reshape(-1, columns).astype(jnp.uint32)
    below = jnp.pad(quanta[:, :-1], ((0, 0), (1, 0)))
    low, high = (bound[targets, slots] for bound in (below, quanta))
    share = jnp.where((slots >= 0) & (degree[targets] > 1), high - low, 0)
    back = tuple(jnp.pad(x.reshape(-1), (0, 1)) for x in (share, low))
  return Arcs(columns, roots, roots[targets].reshape(-1), cumulative, back)


def _cumulative(table):
  """Cumulative probabilities times 2^23, [..., n, K]."""
  if table.cumulative is not None:
    return table.cumulative * streams.RESOLUTION
  degree = jnp.maximum(table.degree, 1).astype(jnp.uint32)[..., None]
  shape = table.neighbours.shape
  slots = jax.lax.broadcasted_iota(jnp.uint32, shape, len(shape) - 1)
  slots = jnp.minimum(slots + 1, degree)
  # Rounded to the nearest; 2^23 k + d / 2 stays below 2^32.
  return (slots * np.uint32(streams.RESOLUTION) + degree // 2) // degree


def node(word: UInt32[Array, "..."]) -> Int[Array, "..."]:
  """The node that a word stands for."""
  return (word >> _DEGREE_BITS).astype(jnp.int32)


def look_up(
  values: UInt32[Array, " N"], index: UInt32[Array, "..."]
) -> UInt32[Array, "..."]:
  """values[index], unchecked: every index comes from a table."""
  return values.at[index].get(mode="promise_in_bounds")


def choose(
  table: Arcs,
  word: UInt32[Array, "..."],
  number: UInt32[Array, "..."],
  first_root: UInt32[Array, "..."],
) -> UInt32[Array, "..."]:
  """The arc, out of those of a node, that a random number selects.

  Args:
    table: all arcs.
    word: of the node.
    number: below 2^23.
    first_root: m n, the place of the graph's first node among the roots.
  """
  row = ((word >> _DEGREE_BITS) + first_root) * np.uint32(table.columns)
  if table.cumulative is None:
    degree = word & _MAX_DEGREE
    # How many of the bounds round(2^23 k / degree) the number has reached.
    return row + ((number * degree + (degree >> 1)) >> 23)
  # Bisection; the last bound of a row is 2^23 and never reached.
  slot = jnp.zeros_like(row)
  for bit in reversed(range((table.columns - 1).bit_length())):
    further = slot + np.uint32(2**bit)
    bound = row + jnp.minimum(further, np.uint32(table.columns)) - 1
    reached = number >= look_up(table.cumulative, bound)
    slot = jnp.where(reached, further, slot)
  return row + slot


def avoid_return(
  table: Arcs, arc: UInt32[Array, "..."], number: UInt32[Array, "..."]
) -> UInt32[Array, "..."]:
  """Maps a number off the share of the way back along `arc`, if it has one."""
  share, low = (look_up(values, arc) for values in table.back)
  kept = (streams.RESOLUTION - share).astype(jnp.int32).astype(jnp.float32)
  # One rounded product: scaling by a power of two rounds nothing.
  shrunk = number.astype(jnp.int32).astype(jnp.float32) * (
    kept / streams.RESOLUTION
  )
  shrunk = shrunk.astype(jnp.int32).astype(jnp.uint32)
  return jnp.where(shrunk >= low, shrunk + share, shrunk)


def arc_between(
  table: TransitionTable,
  source: Int[Array, ""],
  target: Int[Array, ""],
) -> UInt32[Array, ""]:
  """The arc from source to target in a table [n, K]; A if there is none."""
  n, columns = table.neighbours.shape
  row = jnp.where(source >= 0, source, 0)
  match = table.neighbours[row] == target
  match &= (jnp.arange(columns) < table.degree[row]) & (source >= 0)
  arc = jnp.where(match.any(), row * columns + match.argmax(), n * columns)
  return arc.astype(jnp.uint32)


def uniform_node(
  number: UInt32[Array, "..."], table: TransitionTable
) -> Int[Array, "..."]:
  """The node, out of all nodes alike, that a random number selects."""
  n = jnp.sum(table.degree > 0, axis=-1).astype(jnp.float32)
  uniform = number.astype(jnp.int32).astype(jnp.float32) / streams.RESOLUTION
  return (uniform * n).astype(jnp.int32)
