"""What blocks are made of: norms, projections, the MLP.

Weights decide the dtype: a layer computes in the dtype of what it is given and
of its weights, which are the same by construction.
"""

import functools

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


class MLP(nn.Module):
  """down(activation(up(x))), or down(activation(gate(x)) * up(x)) when gated.

  The gated form is that of arXiv 2002.05202.
  """

  config: config_lib.DecoderConfig

  @nn.compact
  def __call__(self, hidden: Float[Array, "B T D"]) -> Float[Array, "B T D"]:
    c = self.config
    into = (c, "btd,df->btf", (c.hidden_size, c.mlp_size), c.mlp_bias)
    back = (c, "btf,fd->btd", (c.mlp_size, c.hidden_size), c.mlp_bias)
    activation = _ACTIVATIONS[c.activation]
    up = Projection(*into, name="up")(hidden)
    if c.gated:
      wide = activation(Projection(*into, name="gate")(hidden)) * up
    else:
      wide = activation(up)
    return Projection(*back, name="down")(wide)
