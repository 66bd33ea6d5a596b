"""Closed forms against brute force, sparse modes against scipy."""

import numpy as np
import pytest
from scipy import linalg
from scipy.sparse import linalg as sparse_linalg

from icl_graphs import errors
from icl_graphs.tasks import graphs
from icl_graphs.theory import laplacians, sparse_modes, spectral

EPS = (1.5, 1.25, 1.0)


def modes(spec):
  return spectral.modes(laplacians.matrix(graphs.parse(spec).adjacency))


def test_minimum_of_the_grid():
  found = modes("grid:4x4")
  for eps, expected in (
    (EPS, 1.501078),
    (np.linspace(1.5, 1, 4), 3.010291),
    (np.linspace(2, 1, 6), 10.573844),
  ):
    least = spectral.minimum_energy(found.values, eps)
    np.testing.assert_allclose(least, expected, atol=6e-7)


def test_embedding_attains_the_minimum_and_nothing_is_lower():
  rng = np.random.default_rng(0)
  for spec in ("grid:4x4", "hex:2x2", "gnp:16:0.25:1"):
    matrix = laplacians.matrix(graphs.parse(spec).adjacency)
    found = spectral.modes(matrix)
    rows = spectral.embedding(found, EPS)
    least = spectral.minimum_energy(found.values, EPS)
    np.testing.assert_allclose(np.trace(rows.T @ matrix @ rows), least)
    np.testing.assert_allclose(np.linalg.svd(rows)[1], EPS)
    for _ in range(20):
      left = np.linalg.qr(rng.standard_normal((len(matrix), 3)))[0] * EPS
      assert np.trace(left.T @ matrix @ left) > least


def test_principal_cosines_see_whole_eigenspaces():
  found = modes("grid:4x4")
  assert found.space[1] == found.space[2]
  turn = np.linalg.qr(np.random.default_rng(0).standard_normal((2, 2)))[0]
  rows = found.vectors[:, :3].copy()
  rows[:, 1:] = rows[:, 1:] @ turn
  rows = rows * EPS
  cosines = spectral.principal_cosines(rows, found, 3)
  np.testing.assert_allclose(cosines, 1)
  # The nearest minimiser is the same rows, in the order of the eps.
  nearest = spectral.nearest_minimiser(rows, found, EPS)
  np.testing.assert_allclose(nearest @ nearest.T, rows @ rows.T, atol=1e-12)
  # An untied mode in the wrong place is not forgiven.
  swapped = found.vectors[:, [0, 3, 1]] * EPS
  assert spectral.principal_cosines(swapped, found, 3).min() < 1e-6


def test_heat_flow_and_lazy_smoothing():
  graph = graphs.parse("tree:2x3")
  adjacency = graph.adjacency
  matrix = laplacians.matrix(adjacency)
  times = np.array([0, 0.1, 2.5])
  flows = spectral.heat_operator(spectral.modes(matrix), times)
  for time, flow in zip(times, flows, strict=True):
    np.testing.assert_allclose(flow, linalg.expm(-time * matrix), atol=1e-12)
  step = 0.3 * np.eye(graph.n)
  step += 0.7 * adjacency / adjacency.sum(axis=1, keepdims=True)
  smooth = spectral.lazy_operator(adjacency, 0.3, np.array([0, 1, 5]))
  for rounds, one in zip((0, 1, 5), smooth, strict=True):
    expected = np.linalg.matrix_power(step, rounds)
    np.testing.assert_allclose(one, expected, atol=1e-12)
  half = spectral.lazy_operator(adjacency, 0.5, np.array(0.5))
  whole = spectral.lazy_operator(adjacency, 0.5, np.array(1))
  np.testing.assert_allclose(half @ half, whole, atol=1e-7)


