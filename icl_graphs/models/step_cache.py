"""Keys and values of sequences that all grow by one token at a time.

Reading what is kept is what a step of many sequences costs, so it is kept as
attention reads it, in blocks of slots: a step touches only blocks that hold
something, and within a block every product runs along the fastest axis. Token
i of every sequence's continuation lies in the same slot, whatever the length
of its prompt. A prompt that several sequences continue is kept once, as
`cache.Prefix`; one that is continued once fills the first slots of its row.

Legend: J blocks of W slots; b = r * M + m is continuation m of prompt r; other
letters as in `attention`.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from icl_graphs.models import attention
from icl_graphs.models import cache as cache_lib
from icl_graphs.models import layers as layers_lib

# Slots of a block: whole vectors of every processor; on average half a block is
# read in vain.
BLOCK = 32


class StepCache(NamedTuple):
  """What has been read so far.

  Attributes:
    key: after rotation, slots last.
    value: head entries last.
    taken: tokens that every sequence has read since its prompt.
    first: slot of the first of them, a multiple of W.
    before: tokens of every sequence's prompt, in slots 0 to `before` - 1 or in
      the prefix.
    prefix: sequence b continues prefix b // M; None where prompts are in slots.
  """

  key: Float[Array, "L J B K H W"]
  value: Float[Array, "L J B K W H"]
  taken: Int[Array, ""]
  first: Int[Array, ""]
  before: Int[Array, " B"]
  prefix: cache_lib.Prefix | None


class Past(NamedTuple):
  """One layer of a cache, as attention needs it.

  Attributes:
    layer: its number; to be sliced where it is read, because a slice of its own
      would be a copy.
    prefix_key, prefix_value: of this layer; None without.
  """

  layer: Int[Array, ""]
  prefix_key: Float[Array, "R P K H"] | None
  prefix_value: Float[Array, "R P K H"] | None


def start(
  prompts: cache_lib.Cache,
  steps: int,
  continuations: int = 1,
  block: int = BLOCK,
) -> StepCache:
  """Room for `steps` tokens after prompts that have been read.

  Args:
    prompts: R of them, without a prefix.
    steps: most tokens to be read one by one.
    continuations: M of every prompt.
    block: W.
  """
  layers, count, slots, heads, size = prompts.key.shape
  batch, room = count * continuations, max(1, math.ceil(steps / block))
  before = jnp.repeat(prompts.length, continuations, axis=0)
  filled = 0 if continuations > 1 else math.ceil(slots / block)

  def blocks(kept, order, sizes):
    empty = jnp.zeros((layers, room, batch, heads, *sizes), kept.dtype)
    if not filled:
      return empty
    ends = [(0, 0)] * kept.ndim
    ends[2] = (0, filled * block - slots)
    padded = jnp.pad(kept, ends).reshape(
      layers, batch, filled, block, heads, size
    )
    return jnp.concatenate([jnp.transpose(padded, order), empty], axis=1)

  return StepCache(
    blocks(prompts.key, (0, 2, 1, 4, 5, 3), (size, block)),
    blocks(prompts.value, (0, 2, 1, 4, 3, 5), (block, size)),
    jnp.int32(0),
    jnp.int32(filled * block),
    before,
    cache_lib.as_prefix(prompts) if continuations > 1 else None,
  )


def layers(cache: StepCache) -> Past:
  """The cache with its layer axis in front of everything, to scan over."""
  index = jnp.arange(cache.key.shape[0])
  if cache.prefix is None:
    return Past(index, None, None)
  return Past(index, cache.prefix.key, cache.prefix.value)


def append(
  cache: StepCache,
  key: Float[Array, "L B 1 K H"],
  value: Float[Array, "L B 1 K H"],
) -> StepCache:
  """Adds a token to every sequence; the caller sees to it that it fits."""
  block = cache.key.shape[-1]
  slot = cache.first + cache.taken
  place, within = slot // block, slot % block

  def put(kept, new, axis):
    new = jnp.expand_dims(new[:, None, :, 0], axis)
    begin = [0, place, 0, 0, 0, 0]
    begin[axis] = within
    return jax.lax.dynamic_update_slice(kept, new, begin)

  return cache._replace(
    key=put(cache.key, key, 5),
    value=put(cache.value, value, 4),
    taken=cache.taken + 1,
  )


def attend(
  query: Float[Array, "B 1 N H"],
  key: Float[Array, "B 1 K H"],
  value: Float[Array, "B 1 K H"],
  past: Past,
  cache: StepCache,
  *,
  scale: float,
  window: Int[Array, ""] | int | None = None,
  softcap: float | None = None,
  precision: str = "highest",
) -> Float[Array, "B 1 N H"]:
  """Every sequence's new position attends to all before it and to itself.

  Blocks are taken one after the other, under a running maximum and sum (arXiv
  1805.02867).

  Args:
    query, key, value: of the new position, rotated.
    past: one layer of the cache.
    cache: all layers.
    scale, window, softcap, precision: as in `attention.attention`.
  """
  batch, _, num_heads, size = query.shape
  heads, block = key.shape[2], cache.key.shape[-1]
  grouped = query.reshape(batch, heads, -1, size).astype(jnp.float32) * scale
  here = cache.before + cache.taken
  # XLA computes twice, instead of storing, what is used twice and looks cheap.
  # A division does not; it must not know that this is 1.
  one = jnp.where(cache.taken >= 0, 1.0, 2.0)

  def seen(there, valid):
    """Which of the positions `there`, where they are `valid`, [B, S]."""
    if window is not None:
      valid &= here[:, None] < there + window
    return jnp.broadcast_to(valid, (batch, valid.shape[1]))

  def one_block(index, state):
    most, total, mixed = state
    slot = (index * block + jnp.arange(block))[None]
    follows, before = slot >= cache.first, cache.before[:, None]
    visible = seen(
      jnp.where(follows, slot - cache.first + before, slot),
      jnp.where(follows, slot < cache.first + cache.taken, slot < before),
    )
    keys = _lines(cache.key, past.layer, index)
    scores = sum(grouped[..., i, None] * keys(i) for i in range(size)) / one
    scores = jnp.where(
      visible[:, None, None], layers_lib.capped(scores, softcap), -jnp.inf
    )
    higher = jnp.maximum(most, jnp.max(scores, axis=-1, keepdims=True))
    weights, shrink = jnp.exp(scores - higher), jnp.exp(most - higher)
    values = _lines(cache.value, past.layer, index)
    return (
      higher,
      total * shrink + jnp.sum(weights, axis=-1, keepdims=True),
      mixed * shrink
      + sum(weights[..., i, None] * values(i) for i in range(block)),
    )

  # The new position sees itself: the running maximum is finite from the start.
  own, mixed = (
    array.reshape(batch, heads, 1, size).astype(jnp.float32)
    for array in (key, value)
  )
  most = layers_lib.capped(
    jnp.sum(grouped * own, axis=-1, keepdims=True), softcap
  )
  state = most, jnp.ones_like(most), jnp.broadcast_to(mixed, grouped.shape)
  if past.prefix_key is not None:
    there = jnp.arange(past.prefix_key.shape[1])[None]
    visible = seen(there, there < cache.before[:, None])
    state = _with_prefix(state, grouped, past, visible, softcap, precision)
  stop = (cache.first + cache.taken + block - 1) // block
  first = _first_block(cache, here, window)
  _, total, mixed = jax.lax.fori_loop(first, stop, one_block, state)
  return (mixed / total).astype(query.dtype).reshape(batch, 1, num_heads, size)


def _lines(kept, layer, index):
  """A function of i: line i of a block, [B, K, 1, W] or [B, K, 1, H].

  Products with lines, added up, become one loop along the lines, which a
  processor takes by whole vectors; the same as a batch of tiny matrix products
  would be several times slower.
  """
  sizes = (1, 1, *kept.shape[2:4], 1, kept.shape[5])

  def line(number):
    begin = (layer, index, 0, 0, number, 0)
    cut = jax.lax.dynamic_slice(kept, begin, sizes)
    return cut[0, 0].astype(jnp.float32)

  return line


def _with_prefix(state, grouped, past, visible, softcap, precision):
  """Adds a shared prefix to the maximum, sum and mixture of what was seen.

  Scores lie [R, K, P, M, G], as one product of all continuations leaves them.
  """
  count, slots = past.prefix_key.shape[:2]
  batch, heads, groups, size = grouped.shape
  apart = (count, batch // count, heads, groups)

  def there(array):
    return jnp.swapaxes(array.reshape(apart), 1, 2)[:, :, None]

  def back(array):
    return jnp.swapaxes(array[:, :, 0], 1, 2).reshape(batch, heads, groups, 1)

  most, total, mixed = state
  key, value = (
    array.astype(jnp.float32) for array in (past.prefix_key, past.prefix_value)
  )
  scores = attention.products(
    "rmkgh,rskh->rksmg", grouped.reshape(*apart, size), key, precision
  )
  # The continuations of a prompt are all at the same position.
  visible = visible.reshape(*apart[:2], slots)[:, 0, :]
  scores = jnp.where(
    visible[:, None, :, None, None],
    layers_lib.capped(scores, softcap),
    -jnp.inf,
  )
  higher = jnp.maximum(there(most), jnp.max(scores, axis=2, keepdims=True))
  weights = jnp.exp(scores - higher)
  added = attention.mixture("rksmg,rskh->rmkgh", weights, value, precision)
  shrink = jnp.exp(most - back(higher))
  return (
    back(higher),
    total * shrink + back(jnp.sum(weights, axis=2, keepdims=True)),
    mixed * shrink + added.reshape(mixed.shape),
  )


def _first_block(cache, here, window):
  """No sequence sees slots before this block."""
  if window is None:
    return jnp.int32(0)
  seen = here - window + 1
  prompt = jnp.maximum(seen, 0) if cache.prefix is None else 0
  slot = jnp.where(
    seen < cache.before, prompt, seen - cache.before + cache.first
  )
  return jnp.min(slot) // cache.key.shape[-1]
