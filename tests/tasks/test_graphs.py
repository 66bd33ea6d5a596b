"""Graph families against the table of the paper, and every bad spec."""

import networkx
import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.tasks import graph_families, graphs, transitions


def _eigenvalues(graph):
  adjacency = graph.adjacency
  return np.linalg.eigvalsh(np.diag(adjacency.sum(axis=1)) - adjacency)


# Nodes, edges, second and third Laplacian eigenvalue, chance over nodes.
@pytest.mark.parametrize(
  "spec, nodes, edges, second, third, chance",
  [
    ("grid:4x4", 16, 24, 0.586, 0.586, 0.1875),
    ("grid:5x5", 25, 40, 0.382, 0.382, 0.128),
    ("ring:10", 10, 10, 0.382, 0.382, 0.2),
    ("ring:50", 50, 50, 0.016, 0.016, 0.04),
    ("ring:7", 7, 7, 0.753, 0.753, 0.286),
    ("hex:3x3", 30, 38, 0.170, 0.203, 0.084),
  ],
)
def test_graphs_of_the_paper(spec, nodes, edges, second, third, chance):
  graph = graphs.parse(spec)
  assert (graph.n, graph.edge_count) == (nodes, edges)
  values = _eigenvalues(graph)
  np.testing.assert_allclose(values[1:3], [second, third], atol=5.1e-4)
  assert abs(graph.adjacency.sum(axis=1).mean() / nodes - chance) < 5.1e-4


@pytest.mark.parametrize(
  "spec, nodes, edges, degrees",
  [
    ("grid:3x5", 15, 22, {2, 3, 4}),
    ("line:16", 16, 15, {1, 2}),
    ("torus:4x4", 16, 32, {4}),
    ("triangular:3x3", 10, 18, {2, 3, 4, 5, 6}),
    ("tree:2x3", 15, 14, {1, 2, 3}),
    ("hypercube:4", 16, 32, {4}),
    ("hypercube:1", 2, 1, {1}),
    ("cylinder:9x9", 81, 153, {3, 4}),
    ("circulant:12:1,2", 12, 24, {4}),
    ("mobius:8", 8, 12, {3}),
    ("complete:6", 6, 15, {5}),
    ("regular:16:3:0", 16, 24, {3}),
  ],
)
def test_other_families(spec, nodes, edges, degrees):
  graph = graphs.parse(spec)
  assert (graph.n, graph.edge_count) == (nodes, edges)
  assert set(graph.adjacency.sum(axis=1)) == degrees


def test_grid_is_row_major_and_joined_at_manhattan_distance_one():
  graph = graphs.parse("grid:3x5")
  row, column = np.divmod(np.arange(15), 5)
  distance = abs(row[:, None] - row) + abs(column[:, None] - column)
  np.testing.assert_array_equal(graph.adjacency, distance == 1)
  assert graph.node_names[5] == "1,0"


def test_hexagonal_nodes_are_ordered_by_i_then_j():
  graph = graphs.parse("hex:3x3")
  names = [
    (i, j) for i in range(4) for j in range(8) if (i, j) not in ((0, 7), (3, 7))
  ]
  assert graph.node_names == tuple(f"{i},{j}" for i, j in names)
  expected = np.zeros((30, 30))
  for a, (i, j) in enumerate(names):
    for b, other in enumerate(names):
      joined = other == (i, j + 1)
      joined |= other == (i + 1, j) and i % 2 == j % 2
      expected[a, b] = expected[b, a] = max(expected[a, b], joined)
  np.testing.assert_array_equal(graph.adjacency, expected)


@pytest.mark.parametrize(
  "example", [family.example for family in graph_families.FAMILIES.values()]
)
def test_every_family(example):
  graph = graphs.parse(example)
  adjacency = graph.adjacency
  np.testing.assert_array_equal(adjacency, adjacency.T)
  assert not adjacency.diagonal().any()
  assert graph.positions.shape == (graph.n, 2)
  apart = np.linalg.norm(
    graph.positions[:, None] - graph.positions[None], axis=-1
  )
  assert apart[~np.eye(graph.n, dtype=bool)].min() > 0.1
  again = graphs.parse(graph.spec)
  np.testing.assert_array_equal(again.arcs, graph.arcs)
  np.testing.assert_array_equal(again.positions, graph.positions)


def test_positions_of_neighbours():
  grid = graphs.parse("grid:4x4")
  np.testing.assert_array_equal(
    grid.positions[[0, 1, 4]], [[0, 0], [1, 0], [0, -1]]
  )
  for spec in ("grid:4x4", "hex:3x3", "ring:10", "triangular:3x3"):
    graph = graphs.parse(spec)
    ends = graph.positions[graph.arcs]
    lengths = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=-1)
    np.testing.assert_allclose(lengths, lengths[0], rtol=1e-6)


def test_random_families_depend_on_their_seed():
  one, same, other = (
    graphs.parse(f"sbm:8,8:0.6:0.2:{seed}") for seed in (1, 1, 2)
  )
  np.testing.assert_array_equal(one.adjacency, same.adjacency)
  assert (one.adjacency != other.adjacency).any()
  blocks = one.adjacency.reshape(2, 8, 2, 8).sum(axis=(1, 3))
  assert blocks.diagonal().min() > blocks[0, 1]


