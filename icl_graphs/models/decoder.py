"""One decoder for every family: blocks under a scan, observed from inside.

Parameters of the blocks are stacked along a leading layer axis, so that the
time to trace and compile does not grow with the depth.
"""

from collections.abc import Callable
import dataclasses
import functools
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree, Shaped

from icl_graphs.models import attention, layers, rope
from icl_graphs.models import cache as cache_lib
from icl_graphs.models import config as config_lib

Params = dict[str, Any]
Observe = Callable[[Float[Array, "B T D"]], PyTree]


class _Context(NamedTuple):
  """What all layers share.

  Attributes:
    turn: rotation; None without rotary embedding.
    local_turn: that of sliding-window layers, where it differs.
    length, before: of a cache, see `cache.attend`; None without one.
  """

  turn: rope.Rotation | None
  local_turn: rope.Rotation | None
  length: Int[Array, " B"] | None
  before: Int[Array, " B"] | None


class SelfAttention(nn.Module):
  """Projections, norms and rotation around attention."""

  config: config_lib.DecoderConfig

  @nn.compact
  def __call__(
    self,
    hidden: Float[Array, "B T D"],
    slides: Bool[Array, ""],
    context: _Context,
    past: cache_lib.Past | None,
  ) -> tuple[Float[Array, "B T D"], tuple[Array, Array]]:
    """Returns what joins the residual stream, and the new keys and values."""
    c = self.config

    def project(name, heads):
      sizes = (c.hidden_size, heads, c.head_size)
      projected = layers.Projection(
        c, "btd,dnh->btnh", sizes, c.qkv_bias, name=name
      )(hidden)
      if c.qkv_clip is not None:
        projected = jnp.clip(projected, -c.qkv_clip, c.qkv_clip)
      return projected

    def oriented(name, heads):
      projected = project(name, heads)
      if c.qk_norm != "none":
        norm = dataclasses.replace(c.norm, bias=False)
        axes = 1 if c.qk_norm == "head" else 2
        projected = layers.Norm(norm, axes, name=f"{name}_norm")(projected)
      turn = context.turn
      if turn is None:
        return projected
      if context.local_turn is not None:
        turn = jax.tree.map(
          functools.partial(jnp.where, slides), context.local_turn, turn
        )
      return rope.rotate(projected, turn)

    query, key = oriented("query", c.num_heads), oriented("key", c.num_kv_heads)
    value = project("value", c.num_kv_heads)
    mixed = self._attend(query, key, value, slides, context, past)
    sizes = (c.num_heads, c.head_size, c.hidden_size)
    output = layers.Projection(
      c, "btnh,nhd->btd", sizes, c.attention_output_bias, name="output"
    )(mixed)
    return output, (key, value)

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

  @nn.compact
  def __call__(
    self,
    hidden: Float[Array, "B T D"],
    slides: Bool[Array, ""],
    context: _Context,
    past: cache_lib.Past | None = None,
  ) -> tuple[Float[Array, "B T D"], tuple[Array, Array]]:
    """Returns the residual stream, and the new keys and values."""
    c = self.config

    def norm(array, name, placement):
      if c.norm_placement in (placement, "both"):
        return layers.Norm(c.norm, name=name)(array)
      return array

    def before(array, name):
      return norm(array, f"{name}_norm", "pre")

    def after(array, name):
      return norm(array, f"{name}_post_norm", "post")

    attended, kept = SelfAttention(c, name="attention")(
      before(hidden, "attention"), slides, context, past
    )
    attended = after(attended, "attention")
    middle = hidden if c.parallel else hidden + attended
    written = layers.MLP(c, name="mlp")(before(middle, "mlp"))
    written = after(written, "mlp")
    if c.parallel:
      written += attended
    return middle + written, kept


