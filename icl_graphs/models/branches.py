"""Many short continuations that leave one text at many places.

A trunk is read once and kept. Branches leave it after any number of its tokens
and may branch again: a new token sees the trunk as far as its branch follows
it, the tokens of the branch that lead to it, and itself. Several branches lie
in one row; rows share their trunk.

Legend: R trunks of P slots, M rows of T new tokens for each, B = R * M; other
letters as in `attention`.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from icl_graphs.models import attention
from icl_graphs.models import cache as cache_lib
from icl_graphs.models import layers as layers_lib


class Places(NamedTuple):
  """Where new tokens are, and what they see.

  Attributes:
    depth: tokens of the trunk that a token sees.
    position: of a token in its sequence, trunk included.
    leads: leads[.., t, s] is true where token s of the row leads to token t,
      and for s = t.
  """

  depth: Int[Array, "R M T"]
  position: Int[Array, "R M T"]
  leads: Bool[Array, "R M T T"]


class Branches(NamedTuple):
  """What a pass over new tokens starts from.

  Attributes:
    trunk: its length is not looked at: `places` say what is seen of it.
    places: of the new tokens.
  """

  trunk: cache_lib.Prefix
  places: Places


class Past(NamedTuple):
  """One layer of the trunks, as attention needs it."""

  key: Float[Array, "R P K H"]
  value: Float[Array, "R P K H"]


def layers(branches: Branches) -> Past:
  """The trunks with their layer axis in front, to scan over."""
  return Past(branches.trunk.key, branches.trunk.value)


def attend(
  query: Float[Array, "B T N H"],
  key: Float[Array, "B T K H"],
  value: Float[Array, "B T K H"],
  past: Past,
  places: Places,
  *,
  scale: float,
  window: Int[Array, ""] | int | None = None,
  softcap: float | None = None,
  precision: str = "highest",
) -> Float[Array, "B T N H"]:
  """New tokens attend to their trunk, to what leads to them and to themselves.

  Heads come first in all arrays, so that the two products, with the trunk and
  among new tokens, leave their scores as the softmax over both reads them.

  Args:
    query, key, value: of the new tokens, rotated.
    past: one layer of the trunks.
    places: of the new tokens.
    scale, window, softcap, precision: as in `attention.attention`.
  """
  count, rows, time = places.depth.shape
  kv_heads, size = key.shape[2:]

  def by_head(array):
    """[R, K, M, G, T, H]."""
    array = array.reshape(count, rows, time, kv_heads, -1, size)
    return jnp.transpose(array, (0, 3, 1, 4, 2, 5))

  query = by_head(query)
  key, value = by_head(key)[:, :, :, 0], by_head(value)[:, :, :, 0]
  slot = jnp.arange(past.key.shape[1])[None, None, None]
  visible = [slot < places.depth[..., None], places.leads]
  if window is not None:
    here = places.position[..., None]
    visible[0] &= here < slot + window
    visible[1] &= here < places.position[:, :, None] + window
  einsums = ("rkmgth,rskh->rkmgts", "rkmgth,rkmsh->rkmgts")
  scores = [
    jnp.where(
      mask[:, None, :, None],
      layers_lib.capped(
        attention.products(einsum, query, keys, precision) * scale, softcap
      ),
      -jnp.inf,
    )
    for einsum, keys, mask in zip(
      einsums, (past.key, key), visible, strict=True
    )
  ]
  # A token sees itself: the maximum is finite.
  most = jnp.maximum(*(jnp.max(one, -1, keepdims=True) for one in scores))
  weights = [jnp.exp(one - most) for one in scores]
  total = sum(jnp.sum(one, -1, keepdims=True) for one in weights)
  einsums = ("rkmgts,rskh->rkmgth", "rkmgts,rkmsh->rkmgth")
  # Weights are rounded to the dtype of the values, their products are not.
  mixed = sum(
    attention.products(einsum, one.astype(values.dtype), values, precision)
    for einsum, one, values in zip(
      einsums, weights, (past.value, value), strict=True
    )
  )
  mixed = (mixed / total).astype(past.value.dtype)
  return jnp.transpose(mixed, (0, 2, 4, 1, 3, 5)).reshape(
    count * rows, time, -1, size
  )
