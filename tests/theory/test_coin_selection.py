"""Selection between a coin and a concept: the document's tables."""

import numpy as np
import pytest
from scipy import stats

from icl_graphs import errors
from icl_graphs.theory import coin_selection

# Of the published x-axis, which is m + 1: section 6.
AXIS = np.array([2, 20, 40, 48, 50, 51, 52, 54, 56, 60, 80, 100])
COIN = (
  *(0.3750, 0.1321, 0.0940, 0.0859, 0.0842, 0.0842, 0.0826),
  *(0.0811, 0.0796, 0.0769, 0.0667, 0.0597),
)
POSTERIOR = (
  *(0.1818, 0.3867, 0.4699, 0.4923, 0.4974, 0.4974, 0.5022),
  *(0.5069, 0.5114, 0.5200, 0.5554, 0.5826),
)
AVERAGING = (
  *(0.591, 0.693, 0.735, 0.746, 0.749, 0.749, 0.751),
  *(0.753, 0.756, 0.760, 0.778, 0.791),
)
SOFT_50 = (
  *(0.500, 0.500, 0.501, 0.589, 0.686, 0.686, 0.805),
  *(0.900, 0.954, 0.991, 1.000, 1.000),
)
SOFT_10 = (0.712, 0.737, 0.737, 0.761, 0.784, 0.806, 0.845, 0.951, 0.983)


def test_published_weights_are_those_of_the_table():
  found = coin_selection.published(AXIS - 1)
  np.testing.assert_allclose(np.exp(found.coin), COIN, atol=5e-4)
  np.testing.assert_allclose(np.exp(found.concept), 0.25 / 3, atol=1e-12)
  np.testing.assert_allclose(found.posterior, POSTERIOR, atol=5e-4)
  np.testing.assert_allclose(
    coin_selection.averaging(found), AVERAGING, atol=6e-4
  )
  np.testing.assert_allclose(coin_selection.soft(found, 50), SOFT_50, atol=6e-4)
  np.testing.assert_allclose(
    coin_selection.soft(found, 10)[3:], SOFT_10, atol=6e-4
  )


def test_published_selection_jumps_between_51_and_52():
  axis = np.arange(2, 101)
  found = coin_selection.published(axis - 1)
  chosen = coin_selection.selection(found)
  assert axis[chosen == 1].min() == 52
  assert set(chosen) == {0.5, 1.0}
  for tau in coin_selection.TAUS:
    at_51 = coin_selection.soft(found, tau)[axis == 51]
    assert 0.68 < at_51 <= 0.75


def test_posterior_is_bayes_rule():
  flips = np.arange(1, 100)
  weights = 0.75 * stats.binom.pmf(flips // 2, flips, 0.5), 0.25 / 3
  wanted = weights[1] / (weights[0] + weights[1])
  np.testing.assert_allclose(
    coin_selection.published(flips).posterior, wanted, rtol=1e-9
  )
  coin, concept = 0.75 * 0.5**flips, 0.25 * 0.5
  np.testing.assert_allclose(
    coin_selection.corrected(flips).posterior, concept / (coin + concept)
  )


def test_corrected_weights_are_those_of_the_table():
  found = coin_selection.corrected(np.array([1, 2, 3, 4, 6, 8, 10]))
  posterior = (0.250, 0.400, 0.571, 0.727, 0.914, 0.977, 0.994)
  average = (0.625, 0.700, 0.786, 0.864, 0.957, 0.989, 0.997)
  np.testing.assert_allclose(found.posterior, posterior, atol=5e-4)
  np.testing.assert_allclose(
    coin_selection.averaging(found), average, atol=5e-4
  )


@pytest.mark.parametrize(("phase", "first"), [(1 / 2, 3), (1 / 3, 4), (1, 2)])
def test_corrected_odds_cross_early(phase, first):
  flips = np.arange(1, 20)
  posterior = coin_selection.corrected(flips, phase=phase).posterior
  assert flips[posterior > 0.5].min() == first
  odds = np.diff(np.log(posterior / (1 - posterior)))
  np.testing.assert_allclose(odds, np.log(2))


def test_bad_input_is_named():
  with pytest.raises(errors.InputError, match="none below 0"):
    coin_selection.published(np.array([-1]))
