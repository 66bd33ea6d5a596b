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

from icl_graphs.models import attention, layers, rope
from icl_graphs.models import config as config_lib

Params = dict[str, Any]
Observe = Callable[[Float[Array, "B T D"]], PyTree]


class SelfAttention(nn.Module):
  """Projections and rotation around `attention.attention`."""

  config: config_lib.DecoderConfig

  @nn.compact
  def __call__(
    self, hidden: Float[Array, "B T D"], turn: rope.Rotation
  ) -> Float[Array, "B T D"]:
    c = self.config

    def project(name, heads):
      sizes = (c.hidden_size, heads, c.head_size)
      return layers.Projection(
        c, "btd,dnh->btnh", sizes, c.qkv_bias, name=name
      )(hidden)

    query = rope.rotate(project("query", c.num_heads), turn)
    key = rope.rotate(project("key", c.num_kv_heads), turn)
    value = project("value", c.num_kv_heads)
    mixed = attention.attention(
      query, key, value, scale=c.attention_scale, precision=c.precision
    )
    sizes = (c.num_heads, c.head_size, c.hidden_size)
    return layers.Projection(
      c, "btnh,nhd->btd", sizes, c.attention_output_bias, name="output"
    )(mixed)


class Block(nn.Module):
  """Pre-norm residual block: attention, then the MLP."""

  config: config_lib.DecoderConfig

  @nn.compact
  def __call__(
    self, hidden: Float[Array, "B T D"], turn: rope.Rotation
  ) -> Float[Array, "B T D"]:
    c = self.config
    normed = layers.RMSNorm(c, name="attention_norm")(hidden)
    hidden += SelfAttention(c, name="attention")(normed, turn)
    normed = layers.RMSNorm(c, name="mlp_norm")(hidden)
    return hidden + layers.GatedMLP(c, name="mlp")(normed)


class Decoder(nn.Module):
  """Token ids to final hidden states, with a view on every layer.

  Hidden state 0 is the embedding and hidden state k the output of block k,
  before the final norm.
  """

  config: config_lib.DecoderConfig

  @nn.compact
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
    c = self.config
    embedding = self.param(
      "embedding",
      nn.initializers.normal(c.initializer_range),
      (c.vocab_size, c.hidden_size),
    )
    if not c.tied:
      # Applied by whoever needs logits; see `unembedding`.
      self.param(
        "unembedding",
        nn.initializers.normal(c.initializer_range),
        (c.vocab_size, c.hidden_size),
      )
    hidden = jnp.take(embedding, tokens, axis=0, mode="fill")
    turn = rope.rotation(
      c.rope, c.head_size, jnp.arange(tokens.shape[1]), hidden.dtype
    )
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

    def body(block, carry, index, turn):
      hidden, seen = carry
      hidden = block(hidden, turn)
      if observe is not None:
        seen = jax.tree.map(
          lambda kept, leaf: jax.lax.dynamic_update_index_in_dim(
            kept, leaf, index, axis=0
          ),
          seen,
          observe(hidden),
        )
      return (hidden, seen), None

    (hidden, seen), _ = nn.scan(
      body,
      variable_axes={"params": 0},
      split_rngs={"params": True},
      in_axes=(0, nn.broadcast),
      length=c.num_layers,
    )(
      Block(c, name="blocks"),
      (hidden, seen),
      jnp.arange(1, c.num_layers + 1),
      turn,
    )
    return layers.RMSNorm(c, name="final_norm")(hidden), seen


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
  return jnp.einsum(
    "btd,vd->btv",
    final,
    unembedding(params, config),
    precision=config.precision if final.dtype == jnp.float32 else "default",
    preferred_element_type=jnp.float32,
  )
