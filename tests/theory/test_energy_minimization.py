"""Projected descent ends at the closed form, from any start, on any graph."""

import functools
import os
import subprocess
import sys

import hypothesis
from hypothesis import strategies as st
import jax
from jax import numpy as jnp
import numpy as np
import optax
import pytest

from icl_graphs import errors
from icl_graphs.tasks import graphs
from icl_graphs.theory import energy_minimization as minimization
from icl_graphs.theory import laplacians, singular_floors, spectral
from tests.theory import graph_list

EPS = np.array([1.5, 1.25, 1.0])
# One object, so that every test of a shape shares one compiled program.
PLAIN = optax.sgd(0.1)


@functools.cache
def laplacian(spec, kind="combinatorial"):
  return laplacians.matrix(graphs.parse(spec).adjacency, kind)


def gram(rows):
  return rows @ np.swapaxes(rows, -1, -2)


def padded_starts(seed, sizes, width):
  starts = np.zeros((len(sizes), 1, max(sizes), width))
  for index, size in enumerate(sizes):
    starts[index, :, :size] = minimization.gaussian_starts(
      seed + index, 1, size, width
    )
  return starts


@pytest.fixture(scope="module", params=["float64", "float32"])
def all_graphs(request):
  matrices = [laplacian(spec) for spec in graph_list.GRAPHS]
  starts = padded_starts(0, [len(one) for one in matrices], 12)
  return request.param, minimization.minimise(
    laplacians.padded(matrices),
    starts,
    EPS,
    (0, 20, 20_000),
    dtype=request.param,
  )


def test_every_graph_ends_at_the_closed_form(all_graphs):
  dtype, found = all_graphs
  tied = 0
  for index, spec in enumerate(graph_list.GRAPHS):
    modes = spectral.modes(laplacian(spec))
    tied += modes.space[1] == modes.space[2]
    least = spectral.minimum_energy(modes.values, EPS)
    np.testing.assert_allclose(
      found.energy[index, 0, -1],
      least,
      rtol=1e-5 if dtype == "float64" else 1e-3,
      err_msg=spec,
    )
    rows = found.rows[index, 0, -1].astype(np.float64)
    assert not rows[len(laplacian(spec)) :].any(), spec
    rows = rows[: len(laplacian(spec))]
    cosines = spectral.principal_cosines(rows, modes, len(EPS))
    assert cosines.min() >= 0.9999, spec
    sizes = np.linalg.svd(rows, compute_uv=False)
    np.testing.assert_allclose(sizes[1:3], EPS[1:], rtol=1e-4)
    assert sizes[0] > EPS[0] * (1 - 1e-5)
    np.testing.assert_allclose(sizes[3:], 0, atol=1e-3)
  assert len(graph_list.GRAPHS) >= 30 and tied >= 10


def test_nothing_falls_below_the_minimum_and_starts_are_recorded(all_graphs):
  _, found = all_graphs
  for index, spec in enumerate(graph_list.GRAPHS):
    values = spectral.modes(laplacian(spec)).values
    least = spectral.minimum_energy(values, EPS)
    start, early, last = found.energy[index, 0]
    assert start > early > last * (1 - 1e-5) > least * (1 - 2e-3)


@pytest.mark.parametrize(
  ("eps", "expected"),
  [
    (EPS, 1.501078),
    (np.linspace(1.5, 1, 4), 3.010291),
    (np.linspace(2, 1, 6), 10.573844),
  ],
)
def test_acceptance_values(eps, expected):
  starts = minimization.gaussian_starts(1, 2, 16, 64)
  found = minimization.minimise(
    *(laplacian("grid:4x4"), starts, eps, (120, 200)),
    optimiser=PLAIN,
    dtype="float64",
  )
  np.testing.assert_allclose(found.energy[:, -1], expected, atol=6e-7)
  assert (found.energy[:, 0] / found.energy[:, -1] - 1 < 2e-6).all()


@pytest.mark.parametrize(
  ("count", "dtype"), [(3, "float32"), (3, "float64"), (7, "float64")]
)
def test_short_cut_follows_the_definition(count, dtype):
  """At every step, and with floors above and below the start's sizes."""
  starts = minimization.gaussian_starts(0, 3, 16, 64)
  starts[1] *= 0.05
  starts[2, :, 1:] *= 1e-3
  eps = np.linspace(2, 1, count)
  run = functools.partial(
    minimization.minimise,
    *(laplacian("grid:4x4"), starts, eps),
    (0, 1, 2, 5, 20, 40, 80, 300),
    dtype=dtype,
  )
  short, long = run(rate=0.1), run(optimiser=PLAIN)
  tolerance = 1e-9 if dtype == "float64" else 1e-3
  np.testing.assert_allclose(short.energy, long.energy, rtol=tolerance)
  sizes = np.abs(gram(long.rows)).max(axis=(-2, -1), keepdims=True)
  np.testing.assert_allclose(
    gram(short.rows) / sizes, gram(long.rows) / sizes, atol=tolerance
  )


