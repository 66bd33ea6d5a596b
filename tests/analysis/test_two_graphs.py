"""Measures of two graphs at once, and times found on curves."""

import networkx as nx
import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.analysis import geometry, spectrum, two_graphs
from icl_graphs.analysis import gram as gram_lib

GRID = nx.to_numpy_array(nx.grid_2d_graph(3, 4))


def moved(seed):
  places = np.random.default_rng(seed).permutation(len(GRID))
  return GRID[np.ix_(places, places)]


PAIRS = np.stack([[moved(2 * g), moved(2 * g + 1)] for g in range(4)])


def grams(strength, seed=0):
  """One condition, layer and context: rows smooth on the first graph."""
  rng = np.random.default_rng(seed)
  result = []
  for first, _ in PAIRS:
    values, vectors = np.linalg.eigh(np.diag(first.sum(1)) - first)
    rows = rng.normal(size=(len(GRID), 30))
    rows[:, :2] += strength * vectors[:, 1:3]
    result.append(gram_lib.from_rows(rows))
  return np.stack(result)[None, None, None]


def test_measures_of_each_graph_are_those_of_the_graph_alone():
  found = two_graphs.measure(grams(9.0), PAIRS, 30, 0, 40, 0)
  for g in range(4):
    for e in range(2):
      alone = geometry.measure(
        grams(9.0)[0, 0, 0, g], geometry.frame(PAIRS[g, e]), 30
      )
      for name in two_graphs.NAMES:
        np.testing.assert_allclose(
          found.values[name][e, 0, 0, 0, g], alone[name]
        )
  first, second = found.values["energy_relative"].mean(axis=-1)[:, 0, 0, 0]
  assert first < 0.8 < second
  assert found.chance["energy_relative"].shape == (40, 2, 1, 1)
  chance = found.chance["energy_relative"].mean(axis=0).ravel()
  np.testing.assert_allclose(chance, 1, atol=0.06)
  assert found.between.shape == (1, 1, 1, 4, 2)
  assert found.between_chance.shape == (40, 1, 1, 2)


def test_directions_of_two_graphs():
  rng = np.random.default_rng(0)
  modes = spectrum.laplacian_modes(GRID)
  slow, fast = modes.vectors[:, 1:3], modes.vectors[:, 5:7]
  apart = np.hstack([slow, fast])
  # The same two directions, turned, for both.
  turn = np.linalg.qr(rng.normal(size=(2, 2)))[0]
  shared = slow + 2 * fast @ turn
  for rows, expected in ((apart, 0.0), (shared, 1.0)):
    cosines = two_graphs.directions_cosines(
      gram_lib.from_rows(rows + 5.0), slow, fast
    )
    np.testing.assert_allclose(cosines, expected, atol=1e-6)
  rows = rng.normal(size=(12, 30))
  centred = rows - rows.mean(axis=0)
  first, second = (np.linalg.qr(centred.T @ z)[0] for z in (slow, fast))
  expected = np.linalg.svd(first.T @ second, compute_uv=False)
  found = two_graphs.directions_cosines(gram_lib.from_rows(rows), slow, fast)
  np.testing.assert_allclose(found, expected)
  missing = gram_lib.from_rows(rows)
  missing[3] = np.nan
  assert np.isnan(two_graphs.directions_cosines(missing, slow, fast)).all()


def test_times_on_curves():
  curve = np.array([0.1, 0.2, 0.6, 0.4, 0.9])
  assert two_graphs.first_reach(curve, np.array(0.5)) == 3
  assert two_graphs.first_reach(curve, np.array(0.95)) == np.inf
  np.testing.assert_allclose(
    two_graphs.smoothed(curve, 2), [0.1, 0.15, 0.4, 0.5, 0.65]
  )
  places = np.array([0.0, 10.0, 30.0])
  found = two_graphs.crossing(
    places,
    np.array([[1.0, 0.5, -0.5], [-1.0, 2.0, 3.0], [1.0, 1.0, 1.0]]),
  )
  np.testing.assert_allclose(found, [20, 0, np.inf])


def test_log_odds_and_slope():
  mass = np.array([[[0.2, 0.1], [0.4, 0.9]]])
  np.testing.assert_allclose(two_graphs.preference(mass), np.log([[2.0, 9.0]]))
  x = np.array([0.0, 1.0, 3.0])
  np.testing.assert_allclose(two_graphs.slope(x, 2 * x + 1), 2)
  with pytest.raises(errors.InputError, match="different"):
    two_graphs.slope(np.ones(3), x)


def test_intervals_over_groups():
  values = np.random.default_rng(1).normal(size=(5, 8)) + 3
  values[2, 4] = np.nan
  found = two_graphs.over_groups(values, 400, 0)
  np.testing.assert_allclose(found[:, 0], np.nanmean(values, axis=1))
  assert (found[:, 1] < found[:, 0]).all() and (found[:, 0] < found[:, 2]).all()
  same = two_graphs.statistic_over_groups(lambda w: values[0] @ w, 8, 400, 0)
  np.testing.assert_allclose(same, found[0])
  never = two_graphs.statistic_over_groups(
    lambda w: np.inf if w[0] > 0 else 1.0, 8, 400, 0
  )
  assert np.isinf(never[[0, 2]]).all() and never[1] == 1


def test_rows_belong_to_groups_in_turn():
  rows = np.arange(6.0)
  np.testing.assert_allclose(two_graphs.by_group(rows, 3), [1.5, 2.5, 3.5])