@pytest.mark.parametrize(
  ("call", "message"),
  [
    (lambda a: spectral.lazy_operator(a, 0.2, np.array(0.5)), "fractional"),
    (lambda a: spectral.lazy_operator(a, 1.2, np.array(1)), "probability"),
    (lambda a: spectral.lazy_operator(a, 0.2, np.array(-1)), "at least 0"),
    (
      lambda a: spectral.heat_operator(spectral.modes(a), np.array(-1.0)),
      "forward",
    ),
    (lambda a: laplacians.matrix(a, "signless"), "signless"),
    (lambda a: laplacians.matrix(a[:2]), "square"),
    (lambda a: laplacians.matrix(-a), "positive"),
    (lambda a: laplacians.matrix(a * np.nan), "finite"),
    (lambda a: laplacians.matrix(np.kron(np.eye(2), a)), "not connected"),
    (lambda a: laplacians.edges(np.zeros((0, 2), int)), "shape"),
    (lambda a: laplacians.edges(np.array([[0, 1], [2, 3]])), "not connected"),
    (lambda a: laplacians.edges(np.array([[0, 9]]), num_nodes=3), "0 to 2"),
    (
      lambda a: laplacians.edges(np.array([[0, 1]]), np.array([-1.0])),
      "positive",
    ),
    (lambda a: laplacians.shown(np.array([0, 1]), 2, 3), "outside"),
    (lambda a: laplacians.shown(np.array([0, 5]), 2, 2), "nodes 0 to 1"),
    (lambda a: laplacians.shown(np.array([0]), 1, 1, "odds"), "odds"),
    (lambda a: laplacians.padded([a], 3), "more than 3"),
    (
      lambda a: sparse_modes.lowest_modes(laplacians.edges(np.argwhere(a)), 14),
      "whole matrix",
    ),
  ],
)
def test_bad_input(call, message):
  with pytest.raises(errors.InputError, match=message):
    call(graphs.parse("ring:16").adjacency.copy())


def test_shown_edges_are_those_of_the_walk():
  walk = np.array([0, 1, 2, 1, 1, -1, 0, 3])
  counts = laplacians.shown(walk, 4, 7)
  expected = np.zeros((4, 4))
  expected[0, 1] = expected[1, 0] = 1
  expected[1, 2] = expected[2, 1] = 2
  np.testing.assert_array_equal(counts, expected)
  binary = laplacians.shown(np.stack([walk, walk]), 4, 8, "binary")
  expected = (expected > 0).astype(float)
  expected[0, 3] = expected[3, 0] = 1
  np.testing.assert_array_equal(binary, expected)
  with pytest.raises(errors.InputError, match="longer context"):
    laplacians.matrix(counts)


@pytest.mark.parametrize("kind", laplacians.KINDS)
def test_edge_lists_are_the_matrix(kind):
  graph = graphs.parse("sbm:8,8:0.6:0.05:0")
  matrix = laplacians.matrix(graph.adjacency, kind)
  listed = laplacians.edges(graph.arcs, graph.weights, kind=kind)
  rows = np.random.default_rng(0).standard_normal((graph.n, 3))
  np.testing.assert_allclose(
    laplacians.apply(laplacians.Edges(*map(np.asarray, listed)), rows),
    matrix @ rows,
    atol=1e-5,
  )
  top = laplacians.largest_eigenvalue(matrix)
  assert top <= laplacians.largest_eigenvalue(listed) <= 2 * top


def test_lowest_modes_of_a_large_grid():
  side = 100
  place = np.arange(side * side).reshape(side, side)
  arcs = np.concatenate(
    [
      np.stack([place[:, :-1], place[:, 1:]], axis=-1).reshape(-1, 2),
      np.stack([place[:-1], place[1:]], axis=-1).reshape(-1, 2),
    ]
  )
  listed = laplacians.edges(arcs)
  found = sparse_modes.lowest_modes(listed, 8)
  whole = _scipy_matrix(listed)
  expected, vectors = sparse_linalg.eigsh(
    whole, k=8, sigma=-1e-4, v0=np.cos(np.arange(side**2))
  )
  order = np.argsort(expected)
  expected, vectors = expected[order], vectors[:, order]
  np.testing.assert_allclose(found.values[1:], expected[1:], rtol=1e-5)
  assert found.values[0] == 0
  # 0; .00099 twice; .00197; .0039 twice; .0049 twice.
  assert found.space.tolist() == [0, 1, 1, 2, 3, 3, 4, 4]
  for label in range(5):
    own = found.space == label
    overlap = found.vectors[:, own].T @ vectors[:, own]
    assert np.linalg.svd(overlap)[1].min() > 0.9999
  single = sparse_modes.lowest_modes(listed, 8, "float32")
  np.testing.assert_allclose(single.values, found.values, atol=1e-5)
  assert single.space.tolist() == found.space.tolist()


def _scipy_matrix(listed):
  from scipy import sparse

  size = len(listed.scale)
  links = sparse.coo_array(
    (listed.weights, (listed.arcs[:, 0], listed.arcs[:, 1])), (size, size)
  )
  links = links + links.T
  return (sparse.diags_array(links.sum(axis=1)) - links).tocsc()
