"""Energy minimisation on a graph, from start to converged trajectory.

Minimises tr(H' L H) over rows H [n, d] subject to sigma_k(H) >= eps_k for
k = 1..s: the account of arXiv 2501.00070 (section 5) of how representations
come to mirror a graph. A step follows the gradient of half the energy, L H,

  H <- H - eta L H,  then  sigma_k(H) <- max(sigma_k(H), eps_k),

or hands L H to any optax optimiser in place of the plain step. Everything from
the start to the last snapshot is one compiled program for any number of
problems; only recorded steps are kept.

Plain descent on matrices takes the short cut of `gradient_flow`. Optimisers
with a memory and edge lists go the long way here, which the tests compare with
it.

Legend: P graphs, R restarts each, C recorded steps, s floors, B = P R.
"""

from collections.abc import Sequence
import functools
from typing import NamedTuple

import jax
from jax import lax, sharding
from jax import numpy as jnp
from jaxtyping import Array, Bool, Float, Int
import numpy as np
import optax

from icl_graphs import errors
from icl_graphs.theory import (
  gradient_flow,
  laplacians,
  minimization_input,
  singular_floors,
  spectral,
)

AXIS = "data"


class Trajectory(NamedTuple):
  """What was recorded, numpy.

  steps: [C]; energy: [..., C], tr(H' L H); rows: [..., C, n, k]. Leading axes
  as those of the starts. With plain descent on a matrix, rows are known up to
  a rotation of R^d and come in k = min(n, d) columns; else k = d.
  """

  steps: Int[np.ndarray, " C"]
  energy: Float[np.ndarray, "... C"]
  rows: Float[np.ndarray, "... C n k"]


def log_steps(total: int, count: int = 60) -> tuple[int, ...]:
  """Steps 0, 1, ..., `total`, about `count` of them, evenly on a log scale."""
  if total < 0 or count < 2:
    raise errors.InputError(
      f"{count} records over {total} steps; give at least 2 and at least 0"
    )
  if total == 0:
    return (0,)
  spaced = np.rint(np.geomspace(1, total, count)).astype(int)
  return tuple(sorted({0, *spaced.tolist()}))


def gaussian_starts(
  seed: int, restarts: int, nodes: int, width: int
) -> Float[np.ndarray, "R n d"]:
  """Standard normal rows; restart r does not depend on how many there are."""
  children = np.random.SeedSequence(seed).spawn(restarts)
  return np.stack(
    [
      np.random.default_rng(one).standard_normal((nodes, width))
      for one in children
    ]
  )


def minimise(
  laplacian: Float[np.ndarray, "*P n n"] | laplacians.Edges,
  starts: Float[np.ndarray, "*P R n d"],
  floors: Float[np.ndarray, "..."] | Sequence[float] | None,
  record: Sequence[int],
  *,
  rate: float | None = None,
  optimiser: optax.GradientTransformation | None = None,
  tolerance: float | None = None,
  dtype: str = "float32",
  mesh: sharding.Mesh | None = None,
) -> Trajectory:
  """Follows every problem to the last recorded step.

  Graphs of different sizes go together as `laplacians.padded`, with rows of
  zeros in the starts; different widths with columns of zeros, which do not
  count as dimensions unless a start is zero altogether. Programs are
  compiled once per padded size, not per graph, eps, step size or list of steps.

  Args:
    laplacian: of one graph, or of P.
    starts: [R, n, d] for one graph, [P, R, n, d] for P: Gaussian, token
      embeddings, class means of an early context.
    floors: eps [s], or [P, s], or [P, R, s]; None drops the constraint.
    record: ascending steps to keep, such as `log_steps(1000)`.
    rate: eta, by default .9 / lambda_n of each graph (for an edge list a bound
      on it). From 1 / lambda_n on the roughest modes are lost or overshoot.
    optimiser: takes L H, problem by problem. Momentum and schedules end at the
      minimum; what rescales entries (Adam) lowers the energy but does not,
      because L H is not zero at the minimum. Make it once and reuse it: a new
      object compiles anew.
    tolerance: stop early when all energies change by less than this share in
      a step; later records then repeat the last rows.
    dtype: float32, or float64 whatever jax's default.
    mesh: devices to split the problems over, with one axis "data".

  Raises:
    InputError: misshapen or not finite starts, starts in padding, floors not
      positive and strictly decreasing or more than nodes or dimensions, no
      Laplacian of a connected graph with positive weights, steps not
      ascending, or a step size that diverges.
  """
  single = np.ndim(starts) == 3
  laplacian, starts = minimization_input.with_graph_axis(
    laplacian, starts, single
  )
  graphs, restarts = starts.shape[:2]
  nodes = minimization_input.node_counts(laplacian, starts)
  floors = minimization_input.broadcast_floors(floors, nodes, starts)
  until = minimization_input.steps(record)
  rates = minimization_input.rates(rate, laplacian)
  if dtype not in ("float32", "float64"):
    raise errors.InputError(f"unknown dtype {dtype!r}; float32 or float64")
  flow = optimiser is None and floors.shape[-1] > 0
  flow = flow and not isinstance(laplacian, laplacians.Edges)
  with jax.enable_x64(dtype == "float64"):
    cast = functools.partial(jnp.asarray, dtype=dtype)
    graph = jnp.asarray(np.repeat(np.arange(graphs), restarts), jnp.int32)
    shared = _basis(laplacian, nodes) if flow else laplacian
    shared = jax.tree.map(
      lambda leaf: (
        cast(leaf, dtype=jnp.int32) if leaf.dtype.kind == "i" else cast(leaf)
      ),
      shared,
    )
    energy, rows = _spread(
      (shared, cast(rates)),
      (graph, cast(floors), cast(starts.reshape(-1, *starts.shape[2:]))),
      (
        jnp.asarray(until, jnp.int32),
        None if tolerance is None else cast(tolerance),
      ),
      mesh,
      optimiser=optimiser,
      flow=flow,
    )
  lead = (restarts,) if single else (graphs, restarts)
  return Trajectory(
    until,
    energy.reshape(*lead, len(until)),
    rows.reshape(*lead, *rows.shape[1:]),
  )


