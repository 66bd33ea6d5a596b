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
    _ALL_FEATURES,
  )
  return node


def sample_walk(
  table: TransitionTable,
  seed: int | Array,
  walk_index: Int[Array, ""] | int,
  *,
  length: int,
  law: StepLaw,
  max_hops: int = 1,
  start: Int[Array, ""] | int | None = None,
) -> Int[Array, " length"]:
  """One walk, int32 [length]: pure, to vmap over any of its array arguments.

  Use it to mix graphs and laws in one batch, by `jax.vmap` over stacked tables
  and a `StepLaw` of arrays. It gives the nodes that `sample_walks` gives.

  Args:
    table: the graph, [n, K].
    seed: whole number below 2^32, or a PRNG key; may be traced.
    walk_index: which walk of this seed; may be traced.
    length: nodes in the walk, the start node included.
    law: scalars; may be traced, so nothing checks them here.
    max_hops: static bound on law.hops; further hops are not made.
    start: first node; default uniform over the nodes.
  """
  return _walk(
    table, seed, walk_index, law, start, length, max_hops, _ALL_FEATURES
  )


def sample_walks(
  table: TransitionTable,
  seed: int | Array,
  walk_index: Int[Array, " B"],
  *,
  length: int,
  law: StepLaw | None = None,
  start: Int[Array, " B"] | None = None,
) -> Int[Array, "B length"]:
  """Walks int32 [B, length] under one law of plain numbers.

  Args:
    table: the graph, [n, K].
    seed: whole number below 2^32, or a PRNG key.
    walk_index: int [B]; row b is walk walk_index[b] of this seed.
    length: nodes per walk, the start node included.
    law: from `step_law`, default the plain walk (`sample_walk` takes traced
      laws).
    start: int [B] first nodes; default uniform over the nodes. The paper
      starts walk i at node i.

  Raises:
    InputError: a seed outside [0, 2^32), a length below 1, or a start node
      that the graph does not have.
  """
  law = step_law() if law is None else step_law(**law._asdict())
  if length < 1:
    raise errors.InputError(f"walks of length {length}; at least 1 is needed")
  features = _Features(
    stays_or_jumps=law.stay + law.teleport > 0,
    non_backtracking=law.non_backtracking,
  )
  return _walks(
    table,
    _checked_seed(seed),
    jnp.asarray(walk_index, jnp.int32),
    law,
    _checked_start(start, table),
    length=length,
    max_hops=law.hops,
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


_ALL_FEATURES = _Features(True, True)


@functools.partial(jax.jit, static_argnames=("length", "max_hops", "features"))
def _walks(table, seed, walk_index, law, start, *, length, max_hops, features):
  def walk(index, first):
    return _walk(table, seed, index, law, first, length, max_hops, features)

  return jax.vmap(walk)(walk_index, start)


def _walk(table, seed, index, law, start, length, max_hops, features):
  counts = {_FIRST_HOP + hop: length for hop in range(max_hops)}
  if features.stays_or_jumps:
    counts[_MODE] = length
  if start is None:
    counts[_START] = 1
  drawn = streams.uniforms(seed, index, counts)
  if start is None:
    start = transitions.uniform_node(drawn[_START][0], table)
  start = jnp.asarray(start, jnp.int32)
  hops = [drawn[_FIRST_HOP + hop] for hop in range(max_hops)]

  def advance(state, uniforms):
    # Emits the node before the step: the last step is made for nothing, which
    # costs less than joining the start node to the rest.
    return _advance(*state, *uniforms, table, law, features), state[0]

  return jax.lax.scan(
    advance, (start, jnp.int32(-1)), (drawn.get(_MODE), hops)
  )[1]


@functools.partial(jax.jit, static_argnames=("pairs",))
def _pairs(table, seed, walk_index, start, *, pairs):
  def sequence(index, first):
    counts = {_START: pairs, _FIRST_HOP: pairs}
    drawn = streams.uniforms(seed, index, counts)
    w1 = transitions.uniform_node(drawn[_START], table)
    if first is not None:
      w1 = w1.at[0].set(first)
    choose = functools.partial(transitions.choose, table)
    w2 = jax.vmap(choose)(w1, drawn[_FIRST_HOP])
    return jnp.stack([w1, w2], axis=-1)

  return jax.vmap(sequence)(walk_index, start)


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
    nodes = int(np.sum(np.asarray(table.degree) > 0))
    wrong = [int(i) for i in np.ravel(start) if not 0 <= i < nodes]
    if wrong:
      raise errors.InputError(
        f"start nodes {wrong[:5]} are not among the graph's {nodes} nodes,"
        f" 0 to {nodes - 1}"
      )
  return jnp.asarray(start, jnp.int32)
