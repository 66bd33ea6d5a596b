"""Power laws with intervals; how long walks take to see a graph."""

import numpy as np
import planted
import pytest

from icl_graphs import errors
from icl_graphs.analysis import scaling


def test_exact_law_and_interval_of_known_errors():
  m = np.arange(3, 9)
  law = scaling.power_law(m, 2 * m**1.5, 1.8 * m**1.5, 2.2 * m**1.5)
  assert law.exponent == pytest.approx(1.5) and law.scatter == 0
  assert law.factor == pytest.approx(2)
  np.testing.assert_allclose(law.at(m), 2 * m**1.5)
  # Points that fit better than their errors do not narrow the interval.
  error = (np.log10(2.2) - np.log10(1.8)) / 3.92
  x = np.log10(m) - np.log10(m).mean()
  reach = 2.776 * error / np.sqrt((x**2).sum())
  assert law.high - law.exponent == pytest.approx(reach, rel=1e-3)


@pytest.mark.parametrize("scatter", [0.0, 0.08])
def test_interval_covers_the_exponent(scatter):
  """Points of unequal errors, with and without scatter beyond them."""
  rng = np.random.default_rng(0)
  m = np.arange(3, 9)
  hits = 0
  for _ in range(1000):
    error = rng.uniform(0.01, 0.06, len(m))
    y = 0.2 + 2.1 * np.log10(m) + rng.normal(size=6) * np.hypot(error, scatter)
    limits = 10 ** (y - 1.96 * error), 10 ** (y + 1.96 * error)
    law = scaling.power_law(m, 10**y, *limits)
    hits += law.low <= 2.1 <= law.high
  assert hits >= 930, hits


def test_few_or_impossible_points_are_refused():
  with pytest.raises(errors.InputError, match="at least 3"):
    scaling.power_law([3, 4], [5, 6], [4, 5], [6, 7])
  with pytest.raises(errors.InputError, match="positive"):
    scaling.power_law([3, 4, 5], [5, 6, np.nan], [4, 5, 6], [6, 7, 8])


def test_first_times_on_a_walk_that_can_be_counted():
  walk = np.array([[0, 1, 0, 1, 2, 1, 2, 3]])
  # Edges 01, 12, 23 with words 2, 5, 8.
  for share, expected in ((1 / 3, 2), (0.5, 5), (1.0, 8)):
    found = scaling.edge_coverage_time(walk, 3, share)
    assert found.tolist() == [expected]
  assert scaling.cover_time(walk, 4).tolist() == [8]
  assert np.isnan(scaling.cover_time(walk, 5)).all()
  assert np.isnan(scaling.edge_coverage_time(walk[:, :4], 3)).all()


def test_half_the_edges_of_square_grids():
  """The specification's percolation null (2.10), in steps, from simulation.

  11, 26, 47, 72, 108, 150 for m = 3..8, slope 2.6 against m and 1.3 against n.
  """
  published = np.array([11, 26, 47, 72, 108, 150])
  sides = np.arange(3, 9)
  found = []
  for m in sides:
    walks = planted.walks(planted.grid(m), 2000, 60 * m, seed=int(m))
    words = scaling.edge_coverage_time(walks, 2 * m * (m - 1))
    found.append(scaling.mean_with_interval(words - 1))
  found = np.transpose(found)
  # One simulation against another, of unknown size.
  np.testing.assert_allclose(found[0], published, rtol=0.06)
  assert (found[2] - found[1] < 0.04 * found[0]).all()
  law = scaling.power_law(sides, *found)
  assert law.exponent == pytest.approx(2.6, abs=0.06)
  area = scaling.power_law(sides**2, *found)
  assert area.exponent == pytest.approx(law.exponent / 2)


def test_cover_time_of_a_ring():
  """n (n - 1) / 2 steps: a classical result."""
  walks = planted.walks(planted.ring(10), 3000, 400, seed=0)
  mean, low, high = scaling.mean_with_interval(scaling.cover_time(walks, 10))
  assert low - 0.5 < 1 + 10 * 9 / 2 < high + 0.5 and high - low < 2
  # Every edge but one is crossed by then.
  edges = scaling.edge_coverage_time(walks, 10, 0.9)
  np.testing.assert_array_equal(edges, scaling.cover_time(walks, 10))
