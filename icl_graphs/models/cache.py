"""Keys and values that are kept, so that decoding reads only what is new.

A sequence's token number t after its prefix lies in slot t, whatever the length
of its prompt: prompts of different lengths are padded at the end, and padding
is overwritten by what follows. A prefix is stored once and shared by all the
sequences that continue it.

Legend: R prefixes of P slots, M continuations of each, B = R * M sequences of S
slots; other letters as in `attention`.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from icl_graphs.models import attention
from icl_graphs.models import config as config_lib


class Prefix(NamedTuple):
  """What several sequences begin with.

  Attributes:
    key, value: after rotation.
    length: tokens of each prefix, at most P.
  """

  key: Float[Array, "L R P K H"]
  value: Float[Array, "L R P K H"]
  length: Int[Array, " R"]


class Cache(NamedTuple):
  """What has been read so far.

  Attributes:
    key, value: after rotation.
    length: tokens of each sequence after its prefix, at most S.
    prefix: sequence b continues prefix b // M; None without.
  """

  key: Float[Array, "L B S K H"]
  value: Float[Array, "L B S K H"]
  length: Int[Array, " B"]
  prefix: Prefix | None = None

  @property
  def before(self) -> Int[Array, " B"]:
    """Tokens of every sequence's prefix."""
    batch = self.length.shape[0]
    if self.prefix is None:
      return jnp.zeros((batch,), jnp.int32)
    return jnp.repeat(
      self.prefix.length, batch // self.prefix.length.shape[0], axis=0
    )

  @property
  def slots(self) -> int:
    """Positions that fit, prefix included."""
    prefix = 0 if self.prefix is None else self.prefix.key.shape[2]
    return prefix + self.key.shape[2]


def empty(
  config: config_lib.DecoderConfig,
  batch: int,
  slots: int,
  dtype: jnp.dtype,
  prefix: Prefix | None = None,
) -> Cache:
  """A cache of B = `batch` sequences that have read nothing but a prefix.

  Raises:
    ValueError: B is not a multiple of the number of prefixes.
  """
  if prefix is not None and batch % prefix.length.shape[0]:
    raise ValueError(
      f"{batch} sequences cannot continue {prefix.length.shape[0]} prefixes"
    )
  sizes = (config.num_layers, batch, slots)
  zeros = jnp.zeros((*sizes, config.num_kv_heads, config.head_size), dtype)
  return Cache(zeros, zeros, jnp.zeros((batch,), jnp.int32), prefix)


def append(
  cache: Cache,
  key: Float[Array, "L B T K H"],
  value: Float[Array, "L B T K H"],
  length: Int[Array, " B"],
) -> Cache:
  """Adds T slots to every sequence, of which the first `length` count."""
  batch, time = key.shape[1:3]
  rows = jnp.arange(batch)[:, None]
  slots = cache.length[:, None] + jnp.arange(time)[None, :]
  return cache._replace(
    # Padding beyond the last slot is dropped, not wrapped around.
    key=cache.key.at[:, rows, slots].set(key, mode="drop"),
    value=cache.value.at[:, rows, slots].set(value, mode="drop"),
    length=cache.length + length,
  )


def as_prefix(cache: Cache) -> Prefix:
  """What has been read, for others to continue.

  Raises:
    ValueError: the cache itself continues a prefix.
  """
  if cache.prefix is not None:
    raise ValueError("a prefix of a prefix is not supported")
  return Prefix(cache.key, cache.value, cache.length)


class Past(NamedTuple):
  """One layer of a cache, as attention needs it."""

  key: Float[Array, "B S K H"]
  value: Float[Array, "B S K H"]
  prefix_key: Float[Array, "R P K H"] | None
  prefix_value: Float[Array, "R P K H"] | None


def layers(cache: Cache) -> Past:
  """The cache with its layer axis in front of everything, to scan over."""
  if cache.prefix is None:
    return Past(cache.key, cache.value, None, None)
  return Past(cache.key, cache.value, cache.prefix.key, cache.prefix.value)


def attend(
  query: Float[Array, "B T N H"],
  key: Float[Array, "B T K H"],
  value: Float[Array, "B T K H"],
  past: Past,
  *,
  length: Int[Array, " B"],
  before: Int[Array, " B"],
  scale: float,
  window: Int[Array, ""] | int | None = None,
  softcap: float | None = None,
  precision: str = "highest",
) -> Float[Array, "B T N H"]:
  """T new positions attend to the prefix, to the past and among themselves.

  Scores of all new positions exist at once: T is meant to be small.

  Args:
    query, key, value: of the new positions, rotated.
    past: one layer of the cache.
    length: tokens of each sequence in `past`, after its prefix.
    before: tokens of its prefix.
    scale, window, softcap, precision: as in `attention.attention`.
  """
  batch, time, num_heads, head_size = query.shape
  grouped = query.reshape(batch, time, key.shape[2], -1, head_size)
  here = (before + length)[:, None] + jnp.arange(time)[None, :]

  def visible(there, valid):
    """there [B, S]: positions of keys, of which `valid` [B, S] exist."""
    seen = valid[:, None, :] & (there[:, None, :] <= here[:, :, None])
    if window is not None:
      seen &= here[:, :, None] < there[:, None, :] + window
    return seen

  def own(array, einsum, keys):
    return attention.products(einsum, array, keys, precision)

  slot = jnp.arange(past.key.shape[1])[None, :]
  scores = [
    own(grouped, "btkgh,bskh->bkgts", past.key),
    own(grouped, "btkgh,bskh->bkgts", key),
  ]
  masks = [
    visible(before[:, None] + slot, slot < length[:, None]),
    visible(here, jnp.ones((batch, time), bool)),
  ]
  values = [past.value, value]
  if past.prefix_key is not None:
    count, slots = past.prefix_key.shape[:2]
    shared = grouped.reshape(count, batch // count, *grouped.shape[1:])
    apart = own(shared, "rmtkgh,rskh->rmkgts", past.prefix_key)
    scores.append(apart.reshape(batch, *apart.shape[2:]))
    slot = jnp.broadcast_to(jnp.arange(slots)[None, :], (batch, slots))
    masks.append(visible(slot, slot < before[:, None]))
  weights = attention.softmax(
    jnp.concatenate(scores, axis=-1),
    jnp.concatenate(masks, axis=-1)[:, None, None],
    scale,
    softcap,
  )
  ends = [past.key.shape[1], past.key.shape[1] + time]
  parts = jnp.split(weights, ends, axis=-1)
  mixed = sum(
    attention.mixture("bkgts,bskh->btkgh", part, one, precision)
    for part, one in zip(parts, values, strict=False)
  )
  if past.prefix_key is not None:
    shared = parts[2].reshape(count, batch // count, *parts[2].shape[1:])
    from_prefix = attention.mixture(
      "rmkgts,rskh->rmtkgh", shared, past.prefix_value, precision
    )
    mixed += from_prefix.reshape(mixed.shape)
  return mixed.reshape(batch, time, num_heads, head_size)
