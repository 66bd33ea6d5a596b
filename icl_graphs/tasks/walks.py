"""Random walks over a graph: jitted, vmapped, the same on every machine.

Walk i depends on the seed and on i only, never on the batch it is drawn in,
on its length (a shorter walk is a prefix), or on the other walks' laws.
Random numbers are counter-based threefry bits, as whole numbers below 2^23, and
cumulative probabilities are multiples of 2^-23. All that happens to them is
integer arithmetic, comparison and one rounded product followed by a floor, so
CPU, GPU and TPU agree to the last node.

Legend: B batch of walks, n nodes, K largest number of neighbours.
"""

import functools

import jax
from jax import numpy as jnp
from jaxtyping import Array, Int
import numpy as np

from icl_graphs import errors
from icl_graphs.tasks import steps, streams, transitions

# Independent random streams of one walk; hop h draws from _FIRST_HOP + h.
_START, _MODE, _FIRST_HOP = 0, 1, 2
# A table is made where it is used; `transitions.py` says how.
TransitionTable = transitions.TransitionTable
transition_table = transitions.transition_table
stack_tables = transitions.stack_tables
# And a law, where steps are made.
MAX_HOPS = steps.MAX_HOPS
StepLaw = steps.StepLaw
step_law = steps.step_law
step = steps.step


def sample_walks(
  table: TransitionTable,
  seed: int | Array,
  walk_index: Int[Array, " B"],
  *,
  length: int,
  law: StepLaw | None = None,
  max_hops: int | None = None,
  start: Int[Array, " B"] | None = None,
) -> Int[Array, "B length"]:
  """Walks int32 [B, length].

  One table and one law serve all walks, or each walk has its own: stack the
  tables to [B, n, K] and give the law arrays [B]. The nodes are the same.

  Args:
    table: the graph, [n, K]; or one per walk, [B, n, K].
    seed: whole number below 2^32, or a threefry key; may be traced.
    walk_index: int [B]; row b is walk walk_index[b] of this seed.
    length: nodes per walk, the start node included.
    law: from `step_law`, default the plain walk; or arrays (scalar or [B]),
      which may be traced, so nothing checks them here.
    max_hops: for a law of arrays, the static bound on its hops (default 1);
      further hops are not made.
    start: int [B] first nodes; default uniform over the nodes. The paper
      starts walk i at node i.

  Raises:
    InputError: a seed outside [0, 2^32), a length below 1, a law that
      `step_law` refuses, or a start node that the graph does not have.
  """
  if length < 1:
    raise errors.InputError(f"walks of length {length}; at least 1 is needed")
  law = StepLaw() if law is None else law
  features = steps.Features()
  if not any(isinstance(field, np.ndarray | jax.Array) for field in law):
    law = step_law(**law._asdict())
    max_hops = law.hops
    features = steps.Features(
      law.stay > 0, law.teleport > 0, law.non_backtracking
    )
  return _walks(
    table,
    _checked_seed(seed),
    jnp.asarray(walk_index, jnp.int32),
    law,
    _checked_start(start, table),
    length=length,
    max_hops=1 if max_hops is None else max_hops,
    features=features,
  )


def sample_pairs(
  table: TransitionTable,
  seed: int | Array,
  walk_index: Int[Array, " B"],
  *,
  pairs: int,
  start: Int[Array, " B"] | None = None,
) -> Int[Array, "B pairs 2"]:
  """Independent neighbour pairs (w1, w2), int32 [B, pairs, 2].

  w1 is uniform over the nodes and w2 is a step of the plain walk from w1.
  Pair q of sequence i depends on the seed, i and q only.

  Args:
    table: the graph, [n, K].
    seed: whole number below 2^32, or a PRNG key.
    walk_index: int [B], which sequences of this seed.
    pairs: pairs per sequence.
    start: int [B], w1 of each first pair; default random like the others.

  Raises:
    InputError: as `sample_walks`.
  """
  if pairs < 1:
    raise errors.InputError(f"{pairs} pairs; at least 1 is needed")
  return _pairs(
    table,
    _checked_seed(seed),
    jnp.asarray(walk_index, jnp.int32),
    _checked_start(start, table),
    pairs=pairs,
  )


