"""Detection of transitions in walks; kinks against smooth bends."""

import numpy as np
import planted
import pytest
from scipy import special

from icl_graphs import errors
from icl_graphs.analysis import detection, kinks, transitions

T = np.arange(1, 601)


def walks(mean, count=32, seed=0):
  values = planted.noisy_walks(np.random.default_rng(seed), mean, count)
  return values, np.ones_like(values)


def test_finds_both_ends_of_a_fast_phase():
  mean = planted.segmented(T, (40, 200), (0.05, 0.7, 0.02), 0.2)
  found = detection.detect(*walks(mean), 300, 0)
  assert found.determined and found.found > 0.99
  assert found.bend.low < 40 < found.bend.high
  assert 120 < found.t[-1] < 230  # the plateau is left out
  assert found.before.high < found.after.low
  for one, truth in zip(found.three, (40, 200), strict=True):
    assert one.low < truth < one.high
  assert found.residuals["two_segments"] < found.residuals["line"]
  near = np.interp(found.t, T, mean)
  np.testing.assert_allclose(found.fits["two_segments"], near, atol=0.04)
  near = np.interp(found.whole, T, mean)
  np.testing.assert_allclose(found.fits["three_segments"], near, atol=0.04)


def test_nothing_takes_off_in_a_rise_that_slows_down():
  mean = planted.segmented(T, (40,), (0.4, 0.1), 0.1)
  found = detection.detect(*walks(mean), 200, 0)
  assert not found.determined and found.curvature.high < 0


def test_belief_reads_its_midpoint_off_the_curve():
  mean = special.expit(1.2 * np.log(T / 90))
  found = detection.belief(*walks(mean), 200, 0)
  assert found.crossed and found.midpoint.low < 90 < found.midpoint.high
  assert found.exponent.low < 0 < found.exponent.high
  late = detection.belief(*walks(mean[:50]), 100, 0)
  assert not late.crossed


def test_kinks_are_told_from_smooth_bends():
  t = transitions.points(5, 600)
  kinked = planted.segmented(T, (60,), (0.02, 0.5), 0.2)
  found = kinks.compare(*walks(kinked, 256), t, 100, 0)
  assert found.share > 0.95 and found.segments < found.smooth
  smooth = special.expit(1.5 * np.log(T / 90))
  found = kinks.compare(*walks(smooth, 256), t, 100, 0)
  assert found.share < 0.05


def test_too_few_groups_are_refused():
  values, ones = walks(0.3 + 0 * T, 1)
  with pytest.raises(errors.InputError, match="at least 2"):
    detection.detect(values, ones, 10, 0)
  with pytest.raises(errors.InputError, match="at least 4"):
    kinks.compare(values, ones, T[:20], 10, 0)
