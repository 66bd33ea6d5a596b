"""Random numbers that depend on a seed, a walk, a stream and a place only."""

import jax
from jax import lax, random
from jax import numpy as jnp
from jaxtyping import Array, Complex, Int, UInt32
import numpy as np

# Numbers are whole numbers below this, which float32 holds exactly.
RESOLUTION = 2**23
# Streams of one walk are numbered below 64, so that stream and block fit in
# one 32-bit word.
_BLOCKS = 2**26
# Constants of Threefry-2x32 (Salmon et al. 2011, Table 2 and section 3.2).
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)


def blocks(
  seed: int | Array,
  walk_index: Int[Array, " B"],
  counts: dict[int, int],
) -> dict[int, Complex[Array, "..."]]:
  """Uniform random numbers of several streams of B walks, two to a block.

  Args:
    seed: whole number below 2^32, or a threefry key.
    walk_index: int [B], which walks of this seed.
    counts: how many numbers of each stream.

  Returns:
    complex64 [blocks, B] for each stream, blocks = ceil(count / 2): `pair`
    gives the numbers 2b and 2b + 1 of block b. Number t of stream s of walk i
    depends on the seed, i, s and t only, whatever else is asked for.
  """
  if not jnp.issubdtype(jnp.asarray(seed).dtype, jax.dtypes.prng_key):
    # Named, so that a changed global default cannot change the walks.
    seed = random.key(seed, impl="threefry2x32")
  words = random.key_data(seed)
  walk_index = jnp.asarray(walk_index).astype(jnp.uint32)
  drawn = {}
  for stream, count in counts.items():
    # Block b of stream s of walk i encrypts (i, s * 2^26 + b) into numbers 2b
    # and 2b + 1: `random.uniform` would keep one number of each.
    low = jnp.arange(-(-count // 2), dtype=jnp.uint32)
    low += np.uint32(stream * _BLOCKS)
    pair = (walk_index[None], low[:, None])
    # A compiled loop has one result. Two would encrypt twice, a complex number
    # holds both; the barrier keeps them together.
    drawn[stream] = lax.optimization_barrier(
      lax.complex(*map(_number, encrypt(words, *jnp.broadcast_arrays(*pair))))
    )
  return drawn


def pair(
  block: Complex[Array, "..."],
) -> tuple[UInt32[Array, "..."], UInt32[Array, "..."]]:
  """The two numbers of every block, uint32 below `RESOLUTION`."""
  return tuple(
    part.astype(jnp.int32).astype(jnp.uint32)
    for part in (block.real, block.imag)
  )


def encrypt(
  key: UInt32[Array, "2"],
  first: UInt32[Array, "..."],
  second: UInt32[Array, "..."],
) -> tuple[UInt32[Array, "..."], UInt32[Array, "..."]]:
  """Threefry-2x32 with 20 rounds, as in jax.random, unrolled.

  jax rolls the rounds up on CPU, a pass over memory for every four of them;
  here all of them stay in registers.
  """
  keys = (key[0], key[1], key[0] ^ key[1] ^ _PARITY)
  first, second = first + keys[0], second + keys[1]
  for group in range(5):
    for rotation in _ROTATIONS[group % 2]:
      first += second
      left = second << np.uint32(rotation)
      second = first ^ (left | (second >> np.uint32(32 - rotation)))
    first += keys[(group + 1) % 3]
    second += keys[(group + 2) % 3] + np.uint32(group + 1)
  return first, second


def _number(bits):
  # Through int32: processors convert signed integers faster.
  return (bits >> 9).astype(jnp.int32).astype(jnp.float32)
