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
  """Cosine and sine per position; each for the first half of what rotates.

  A leading axis B is there when sequences have positions of their own.
  """

  cos: Float[Array, "*B T half"]
  sin: Float[Array, "*B T half"]


def frequencies(
  rope: config_lib.Rope, head_size: int, length: int = 0
) -> Float[np.ndarray, " half"]:
  """Radians per position of every rotated pair, float32.

  Args:
    rope: kind and parameters.
    head_size: H; half = rope.rotated_size(H) / 2.
    length: of the context; only longrope asks, which has other frequencies
      beyond its original length.

  Returns:
    Frequencies after scaling: `linear` as in arXiv 2306.15595, `llama3` as
    published with Llama 3.1, `yarn` as in arXiv 2309.00071, `longrope` as in
    arXiv 2402.13753.
  """
  size = rope.rotated_size(head_size)
  exponents = np.arange(0, size, 2, dtype=np.float32) / np.float32(size)
  # Correctly rounded powers agree with torch's to the last bit nearly always;
  # at position 2000 one bit is already 1e-4 radians.
  powers = np.float64(rope.theta) ** exponents.astype(np.float64)
  powers = powers.astype(np.float32)
  base = np.float32(1) / powers
  if rope.kind == "default":
    return base
  if rope.kind == "longrope":
    far = length > rope.original_positions
    factors = rope.long_factors if far else rope.short_factors
    return np.float32(1) / (np.array(factors, np.float32) * powers)
  scaled = base / np.float32(rope.factor)
  if rope.kind == "linear":
    return scaled
  if rope.kind == "yarn":
    scaled = np.float32(1) / (np.float32(rope.factor) * powers)
    blend = 1 - _ramp(rope, size)
  elif rope.kind == "llama3":
    wavelength = np.float32(2 * math.pi) / base
    # 0 at the longest wavelength left to scale fully, 1 where scaling ends.
    blend = (
      np.float32(rope.original_positions) / wavelength
      - np.float32(rope.low_freq_factor)
    ) / np.float32(rope.high_freq_factor - rope.low_freq_factor)
    blend = np.clip(blend, 0, 1)
  else:
    raise NotImplementedError(rope.kind)
  return (1 - blend) * scaled + blend * base


def _ramp(rope: config_lib.Rope, size: int) -> Float[np.ndarray, " half"]:
  """0 for pairs that turn often within the original length, 1 for rare ones."""

  def pair_with(turns):
    length = rope.original_positions / (turns * 2 * math.pi)
    return size * math.log(length) / (2 * math.log(rope.theta))

  low, high = pair_with(rope.beta_fast), pair_with(rope.beta_slow)
  if rope.truncate:
    low, high = math.floor(low), math.ceil(high)
  low, high = max(low, 0), min(high, size - 1)
  # A ramp of no width would divide by zero; transformers widens it so.
  high = high + 0.001 if low == high else high
  pairs = np.arange(size // 2, dtype=np.float32)
  ramp = (pairs - np.float32(low)) / np.float32(high - low)
  return np.clip(ramp, 0, 1)


def rotation(
  rope: config_lib.Rope,
  head_size: int,
  positions: Int[Array, "*B T"],
  dtype: jnp.dtype,
  length: int = 0,
) -> Rotation:
  """Cosines and sines at these positions, rounded to `dtype` at the end.

  Args:
    rope: kind and parameters.
    head_size: H.
    positions: from 0; one row for all sequences, or one per sequence.
    dtype: of the result.
    length: of the longest context; see `frequencies`.
  """
  speed = jnp.asarray(frequencies(rope, head_size, length))
  leading = (None,) * positions.ndim
  angles = positions.astype(jnp.float32)[..., None] * speed[leading]
  factor = jnp.float32(rope.attention_factor)
  return Rotation(
    (jnp.cos(angles) * factor).astype(dtype),
    (jnp.sin(angles) * factor).astype(dtype),
  )


def rotate(
  heads: Float[Array, "B T N H"], turn: Rotation
) -> Float[Array, "B T N H"]:
  """Rotates pair (i, i + half) of every head by its position's angle i.

  What lies beyond the 2 * half rotated entries of a head stays as it is.
  """
  cos, sin = (
    array[None, :, None] if array.ndim == 2 else array[:, :, None]
    for array in turn
  )
  half = cos.shape[-1]
  first, second = heads[..., :half], heads[..., half : 2 * half]
  parts = [first * cos - second * sin, second * cos + first * sin]
  if 2 * half < heads.shape[-1]:
    parts.append(heads[..., 2 * half :])
  return jnp.concatenate(parts, axis=-1)