@functools.partial(jax.jit, static_argnames=("length", "max_hops", "features"))
def _walks(table, seed, walk_index, law, start, *, length, max_hops, features):
  counts = {_FIRST_HOP + hop: length for hop in range(max_hops)}
  if features.stays or features.jumps:
    counts[_MODE] = length
  if start is None:
    counts[_START] = 1
  drawn = streams.blocks(seed, walk_index, counts)
  if start is None:
    first, _ = streams.pair(drawn[_START][0])
    start = transitions.uniform_node(first, table)
  arcs = transitions.arcs(table, non_backtracking=features.non_backtracking)
  first_root = jnp.uint32(0)
  if table.degree.ndim == 2:
    graphs, n = table.degree.shape
    first_root = jnp.arange(graphs, dtype=jnp.uint32) * np.uint32(n)
  walker = steps.Walker(
    arcs, table, first_root, StepLaw(*map(jnp.asarray, law))
  )

  hops = [drawn[_FIRST_HOP + hop] for hop in range(max_hops)]

  def two_steps(state, block):
    modes, hops = block
    modes = (None, None) if modes is None else streams.pair(modes)
    # The nodes before the steps: the last step is made for nothing, which costs
    # less than joining the start node to the rest.
    nodes = []
    for mode, *numbers in zip(modes, *map(streams.pair, hops), strict=True):
      nodes.append(transitions.node(state[0]))
      state = walker.advance(state, mode, numbers, features)
    return state, nodes

  return _collect(
    two_steps, walker.begin(start), (drawn.get(_MODE), hops), length
  )


@functools.partial(jax.jit, static_argnames=("pairs",))
def _pairs(table, seed, walk_index, start, *, pairs):
  counts = {_START: pairs, _FIRST_HOP: pairs}
  drawn = streams.blocks(seed, walk_index, counts)
  arcs = transitions.arcs(table, non_backtracking=False)
  walker = steps.Walker(arcs, table, jnp.uint32(0), StepLaw())

  def two_pairs(given, block):
    nodes = []
    for first, second in zip(*map(streams.pair, block), strict=True):
      w1 = transitions.uniform_node(first, table)
      w1 = jnp.where(given >= 0, given, w1)
      given = jnp.full_like(w1, -1)
      features = steps.Features(False, False, False)
      (w2, _) = walker.advance(walker.begin(w1), None, [second], features)
      nodes += [w1, transitions.node(w2)]
    return given, nodes

  if start is None:
    start = jnp.full(len(walk_index), -1, jnp.int32)
  blocks = (drawn[_START], drawn[_FIRST_HOP])
  return _collect(two_pairs, start, blocks, 2 * pairs).reshape(-1, pairs, 2)


def _collect(advance, state, blocks, count):
  """Scans blocks, each of which emits nodes [B]; all nodes, int32 [B, count].

  The last block may emit too many.
  """

  def write(carry, now):
    (state, nodes), (block, *drawn) = carry, now
    state, emitted = advance(state, drawn)
    # In place, where stacking would copy. Later nodes go first: what is too
    # many lands on the last row, which is written again.
    for row in reversed(range(len(emitted))):
      place = block * len(emitted) + row
      nodes = jax.lax.dynamic_update_index_in_dim(
        nodes, emitted[row], place, axis=0
      )
    return (state, nodes), None

  some = jax.tree.leaves(blocks)[0]
  nodes = jnp.zeros((count, some.shape[1]), jnp.int32)
  times = jnp.arange(some.shape[0], dtype=jnp.int32)
  (_, nodes), _ = jax.lax.scan(write, (state, nodes), (times, *blocks))
  # Apart from what follows: on its own a transpose is compiled block by block.
  return jax.lax.optimization_barrier(nodes.T)


def _checked_seed(seed):
  if isinstance(seed, int | np.integer) and not 0 <= seed < 2**32:
    raise errors.InputError(f"seed {seed} is outside the range 0 to 2^32 - 1")
  # As an array, so that another seed does not compile again.
  return np.uint32(seed) if isinstance(seed, int | np.integer) else seed


def _checked_start(start, table):
  if start is None:
    return None
  traced = (jax.core.Tracer,)
  if not isinstance(start, traced) and not isinstance(table.degree, traced):
    nodes = int(np.min(np.sum(np.asarray(table.degree) > 0, axis=-1)))
    wrong = [int(i) for i in np.ravel(start) if not 0 <= i < nodes]
    if wrong:
      raise errors.InputError(
        f"start nodes {wrong[:5]} are not among the graph's {nodes} nodes,"
        f" 0 to {nodes - 1}"
      )
  return jnp.asarray(start, jnp.int32)
