import networkx
import numpy as np
import planted
import pytest

from icl_graphs import errors
from icl_graphs.analysis import distances, gram


@pytest.mark.parametrize("seed", range(3))
def test_hops_equal_networkx(seed):
  adjacency = planted.random_graph(11, seed, weighted=True)
  found = networkx.from_numpy_array(adjacency)
  lengths = dict(networkx.all_pairs_shortest_path_length(found))
  expected = [[lengths[i][j] for j in range(11)] for i in range(11)]
  np.testing.assert_array_equal(distances.hops(adjacency), expected)


def test_hops_on_the_grid_are_manhattan_distances():
  place = np.array([(r, c) for r in range(4) for c in range(4)])
  expected = np.abs(place[:, None] - place).sum(-1)
  np.testing.assert_array_equal(distances.hops(planted.grid()), expected)


def test_hops_ignore_direction():
  one_way = np.roll(np.eye(6), 1, axis=1)
  np.testing.assert_array_equal(
    distances.hops(one_way), distances.hops(planted.ring(6))
  )


def test_correlation_equals_numpy():
  rows = np.random.default_rng(0).normal(size=(3, 16, 5))
  steps = distances.hops(planted.grid())
  found = distances.correlation(gram.from_rows(rows), steps)
  upper = np.triu_indices(16, 1)
  for batch in range(3):
    gaps = np.linalg.norm(rows[batch][:, None] - rows[batch], axis=-1)
    expected = np.corrcoef(gaps[upper], steps[upper])[0, 1]
    assert found[batch] == pytest.approx(expected)


def test_correlation_is_undefined_where_nothing_varies():
  complete = 1 - np.eye(5)
  rows = np.random.default_rng(1).normal(size=(5, 3))
  steps = distances.hops(complete)
  assert np.isnan(distances.correlation(gram.from_rows(rows), steps))


def test_disconnected_graph_is_refused():
  with pytest.raises(errors.InputError, match="not connected"):
    distances.hops(np.kron(np.eye(2), planted.ring(4)))
