"""Random numbers that depend on a seed, a walk, a stream and a place only."""

import jax
from jax import numpy as jnp
from jax import random
from jax.extend import random as extend_random
from jaxtyping import Array, Float, Int
import numpy as np

# Numbers are multiples of 1 / RESOLUTION, which float32 holds exactly.
RESOLUTION = 2**23


def walk_key(seed: int | Array, index: Int[Array, ""] | int) -> Array:
  """The PRNG key of walk `index` of a seed (a number below 2^32 or a key)."""
  if not jnp.issubdtype(jnp.asarray(seed).dtype, jax.dtypes.prng_key):
    # Named, so that a changed global default cannot change the walks.
    seed = random.key(seed, impl="threefry2x32")
  return random.fold_in(seed, index)


def uniforms(
  key: Array, counts: dict[int, int]
) -> dict[int, Float[Array, " count"]]:
  """Uniform float32 numbers in [0, 1) of several streams, in one call.

  Args:
    key: a threefry key.
    counts: how many numbers of each stream. Number t of stream s depends on
      the key, s and t only, whatever else is asked for.
  """
  # Block b of stream s encrypts (s, b) into numbers 2b and 2b + 1. Half the
  # cost of `random.uniform`, which keeps one number of each block, less to
  # compile, and independent of jax's generator flags.
  blocks = {stream: -(-count // 2) for stream, count in counts.items()}
  counters = [
    np.concatenate([np.full(size, stream) for stream, size in blocks.items()]),
    np.concatenate([np.arange(size) for size in blocks.values()]),
  ]
  words = random.key_data(key)
  bits = extend_random.threefry_2x32(
    (words[0], words[1]), jnp.asarray(np.concatenate(counters), jnp.uint32)
  ).reshape(2, -1)
  numbers = (bits >> 9).astype(jnp.int32).astype(jnp.float32) / RESOLUTION
  drawn, begin = {}, 0
  for stream, size in blocks.items():
    pairs = numbers[:, begin : begin + size]
    drawn[stream] = pairs.T.reshape(2 * size)[: counts[stream]]
    begin += size
  return drawn