def test_large_grid_stays_sparse():
  graph = graphs.parse("grid:100x100")
  table = transitions.transition_table(graph)
  assert table.neighbours.shape == (10_000, 4)
  assert "adjacency" not in vars(graph)


def test_large_drawing_without_a_natural_one():
  graph = networkx.grid_2d_graph(20, 20)
  drawn = graphs.from_networkx(graph, spec="large").positions
  again = graphs.from_networkx(graph, spec="large").positions
  assert np.isfinite(drawn).all() and drawn.std(axis=0).min() > 0
  np.testing.assert_array_equal(drawn, again)


@pytest.mark.parametrize(
  "spec, fragments",
  [
    ("lattice:4x4", ["'lattice'", "grid:ROWSxCOLUMNS", "grid:4x4", "file:"]),
    ("", ["unknown graph family", "ring:10"]),
    ("grid", ["'grid'", "grid:ROWSxCOLUMNS", "grid:4x4"]),
    ("grid:4", ["grid:4", "4x4"]),
    ("grid:4x", ["grid:4x"]),
    ("grid:-4x4", ["'-4'"]),
    ("grid:4x4x4", ["4x4x4"]),
    ("grid:1x1", ["at least 2 nodes"]),
    ("grid:9000x9000", ["more than 20000"]),
    ("grid:4x9999999999", ["too large"]),
    ("grid:²x4", ["whole number"]),
    ("ring:ten", ["'ten'", "ring:10"]),
    ("ring:2", ["at least 3"]),
    ("ring:10:3", ["wrong number of arguments"]),
    ("line:1", ["at least 2"]),
    ("torus:2x4", ["at least 3"]),
    ("cylinder:4x2", ["at least 3"]),
    ("hex:0x3", ["at least 1"]),
    ("hex:999x999", ["more than 20000"]),
    ("tree:0x3", ["start at 1"]),
    ("tree:10x60", ["more than 20000"]),
    ("hypercube:0", ["between 1 and 14"]),
    ("hypercube:15", ["between 1 and 14"]),
    ("circulant:12:7", ["between 1 and 6"]),
    ("circulant:12:1,", ["''"]),
    ("circulant:12:2,4", ["not connected", "2 components"]),
    ("mobius:7", ["even"]),
    ("complete:3000", ["more than 2000"]),
    ("regular:5:3:0", ["regular:5:3:0", "even"]),
    ("regular:16:16:0", ["regular:NODES:DEGREE:SEED"]),
    ("regular:16:2.5:0", ["'2.5'"]),
    ("gnp:16:1.5:0", ["'1.5'", "between 0 and 1"]),
    ("gnp:16:nan:0", ["between 0 and 1"]),
    ("gnp:16:0.25", ["gnp:NODES:P:SEED"]),
    ("gnp:16:0:3", ["16 components", "raise the probabilities"]),
    ("sbm:8,0:0.5:0.1:0", ["every block"]),
    ("sbm:8,8:0.9:0:0", ["2 components"]),
  ],
)
def test_bad_specs(spec, fragments):
  with pytest.raises(errors.InputError) as caught:
    graphs.parse(spec)
  for fragment in fragments:
    assert fragment in str(caught.value)


def test_disconnected_random_graph_offers_a_seed_that_works():
  with pytest.raises(errors.InputError, match="components") as caught:
    graphs.parse("gnp:16:0.15:0")
  offered = str(caught.value).rpartition(" ")[2]
  assert offered.startswith("gnp:16:0.15:")
  assert graphs.parse(offered).n == 16


@pytest.mark.parametrize(
  "edges, message",
  [
    ([(0, 0), (0, 1)], "self loop at node 0"),
    ([(0, 1, {"weight": -1.0})], "weight -1.0"),
    ([(0, 1, {"weight": float("inf")})], "weight inf"),
    ([(0, 1, {"weight": "heavy"})], "weight 'heavy'"),
    ([(0, 1), (2, 3), (3, 4)], "2 components, the largest with 3 of 5"),
    ([], "no nodes|0 node"),
  ],
)
def test_bad_networkx_graphs(edges, message):
  with pytest.raises(errors.InputError, match=message):
    graphs.from_networkx(networkx.Graph(edges), spec="mine")


def test_adjacency_matrices():
  weights = np.array([[0, 2.0, 1], [2, 0, 0], [1, 0, 0]])
  graph = graphs.from_adjacency(weights)
  assert not graph.directed and graph.edge_count == 2
  np.testing.assert_array_equal(graph.adjacency, weights)
  cycle = np.roll(np.eye(3), 1, axis=1)
  graph = graphs.from_adjacency(cycle)
  assert graph.directed and graph.edge_count == 3
  np.testing.assert_array_equal(graph.adjacency, cycle)
  with pytest.raises(errors.InputError, match="not strongly connected"):
    graphs.from_adjacency(np.triu(np.ones((3, 3)), 1))
  with pytest.raises(errors.InputError, match="square"):
    graphs.from_adjacency(np.ones((2, 3)))
  with pytest.raises(errors.InputError, match="self loop"):
    graphs.from_adjacency(np.ones((2, 2)))