def test_definition_step_by_step():
  """One step against numpy's thin SVD."""
  matrix = laplacian("grid:3x5")
  start = minimization.gaussian_starts(3, 1, 15, 4)[0] * 0.46
  moved = start - 0.1 * matrix @ start
  left, sizes, right = np.linalg.svd(moved, full_matrices=False)
  assert (sizes[:3] < EPS).any() and (sizes[:3] > EPS).any()
  sizes[:3] = np.maximum(sizes[:3], EPS)
  found = minimization.minimise(
    matrix, start[None], EPS, (1,), optimiser=PLAIN, dtype="float64"
  )
  expected = (left * sizes) @ right
  np.testing.assert_allclose(found.rows[0, 0], expected, atol=1e-12)


def test_without_the_constraint_it_collapses():
  starts = minimization.gaussian_starts(0, 1, 16, 8)
  found = minimization.minimise(
    laplacian("grid:4x4"), starts, None, (0, 500), dtype="float64"
  )
  assert found.energy[0, 1] < 1e-12 * found.energy[0, 0]
  mean = starts[0].mean(axis=0)
  np.testing.assert_allclose(
    found.rows[0, 1], np.tile(mean, (16, 1)), atol=1e-6
  )


def test_gradient():
  adjacency = np.random.default_rng(0).uniform(0.5, 2, (6, 6))
  matrix = laplacians.matrix(adjacency)
  pairs = np.argwhere(np.triu(np.ones((6, 6)), 1))
  weights = -matrix[tuple(pairs.T)]
  rows = np.random.default_rng(1).standard_normal((6, 3))
  with jax.enable_x64(True):
    for operator in (
      jnp.asarray(matrix),
      jax.tree.map(jnp.asarray, laplacians.edges(pairs, weights)),
    ):
      energy = functools.partial(laplacians.dirichlet_energy, operator)
      gradient = jax.grad(energy)(jnp.asarray(rows))
      np.testing.assert_allclose(gradient, 2 * matrix @ rows, rtol=1e-12)
      np.testing.assert_allclose(
        gradient, 2 * laplacians.apply(operator, jnp.asarray(rows)), rtol=1e-12
      )
      for i, j in ((0, 0), (3, 1), (5, 2)):
        nudge = np.zeros_like(rows)
        nudge[i, j] = 1e-5
        slope = (energy(rows + nudge) - energy(rows - nudge)) / 2e-5
        np.testing.assert_allclose(slope, gradient[i, j], rtol=1e-8)


def test_any_optimiser_and_edge_lists():
  graph = graphs.parse("grid:4x4")
  listed = laplacians.edges(graph.arcs, graph.weights)
  starts = minimization.gaussian_starts(0, 2, 16, 8)
  least = spectral.minimum_energy(
    spectral.modes(laplacian("grid:4x4")).values, EPS
  )
  run = functools.partial(
    minimization.minimise, starts=starts, floors=EPS, dtype="float64"
  )
  plain = run(listed, record=(0, 7, 400), rate=0.1)
  matrix = run(laplacian("grid:4x4"), record=(0, 7, 400), optimiser=PLAIN)
  np.testing.assert_allclose(plain.energy, matrix.energy, rtol=1e-10)
  np.testing.assert_allclose(plain.rows, matrix.rows, atol=1e-9)
  momentum = optax.sgd(0.05, momentum=0.8)
  found = run(listed, record=(400,), optimiser=momentum)
  np.testing.assert_allclose(found.energy[:, -1], least, rtol=1e-6)
  # Adam rescales entries, so it goes down but not all the way; and optax
  # itself mixes dtypes there.
  with jax.numpy_dtype_promotion("standard"):
    found = run(listed, record=(0, 300), optimiser=optax.adam(0.01))
  assert (found.energy[:, 0] > 2 * found.energy[:, 1]).all()
  assert (found.energy[:, 1] > least).all()


