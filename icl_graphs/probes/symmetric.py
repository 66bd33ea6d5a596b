"""Eigenvectors of small symmetric matrices, without leaving the program.

`jnp.linalg.eigh` calls LAPACK on a CPU, which waits for threads that the other
devices of a host hold while they wait for this one: with several CPU devices it
never ends. Jacobi's rotations need nothing but products.
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
import numpy as np

# Every pair of rows is rotated once per sweep. Convergence is quadratic: in
# float32, matrices of up to a hundred rows need seven or eight.
SWEEPS = 10


def eigh(
  matrix: Float[Array, "*batch n n"],
) -> tuple[Float[Array, "*batch n"], Float[Array, "*batch n n"]]:
  """Eigenvalues, largest first, and eigenvectors as columns.

  Rounds of n / 2 rotations of disjoint pairs (R. P. Brent, F. T. Luk, "The
  solution of singular-value and symmetric eigenvalue problems on multiprocessor
  arrays", 1985).

  Args:
    matrix: symmetric, n >= 2.
  """
  n = matrix.shape[-1]
  # An odd one out is paired with a row of zeros, which no rotation touches.
  size = n + n % 2
  pad = [(0, 0)] * (matrix.ndim - 2) + [(0, size - n)] * 2
  state = (
    jnp.pad(matrix, pad),
    jnp.broadcast_to(
      jnp.eye(size, dtype=matrix.dtype), (*matrix.shape[:-2], size, size)
    ),
  )
  rounds = np.tile(_rounds(size), (SWEEPS, 1, 1))
  (turned, vectors), _ = jax.lax.scan(_rotate, state, rounds)
  values = jnp.diagonal(turned, axis1=-2, axis2=-1)[..., :n]
  order = jnp.argsort(-values, axis=-1)
  return (
    jnp.take_along_axis(values, order, axis=-1),
    jnp.take_along_axis(vectors[..., :n, :n], order[..., None, :], axis=-1),
  )


@functools.lru_cache
def _rounds(n: int) -> np.ndarray:
  """[n - 1, 2, n / 2] pairs: in every round all rows, in all every pair."""
  ring = list(range(1, n))
  rounds = []
  for _ in range(n - 1):
    table = [0, *ring]
    rounds.append([table[: n // 2], table[: n // 2 - 1 : -1]])
    ring = ring[1:] + ring[:1]
  return np.array(rounds, np.int32)


def _rotate(state, pairs):
  """One round: the entries of its pairs become zero."""
  matrix, vectors = state
  first, second = pairs
  back = jnp.argsort(jnp.concatenate([first, second]))
  rows = jnp.take(matrix, first, axis=-2)
  ahead = jnp.take(matrix, second, axis=-2)

  def entries(rows, columns):
    columns = jnp.broadcast_to(columns[:, None], (*rows.shape[:-1], 1))
    return jnp.take_along_axis(rows, columns, axis=-1)[..., 0]

  off = entries(rows, second)
  apart = entries(ahead, second) - entries(rows, first)
  # tan of the angle: the smaller root of t^2 + 2 t apart / (2 off) - 1 = 0.
  away = jnp.where(apart < 0, -1.0, 1.0).astype(off.dtype)
  below = jnp.abs(apart) + jnp.sqrt(apart**2 + 4 * off**2)
  tangent = 2 * off * away / jnp.where(below > 0, below, 1)
  cosine = 1 / jnp.sqrt(1 + tangent**2)
  sine = tangent * cosine

  def turn(array, axis):
    """Rotates the rows, or columns, of every pair."""
    one, other = (jnp.take(array, which, axis) for which in (first, second))
    c, s = (jnp.expand_dims(x, -3 - axis) for x in (cosine, sine))
    both = [c * one - s * other, s * one + c * other]
    return jnp.take(jnp.concatenate(both, axis), back, axis)

  return (turn(turn(matrix, -2), -1), turn(vectors, -1)), None
