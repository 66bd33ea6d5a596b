"""Rotary position embedding (arXiv 2104.09864) in its half-rotated layout.

Angles are float32 products of a position and a frequency: elementwise, so that
no device rounds them to a shorter format, and formed as transformers forms
them, so that positions in the thousands still agree.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int
import numpy as np

from icl_graphs.models import config as config_lib


class Rotation(NamedTuple):
  """Cosine and sine per position; each for the first half of a head."""

  cos: Float[Array, "T half"]
  sin: Float[Array, "T half"]


def frequencies(
  rope: config_lib.Rope, head_size: int
) -> Float[np.ndarray, " half"]:
  """Radians per position of every rotated pair, float32.

  Args:
    rope: kind and parameters.
    head_size: H, even; half = H / 2.

  Returns:
    Frequencies after scaling: `linear` as in arXiv 2306.15595, `llama3` as
    published with Llama 3.1.
  """
  exponents = np.arange(0, head_size, 2, dtype=np.float32) / np.float32(
    head_size
  )
  # Correctly rounded powers agree with torch's to the last bit nearly always;
  # at position 2000 one bit is already 1e-4 radians.
  powers = np.float64(rope.theta) ** exponents.astype(np.float64)
  base = np.float32(1) / powers.astype(np.float32)
  if rope.kind == "default":
    return base
  scaled = base / np.float32(rope.factor)
  if rope.kind == "linear":
    return scaled
  if rope.kind != "llama3":
    raise NotImplementedError(rope.kind)
  wavelength = np.float32(2 * math.pi) / base
  # 0 at the longest wavelength left to scale fully, 1 where scaling ends.
  blend = (
    np.float32(rope.original_positions) / wavelength
    - np.float32(rope.low_freq_factor)
  ) / np.float32(rope.high_freq_factor - rope.low_freq_factor)
  blend = np.clip(blend, 0, 1)
  return (1 - blend) * scaled + blend * base


def rotation(
  rope: config_lib.Rope,
  head_size: int,
  positions: Int[Array, " T"],
  dtype: jnp.dtype,
) -> Rotation:
  """Cosines and sines at these positions, rounded to `dtype` at the end."""
  speed = jnp.asarray(frequencies(rope, head_size))
  angles = positions.astype(jnp.float32)[:, None] * speed[None, :]
  return Rotation(jnp.cos(angles).astype(dtype), jnp.sin(angles).astype(dtype))


def rotate(
  heads: Float[Array, "B T N H"], turn: Rotation
) -> Float[Array, "B T N H"]:
  """Rotates pair (i, i + H/2) of every head by its position's angle i."""
  cos, sin = turn.cos[None, :, None, :], turn.sin[None, :, None, :]
  first, second = jnp.split(heads, 2, axis=-1)
  return jnp.concatenate(
    (first * cos - second * sin, second * cos + first * sin), axis=-1
  )