def test_normalised_and_empirical_laplacians():
  rng = np.random.default_rng(0)
  graph = graphs.parse("tree:2x3")
  walk = [0]
  for _ in range(4000):
    near = np.flatnonzero(graph.adjacency[walk[-1]])
    walk.append(int(rng.choice(near)))
  shown = laplacians.shown(np.array(walk), graph.n, 4001)
  matrices = [
    laplacians.matrix(graph.adjacency, "normalised"),
    laplacians.matrix(shown),
  ]
  # The step size of PLAIN suits both.
  matrices = [one * 8 / laplacians.largest_eigenvalue(one) for one in matrices]
  starts = np.stack([minimization.gaussian_starts(0, 1, graph.n, 6)] * 2)
  found = minimization.minimise(
    *(np.stack(matrices), starts, EPS, (6000,)),
    optimiser=PLAIN,
    dtype="float64",
  )
  for matrix, energy in zip(matrices, found.energy[:, 0, 0], strict=True):
    values = spectral.modes(matrix).values
    np.testing.assert_allclose(
      energy, spectral.minimum_energy(values, EPS), rtol=1e-5
    )


def test_graphs_widths_and_eps_share_one_compilation():
  specs = ("grid:3x3", "ring:9", "line:7", "complete:5")
  before = minimization._solve._cache_size()
  for first, last, rate, eps in (
    (0, 2, None, EPS),
    (1, 3, 0.05, EPS * 2),
    (2, 4, None, np.stack([EPS, EPS + 1])),
  ):
    matrices = [laplacian(spec) for spec in specs[first:last]]
    starts = np.zeros((2, 1, 9, 6))
    starts[:, :, :5] = 1 + np.random.default_rng(0).normal(size=(2, 1, 5, 6))
    # The second problem of each call has fewer dimensions.
    starts[1, :, :, 4:] = 0
    found = minimization.minimise(
      laplacians.padded(matrices, 9), starts, eps, (0, 10 + first), rate=rate
    )
    assert np.isfinite(found.energy).all()
  assert minimization._solve._cache_size() - before == 1


def test_devices_change_nothing():
  mesh = jax.sharding.Mesh(np.array(jax.devices()), (minimization.AXIS,))
  assert mesh.size == 4
  # Shapes of another test, so that half of the programs are compiled already.
  starts = minimization.gaussian_starts(0, 3, 16, 64)
  for optimiser in (None, PLAIN):
    run = functools.partial(
      minimization.minimise,
      *(laplacian("grid:4x4"), starts, EPS),
      (0, 1, 2, 5, 20, 40, 80, 300),
      optimiser=optimiser,
      dtype="float64",
    )
    alone, split = run(), run(mesh=mesh)
    np.testing.assert_allclose(split.energy, alone.energy, rtol=1e-10)
    np.testing.assert_allclose(gram(split.rows), gram(alone.rows), atol=1e-9)


def test_many_restarts_on_as_many_devices_as_threads():
  """Batches large enough for LAPACK to wait for other threads of the pool."""
  program = """
import os
os.environ["NPROC"] = "2"
import jax
jax.config.update("jax_num_cpu_devices", 2)
import numpy as np
from icl_graphs.tasks import graphs
from icl_graphs.theory import energy_minimization, laplacians
grid = laplacians.matrix(graphs.parse("grid:4x4").adjacency)
starts = energy_minimization.gaussian_starts(0, 1024, 16, 64)
mesh = jax.sharding.Mesh(np.array(jax.devices()), ("data",))
# Threads that wait for each other do so by chance: several attempts.
for _ in range(5):
  found = energy_minimization.minimise(
    grid, starts, (1.5, 1.25, 1.0), (0, 100), mesh=mesh
  )
print(len(jax.devices()), found.energy.shape)
"""
  done = subprocess.run(
    [sys.executable, "-c", program],
    capture_output=True,
    text=True,
    timeout=300,
    env={**os.environ, "XLA_FLAGS": ""},
  )
  assert done.stdout == "2 (1024, 2)\n", done.stderr[-2000:]


def test_one_program_over_a_mesh():
  """What accelerators run: problems split inside one program."""
  mesh = jax.sharding.Mesh(np.array(jax.devices()), (minimization.AXIS,))
  starts = minimization.gaussian_starts(0, 3, 16, 4).astype(np.float32)
  values, vectors = minimization._basis(laplacian("grid:4x4")[None], [16])
  # Few enough problems for LAPACK to stay on its thread; see `_spread`.
  found = [
    minimization._solve(
      *((jnp.float32(values), jnp.float32(vectors)), jnp.float32([0.1])),
      (jnp.zeros(3, jnp.int32), jnp.float32([EPS] * 3), jnp.asarray(starts)),
      *(jnp.asarray([0, 5, 60], jnp.int32), None),
      optimiser=None,
      flow=True,
      mesh=one,
    )
    for one in (None, mesh)
  ]
  np.testing.assert_allclose(*(energy for energy, _ in found), rtol=1e-5)


