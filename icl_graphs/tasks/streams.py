"""Random numbers that depend on a seed, a walk, a stream and a place only."""

import jax
from jax import numpy as jnp
from jax import random
from jax.extend import random as extend_random
from jaxtyping import Array, Float, Int
import numpy as np

# Numbers are multiples of 1 / RESOLUTION, which float32 holds exactly.
RESOLUTION = 2**23
# Streams of one walk are numbered below 64, so that stream and block fit in
# one 32-bit word.
_BLOCKS = 2**26


def uniforms(
  seed: int | Array, walk_index: Int[Array, " B"], counts: dict[int, int]
) -> dict[int, Float[Array, "count B"]]:
  """Uniform float32 numbers in [0, 1) of several streams of B walks.

  Args:
    seed: whole number below 2^32, or a threefry key.
    walk_index: int [B], which walks of this seed.
    counts: how many numbers of each stream.

  Returns:
    float32 [count, B] for each stream, time first as a scan wants it. Number t
    of stream s of walk i depends on the seed, i, s and t only, whatever else
    is asked for.
  """
  if not jnp.issubdtype(jnp.asarray(seed).dtype, jax.dtypes.prng_key):
    # Named, so that a changed global default cannot change the walks.
    seed = random.key(seed, impl="threefry2x32")
  words = random.key_data(seed)
  walk_index = jnp.asarray(walk_index).astype(jnp.uint32)
  drawn = {}
  for stream, count in counts.items():
    # Block b of stream s of walk i encrypts (i, s * 2^26 + b) into numbers 2b
    # and 2b + 1. Half the cost of `random.uniform`, which keeps one number of
    # each block, quick to compile, and independent of jax's generator flags.
    blocks = -(-count // 2)
    low = jnp.arange(blocks, dtype=jnp.uint32) + np.uint32(stream * _BLOCKS)
    high, low = jnp.broadcast_arrays(walk_index[None], low[:, None])
    bits = extend_random.threefry_2x32(
      (words[0], words[1]), jnp.stack([high, low])
    )
    bits = bits.swapaxes(0, 1).reshape(2 * blocks, -1)[:count]
    # Through int32: processors convert signed integers faster.
    numbers = (bits >> 9).astype(jnp.int32).astype(jnp.float32)
    drawn[stream] = numbers / RESOLUTION
  return drawn
