"""The decoder's function, written for the speed of its gradient on CPU.

`models.decoder` is general and observes its layers; this is the same function
for short contexts and small models, about twice as fast to differentiate on one
core: layers unrolled, products of matrices only, attention in blocks of
queries with heads outermost. A test holds the two together.

Legend: B batch, T time, N heads, H head size, D width, V vocabulary.
"""

from typing import NamedTuple

import jax
from jax import numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from icl_graphs.models import config as config_lib
from icl_graphs.models import decoder, rope

# Fewer scores beyond the causal triangle against more, smaller products.
_BLOCKS = 4
_SMALLEST_BLOCK = 64


class Branches(NamedTuple):
  """Where tokens stand and what they see, when some are branches.

  Attributes:
    positions: int32 [T].
    visible: bool [T, T], by query and key; no token sees a later one.
  """

  positions: Int[Array, " T"]
  visible: Bool[Array, "T T"]


def check(config: config_lib.DecoderConfig) -> None:
  """Refuses what this forward function has no code for.

  Raises:
    ValueError: anything but a Llama without grouped heads and biases.
  """
  sizes = (
    *("family", "vocab_size", "hidden_size", "num_layers", "num_heads"),
    *("head_size", "mlp_size", "max_positions"),
  )
  plain = config_lib.DecoderConfig(
    **{name: getattr(config, name) for name in sizes},
    num_kv_heads=config.num_heads,
    norm=config_lib.Norm(epsilon=config.norm.epsilon),
    rope=config.rope,
    tied=config.tied,
    initializer_range=config.initializer_range,
  )
  if config != plain or config.rope is None:
    raise ValueError(
      "training covers Llama's block with RoPE, without groups of heads and"
      " without biases"
    )


def logits(
  params: decoder.Params,
  config: config_lib.DecoderConfig,
  tokens: Int[Array, "B T"],
  branches: Branches | None = None,
) -> Float[Array, "B*T V"]:
  """Float32 logits at every position, [B * T, V]: rows as `tokens.ravel()`.

  Args:
    params: of the decoder.
    config: accepted by `check`.
    tokens: ids below V.
    branches: of all sequences; by default every token sees all before it.
  """
  time = tokens.shape[1]
  positions, visible = branches or Branches(
    jnp.arange(time), jnp.tril(jnp.ones((time, time), bool))
  )
  turn = rope.rotation(config.rope, config.head_size, positions, jnp.float32)
  hidden = params["embedding"][tokens.ravel()]
  for layer in range(config.num_layers):
    weights = jax.tree.map(lambda leaf, k=layer: leaf[k], params["blocks"])
    normed = _norm(hidden, weights["attention_norm"], config)
    hidden += _attend(
      normed, weights["attention"], config, turn, visible, len(tokens)
    )
    normed = _norm(hidden, weights["mlp_norm"], config)
    mlp = {name: entry["kernel"] for name, entry in weights["mlp"].items()}
    gate = jax.nn.silu(normed @ mlp["gate"])
    hidden += (gate * (normed @ mlp["up"])) @ mlp["down"]
  final = _norm(hidden, params["final_norm"], config)
  return final @ decoder.unembedding(params, config).T


def _norm(hidden, weights, config):
  mean_square = jnp.mean(hidden * hidden, axis=-1, keepdims=True)
  unit = hidden * jax.lax.rsqrt(mean_square + config.norm.epsilon)
  return unit * weights["weight"][None]


def _attend(normed, weights, config, turn, visible, batch):
  time = len(visible)
  width, heads, size = config.hidden_size, config.num_heads, config.head_size

  def project(name):
    kernel = weights[name]["kernel"].reshape(width, heads * size)
    return (normed @ kernel).reshape(batch, time, heads, size)

  query, key = (rope.rotate(project(name), turn) for name in ("query", "key"))
  query, key, value = (
    array.transpose(0, 2, 1, 3)
    for array in (query * config.attention_scale, key, project("value"))
  )
  block = max(-(-time // _BLOCKS), _SMALLEST_BLOCK)
  mixed = []
  for start in range(0, time, block):
    stop = min(start + block, time)
    scores = query[:, :, start:stop] @ key[:, :, :stop].swapaxes(-1, -2)
    scores += jnp.where(visible[start:stop, :stop], 0.0, -1e30)[None, None]
    peak = jax.lax.stop_gradient(scores.max(axis=-1, keepdims=True))
    odds = jnp.exp(scores - peak)
    # Dividing after the product touches H numbers per query instead of T.
    mixed.append((odds @ value[:, :, :stop]) / odds.sum(axis=-1, keepdims=True))
  rows = jnp.concatenate(mixed, axis=2).transpose(0, 2, 1, 3)
  kernel = weights["output"]["kernel"].reshape(heads * size, width)
  return rows.reshape(batch * time, heads * size) @ kernel