def test_starts_without_full_rank():
  """Nothing, one row for all nodes, and two different rows."""
  starts = np.zeros((3, 16, 8))
  starts[1] = 1
  starts[2, :8] = 2
  least = spectral.minimum_energy(
    spectral.modes(laplacian("grid:4x4")).values, EPS
  )
  for optimiser in (None, PLAIN):
    found = minimization.minimise(
      *(laplacian("grid:4x4"), starts, EPS, (0, 1, 400)), optimiser=optimiser
    )
    sizes = np.linalg.svd(found.rows[:, 1:], compute_uv=False)
    assert (sizes[..., :3] > EPS * (1 - 1e-4)).all()
    np.testing.assert_allclose(found.energy[:, -1], least, rtol=1e-3)


def test_step_size_that_removes_modes():
  """At 1 / lambda_n a complete graph keeps the mean alone, every step."""
  starts = minimization.gaussian_starts(0, 3, 16, 8)
  found = minimization.minimise(
    laplacian("complete:16"), starts, EPS, (0, 1, 9), rate=1 / 16
  )
  np.testing.assert_allclose(found.energy[:, 1:], 41, rtol=1e-4)


def test_tolerance_stops_at_the_same_place():
  starts = minimization.gaussian_starts(0, 2, 9, 5)
  for optimiser in (None, PLAIN):
    found = minimization.minimise(
      *(laplacian("grid:3x3"), starts, EPS, (10, 10**9)),
      optimiser=optimiser,
      tolerance=1e-12,
      dtype="float64",
    )
    values = spectral.modes(laplacian("grid:3x3")).values
    np.testing.assert_allclose(
      found.energy[:, -1], spectral.minimum_energy(values, EPS), rtol=1e-8
    )


def test_singular_values_raised_are_the_nearest():
  rng = np.random.default_rng(0)
  rows = rng.standard_normal((40, 5, 4)) * rng.uniform(0.1, 2, (40, 1, 1))
  with jax.enable_x64(True):
    floors = jnp.broadcast_to(jnp.asarray(EPS), (40, 3))
    filler = singular_floors.filler_rows(
      jnp.ones((40, 5), bool), jnp.ones((40, 4), bool), jnp.float64
    )
    raised = np.asarray(
      singular_floors.raise_singular_values(jnp.asarray(rows), floors, filler)
    )
    tall = singular_floors.raise_singular_values(
      jnp.asarray(np.swapaxes(rows, 1, 2)), floors, filler.mT
    )
  before = np.linalg.svd(rows, compute_uv=False)
  after = np.linalg.svd(raised, compute_uv=False)
  before[:, :3] = np.maximum(before[:, :3], EPS)
  np.testing.assert_allclose(after, before, atol=1e-10)
  np.testing.assert_allclose(np.swapaxes(tall, 1, 2), raised, atol=1e-10)


def test_large_grid_in_memory_linear_in_its_edges():
  side, width = 100, 16
  place = np.arange(side * side).reshape(side, side)
  arcs = np.concatenate(
    [
      np.stack([place[:, :-1], place[:, 1:]], axis=-1).reshape(-1, 2),
      np.stack([place[:-1], place[1:]], axis=-1).reshape(-1, 2),
    ]
  )
  listed = laplacians.edges(arcs)
  starts = minimization.gaussian_starts(0, 1, side**2, width)
  found = minimization.minimise(
    listed, starts, np.linspace(2, 1, 8), (0, 5, 10)
  )
  assert found.energy[0, 0] > found.energy[0, 1] > found.energy[0, 2] > 0
  cast = jax.tree.map(
    lambda leaf: jnp.asarray(leaf, leaf.dtype.name.replace("64", "32"))[None],
    listed,
  )
  problems = (
    jnp.zeros(1, jnp.int32),
    jnp.ones((1, 8), jnp.float32),
    jnp.asarray(starts, jnp.float32),
  )
  compiled = minimization._solve.lower(
    *(cast, jnp.ones(1, jnp.float32), problems),
    *(jnp.asarray([0, 5, 10], jnp.int32), None),
    optimiser=None,
    flow=False,
    mesh=None,
  ).compile()
  used = compiled.memory_analysis().temp_size_in_bytes
  # A matrix over nodes would take 400 MB.
  assert used < 20 * 4 * width * (len(arcs) + side**2)