class Decoder(nn.Module):
  """Token ids to final hidden states, with a view on every layer.

  Hidden state 0 is the embedding, as it enters the first block, and hidden
  state k the output of block k, before the final norm.
  """

  config: config_lib.DecoderConfig

  def __call__(
    self, tokens: Int[Array, "B T"], observe: Observe | None = None
  ) -> tuple[Float[Array, "B T D"], PyTree]:
    """Runs the decoder at positions 0 to T - 1.

    Args:
      tokens: ids in [0, V); an id beyond gives NaN, never another word.
      observe: reduces a hidden state to what is kept of it. Called on hidden
        state 0 and, inside the scan over layers, on every block's output: only
        its result leaves the scan, so that the full [L + 1, B, T, D] never
        exists unless it returns its argument.

    Returns:
      Hidden states after the final norm, and what `observe` returned with a
      leading axis L + 1 on every leaf (None without it).
    """
    final, seen, _ = self._run(tokens, observe, None, False, 0)
    return final, seen

  def prefill(
    self,
    tokens: Int[Array, "B T"],
    lengths: Int[Array, " B"],
    slots: int | None = None,
    longest: int | None = None,
    observe: Observe | None = None,
  ) -> tuple[Float[Array, "B T D"], PyTree, cache_lib.Cache]:
    """Runs the decoder as `__call__` and keeps keys and values.

    Args:
      tokens: prompts, padded at the end.
      lengths: tokens of each prompt; what follows them is never attended to.
      slots: S >= T of the cache; default T.
      longest: length of the longest context to come; some models' rotary
        frequencies depend on it. Default `slots`.
      observe: as in `__call__`.

    Returns:
      As `__call__`, and a cache of every prompt.
    """
    slots = slots or tokens.shape[1]
    final, seen, (key, value) = self._run(
      tokens, observe, None, True, longest or slots
    )
    room = [(0, 0)] * key.ndim
    room[2] = (0, slots - tokens.shape[1])
    cache = cache_lib.Cache(jnp.pad(key, room), jnp.pad(value, room), lengths)
    return final, seen, cache

  def extend(
    self,
    tokens: Int[Array, "B T"],
    cache: cache_lib.Cache,
    lengths: Int[Array, " B"] | None = None,
    observe: Observe | None = None,
  ) -> tuple[Float[Array, "B T D"], PyTree, cache_lib.Cache]:
    """Reads T more tokens of every sequence; the same numbers as reading all.

    Args:
      tokens: what follows in each sequence, padded at the end.
      cache: what came before.
      lengths: how many of the T are no padding; default all.
      observe: as in `__call__`.

    Returns:
      As `__call__` for the new positions, and the longer cache. Sequences that
      outgrow the cache's slots lose what does not fit: the caller makes it
      large enough.
    """
    batch, time = tokens.shape
    if lengths is None:
      lengths = jnp.full((batch,), time, jnp.int32)
    final, seen, kept = self._run(tokens, observe, cache, True, cache.slots)
    return final, seen, cache_lib.append(cache, *kept, lengths)

  @nn.compact
  def _run(self, tokens, observe, cache, keep, longest):
    """The decoder; `longest` is the longest context that may come of it."""
    c = self.config
    positions = jnp.arange(tokens.shape[1])
    if cache is not None:
      start = cache.before + cache.length
      positions = start[:, None] + positions[None, :]
    hidden = self._embed(tokens, positions)
    context = self._context(positions, hidden.dtype, cache, longest)
    past = None if cache is None else cache_lib.layers(cache)
    seen = None
    if observe is not None:
      # Written in place through the scan: stacking the embedding's observation
      # onto the scan's output would hold everything twice.
      seen = jax.tree.map(
        lambda leaf: (
          jnp.zeros((c.num_layers + 1, *leaf.shape), leaf.dtype).at[0].set(leaf)
        ),
        observe(hidden),
      )

    def body(block, carry, index, slides, past, context):
      hidden, seen = carry
      hidden, kept = block(hidden, slides, context, past)
      if observe is not None:
        seen = jax.tree.map(
          lambda kept, leaf: jax.lax.dynamic_update_index_in_dim(
            kept, leaf, index, axis=0
          ),
          seen,
          observe(hidden),
        )
      return (hidden, seen), kept if keep else None

    (hidden, seen), kept = nn.scan(
      body,
      variable_axes={"params": 0},
      split_rngs={"params": True},
      in_axes=(0, 0, 0, nn.broadcast),
      length=c.num_layers,
    )(
      Block(c, name="blocks"),
      (hidden, seen),
      jnp.arange(1, c.num_layers + 1),
      jnp.array(c.sliding or (False,) * c.num_layers),
      past,
      context,
    )
    return layers.Norm(c.norm, name="final_norm")(hidden), seen, kept

  def _embed(self, tokens, positions):
    c = self.config
    normal = nn.initializers.normal(c.initializer_range)
    sizes = (c.vocab_size, c.hidden_size)
    embedding = self.param("embedding", normal, sizes)
    if not c.tied:
      # Applied by whoever needs logits; see `unembedding`.
      self.param("unembedding", normal, sizes)
    hidden = jnp.take(embedding, tokens, axis=0, mode="fill")
    if c.embedding_scale != 1.0:
      hidden *= jnp.asarray(c.embedding_scale, hidden.dtype)
    if c.learned_positions:
      sizes = (c.max_positions, c.hidden_size)
      learned = self.param("positions", normal, sizes)
      placed = jnp.take(learned, positions, axis=0, mode="fill")
      hidden += jnp.broadcast_to(placed, hidden.shape)
    return hidden

  def _context(self, positions, dtype, cache, longest):
    c = self.config
    longest = longest or positions.shape[-1]

    def turn(kind):
      if kind is None:
        return None
      return rope.rotation(kind, c.head_size, positions, dtype, longest)

    if cache is None:
      return _Context(turn(c.rope), turn(c.local_rope), None, None)
    return _Context(
      turn(c.rope), turn(c.local_rope), cache.length, cache.before
    )


