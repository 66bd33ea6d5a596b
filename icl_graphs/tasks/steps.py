"""One step of a walk: its law, and moving by it."""

from typing import NamedTuple

from jax import numpy as jnp
from jax import random
from jaxtyping import Array, Bool, Float, Int

from icl_graphs import errors
from icl_graphs.tasks import streams, transitions

# Hops are unrolled, and each draws a number of its own.
MAX_HOPS = 32


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
  table: transitions.TransitionTable,
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
  mode, *numbers = (uniforms * streams.RESOLUTION).astype(jnp.uint32)
  arcs = transitions.arcs(table, non_backtracking=True)
  walker = Walker(arcs, table, jnp.uint32(0), law)
  word, _ = walker.begin(jnp.asarray(node, jnp.int32))
  state = (word, transitions.arc_between(table, previous_node, node))
  word, _ = walker.advance(state, mode, numbers, Features())
  return transitions.node(word)


class Features(NamedTuple):
  """What a law may do, known at compile time: the rest costs nothing."""

  stays: bool = True
  jumps: bool = True
  non_backtracking: bool = True


def features(law: StepLaw) -> Features:
  """What a law of plain numbers may do."""
  return Features(law.stay > 0, law.teleport > 0, law.non_backtracking)


class Walker(NamedTuple):
  """Moves walks [B] (or one, []), each a pair (word, arc).

  The word is that of the node, the arc is the last one crossed.
  """

  arcs: transitions.Arcs
  table: transitions.TransitionTable
  first_root: Array
  law: StepLaw

  def begin(self, node):
    """At a node, with no arc behind."""
    root = self.first_root + node.astype(jnp.uint32)
    word = transitions.look_up(self.arcs.roots, root)
    return word, jnp.full_like(word, self.arcs.words.size)

  def advance(self, state, mode, numbers, features):
    """One step, with one random number for the mode and one for each hop."""
    arcs, law = self.arcs, self.law
    moved = state
    for hop, number in enumerate(numbers):
      word, arc = moved
      if features.non_backtracking:
        avoiding = transitions.avoid_return(arcs, arc, number)
        number = jnp.where(law.non_backtracking, avoiding, number)
      crossed = transitions.choose(arcs, word, number, self.first_root)
      if features.non_backtracking:
        # Four look-ups follow. Compiled loops end at a look-up, so this one
        # spares each of them the way to the arc again: half the time on CPU.
        itself = jnp.arange(arcs.words.size, dtype=jnp.uint32)
        crossed = transitions.look_up(itself, crossed)
      following = (transitions.look_up(arcs.words, crossed), crossed)
      moved = _where(hop < law.hops, following, moved)
    if features.stays or features.jumps:
      mode = mode.astype(jnp.int32).astype(jnp.float32) / streams.RESOLUTION
      moved = _where(mode < law.teleport + law.stay, state, moved)
    if features.jumps:
      # A jump does not move, so it can reuse the first hop's number.
      target = transitions.uniform_node(numbers[0], self.table)
      moved = _where(mode < law.teleport, self.begin(target), moved)
    return moved


def _where(condition, state, other):
  """Walks [B] from either of two states; the unused parts are dropped."""
  return tuple(
    jnp.where(condition, x, y) for x, y in zip(state, other, strict=True)
  )
