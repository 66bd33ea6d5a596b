"""Projected gradient flow, the exact short cut for plain descent.

H <- (I - eta L) H followed by raising singular values acts on the left of H
alone. Three facts make a step some hundred times cheaper than its definition,
and none changes the trajectory beyond rounding:

1. Only the Gram matrix H H' matters, so H [n, d] is replaced by a factor F with
   F F' = H H' and min(n, d) columns: the width drops out, and rows are known up
   to a rotation of R^d, which the theory leaves open anyway.
2. In the basis of L's eigenvectors the descent multiplies rows of F by
   1 - eta lambda_i. With the columns of F orthogonal (right rotations are free)
   raising singular values multiplies columns.
3. Singular values below the s-th decay and are never raised. Once
   sigma_(r+1)^2 is below machine epsilon times eps_s^2, columns beyond r change
   nothing that the remaining ones or their energy could resolve, so F is cut to
   n x r, through a ladder of r that ends at s.

What is left per step is to make r columns orthogonal again. That is an eigh of
F'F while r is large. For the last rung, where nearly all steps are spent, it
is one-sided Jacobi (Hestenes 1958), warm because the columns were orthogonal
one step ago: usually a look at s (s - 1) / 2 inner products. The batch axis is
the minor one there, so that the processor works on many restarts at once.
And before any floor is touched, steps need no decomposition: the singular
values of any s rows of F bound those of F from below.
"""

from typing import NamedTuple

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int

from icl_graphs.theory import jacobi, singular_floors

# Restarts that go through the program together: few enough for the caches.
BLOCK = 1024


class Problems(NamedTuple):
  """A block of problems in the basis of their Laplacians' eigenvectors.

  values: eigenvalues, ascending, padding last; vectors: columns; rates: eta;
  floors: eps; starts: H.
  """

  values: Float[Array, "B n"]
  vectors: Float[Array, "B n n"]
  rates: Float[Array, " B"]
  floors: Float[Array, "B s"]
  starts: Float[Array, "B n d"]


class _State(NamedTuple):
  factor: Float[Array, "B n k"]
  step: Int[Array, ""]
  rung: Int[Array, ""]
  energy: Float[Array, " B"]
  settled: Array


def descend(
  problems: Problems,
  until: Int[Array, " C"],
  tolerance: Float[Array, ""] | None,
) -> tuple[Float[Array, "B C"], Float[Array, "B C n k"]]:
  """Energy and rows (up to rotation) after the given numbers of steps.

  Args:
    problems: to solve side by side.
    until: ascending steps; traced, so they cost no compilation.
    tolerance: stop when every energy changes by less than this share in a
      step; None never stops.
  """
  decay = 1 - problems.rates[:, None] * problems.values
  start = _factor(problems)
  real = jnp.sum(jnp.abs(problems.vectors), axis=-1) > 0
  everything = jnp.ones((*real.shape[:1], start.shape[-1]), bool)
  filler = problems.vectors.mT @ singular_floors.filler_rows(
    real, everything, start.dtype
  )
  ranks = _ladder(start.shape[-1], problems.floors.shape[-1])

  def energy(factor):
    return jnp.sum(problems.values[..., None] * factor**2, axis=(-2, -1))

  def climb(state, end):
    state = _untouched(state, end, decay, problems.floors)
    for rung, rank in enumerate(ranks, start=1):
      last = rung == len(ranks)
      orthogonal = _jacobi if last and rank <= jacobi.MOST_COLUMNS else _by_eigh
      state = orthogonal(
        *(state, end, rung, ranks[rung:], rank, decay),
        *(problems, filler, tolerance if last else None),
      )
    return state

  def segment(state, end):
    # Once, unless the last rung sends the problems back to the first.
    state = lax.while_loop(
      lambda state: (state.step < end) & ~state.settled,
      lambda state: climb(state, end),
      state,
    )
    rows = problems.vectors @ state.factor
    return state, (energy(state.factor), rows)

  first = _State(
    start, jnp.int32(0), jnp.int32(0), energy(start), jnp.bool_(False)
  )
  _, (energies, rows) = lax.scan(segment, first, until)
  return jnp.moveaxis(energies, 0, 1), jnp.moveaxis(rows, 0, 1)


def _factor(problems):
  """F with F F' = H H' in the eigenbasis, min(n, d) columns."""
  rows = problems.vectors.mT @ problems.starts
  if rows.shape[-1] <= rows.shape[-2]:
    return rows
  return jnp.linalg.qr(rows.mT, mode="r").mT


