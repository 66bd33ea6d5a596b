"""What blocks are made of: norms, projections, the gated MLP.

Weights decide the dtype: a layer computes in the dtype of what it is given and
of its weights, which are the same by construction.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from icl_graphs.models import config as config_lib

_ACTIVATIONS = {"silu": jax.nn.silu}


class RMSNorm(nn.Module):
  """Llama's order: normalise in float32, round, then multiply the weight."""

  config: config_lib.DecoderConfig

  @nn.compact
  def __call__(self, hidden: Float[Array, "B T D"]) -> Float[Array, "B T D"]:
    weight = self.param("weight", nn.initializers.ones, hidden.shape[-1:])
    wide = hidden.astype(jnp.float32)
    mean_square = jnp.mean(jnp.square(wide), axis=-1, keepdims=True)
    unit = wide * jax.lax.rsqrt(mean_square + self.config.norm_epsilon)
    return weight[None, None, :] * unit.astype(hidden.dtype)


class Projection(nn.Module):
  """A linear map, with its einsum and its kernel's axes in plain sight.

  Attributes:
    config: for the precision of products and the size of random weights.
    einsum: input, kernel and output axes, such as "btd,dnh->btnh".
    sizes: of the kernel's axes, in the einsum's order.
    use_bias: whether a bias over the kernel's output axes is added.
  """

  config: config_lib.DecoderConfig
  einsum: str
  sizes: tuple[int, ...]
  use_bias: bool = False

  @nn.compact
  def __call__(self, inputs: Float[Array, "B T ..."]):
    normal = nn.initializers.normal(self.config.initializer_range)
    kernel = self.param("kernel", normal, self.sizes)
    single = inputs.dtype == jnp.float32
    outputs = jnp.einsum(
      self.einsum,
      inputs,
      kernel,
      precision=self.config.precision if single else "default",
    )
    if self.use_bias:
      operands, out_axes = self.einsum.split("->")
      kernel_axes = operands.split(",")[1]
      bias_sizes = tuple(
        size
        for axis, size in zip(kernel_axes, self.sizes, strict=True)
        if axis in out_axes
      )
      bias = self.param("bias", nn.initializers.zeros, bias_sizes)
      outputs += jnp.broadcast_to(bias, outputs.shape)
    return outputs


class GatedMLP(nn.Module):
  """down(activation(gate(x)) * up(x)), arXiv 2002.05202."""

  config: config_lib.DecoderConfig

  @nn.compact
  def __call__(self, hidden: Float[Array, "B T D"]) -> Float[Array, "B T D"]:
    c = self.config
    into = (c, "btd,df->btf", (c.hidden_size, c.mlp_size), c.mlp_bias)
    back = (c, "btf,fd->btd", (c.mlp_size, c.hidden_size), c.mlp_bias)
    gate = Projection(*into, name="gate")(hidden)
    up = Projection(*into, name="up")(hidden)
    activated = _ACTIVATIONS[c.activation](gate) * up
    return Projection(*back, name="down")(activated)