@functools.partial(jax.jit, static_argnums=(0, 2))
def _init(config: config_lib.DecoderConfig, key: Array, dtype: str) -> Params:
  tokens = jnp.zeros((1, 1), jnp.int32)
  params = Decoder(config).init(key, tokens)["params"]
  return jax.tree.map(lambda leaf: leaf.astype(dtype), params)


def init(
  config: config_lib.DecoderConfig,
  key: Shaped[Array, ""] | int,
  dtype: str = "float32",
) -> Params:
  """Random parameters: normal(0, initializer_range), norms 1, biases 0.

  Args:
    config: the decoder.
    key: a jax.random key, or a seed.
    dtype: of every parameter.

  Returns:
    What `checkpoint.load` returns for the same configuration, untrained.
  """
  if not isinstance(key, jax.Array):
    key = jax.random.key(key)
  return _init(config, key, jnp.dtype(dtype).name)


def unembedding(
  params: Params, config: config_lib.DecoderConfig
) -> Float[Array, "V D"]:
  """Rows of the output layer; the embedding's where the head is tied."""
  return params["embedding" if config.tied else "unembedding"]


def logits(
  params: Params,
  config: config_lib.DecoderConfig,
  final: Float[Array, "B T D"],
) -> Float[Array, "B T V"]:
  """Float32 logits of the whole vocabulary; mind the size of the result.

  Args:
    params: of the decoder.
    config: of the decoder.
    final: hidden states after the final norm.
  """
  rows = jnp.einsum(
    "btd,vd->btv",
    final,
    unembedding(params, config),
    precision=config.precision if final.dtype == jnp.float32 else "default",
    preferred_element_type=jnp.float32,
  )
  return capped(rows, config.logit_softcap)


def capped(logits: Float[Array, "..."], softcap: float | None) -> Array:
  """c * tanh(logit / c), where a model caps its logits."""
  return logits if softcap is None else softcap * jnp.tanh(logits / softcap)
