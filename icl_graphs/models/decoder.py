"""One decoder for every family: blocks under a scan, observed from inside.

Parameters of the blocks are stacked along a leading layer axis, so that the
time to trace and compile does not grow with the depth.
"""

from collections.abc import Callable
import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree, Shaped

from icl_graphs.models import block as block_lib
from icl_graphs.models import branches as branches_lib
from icl_graphs.models import cache as cache_lib
from icl_graphs.models import config as config_lib
from icl_graphs.models import hooks as hooks_lib
from icl_graphs.models import layers, step_cache

Params = dict[str, Any]
Observe = Callable[[Float[Array, "B T D"]], PyTree]


class Decoder(nn.Module):
  """Token ids to final hidden states, with a view on every layer.

  Hidden state 0 is the embedding, as it enters the first block, and hidden
  state k the output of block k, before the final norm.

  Attributes:
    config: of the model.
    observed: ascending hidden states that are shown to `observe`; None for all.
  """

  config: config_lib.DecoderConfig
  observed: tuple[int, ...] | None = None

  def __call__(
    self, tokens: Int[Array, "B T"], observe: Observe | None = None
  ) -> tuple[Float[Array, "B T D"], PyTree]:
    """Runs the decoder at positions 0 to T - 1.

    Args:
      tokens: ids in [0, V); an id beyond gives NaN, never another word.
      observe: reduces a hidden state to what is kept of it. Called inside the
        scan over layers: only its result leaves the scan, so that the full
        [L + 1, B, T, D] never exists unless it returns its argument.

    Returns:
      Hidden states after the final norm, and what `observe` returned with a
      leading axis over the observed hidden states (None without it).
    """
    final, seen, *_ = self._run(tokens, observe, None, False, 0)
    return final, seen

  def hooked(
    self,
    tokens: Int[Array, "B T"],
    hooks: hooks_lib.Hooks,
    observe: Observe | None = None,
  ) -> tuple[Float[Array, "B T D"], PyTree, PyTree]:
    """Runs the decoder as `__call__`, with hooks inside it.

    Returns:
      As `__call__`, and what `hooks.heads` noted, with a leading axis L.
    """
    final, seen, _, notes = self._run(tokens, observe, None, False, 0, hooks)
    return final, seen, notes

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
    final, seen, (key, value), _ = self._run(
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
    final, seen, kept, _ = self._run(tokens, observe, cache, True, cache.slots)
    return final, seen, cache_lib.append(cache, *kept, lengths)

  def step(
    self,
    tokens: Int[Array, " B"],
    cache: step_cache.StepCache,
    longest: int,
    observe: Observe | None = None,
    hooks: hooks_lib.Hooks = hooks_lib.NONE,
  ) -> tuple[Float[Array, "B 1 D"], PyTree, step_cache.StepCache]:
    """Reads one more token of every sequence; see `step_cache`.

    Args:
      tokens: what follows in each sequence.
      cache: what came before.
      longest: length of the longest context to come, as given to `prefill`.
      observe: as in `__call__`.
      hooks: as in `hooked`; notes are dropped.

    Returns:
      As `__call__` for the new position, and the longer cache.
    """
    final, seen, kept, _ = self._run(
      tokens[:, None], observe, cache, True, longest, hooks
    )
    return final, seen, step_cache.append(cache, *kept)

  def branch(
    self,
    tokens: Int[Array, "B T"],
    branches: branches_lib.Branches,
    longest: int,
    observe: Observe | None = None,
  ) -> tuple[Float[Array, "B T D"], PyTree]:
    """Reads continuations that leave a text at many places.

    Args:
      tokens: rows m of trunk r are rows r * M + m.
      branches: what came before, and where the tokens are.
      longest: length of the longest context, as given to `prefill`.
      observe: as in `__call__`.

    Returns:
      As `__call__` for the new tokens.
    """
    final, seen, *_ = self._run(tokens, observe, branches, False, longest)
    return final, seen

  @nn.compact
  def _run(self, tokens, observe, cache, keep, longest, hooks=hooks_lib.NONE):
    """The decoder; `longest` is the longest context that may come of it."""
    c = self.config
    positions = jnp.arange(tokens.shape[1])
    stepping = isinstance(cache, step_cache.StepCache)
    branching = isinstance(cache, branches_lib.Branches)
    if branching:
      positions = cache.places.position.reshape(tokens.shape)
    elif cache is not None:
      start = cache.before + (cache.taken if stepping else cache.length)
      positions = start[:, None] + positions[None, :]
    hidden = self._embed(tokens, positions)
    hidden = hooks.at_hidden(hidden, hooks.of_embedding())
    context = self._context(positions, hidden.dtype, cache, longest)
    past = None
    if branching:
      past = branches_lib.layers(cache)
    elif cache is not None:
      past = (step_cache if stepping else cache_lib).layers(cache)
    every = tuple(range(c.num_layers + 1))
    observed = every if self.observed is None else self.observed
    slots = [observed.index(k) if k in observed else -1 for k in every]

    def note(seen, hidden, slot):
      return jax.tree.map(
        lambda kept, leaf: jax.lax.dynamic_update_index_in_dim(
          kept, leaf, slot, axis=0
        ),
        seen,
        observe(hidden),
      )

    seen = None
    if observe is not None:
      # Written in place through the scan: stacking the embedding's observation
      # onto the scan's output would hold everything twice.
      seen = jax.tree.map(
        lambda leaf: jnp.zeros((len(observed), *leaf.shape), leaf.dtype),
        jax.eval_shape(observe, hidden),
      )
      if slots[0] >= 0:
        seen = note(seen, hidden, slots[0])

    def body(block, carry, slot, slides, past, hooked, context):
      hidden, seen = carry
      hidden, kept, notes = block(
        *(hidden, slides, context, past),
        functools.partial(hooks.at_heads, data=hooked[0]),
      )
      hidden = hooks.at_hidden(hidden, hooked[1])
      if observe is not None and observed == every:
        seen = note(seen, hidden, slot)
      elif observe is not None:
        seen = jax.lax.cond(
          slot >= 0, note, lambda seen, *_: seen, seen, hidden, slot
        )
      return (hidden, seen), (kept if keep else None, notes)

    (hidden, seen), (kept, notes) = nn.scan(
      body,
      variable_axes={"params": 0},
      split_rngs={"params": True},
      in_axes=(0, 0, 0, 0, nn.broadcast),
      length=c.num_layers,
    )(
      block_lib.Block(c, name="blocks"),
      (hidden, seen),
      jnp.array(slots[1:]),
      jnp.array(c.sliding or (False,) * c.num_layers),
      past,
      hooks.of_layers(),
      context,
    )
    final = layers.Norm(c.norm, name="final_norm")(hidden)
    return final, seen, kept, notes

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
    longest = longest or positions.shape[-1]
    turns = block_lib.turns(self.config, positions, dtype, longest)
    if cache is None:
      return block_lib.Context(*turns, None, None)
    if isinstance(cache, branches_lib.Branches):
      return block_lib.Context(*turns, None, None, places=cache.places)
    if isinstance(cache, step_cache.StepCache):
      return block_lib.Context(*turns, None, None, cache)
    return block_lib.Context(*turns, cache.length, cache.before)


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
  return layers.capped(rows, config.logit_softcap)