def _spread(graphs, problems, schedule, mesh, **static):
  """`_solve` on the devices of a mesh, numpy.

  The devices of one CPU share a pool of threads, and batched LAPACK calls wait
  inside it for other threads of the pool: running together, as many devices as
  threads would wait forever. They take turns, which costs nothing, because a
  single one uses the whole pool.
  """
  devices = [] if mesh is None else list(mesh.devices.flat)
  if len(devices) < 2 or devices[0].platform != "cpu":
    found = _solve(*graphs, problems, *schedule, mesh=mesh, **static)
    return jax.tree.map(np.asarray, found)
  total = problems[0].shape[0]
  size = -(-total // len(devices))
  parts = []
  for device, start in zip(devices, range(0, total, size), strict=False):
    index = np.minimum(np.arange(start, start + size), total - 1)
    part = jax.tree.map(lambda leaf, index=index: leaf[index], problems)
    arguments = jax.device_put((*graphs, part, *schedule), device)
    parts.append(
      jax.tree.map(np.asarray, _solve(*arguments, mesh=None, **static))
    )
  return [np.concatenate(leaves)[:total] for leaves in zip(*parts, strict=True)]


@functools.partial(jax.jit, static_argnames=("optimiser", "flow", "mesh"))
def _solve(shared, rates, problems, until, tolerance, *, optimiser, flow, mesh):
  """Energies [B, C] and rows [B, C, n, k], spread over devices."""

  def on_one_device(shared, rates, problems, until):
    graph, floors, starts = problems
    if flow:
      values, vectors = (leaf[graph] for leaf in shared)
      return gradient_flow.in_blocks(
        gradient_flow.Problems(values, vectors, rates[graph], floors, starts),
        until,
        tolerance,
      )
    return _descend(
      jax.tree.map(lambda leaf: leaf[graph], shared),
      rates[graph],
      floors,
      starts,
      until,
      tolerance,
      optimiser,
    )

  if mesh is None:
    return on_one_device(shared, rates, problems, until)
  total, parts = problems[0].shape[0], mesh.shape[AXIS]
  # The last problem fills up what devices are left with.
  index = jnp.minimum(jnp.arange(-(-total // parts) * parts), total - 1)
  split, whole = sharding.PartitionSpec(AXIS), sharding.PartitionSpec()
  found = jax.shard_map(
    on_one_device,
    mesh=mesh,
    in_specs=(whole, whole, split, whole),
    out_specs=split,
    # Loops end when this device's problems do.
    check_vma=False,
  )(shared, rates, jax.tree.map(lambda leaf: leaf[index], problems), until)
  return jax.tree.map(lambda leaf: leaf[:total], found)


def _descend(laplacian, rates, floors, starts, until, tolerance, optimiser):
  """The definition: gradient, optimiser, projection, step by step."""
  apply = jax.vmap(laplacians.apply)
  energies = jax.vmap(laplacians.dirichlet_energy)
  filler = singular_floors.filler_rows(*_real(laplacian, starts), starts.dtype)
  if optimiser is None:
    optimiser = optax.identity()
    scale = -rates[:, None, None]
  else:
    scale = jnp.ones((1, 1, 1), starts.dtype)

  def step(state):
    rows, memory, number, energy, _ = state
    updates, memory = jax.vmap(optimiser.update)(
      apply(laplacian, rows), memory, rows
    )
    rows = singular_floors.raise_singular_values(
      rows + scale * updates, floors, filler
    )
    settled = jnp.bool_(False)
    if tolerance is not None:
      new = energies(laplacian, rows)
      settled = jnp.all(jnp.abs(new - energy) <= tolerance * new)
      energy = new
    return rows, memory, number + 1, energy, settled

  def segment(state, end):
    state = lax.while_loop(lambda s: (s[2] < end) & ~s[4], step, state)
    return state, (energies(laplacian, state[0]), state[0])

  first = (
    *(starts, jax.vmap(optimiser.init)(starts), jnp.int32(0)),
    *(energies(laplacian, starts), jnp.bool_(False)),
  )
  _, (energy, rows) = lax.scan(segment, first, until)
  return jnp.moveaxis(energy, 0, 1), jnp.moveaxis(rows, 0, 1)


def _real(
  laplacian: Float[Array, "B n n"] | laplacians.Edges,
  starts: Float[Array, "B n d"],
) -> tuple[Bool[Array, "B n"], Bool[Array, "B d"]]:
  """Which nodes and which columns are not padding."""
  if isinstance(laplacian, laplacians.Edges):
    nodes = jnp.ones(starts.shape[:2], bool)
  else:
    nodes = jnp.diagonal(laplacian, axis1=-2, axis2=-1) > 0
  columns = jnp.any(starts != 0, axis=-2)
  nothing = ~jnp.any(columns, axis=-1, keepdims=True)
  return nodes, columns | nothing


def _basis(laplacian, nodes):
  """Eigenvalues and eigenvectors of padded Laplacians, padding last."""
  values = np.zeros(laplacian.shape[:-1])
  vectors = np.zeros(laplacian.shape)
  for index, count in enumerate(nodes):
    found = spectral.modes(laplacian[index, :count, :count])
    values[index, :count] = found.values
    vectors[index, :count, :count] = found.vectors
  return values, vectors