def _ladder(width: int, floors: int) -> tuple[int, ...]:
  """Numbers of columns; two rungs at least, Jacobi being for full rank."""
  ranks = [width]
  while ranks[-1] // 2 > floors:
    ranks.append(ranks[-1] // 2)
  return (*ranks, floors)


def _untouched(state, end, decay, floors):
  """Steps that certainly raise nothing: rung 0."""
  count = floors.shape[-1]
  rounding = 64 * jnp.finfo(decay.dtype).eps

  def going(state):
    return (state.step < end) & (state.rung == 0)

  def step(state):
    factor = decay[..., None] * state.factor
    # The lowest modes are the last to decay. Interlacing: a submatrix of rows
    # has no larger singular values than the whole.
    low = factor[:, :count]
    squares = jnp.linalg.eigvalsh(low @ low.mT)[..., ::-1]
    least = floors**2 + rounding * squares[..., :1]
    safe = jnp.all(squares >= least)
    return state._replace(
      factor=jnp.where(safe, factor, state.factor),
      step=state.step + safe.astype(jnp.int32),
      rung=jnp.where(safe, 0, 1).astype(jnp.int32),
    )

  return lax.while_loop(going, step, state)


def _by_eigh(
  state, end, rung, next_ranks, rank, decay, problems, filler, tolerance
):
  """Steps at one rung: columns made orthogonal by an eigh of F'F."""
  floors = problems.floors
  count = floors.shape[-1]
  tiny = jnp.finfo(decay.dtype).eps * floors[:, -1:] ** 2

  def step(state):
    factor = decay[..., None] * state.factor
    squares, turn = jnp.linalg.eigh(factor.mT @ factor)
    squares, turn = squares[..., ::-1], turn[..., ::-1]

    def careful():
      left, sizes, _ = singular_floors.by_svd(
        factor, floors, filler[..., :rank]
      )
      return left * sizes[..., None, :], sizes

    def usual():
      turned = factor @ turn
      sizes = jnp.sqrt(jnp.sum(turned**2, axis=-2))
      raised = jnp.maximum(sizes[..., :count], floors)
      scale = raised / sizes[..., :count]
      scale = jnp.concatenate(
        [scale, jnp.ones_like(sizes[..., count:])], axis=-1
      )
      return turned * scale[..., None, :], sizes

    trusted = singular_floors.trustworthy(squares[..., :count])
    factor, sizes = lax.cond(trusted, usual, careful)
    new_rung = jnp.int32(rung)
    for later, cut in enumerate(next_ranks, start=rung + 1):
      negligible = jnp.all(jnp.square(sizes[..., cut:]) <= tiny)
      new_rung = jnp.where(negligible, later, new_rung).astype(jnp.int32)
    return _moved(state, factor, new_rung, problems, tolerance)

  return _run_rung(state, end, rung, rank, step)


def _run_rung(state, end, rung, rank, step, pack=None, unpack=None):
  """While the state stands on this rung, steps on its columns only."""

  def going(inner):
    return (inner.step < end) & (inner.rung == rung) & ~inner.settled

  inner = state._replace(factor=state.factor[..., :rank])
  if pack is not None:
    inner = inner._replace(factor=pack(inner.factor))
  inner = lax.while_loop(going, step, inner)
  if unpack is not None:
    inner = inner._replace(factor=unpack(inner.factor))
  # Columns beyond this rung hold what was cut off, unless it is yet to come.
  rest = jnp.where(inner.rung >= rung, 0, state.factor[..., rank:])
  return inner._replace(factor=jnp.concatenate([inner.factor, rest], axis=-1))


def _moved(state, factor, rung, problems, tolerance, nodes_axis=-2):
  if tolerance is None:
    return state._replace(factor=factor, step=state.step + 1, rung=rung)
  if nodes_axis == -2:
    energy = jnp.sum(problems.values[..., None] * factor**2, axis=(-2, -1))
  else:
    energy = jnp.sum(problems.values.T[None] * factor**2, axis=(0, 1))
  change = jnp.abs(energy - state.energy)
  return _State(
    *(factor, state.step + 1, rung, energy),
    jnp.all(change <= tolerance * energy),
  )


def _jacobi(
  state, end, rung, next_ranks, rank, decay, problems, filler, tolerance
):
  """Steps at the last rung: one-sided Jacobi, batch axis minor."""
  del next_ranks, filler
  # Constants of the loop, laid out like its state [s, n, B].
  lost_below = 64 * jnp.finfo(decay.dtype).eps
  decay, floors = decay.T[None], problems.floors.T

  def step(state):
    factor = jacobi.orthogonal(decay * state.factor)
    sizes = jnp.sqrt(jnp.stack([jacobi.inner(one, one) for one in factor]))
    # A step size of 1 / lambda_n removes modes; only an SVD can refill them.
    lost = jnp.any(sizes <= lost_below * floors[-1:])
    raised = jnp.maximum(sizes, _in_order(sizes, floors))
    factor = factor * (raised / jnp.where(lost, 1, sizes))[:, None]
    moved = _moved(state, factor, state.rung, problems, tolerance, 0)
    return jax.tree.map(
      lambda back, on: jnp.where(lost, back, on),
      state._replace(rung=jnp.int32(1)),
      moved,
    )

  return _run_rung(
    *(state, end, rung, rank, step),
    lambda factor: jnp.transpose(factor, (2, 1, 0)),
    lambda factor: jnp.transpose(factor, (2, 1, 0)),
  )


def _in_order(sizes: Float[Array, "s B"], floors: Float[Array, "s B"]):
  """The floor of each column: that of its place by descending size."""
  count = len(sizes)
  result = []
  for i in range(count):
    before = [sizes[j] >= sizes[i] for j in range(i)]
    before += [sizes[j] > sizes[i] for j in range(i + 1, count)]
    place = sum(one.astype(jnp.int32) for one in before) if before else 0
    own = floors[0]
    for k in range(1, count):
      own = jnp.where(place == k, floors[k], own)
    result.append(own)
  return jnp.stack(result)


def in_blocks(
  problems: Problems,
  until: Int[Array, " C"],
  tolerance: Float[Array, ""] | None,
) -> tuple[Float[Array, "B C"], Float[Array, "B C n k"]]:
  """`descend`, some problems after the others; padded with the last one."""
  total = problems.starts.shape[0]
  size = min(total, BLOCK)
  count = -(-total // size)
  index = jnp.minimum(jnp.arange(count * size), total - 1)
  blocks = jax.tree.map(
    lambda leaf: leaf[index].reshape(count, size, *leaf.shape[1:]), problems
  )
  found = lax.map(lambda block: descend(block, until, tolerance), blocks)
  return jax.tree.map(
    lambda leaf: leaf.reshape(count * size, *leaf.shape[2:])[:total], found
  )
