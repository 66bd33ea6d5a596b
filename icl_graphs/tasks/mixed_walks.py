"""Walks over two graphs on the same nodes: mixed step by step, or switched.

Every step follows the second graph with a probability of its own place in the
walk: a constant mixes the graphs, 0 before t0 and 1 from there on switches
them. Random numbers are those of `streams`, so walk i depends on the seed, on i
and on the probabilities only, and a shorter walk is a prefix.

Legend: B walks, n nodes, K largest number of neighbours, T words of a walk.
"""

from collections.abc import Sequence
import functools

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int
import numpy as np

from icl_graphs import errors
from icl_graphs.tasks import graphs, streams, transitions

# Streams of a walk, as in `walks`: start, mode (here: which graph), hop.
_START, _MODE, _HOP = 0, 1, 2


def pair_of_tables(
  first: graphs.Graph, second: graphs.Graph
) -> transitions.TransitionTable:
  """Tables of both graphs, padded alike: [2, n, K].

  Raises:
    InputError: they have different numbers of nodes.
  """
  if first.n != second.n:
    raise errors.InputError(
      f"graphs {first.spec!r} and {second.spec!r} have {first.n} and"
      f" {second.n} nodes; two graphs of a walk need the same nodes"
    )
  return tables((first, second))


def tables(graphs_: Sequence[graphs.Graph]) -> transitions.TransitionTable:
  """Tables of graphs on n nodes each, padded to one degree: [M, n, K]."""
  degree = max(int(np.bincount(g.arcs[:, 0]).max()) for g in graphs_)
  return transitions.stack_tables(
    [transitions.transition_table(g, max_degree=degree) for g in graphs_]
  )


def mixture(share: float, length: int) -> Float[np.ndarray, " T"]:
  """Probabilities of the second graph for walks that mix two graphs.

  Raises:
    InputError: a share outside [0, 1].
  """
  if not 0 <= share <= 1:
    raise errors.InputError(f"a share of {share} is not between 0 and 1")
  return np.full(length, share, np.float32)


def switch(last: int, length: int) -> Float[np.ndarray, " T"]:
  """Probabilities for walks whose first `last` words are of the first graph.

  The step from word `last` to the next is the first one on the second graph:
  it starts at the node where the first one ended.

  Raises:
    InputError: no word of either graph is left.
  """
  if not 0 < last < length:
    raise errors.InputError(
      f"a switch after {last} of {length} words leaves one graph without words"
    )
  # The step into word t + 1, for t = 1 .. T; the last one is never made.
  return (np.arange(1, length + 1) >= last).astype(np.float32)


@functools.partial(jax.jit, static_argnames=("length",))
def sample(
  table: transitions.TransitionTable,
  seed: int | Array,
  walk_index: Int[Array, " B"],
  second: Float[Array, " T"] | Float[Array, "B T"],
  *,
  length: int,
) -> Int[Array, "B length"]:
  """Walks int32 [B, length] from uniform start nodes.

  Args:
    table: from `pair_of_tables`, [2, n, K]; or one pair per walk,
      [B, 2, n, K].
    seed: whole number below 2^32.
    walk_index: row b is walk walk_index[b] of this seed.
    second: for the step out of each word, the probability of the second graph.
    length: words, start included; at most T.
  """
  batch = len(walk_index)
  counts = {_START: 1, _MODE: length, _HOP: length}
  drawn = streams.blocks(seed, walk_index, counts)
  number, _ = streams.pair(drawn[_START][0])
  modes, hops = (_flat(drawn[stream]) for stream in (_MODE, _HOP))
  rows = None
  if table.degree.ndim == 3:
    n = table.degree.shape[-1]
    rows = jnp.arange(batch, dtype=jnp.uint32) * np.uint32(2 * n)
    merged = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), table)
    first = transitions.TransitionTable(
      *(None if x is None else x[:, 0] for x in table)
    )
  else:
    n, merged = table.degree.shape[-1], table
    first = transitions.TransitionTable(
      *(None if x is None else x[0] for x in table)
    )
  arcs = transitions.arcs(merged, non_backtracking=False)
  node = transitions.uniform_node(number, first)
  bounds = (jnp.broadcast_to(second, (batch, second.shape[-1])) * 2.0**23).T

  def step(node, now):
    mode, hop, bound = now
    chosen = mode.astype(jnp.int32).astype(jnp.float32) < bound
    root = chosen.astype(jnp.uint32) * np.uint32(n)
    root = root if rows is None else root + rows
    word = transitions.look_up(arcs.roots, root + node.astype(jnp.uint32))
    crossed = transitions.choose(arcs, word, hop, root)
    target = transitions.node(transitions.look_up(arcs.words, crossed))
    return target, node

  _, nodes = jax.lax.scan(
    step, node, (modes[:length], hops[:length], bounds[:length])
  )
  return nodes.T


def _flat(blocks):
  """Numbers uint32 [2 blocks, B] in their order."""
  both = jnp.stack(streams.pair(blocks), axis=1)
  return both.reshape(-1, both.shape[-1])
