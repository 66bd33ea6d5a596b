import numpy as np
import pytest

from icl_graphs.analysis import accuracy


def test_restricted_is_full_over_mass():
  full, mass = np.array([0.2, 0.0, np.nan]), np.array([0.4, 0.0, np.nan])
  found = accuracy.restricted(full, mass)
  assert found[0] == pytest.approx(0.5)
  assert np.isnan(found[1:]).all()


@pytest.mark.parametrize(
  ("length", "start"), [(100, 80), (101, 81), (3, 2), (1, 0)]
)
def test_last_fifth(length, start):
  assert accuracy.last_fifth(length) == slice(start, length)


def test_means_leave_unscored_positions_out():
  values = np.array([[0.1, np.nan], [0.3, np.nan], [0.8, 0.5]])
  sums, count = accuracy.group_totals(values, np.array([0, 0, 3]))
  np.testing.assert_allclose(sums, [[0.4, 0], [0.8, 0.5]])
  np.testing.assert_array_equal(count, [[2, 0], [1, 1]])
  value, low, high = accuracy.mean_with_interval(sums, count, 100, 0)
  np.testing.assert_allclose(value, [0.4, 0.5])
  assert low[0] <= 0.4 <= high[0]


def test_one_group_has_no_interval():
  sums, count = accuracy.group_totals(np.full((4, 3), 0.2), np.zeros(4, int))
  value, low, high = accuracy.mean_with_interval(sums, count, 100, 0)
  np.testing.assert_allclose(value, 0.2)
  assert np.isnan(low).all() and np.isnan(high).all()
  assert np.isnan(accuracy.standard_error(sums, count)).all()


def test_standard_error_of_a_mean():
  rng = np.random.default_rng(0)
  values = rng.normal(size=(4000, 8, 5))
  errors = [
    accuracy.standard_error(*accuracy.group_totals(v, np.arange(8) % 4))
    for v in values[:400]
  ]
  spread = values.mean(axis=1).std(axis=0)
  np.testing.assert_allclose(
    np.sqrt(np.mean(np.square(errors), axis=0)), spread, rtol=0.1
  )
