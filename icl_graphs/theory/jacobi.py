"""One-sided Jacobi (Hestenes 1958) for batches of a few columns.

Rotates columns pairwise until all are orthogonal; they then are the left
singular vectors times the singular values. Small values keep their relative
accuracy, since nothing is squared and stored. The batch axis is the minor one:
every operation runs over many matrices at once.
"""

from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float

# Pairs of columns are unrolled, and inner products over few nodes.
MOST_COLUMNS = 6
_UNROLLED = 36
_SWEEPS = 16


def inner(
  one: Float[Array, "n B"], other: Float[Array, "n B"]
) -> Float[Array, " B"]:
  """Inner products over nodes; unrolled, the batch fills the registers."""
  if len(one) > _UNROLLED:
    return jnp.sum(one * other, axis=0)
  total = one[0] * other[0]
  for a, b in zip(one[1:], other[1:], strict=True):
    total = total + a * b
  return total


def orthogonal(factor: Float[Array, "s n B"]) -> Float[Array, "s n B"]:
  """Rotates columns until all pairs are orthogonal to rounding."""
  count = len(factor)
  pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
  if not pairs:
    return factor
  rounding = 8 * jnp.finfo(factor.dtype).eps

  def skew(columns):
    """Whether some pair is further from orthogonal than rounding."""
    squares = [inner(one, one) for one in columns]
    worst = [
      jnp.square(inner(columns[i], columns[j]))
      - rounding**2 * squares[i] * squares[j]
      for i, j in pairs
    ]
    return jnp.any(jnp.stack(worst) > 0)

  def sweep(state):
    columns, _, sweeps = state
    columns = list(columns)
    for i, j in pairs:
      columns[i], columns[j] = _rotated(columns[i], columns[j])
    columns = jnp.stack(columns)
    return columns, skew(columns), sweeps + 1

  state = factor, skew(factor), jnp.int32(0)
  return lax.while_loop(lambda s: s[1] & (s[2] < _SWEEPS), sweep, state)[0]


def _rotated(one, other):
  product = inner(one, other)
  difference = inner(other, other) - inner(one, one)
  # tan of the smaller angle, 2 c / (d +- sqrt(d^2 + 4 c^2)), 0 when c is.
  root = jnp.sqrt(difference**2 + 4 * product**2)
  signed = difference + jnp.where(difference < 0, -root, root)
  safe = jnp.where(signed == 0, 1, signed)
  tangent = jnp.where(signed == 0, 0, 2 * product / safe)
  cosine = lax.rsqrt(1 + tangent**2)[None]
  sine = cosine * tangent[None]
  return cosine * one - sine * other, sine * one + cosine * other