@hypothesis.settings(deadline=None, max_examples=15, derandomize=True)
@hypothesis.given(seed=st.integers(0, 2**16))
def test_rotation_relabelling_and_padding(seed):
  rng = np.random.default_rng(seed)
  nodes, width, size = 6, 4, 8
  adjacency = np.diag(rng.uniform(0.5, 2, nodes - 1), 1)
  adjacency += rng.uniform(0.5, 2, (nodes, nodes)) * (
    rng.uniform(size=(nodes, nodes)) < 0.3
  )
  adjacency = np.triu(adjacency, 1) + np.triu(adjacency, 1).T
  # The step size of PLAIN suits every graph.
  adjacency *= 5 / laplacians.largest_eigenvalue(laplacians.matrix(adjacency))
  order = rng.permutation(nodes)
  turn = np.linalg.qr(rng.standard_normal((width, width)))[0]
  start = rng.standard_normal((nodes, width)) * rng.uniform(0.2, 3)
  matrix = laplacians.matrix(adjacency)
  relabelled = laplacians.matrix(adjacency[np.ix_(order, order)])
  run = functools.partial(
    minimization.minimise,
    floors=EPS,
    record=(0, 1, 6, 60),
    dtype="float64",
  )
  matrices = [matrix, matrix, relabelled]
  several = np.stack([start, start @ turn, start[order]])[:, None]
  found = run(np.stack(matrices), several, optimiser=PLAIN)
  rows, products = found.rows[:, 0], gram(found.rows[:, 0])
  tolerance = 1e-7 * products.max()
  np.testing.assert_allclose(rows[1], rows[0] @ turn, atol=tolerance)
  np.testing.assert_allclose(rows[2], rows[0][:, order], atol=tolerance)
  # The same with padding, by the definition and by the short cut.
  wide = np.zeros((3, 1, size, width + 3))
  wide[:, :, :nodes, :width] = several
  for way in ({"optimiser": PLAIN}, {"rate": 0.1}):
    padding = run(laplacians.padded(matrices, size), wide, **way)
    inside = gram(padding.rows[:, 0])
    np.testing.assert_allclose(
      inside[..., :nodes, :nodes], products, atol=tolerance
    )
    assert not inside[..., nodes:, :].any()
    np.testing.assert_allclose(padding.energy, found.energy, rtol=1e-7)


GRID = "grid:3x3"
START = np.ones((1, 9, 4)) * np.arange(4)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"floors": (1, 1.5)}, "strictly decreasing"),
    ({"floors": (1, 1)}, "strictly decreasing"),
    ({"floors": (1, -1)}, "positive"),
    ({"floors": (np.nan,)}, "positive and finite"),
    ({"floors": ()}, "one or more"),
    ({"floors": np.ones((3, 2, 2))}, "eps of shape"),
    ({"floors": (5, 4, 3, 2, 1)}, "larger width"),
    ({"floors": (4, 3, 2, 1), "starts": START * [1, 1, 1, 0]}, "2 dimensions"),
    ({"starts": START * np.nan}, "not finite"),
    ({"starts": START[0]}, "expected"),
    ({"starts": START[:, :8]}, "8 rows"),
    ({"starts": START[None]}, "axes before its nodes"),
    ({"laplacian": np.ones((9, 9))}, "negative|positive"),
    ({"laplacian": np.zeros((9, 9))}, "connected"),
    ({"laplacian": np.full((9, 9), np.nan)}, "not finite"),
    ({"laplacian": np.triu(np.ones((9, 9)))}, "not symmetric"),
    ({"record": ()}, "ascending"),
    ({"record": (5, 5)}, "ascending"),
    ({"record": (-1, 5)}, "ascending"),
    ({"rate": 5.0}, "does not converge"),
    ({"rate": -1.0}, "does not converge"),
    ({"dtype": "bfloat16"}, "bfloat16"),
  ],
)
def test_bad_input(change, message):
  good = {
    "laplacian": laplacian(GRID),
    "starts": START,
    "floors": (1.0,),
    "record": (0, 1),
  }
  before = minimization._solve._cache_size()
  with pytest.raises(errors.InputError, match=message):
    minimization.minimise(**(good | change))
  assert minimization._solve._cache_size() == before


def test_start_in_padding_is_refused():
  matrix = laplacians.padded([laplacian(GRID)], 11)
  with pytest.raises(errors.InputError, match="9 nodes"):
    minimization.minimise(matrix, np.ones((1, 1, 11, 4)), (1.0,), (1,))


def test_log_steps():
  assert minimization.log_steps(0) == (0,)
  assert minimization.log_steps(1) == (0, 1)
  steps = minimization.log_steps(1000, 20)
  assert steps[0] == 0 and steps[-1] == 1000 and len(steps) <= 21
  assert all(b > a for a, b in zip(steps, steps[1:], strict=False))
  with pytest.raises(errors.InputError):
    minimization.log_steps(-1)
