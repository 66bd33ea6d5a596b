"""The fading reader is recovered from what it expects itself."""

import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.tasks import graph_edits, graphs, mixed_walks
from icl_graphs.theory import predictors, two_graph_bayes

GROUPS, LENGTH = 4, 80


@pytest.fixture(scope="module")
def walks():
  grid = graphs.parse("grid:3x3")
  rng = np.random.default_rng(0)
  adjacency, nodes = [], np.zeros((16, LENGTH), int)
  for g in range(GROUPS):
    first = graph_edits.relabelled(grid, rng.permutation(9))
    places = graph_edits.rival(first, seed=g)
    second = graph_edits.relabelled(first, places)
    adjacency.append([first.adjacency, second.adjacency])
    nodes[g::GROUPS] = mixed_walks.sample(
      mixed_walks.pair_of_tables(first, second),
      g,
      np.arange(4),
      mixed_walks.switch(40, LENGTH),
      length=LENGTH,
    )
  return nodes, np.array(adjacency)


def reader(nodes, adjacency, alpha, decay):
  mass = np.zeros((len(nodes), 2, LENGTH))
  for g in range(GROUPS):
    for e in range(2):
      counts = predictors.count(nodes[g::GROUPS], adjacency[g, e], decay)
      mass[g::GROUPS, e] = predictors.bayes(counts, 9, alpha)
  return mass


@pytest.mark.parametrize("place", [9, -1])
def test_recovers_a_planted_reader(walks, place):
  decay = two_graph_bayes.DECAYS[place]
  alpha = two_graph_bayes.ALPHAS[9]
  mass = reader(*walks, alpha, decay)
  noisy = mass + 0.01 * np.random.default_rng(1).normal(size=mass.shape)
  found = two_graph_bayes.fit(noisy, *walks, resamples=50)
  assert found.decay == decay and found.alpha == alpha
  assert found.decay_low <= decay <= found.decay_high
  assert found.r2 > 0.97
  np.testing.assert_allclose(found.curves, mass)
  if decay < 1:
    assert found.gain[1] > 0.05
  else:
    assert abs(found.gain[0]) < 1e-9


def test_refusals(walks):
  nodes, adjacency = walks
  mass = np.zeros((16, 2, LENGTH))
  with pytest.raises(errors.InputError, match="cross-validated"):
    two_graph_bayes.fit(mass, nodes, adjacency[:2])
  with pytest.raises(errors.InputError, match="shape"):
    two_graph_bayes.fit(mass[..., 1:], nodes, adjacency)
