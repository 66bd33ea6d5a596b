"""What blocks are made of: norms, projections, the MLP.

Weights decide the dtype: a layer computes in the dtype of what it is given and
of its weights, which are the same by construction.
"""

from collections.abc import Callable
import functools
import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from icl_graphs.models import config as config_lib

_ACTIVATIONS = {
  "silu": jax.nn.silu,
  "gelu": functools.partial(jax.nn.gelu, approximate=False),
  "gelu_tanh": functools.partial(jax.nn.gelu, approximate=True),
  "relu": jax.nn.relu,
}


class Norm(nn.Module):
  """Root-mean-square or layer norm, in the order its configuration names.

  Attributes:
    norm: what is computed.
    axes: trailing axes that are normalised together; weights have them all.
  """

  norm: config_lib.Norm
  axes: int = 1

  @nn.compact
  def __call__(self, hidden: Float[Array, "..."]) -> Float[Array, "..."]:
    axes = tuple(range(-self.axes, 0))
    wide = hidden.astype(jnp.float32)
    if self.norm.kind == "layer":
      wide -= jnp.mean(wide, axis=axes, keepdims=True)
    mean_square = jnp.mean(jnp.square(wide), axis=axes, keepdims=True)
    unit = wide * jax.lax.rsqrt(mean_square + self.norm.epsilon)
    shape = hidden.shape[-self.axes :]
    leading = (None,) * (hidden.ndim - self.axes)
    if self.norm.weight:
      plus = self.norm.order == "one_plus_weight"
      start = nn.initializers.zeros if plus else nn.initializers.ones
      weight = self.param("weight", start, shape)[leading]
      if self.norm.order == "round_first":
        return weight * unit.astype(hidden.dtype)
      weight = weight.astype(jnp.float32)
      unit *= 1.0 + weight if plus else weight
    if self.norm.bias:
      bias = self.param("bias", nn.initializers.zeros, shape)[leading]
      unit += bias.astype(jnp.float32)
    return unit.astype(hidden.dtype)


class Projection(nn.Module):
  """A linear map over the trailing axes of its input.

  One product of two matrices, whatever the axes: some compilers transpose
  kernels of three axes before they use them.

  Attributes:
    config: for the precision of products and the size of random weights.
    inputs: sizes of the axes it contracts, the input's last and the kernel's
      first.
    outputs: sizes of the axes it makes, the kernel's last.
    use_bias: whether a bias over the output axes is added.
  """

  config: config_lib.DecoderConfig
  inputs: tuple[int, ...]
  outputs: tuple[int, ...]
  use_bias: bool = False

  @nn.compact
  def __call__(self, inputs: Float[Array, "B T ..."]):
    normal = nn.initializers.normal(self.config.initializer_range)
    kernel = self.param("kernel", normal, (*self.inputs, *self.outputs))
    leading = inputs.shape[: inputs.ndim - len(self.inputs)]
    width = math.prod(self.inputs)
    single = inputs.dtype == jnp.float32
    outputs = jnp.einsum(
      "...i,io->...o",
      inputs.reshape(*leading, width),
      kernel.reshape(width, -1),
      precision=self.config.precision if single else "default",
    ).reshape(*leading, *self.outputs)
    if self.use_bias:
      bias = self.param("bias", nn.initializers.zeros, self.outputs)
      outputs += jnp.broadcast_to(bias, outputs.shape)
    return outputs


class MLP(nn.Module):
  """down(activation(up(x))), or down(activation(gate(x)) * up(x)) when gated.

  The gated form is that of arXiv 2002.05202.
  """

  config: config_lib.DecoderConfig

  @nn.compact
  def __call__(self, hidden: Float[Array, "B T D"]) -> Float[Array, "B T D"]:
    c = self.config
    into = (c, (c.hidden_size,), (c.mlp_size,), c.mlp_bias)
    back = (c, (c.mlp_size,), (c.hidden_size,), c.mlp_bias)
    activation = _ACTIVATIONS[c.activation]
    up = Projection(*into, name="up")(hidden)
    if c.gated:
      wide = activation(Projection(*into, name="gate")(hidden)) * up
    else:
      wide = activation(up)
    return Projection(*back, name="down")(wide)


def capped(scores: Float[Array, "..."], softcap: float | None) -> Array:
  """c * tanh(score / c), where a model caps its scores or logits."""
  return scores if softcap is None else softcap * jnp.tanh(scores / softcap)


def by_tokens(
  apply: Callable[..., Any], module: nn.Module, arrays: Any, tokens: int
) -> Any:
  """apply(module, *arrays), some tokens after the others.

  Args:
    apply: maps every token by itself; takes and returns arrays [B, T, ...].
    module: whose parameters it uses.
    arrays: its arguments.
    tokens: most tokens at a time.
  """
  lead = arrays[0].shape[:2]
  total = math.prod(lead)
  parts = -(-total // tokens)
  size = -(-total // parts)

  def split(array):
    array = array.reshape(total, *array.shape[2:])
    missing = parts * size - total
    if missing:
      array = jnp.pad(array, [(0, missing)] + [(0, 0)] * (array.ndim - 1))
    return array.reshape(parts, 1, size, *array.shape[1:])

  def joined(array):
    array = array.reshape(parts * size, *array.shape[3:])
    return array[:total].reshape(*lead, *array.shape[1:])

  _, found = nn.scan(
    lambda module, carry, *parts: (carry, apply(module, *parts)),
    variable_broadcast="params",
    split_rngs={"params": False},
  )(module, None, *map(split, arrays))
  return jax.tree.map(joined, found)
