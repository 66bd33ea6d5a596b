"""Means and ratios over walks: values by hand, intervals that cover."""

import numpy as np

from icl_graphs.analysis import walk_bootstrap


def test_walks_that_say_nothing_are_left_out():
  values = np.array([[1.0, np.nan], [2.0, 4.0], [6.0, 8.0]])
  found = walk_bootstrap.mean(values)
  np.testing.assert_allclose(found.value, [3, 6])
  assert (found.low <= found.value).all() and (found.high >= found.value).all()


def test_one_walk_has_no_interval():
  found = walk_bootstrap.mean(np.array([[1.0, 1.0], [np.nan, 3.0]]))
  np.testing.assert_array_equal(np.isnan(found.low), [True, False])
  assert walk_bootstrap.mean(np.full((4, 1), np.nan)).value != 0


def test_ratio_is_of_means_of_the_same_walks():
  top = np.array([[1.0], [np.nan], [4.0]])
  bottom = np.array([[2.0], [5.0], [8.0]])
  np.testing.assert_allclose(walk_bootstrap.ratio(top, bottom).value, [0.5])


def test_intervals_cover():
  """Nominally 95%: of 200 samples of known mean and ratio."""
  rng = np.random.default_rng(0)
  top = rng.gamma(2.0, size=(60, 200))
  bottom = 1 + rng.gamma(2.0, size=(60, 200))
  for found, truth in (
    (walk_bootstrap.mean(top), 2.0),
    (walk_bootstrap.ratio(top, bottom), 2 / 3),
  ):
    covered = (found.low <= truth) & (truth <= found.high)
    assert covered.mean() > 0.9


def test_bounds_cut():
  values = (np.arange(20) == 0).astype(float)
  assert walk_bootstrap.mean(values, bounds=(0.0, 1.0)).low == 0
