"""One residual block: what happens between two hidden states.

Legend: B batch, T time, D width, N query heads, K key/value heads, H head size.
"""

from collections.abc import Callable
import dataclasses
import functools
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from icl_graphs.models import (
  attention,
  branches,
  hooks,
  layers,
  rope,
  step_cache,
)
from icl_graphs.models import cache as cache_lib
from icl_graphs.models import config as config_lib

AtHeads = Callable[[hooks.Mixing], tuple[Float[Array, "B T N H"], PyTree]]

# Products of more rows than this are slower on a CPU, and use more memory.
_CPU_TOKENS = 1024


class Context(NamedTuple):
  """What all layers share.

  Attributes:
    turn: rotation; None without rotary embedding.
    local_turn: that of sliding-window layers, where it differs.
    length, before: of a cache, see `cache.attend`; None without one.
    steps: a cache read one token at a time; None without one.
    places: of tokens on branches of a text; None without.
  """

  turn: rope.Rotation | None
  local_turn: rope.Rotation | None
  length: Int[Array, " B"] | None
  before: Int[Array, " B"] | None
  steps: step_cache.StepCache | None = None
  places: branches.Places | None = None


def turns(
  config: config_lib.DecoderConfig,
  positions: Int[Array, "*B T"],
  dtype: jnp.dtype,
  longest: int,
) -> tuple[rope.Rotation | None, rope.Rotation | None]:
  """The two rotations of a `Context`.

  Args:
    config: of the model.
    positions: of the tokens.
    dtype: of the hidden states.
    longest: length of the longest context to come.
  """
  return tuple(
    None
    if kind is None
    else rope.rotation(kind, config.head_size, positions, dtype, longest)
    for kind in (config.rope, config.local_rope)
  )


class SelfAttention(nn.Module):
  """Projections and norms, rotation, attention, and the way back."""

  config: config_lib.DecoderConfig

  def setup(self):
    c = self.config
    width = (c.hidden_size,)

    def projection(heads):
      return layers.Projection(c, width, (heads, c.head_size), c.qkv_bias)

    self.query = projection(c.num_heads)
    self.key = projection(c.num_kv_heads)
    self.value = projection(c.num_kv_heads)
    self.output = layers.Projection(
      c, (c.num_heads, c.head_size), width, c.attention_output_bias
    )
    if c.qk_norm != "none":
      norm = dataclasses.replace(c.norm, bias=False)
      axes = 1 if c.qk_norm == "head" else 2
      self.query_norm = layers.Norm(norm, axes)
      self.key_norm = layers.Norm(norm, axes)

  def project(
    self, hidden: Float[Array, "B T D"]
  ) -> tuple[
    Float[Array, "B T N H"], Float[Array, "B T K H"], Float[Array, "B T K H"]
  ]:
    """Query, key and value, before rotation."""
    c = self.config
    query, key, value = self.query(hidden), self.key(hidden), self.value(hidden)
    if c.qkv_clip is not None:
      query, key, value = (
        jnp.clip(one, -c.qkv_clip, c.qkv_clip) for one in (query, key, value)
      )
    if c.qk_norm != "none":
      query, key = self.query_norm(query), self.key_norm(key)
    return query, key, value

  def mix(
    self,
    query: Float[Array, "B T N H"],
    key: Float[Array, "B T K H"],
    value: Float[Array, "B T K H"],
    slides: Bool[Array, ""],
    context: Context,
    past: cache_lib.Past | None,
  ) -> hooks.Mixing:
    """Rotates queries and keys, and mixes values by them."""
    turn = context.turn
    if turn is not None:
      if context.local_turn is not None:
        turn = jax.tree.map(
          functools.partial(jnp.where, slides), context.local_turn, turn
        )
      query, key = rope.rotate(query, turn), rope.rotate(key, turn)
    mixed = self._attend(query, key, value, slides, context, past)
    return hooks.Mixing(query, key, mixed, slides)

  def _attend(self, query, key, value, slides, context, past):
    c = self.config
    same = {
      "scale": c.attention_scale,
      "softcap": c.attention_softcap,
      "precision": c.precision,
    }
    if past is not None:
      window = None
      if any(c.sliding):
        window = jnp.where(slides, c.window, c.max_positions + query.shape[1])
      if context.places is not None:
        return branches.attend(
          query, key, value, past, context.places, window=window, **same
        )
      if context.steps is not None:
        return step_cache.attend(
          query, key, value, past, context.steps, window=window, **same
        )
      return cache_lib.attend(
        query,
        key,
        value,
        past,
        length=context.length,
        before=context.before,
        window=window,
        **same,
      )

    def within(window):
      return functools.partial(
        attention.attention, window=window, backend=c.backend, **same
      )

    if not any(c.sliding) or c.window >= query.shape[1]:
      return within(None)(query, key, value)
    if all(c.sliding):
      return within(c.window)(query, key, value)
    return jax.lax.cond(
      slides, within(c.window), within(None), query, key, value
    )


