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

from icl_graphs.models import attention, layers, rope, step_cache
from icl_graphs.models import cache as cache_lib
from icl_graphs.models import config as config_lib

Params = dict[str, Any]
Observe = Callable[[Float[Array, "B T D"]], PyTree]
# Products of more rows than this are slower on a CPU, and use more memory.
_CPU_TOKENS = 1024


class _Context(NamedTuple):
  """What all layers share.

  Attributes:
    turn: rotation; None without rotary embedding.
    local_turn: that of sliding-window layers, where it differs.
    length, before: of a cache, see `cache.attend`; None without one.
    steps: a cache read one token at a time; None without one.
  """

  turn: rope.Rotation | None
  local_turn: rope.Rotation | None
  length: Int[Array, " B"] | None
  before: Int[Array, " B"] | None
  steps: step_cache.StepCache | None = None


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
    context: _Context,
    past: cache_lib.Past | None,
  ) -> tuple[Float[Array, "B T N H"], tuple[Array, Array]]:
    """Returns mixed values, and the new keys and values."""
    turn = context.turn
    if turn is not None:
      if context.local_turn is not None:
        turn = jax.tree.map(
          functools.partial(jnp.where, slides), context.local_turn, turn
        )
      query, key = rope.rotate(query, turn), rope.rotate(key, turn)
    return self._attend(query, key, value, slides, context, past), (key, value)

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
    context: _Context,
    past: cache_lib.Past | None = None,
  ) -> tuple[Float[Array, "B T D"], tuple[Array, Array]]:
    """Returns the residual stream, and the new keys and values."""
    projected = self._by_tokens(Block._read, hidden)
    mixed, kept = self.attention.mix(*projected, slides, context, past)
    return self._by_tokens(Block._write, hidden, mixed), kept

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

  def step(
    self,
    tokens: Int[Array, " B"],
    cache: step_cache.StepCache,
    longest: int,
    observe: Observe | None = None,
  ) -> tuple[Float[Array, "B 1 D"], PyTree, step_cache.StepCache]:
    """Reads one more token of every sequence; see `step_cache`.

    Args:
      tokens: what follows in each sequence.
      cache: what came before.
      longest: length of the longest context to come, as given to `prefill`.
      observe: as in `__call__`.

    Returns:
      As `__call__` for the new position, and the longer cache.
    """
    final, seen, kept = self._run(
      tokens[:, None], observe, cache, True, longest
    )
    return final, seen, step_cache.append(cache, *kept)

  @nn.compact
  def _run(self, tokens, observe, cache, keep, longest):
    """The decoder; `longest` is the longest context that may come of it."""
    c = self.config
    positions = jnp.arange(tokens.shape[1])
    stepping = isinstance(cache, step_cache.StepCache)
    if cache is not None:
      start = cache.before + (cache.taken if stepping else cache.length)
      positions = start[:, None] + positions[None, :]
    hidden = self._embed(tokens, positions)
    context = self._context(positions, hidden.dtype, cache, longest)
    past = None
    if cache is not None:
      past = (step_cache if stepping else cache_lib).layers(cache)
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
    turns = turn(c.rope), turn(c.local_rope)
    if isinstance(cache, step_cache.StepCache):
      return _Context(*turns, None, None, cache)
    return _Context(*turns, cache.length, cache.before)


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
