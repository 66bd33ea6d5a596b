"""Lowest eigenpairs of a large Laplacian given by its edges.

The wanted eigenvalues crowd at zero, far below the largest one, where a plain
shift c I - L and LOBPCG hardly tell them apart: on a 100 x 100 grid jax's
LOBPCG then meets its stopping rule after a dozen steps with eigenvalues wrong
by .05. A Chebyshev polynomial of L instead presses everything above a cut down
to one and lets what lies below grow exponentially with its degree; iterating it
on a block of vectors with a Rayleigh-Ritz step in between converges in a few
rounds (Zhou, Saad, Tiago & Chelikowsky, J. Comput. Phys. 219, 2006). All work
is products with L, linear in the edges.
"""

import functools

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float
import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import spectrum
from icl_graphs.theory import laplacians

_DEGREE = 60
_ROUNDS = 200


def lowest_modes(
  laplacian: laplacians.Edges,
  count: int,
  dtype: str = "float64",
  seed: int = 0,
) -> spectrum.Modes:
  """The lowest eigenpairs, and which of them are tied.

  Args:
    laplacian: of a connected graph.
    count: how many; at most a quarter of the nodes (else make the matrix and
      use `spectral.modes`).
    dtype: float64, or float32. An eigenvalue is within its residual
      |L z - lambda z| of a true one, and the residuals end below 1e-7
      (float64) or 1e-5 (float32) of the largest eigenvalue; errors of
      eigenvalues are of the order of their squares.
    seed: of the start.

  Returns:
    Modes with `count` columns; eigenvalues closer than 1e-6 of the last of them
    (or than rounding) count as tied.

  Raises:
    InputError: bad laplacian or count, or no convergence.
  """
  laplacians.check_edges(laplacian)
  nodes = len(laplacian.scale)
  # Convergence goes with the gap to the first eigenvalue left out.
  block = count + max(8, count // 2)
  if not 1 <= count or block > nodes // 2:
    raise errors.InputError(
      f"{count} modes of a graph with {nodes} nodes; ask for 1 to "
      f"{nodes // 4}, or use the whole matrix"
    )
  # The squared residual bounds the error beside a gap, so eigenvalues are good
  # to about 1e-14 of the largest in float64.
  tolerance = 1e-7 if dtype == "float64" else 1e-5
  top = laplacians.largest_eigenvalue(laplacian)
  start = np.random.default_rng(seed).standard_normal((nodes, block))
  with jax.enable_x64(dtype == "float64"):
    cast = laplacians.Edges(
      jnp.asarray(laplacian.arcs, jnp.int32),
      jnp.asarray(laplacian.weights, dtype),
      jnp.asarray(laplacian.scale, dtype),
    )
    values, vectors, residual = _iterate(
      cast,
      jnp.asarray(start, dtype),
      jnp.asarray(top, dtype),
      jnp.asarray(tolerance * top, dtype),
      count,
    )
    values, vectors = np.asarray(values), np.asarray(vectors)
    residual = float(residual)
  if not residual <= tolerance * top:
    raise errors.InputError(
      f"the {count} lowest modes did not converge (residual {residual:.1e}); "
      "ask for fewer or more of them"
    )
  values, vectors = values[:count].copy(), vectors[:, :count]
  # As in `spectral.modes`: the graph is connected.
  values[0] = 0
  near = max(1e-6 * values[-1], 4 * float(np.finfo(dtype).eps) * top)
  space = np.concatenate([[0], np.cumsum(np.diff(values) > near)])
  return spectrum.Modes(values, vectors, space)


@functools.partial(jax.jit, static_argnames="count")
def _iterate(
  laplacian: laplacians.Edges,
  start: Float[Array, "n k"],
  top: Float[Array, ""],
  tolerance: Float[Array, ""],
  count: int,
):
  """Rounds of filter, orthonormalisation and Rayleigh-Ritz."""

  def ritz(block):
    basis, _ = jnp.linalg.qr(block)
    image = laplacians.apply(laplacian, basis)
    values, turn = jnp.linalg.eigh(basis.T @ image)
    vectors, image = basis @ turn, image @ turn
    off = jnp.linalg.norm(image - vectors * values[None], axis=0)
    return vectors, values, jnp.max(off[:count])

  def unfinished(state):
    _, _, residual, step = state
    return (residual > tolerance) & (step < _ROUNDS)

  def round_(state):
    vectors, values, _, step = state
    # The largest Ritz value bounds from above what is not wanted.
    filtered = _filter(laplacian, vectors, values[-1], top)
    return *ritz(filtered), step + 1

  vectors, values, residual, _ = lax.while_loop(
    unfinished, round_, (*ritz(start), jnp.int32(0))
  )
  return values, vectors, residual


def _filter(laplacian, vectors, cut, top):
  """T(L) V with T the Chebyshev polynomial of [cut, top], 1 at zero."""
  half, middle = (top - cut) / 2, (top + cut) / 2

  def shifted(rows):
    return (laplacians.apply(laplacian, rows) - middle * rows) / half

  at_zero = -middle / half
  first = 1 / at_zero

  def raise_degree(_, state):
    before, now, scale = state
    new_scale = 1 / (2 / first - scale)
    new = 2 * new_scale * shifted(now) - scale * new_scale * before
    return now, new, new_scale

  start = vectors, shifted(vectors) * first, first
  return lax.fori_loop(1, _DEGREE, raise_degree, start)[1]