class Block(nn.Module):
  """Residual block: attention, then or beside it the MLP."""

  config: config_lib.DecoderConfig

  def setup(self):
    c = self.config
    self.attention = SelfAttention(c)
    self.mlp = layers.MLP(c)
    if c.norm_placement in ("pre", "both"):
      self.attention_norm = layers.Norm(c.norm)
      self.mlp_norm = layers.Norm(c.norm)
    if c.norm_placement in ("post", "both"):
      self.attention_post_norm = layers.Norm(c.norm)
      self.mlp_post_norm = layers.Norm(c.norm)

  def __call__(
    self,
    hidden: Float[Array, "B T D"],
    slides: Bool[Array, ""],
    context: Context,
    past: cache_lib.Past | None = None,
    at_heads: AtHeads | None = None,
  ) -> tuple[Float[Array, "B T D"], tuple[Array, Array], PyTree]:
    """Returns the residual stream, the new keys and values, and notes.

    Args:
      hidden: residual stream.
      slides: whether this layer sees only the window.
      context: what all layers share.
      past: this layer of a cache.
      at_heads: changes what heads computed, and makes notes of it.
    """
    mixing, value = self.mix(hidden, slides, context, past)
    mixed, notes = mixing.mixed, None
    if at_heads is not None:
      mixed, notes = at_heads(mixing)
    return self.write(hidden, mixed), (mixing.key, value), notes

  def mix(
    self,
    hidden: Float[Array, "B T D"],
    slides: Bool[Array, ""],
    context: Context,
    past: cache_lib.Past | None = None,
  ) -> tuple[hooks.Mixing, Float[Array, "B T K H"]]:
    """The first half: what heads compute, and the values they mix."""
    query, key, value = self._by_tokens(Block._read, hidden)
    mixing = self.attention.mix(query, key, value, slides, context, past)
    return mixing, value

  def write(
    self, hidden: Float[Array, "B T D"], mixed: Float[Array, "B T N H"]
  ) -> Float[Array, "B T D"]:
    """The second half: the residual stream after output projection and MLP."""
    return self._by_tokens(Block._write, hidden, mixed)

  def _read(self, hidden):
    """What attention needs of every token."""
    if self.config.norm_placement != "post":
      hidden = self.attention_norm(hidden)
    return self.attention.project(hidden)

  def _write(self, hidden, mixed):
    """What every token becomes once others' values are mixed."""
    c = self.config
    before, after = c.norm_placement != "post", c.norm_placement != "pre"
    attended = self.attention.output(mixed)
    if after:
      attended = self.attention_post_norm(attended)
    middle = hidden if c.parallel else hidden + attended
    written = self.mlp(self.mlp_norm(middle) if before else middle)
    if after:
      written = self.mlp_post_norm(written)
    if c.parallel:
      written += attended
    return middle + written

  def _by_tokens(self, apply, *arrays):
    tokens = arrays[0].shape[0] * arrays[0].shape[1]
    if self.config.backend != "cpu" or tokens <= _CPU_TOKENS:
      return apply(self, *arrays)
    return layers.by_tokens(apply, self, arrays, _CPU_TOKENS)
