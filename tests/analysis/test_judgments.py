"""Transitions of judged randomness, and statistics beside simulated ones."""

import numpy as np
import pytest

from icl_graphs.analysis import judgments, simulated


def test_ideal_observer():
  lengths = np.arange(1, 41)
  curve = judgments.as_probability(np.log(2) * (lengths - 10.0))[None]
  found = judgments.transitions(curve, lengths, np.array([3]))
  assert found.n50 == 10 and found.crossing == pytest.approx(10)
  assert found.slope == pytest.approx(np.log(2))
  assert found.width == pytest.approx(judgments.IDEAL_WIDTH, rel=1e-3)
  assert found.midpoint == pytest.approx(10, abs=1e-2)
  assert found.shape == ("logistic",)
  assert judgments.sharp(found, lengths[0]).all()
  # A curve that is above one half from the start has no transition.
  late = judgments.transitions(curve[:, 12:], lengths[12:], np.array([3]))
  assert not judgments.sharp(late, lengths[12]).any()


def test_slow_and_flat_curves_are_not_sharp():
  lengths = np.arange(1, 101)
  slow = judgments.as_probability(0.05 * (lengths - 50.0))
  flat = np.full(100, 0.2)
  found = judgments.transitions(
    np.stack([slow, flat]), lengths, np.array([2, 200])
  )
  assert not judgments.sharp(found, 1).any()
  assert np.isnan(found.n50[1]) and found.shape[1] == "constant"


def test_liking_for_a_word_does_not_count():
  log_mass = np.log([[[0.09, 0.01], [0.05, 0.05], [0.01, 0.09]]])
  odds = judgments.relative(log_mass)
  np.testing.assert_allclose(odds, np.log([[9.0, 81.0]]))
  liked = log_mass + np.array([3.0, -2.0])
  np.testing.assert_allclose(judgments.relative(liked), odds)


def test_pooled_difference():
  generator = np.random.default_rng(0)
  bernoulli = 10 + generator.normal(size=(4, 39))
  window = np.full((4, 39), 6.0)
  model = np.full(4, 8.0)
  replicates = model[:, None] + 0.1 * generator.normal(size=(4, 200))
  one = simulated.pooled(
    simulated.Values(model, replicates, bernoulli, window), 50
  )
  centre = bernoulli.mean(axis=1)
  assert one.value == pytest.approx((8 / centre - 1).mean())
  assert one.share == pytest.approx(
    (8 / centre - 1).sum() / (6 / centre - 1).sum()
  )
  assert one.low < one.value < one.high < one.null_low < 0 < one.null_high
  assert one.towards_window
  # Outside the limits on the other side, or by next to nothing.
  for other in (12.0, 9.9):
    values = simulated.Values(np.full(4, other), None, bernoulli, window)
    assert not simulated.pooled(values, 50).towards_window


def test_constant_flips_have_no_difference():
  nothing = simulated.Values(
    np.ones(2), None, np.zeros((2, 39)), np.ones((2, 39))
  )
  one = simulated.pooled(nothing, 9)
  assert np.isnan(one.value) and not one.towards_window
