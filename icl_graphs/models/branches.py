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

  Args:
    query, key, value: of the new tokens, rotated.
    past: one layer of the trunks.
    places: of the new tokens.
    scale, window, softcap, precision: as in `attention.attention`.
  """
  count, rows, time = places.depth.shape
  batch, slots = query.shape[0], past.key.shape[1]
  shared = (count, rows, time, key.shape[2], -1, query.shape[3])
  grouped = query.reshape(shared)
  new_key, new_value = (
    array.reshape(count, rows, *array.shape[1:]) for array in (key, value)
  )
  slot = jnp.arange(slots)[None, None, None]
  visible = [slot < places.depth[..., None], places.leads]
  if window is not None:
    here = places.position[..., None]
    visible[0] &= here < slot + window
    visible[1] &= here < places.position[..., None, :] + window
  scores = [
    attention.products("rmtkgh,rskh->rmkgts", grouped, past.key, precision),
    attention.products("rmtkgh,rmskh->rmkgts", grouped, new_key, precision),
  ]
  joined = jnp.concatenate(scores, axis=-1)
  weights = attention.softmax(
    joined.reshape(batch, *joined.shape[2:]),
    jnp.concatenate(visible, axis=-1).reshape(batch, 1, 1, time, -1),
    scale,
    softcap,
  ).reshape(joined.shape)
  mixed = attention.mixture(
    "rmkgts,rskh->rmtkgh", weights[..., :slots], past.value, precision
  ) + attention.mixture(
    "rmkgts,rmskh->rmtkgh", weights[..., slots:], new_value, precision
  )
  return mixed.reshape(query.shape)
