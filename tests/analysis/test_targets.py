"""Hits, masses and preferences against hand-made distributions."""

import numpy as np

from icl_graphs.analysis import targets

PROBABILITY = np.array([[0.4, 0.3, 0.2, 0.05], [0.1, 0.1, 0.5, 0.2]])
WANTED = np.array([[False, True, False, True], [True, False, False, False]])


def test_hits():
  log_probs = np.log(PROBABILITY)
  for k, wanted in ((1, [0, 0]), (2, [1, 0]), (3, [1, 1])):
    np.testing.assert_array_equal(
      targets.hit(log_probs, WANTED, k), np.array(wanted, float)
    )


def test_mass_is_a_sum():
  found = targets.mass(np.log(PROBABILITY), WANTED)
  np.testing.assert_allclose(found, [0.35, 0.1])


def test_preference_is_a_log_ratio():
  found = targets.preference(np.log(PROBABILITY), WANTED, ~WANTED)
  np.testing.assert_allclose(found, np.log([0.35 / 0.6, 0.1 / 0.8]))


def test_nothing_wanted_is_not_a_miss():
  nothing = np.zeros((2, 4), bool)
  log_probs = np.log(PROBABILITY)
  assert np.isnan(targets.hit(log_probs, nothing, 1)).all()
  assert np.isnan(targets.mass(log_probs, nothing)).all()
  assert np.isnan(targets.preference(log_probs, WANTED, nothing)).all()
  assert np.isnan(targets.preference(log_probs, nothing, WANTED)).all()


def test_conditions_share_what_is_wanted():
  log_probs = np.log(np.stack([PROBABILITY, PROBABILITY[::-1]], axis=1))
  np.testing.assert_allclose(
    targets.mass(log_probs, WANTED[:, None]), [[0.35, 0.3], [0.1, 0.4]]
  )
