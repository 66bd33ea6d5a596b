"""Random walks over a graph: jitted, vmapped, the same on every machine.

Walk i depends on the seed and on i only, never on the batch it is drawn in,
on its length (a shorter walk is a prefix), or on the other walks' laws.
Random numbers are counter-based threefry bits turned into multiples of 2^-23
in [0, 1), which float32 holds exactly; tables hold cumulative probabilities as
multiples of 2^-23 too. All that happens to them is comparison, exact addition
and one rounded product followed by a floor, so CPU, GPU and TPU agree to the
last node.

Legend: B batch of walks, n nodes, K largest number of neighbours.
"""

import functools
from typing import NamedTuple

import jax
from jax import numpy as jnp
from jax import random
from jaxtyping import Array, Bool, Float, Int
import numpy as np

from icl_graphs import errors
from icl_graphs.tasks import streams, transitions

# Independent random streams of one walk; hop h draws from _FIRST_HOP + h.
_START, _MODE, _FIRST_HOP = 0, 1, 2
# Hops are unrolled, and each draws a number of its own.
MAX_HOPS = 32


# A table is made where it is used; `transitions.py` says how.
TransitionTable = transitions.TransitionTable
transition_table = transitions.transition_table
stack_tables = transitions.stack_tables


class StepLaw(NamedTuple):
  """How a walk moves. Scalars, or arrays to vmap over; see `step_law`.

  Attributes:
    stay: probability of remaining at the node.
    teleport: probability of a jump to a uniform node (itself included).
    hops: edges crossed by one step (only the last node is emitted).
    non_backtracking: never return along the edge just crossed, except from a
      dead end.
  """

  stay: Float[Array, "..."] | float = 0.0
  teleport: Float[Array, "..."] | float = 0.0
  hops: Int[Array, "..."] | int = 1
  non_backtracking: Bool[Array, "..."] | bool = False


def step_law(
  *,
  stay: float = 0.0,
  teleport: float = 0.0,
  hops: int = 1,
  non_backtracking: bool = False,
) -> StepLaw:
  """A checked `StepLaw`: the default is the plain walk.

  Raises:
    InputError: probabilities outside [0, 1] or with a sum above 1, a stay
      probability of 1, or hops that are not 1 to MAX_HOPS.
  """
  for name, value in (("stay", stay), ("teleport", teleport)):
    if not 0 <= value <= 1:
      raise errors.InputError(
        f"{name}={value} is not a probability between 0 and 1"
      )
  if stay + teleport > 1:
    raise errors.InputError(
      f"stay={stay} and teleport={teleport} sum to more than 1"
    )
  if stay == 1:
    raise errors.InputError("stay=1 never moves; choose a smaller probability")
  if hops not in range(1, MAX_HOPS + 1):
    raise errors.InputError(
      f"hops={hops} is not a whole number from 1 to {MAX_HOPS}"
    )
  return StepLaw(
    float(stay), float(teleport), int(hops), bool(non_backtracking)
  )


def step(
  key: Array,
  node: Int[Array, ""],
  previous_node: Int[Array, ""],
  table: TransitionTable,
  law: StepLaw,
  *,
  max_hops: int = 1,
) -> Int[Array, ""]:
  """One step of one walk: the next node, int32 []. Pure, vmappable.

  Args:
    key: a PRNG key, used for this step only.
    node: int32 [].
    previous_node: int32 [], the node crossed just before `node`; -1 if none.
      Read by non-backtracking laws only.
    table: the graph, [n, K].
    law: scalars; may be traced.
    max_hops: static bound on law.hops; further hops are not made.
  """
  uniforms = random.uniform(key, (1 + max_hops,), jnp.float32)
  node, _ = _advance(
    jnp.asarray(node, jnp.int32),
    jnp.asarray(previous_node, jnp.int32),
    uniforms[0],
    uniforms[1:],
    table,
    law,
    _Features(stays_or_jumps=True, non_backtracking=True),
  )
  return node


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
  features = _Features(stays_or_jumps=True, non_backtracking=True)
  if not any(isinstance(field, np.ndarray | jax.Array) for field in law):
    law = step_law(**law._asdict())
    max_hops = law.hops
    features = _Features(law.stay + law.teleport > 0, law.non_backtracking)
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


class _Features(NamedTuple):
  """What a law may do, known at compile time: the rest costs nothing."""

  stays_or_jumps: bool
  non_backtracking: bool


@functools.partial(jax.jit, static_argnames=("length", "max_hops", "features"))
def _walks(table, seed, walk_index, law, start, *, length, max_hops, features):
  counts = {_FIRST_HOP + hop: length for hop in range(max_hops)}
  if features.stays_or_jumps:
    counts[_MODE] = length
  if start is None:
    counts[_START] = 1
  drawn = streams.uniforms(seed, walk_index, counts)
  table_axis = 0 if table.degree.ndim == 2 else None
  if start is None:
    start = jax.vmap(transitions.uniform_node, (0, table_axis))(
      drawn[_START][0], table
    )
  hops = [drawn[_FIRST_HOP + hop] for hop in range(max_hops)]
  law = StepLaw(*map(jnp.asarray, law))
  law_axes = StepLaw(*(0 if field.ndim == 1 else None for field in law))

  @functools.partial(jax.vmap, in_axes=(0, 0, table_axis, law_axes))
  def advance(state, uniforms, table, law):
    return _advance(*state, *uniforms, table, law, features)

  def scanned(state, uniforms):
    # Emits the node before the step: the last step is made for nothing, which
    # costs less than joining the start node to the rest.
    return advance(state, uniforms, table, law), state[0]

  state = (start, jnp.full_like(start, -1))
  return jax.lax.scan(scanned, state, (drawn.get(_MODE), hops))[1].T


@functools.partial(jax.jit, static_argnames=("pairs",))
def _pairs(table, seed, walk_index, start, *, pairs):
  counts = {_START: pairs, _FIRST_HOP: pairs}
  drawn = streams.uniforms(seed, walk_index, counts)
  w1 = transitions.uniform_node(drawn[_START], table)
  if start is not None:
    w1 = w1.at[0].set(start)
  choose = functools.partial(transitions.choose, table)
  w2 = jax.vmap(jax.vmap(choose))(w1, drawn[_FIRST_HOP])
  return jnp.stack([w1.T, w2.T], axis=-1)


def _advance(node, previous, mode_uniform, hop_uniforms, table, law, features):
  """One step: (node, previous) to (node, previous), all int32 []."""
  moved, before = node, previous
  for hop, uniform in enumerate(hop_uniforms):
    if features.non_backtracking:
      skipped = transitions.skip_neighbour(table, moved, before, uniform)
      uniform = jnp.where(law.non_backtracking, skipped, uniform)
    following = transitions.choose(table, moved, uniform)
    made = hop < law.hops
    before = jnp.where(made, moved, before)
    moved = jnp.where(made, following, moved)
  if not features.stays_or_jumps:
    return moved, before
  jumps = mode_uniform < law.teleport
  stays = ~jumps & (mode_uniform < law.teleport + law.stay)
  # A jump does not move, so it can reuse the first hop's number.
  target = transitions.uniform_node(hop_uniforms[0], table)
  return (
    jnp.where(jumps, target, jnp.where(stays, node, moved)),
    jnp.where(jumps, -1, jnp.where(stays, previous, before)),
  )


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
