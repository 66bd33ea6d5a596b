"""The benchmark of walks: rivals do what ours does."""

import numpy as np
import pytest
from scipy import stats

from icl_graphs.experiments.speed import walk_rivals, walks
from icl_graphs.tasks import graphs


@pytest.mark.parametrize(
  "make, walk_first",
  [
    (walk_rivals.numpy_general, False),
    (walk_rivals.numpy_unweighted, False),
    (walk_rivals.numpy_common_multiple, False),
    (walk_rivals.pure_python, True),
    (walk_rivals.networkx_walker, True),
  ],
)
def test_rivals_walk_on_the_graph(make, walk_first):
  graph = graphs.parse("grid:3x4")
  nodes = make(graph, 1)(60, 200)
  nodes = nodes if walk_first else nodes.T
  assert nodes.shape == (60, 200)
  counts = np.zeros((graph.n, graph.n))
  np.add.at(counts, (nodes[:, :-1].ravel(), nodes[:, 1:].ravel()), 1)
  assert not counts[graph.adjacency == 0].any()
  for row, weights in zip(counts, graph.adjacency, strict=True):
    assert stats.chisquare(row[weights > 0]).pvalue > 1e-4


def test_benchmark_reports_ratios_of_both_grids():
  settings = walks.Settings(walks=3, length=5, repeats=1, single_walks=1)
  result = walks.measure(settings)
  assert set(result.content["plain_walks_ratios"]) == set(walks.GRAPHS)
  assert len(result.rows) == 20 and len(result.notes) == 10
