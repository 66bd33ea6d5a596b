"""Transitions of probabilities: by hand, against scipy, and exact curves."""

import numpy as np
import pytest
from scipy import optimize, special

from icl_graphs import errors
from icl_graphs.analysis import curve_shapes, thresholds

LENGTHS = np.arange(1.0, 9.0)
CURVES = np.array(
  [
    [0.1, 0.6, 0.2, 0.3, 0.5, 0.7, 0.95, 0.995],
    [0.9] * 8,
    [0.1, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.4],
    [0.0, 0.1, 0.2, 0.3, 0.4, np.nan, 0.6, 0.8],
  ]
)


def test_thresholds_hold_to_the_end():
  def found(level):
    return thresholds.settled(CURVES, LENGTHS, level).tolist()

  assert found(0.5) == pytest.approx([5, 1, np.nan, 7], nan_ok=True)
  assert found(0.9) == pytest.approx([7, 1, np.nan, np.nan], nan_ok=True)
  assert found(0.99) == pytest.approx([8] + [np.nan] * 3, nan_ok=True)


def test_crossings_are_interpolated():
  found = thresholds.crossing(CURVES, LENGTHS, 0.6)
  assert found[:3] == pytest.approx([5.5, 1, np.nan], nan_ok=True)
  found = thresholds.crossing(CURVES[:, ::2], LENGTHS[::2], 0.35)
  assert found[0] == pytest.approx(3 + 2 * 0.15 / 0.3)


def test_averages_over_a_period_remove_its_ripple():
  lengths = np.arange(1.0, 31.0)
  ripple = np.sin(2 * np.pi * lengths / 3)
  curves, middle = thresholds.window_average(
    (0.02 * lengths + ripple)[None], lengths, 3
  )
  np.testing.assert_allclose(curves[0], 0.02 * middle, atol=1e-12)
  assert middle[0] == 2


def test_largest_rises_and_false_peaks():
  rise = thresholds.largest_rise(CURVES, LENGTHS)
  assert rise.height.tolist() == pytest.approx([0.5, 0, 0.8, 0.2])
  assert rise.at.tolist()[0] == 2 and rise.at.tolist()[3] == 8
  peak = thresholds.false_peak(CURVES, LENGTHS)
  nan = [np.nan]
  assert peak.height.tolist() == pytest.approx(
    [0.6, np.nan, 0.9, np.nan], nan_ok=True
  )
  assert peak.at.tolist() == pytest.approx([2, *nan, 7, *nan], nan_ok=True)
  assert peak.then.tolist() == pytest.approx(
    [0.2, *nan, 0.4, *nan], nan_ok=True
  )


def _word(concept, length):
  return (concept * length)[:length]


def _evidence(x):
  """R(x) of the document's section 11: what repeated words say of x."""
  n = len(x)
  return sum(
    2 ** (n - min(n, period))
    / period
    / 3.59774
    * all(x[i] == x[i - period] for i in range(period, n))
    for period in range(1, 21)
  )


def _posterior(concept, lengths):
  """p(non-random) of the exact observer."""
  evidence = np.array([_evidence(_word(concept, int(n))) for n in lengths])
  return 0.25 * evidence / (0.75 + 0.25 * evidence)


@pytest.mark.parametrize(
  ("concept", "n50", "n90", "n99"),
  [
    ("0", 4, 8, 11),
    ("01", 7, 10, 13),
    ("011", 8, 12, 15),
    ("0110", 10, 13, 17),
    ("00101", 11, 14, 18),
    ("111000", 12, 16, 19),
    ("1010110", 14, 17, 20),
    ("11000110", 15, 18, 22),
    ("111000010", 16, 19, 23),
    ("0010011011", 17, 20, 24),
    ("111000010100001", 23, 26, 29),
    ("11100001010000101110", 28, 31, 35),
  ],
)
def test_exact_observer_has_the_document_s_transitions(concept, n50, n90, n99):
  lengths = np.arange(1, 101)
  curve = _posterior(concept, lengths)[None]
  found = [
    float(thresholds.settled(curve, lengths, level)[0])
    for level in thresholds.LEVELS
  ]
  assert found == [n50, n90, n99]
  # All periods of a constant sequence go on together for longer.
  if concept != "0":
    slope = thresholds.evidence_slope(curve, lengths, clip=9.0)[0]
    assert 0.68 <= slope <= 0.6935
    clipped = thresholds.evidence_slope(curve, lengths)[0]
    assert clipped == pytest.approx(slope, abs=0.01)
  rise = thresholds.largest_rise(curve, lengths)
  assert 0.145 <= rise.height[0] <= 0.175
  assert abs(rise.at[0] - n50) <= 2


@pytest.mark.parametrize(
  ("concept", "height", "at", "then"),
  [("0000011111", 0.684, 5, 0.109), ("00001", 0.535, 4, 0.123)],
)
def test_exact_observer_has_the_document_s_false_peaks(
  concept, height, at, then
):
  lengths = np.arange(1, 101)
  peak = thresholds.false_peak(_posterior(concept, lengths)[None], lengths)
  assert peak.height[0] == pytest.approx(height, abs=5e-4)
  assert peak.at[0] == at
  assert peak.then[0] == pytest.approx(then, abs=5e-4)


def test_evidence_slope_is_that_of_the_log_odds():
  lengths = np.arange(40.0)
  curve = special.expit(0.4 * (lengths - 12.3))[None]
  assert thresholds.evidence_slope(curve, lengths)[0] == pytest.approx(0.4)


def test_rises_too_steep_to_fit_have_at_least_their_slope():
  lengths = np.arange(40.0)
  step = (lengths > 12).astype(float)
  # One point between, and settled from the start, never, or at the very end.
  between = special.expit(np.select([lengths < 12, lengths < 13], [-1, 2], 6))
  always, never, late = (lengths >= start for start in (0, 99, 39))
  slow = 0.2 + 0.4 * late
  # Up at once, but for a dip: when it rose is not where it settles.
  dip = step * (lengths != 30)
  found = thresholds.evidence_slope(
    np.stack([step, between, always, never, late, slow, dip]).astype(float),
    lengths,
  )
  np.testing.assert_allclose(found, [8, 2.5, np.nan, np.nan, 8] + [np.nan] * 2)


def test_logistic_fits_recover_what_was_planted():
  rng = np.random.default_rng(1)
  lengths = np.arange(1.0, 101.0)
  planted = [(0.1, 0.9, 20.0, 1.5), (0.8, 0.2, 60.0, 8.0), (0, 1, 30.3, 0.4)]
  curves = np.array(
    [
      low + (high - low) * special.expit((lengths - middle) / scale)
      for low, high, middle, scale in planted
    ]
  )
  exact = curve_shapes.logistic(curves, lengths)
  np.testing.assert_allclose(np.stack(exact[:4], axis=1), planted, rtol=1e-3)
  np.testing.assert_allclose(exact.curve(lengths), curves, atol=1e-5)
  assert exact.width[0] == pytest.approx(4.394 * 1.5, rel=1e-3)
  noisy = curves + rng.normal(0, 0.03, curves.shape)
  found = curve_shapes.logistic(noisy, lengths)
  for row, start, residual in zip(noisy, planted, found.residual, strict=True):

    def left(parts, row=row):
      low, high, middle, scale = parts
      return (
        low
        + (high - low) * special.expit((lengths - middle) / abs(scale))
        - row
      )

    wanted = optimize.least_squares(left, start)
    assert residual <= 2 * wanted.cost * (1 + 1e-4)


def test_the_shape_that_was_drawn_has_the_lowest_bic():
  rng = np.random.default_rng(2)
  lengths = np.arange(1.0, 61.0)
  shapes = {
    "constant": np.full(60, 0.4),
    "line": 0.2 + 0.01 * lengths,
    "step": 0.2 + 0.6 * (lengths > 25),
    "logistic": 0.1 + 0.8 * special.expit((lengths - 30) / 5),
  }
  for name, curve in shapes.items():
    noisy = curve + rng.normal(0, 0.05, (20, 60))
    found = curve_shapes.information(noisy, lengths)
    best = np.argmin(np.stack([found[key] for key in shapes]), axis=0)
    assert (best == list(shapes).index(name)).mean() >= 0.8
  line = np.polyfit(lengths, noisy[0], 1)
  rest = ((noisy[0] - np.polyval(line, lengths)) ** 2).sum()
  assert found["line"][0] == pytest.approx(
    60 * np.log(rest / 60) + 3 * np.log(60)
  )
  places = range(1, 60)
  rest = min(
    np.var(noisy[0][:k]) * k + np.var(noisy[0][k:]) * (60 - k) for k in places
  )
  assert found["step"][0] == pytest.approx(
    60 * np.log(rest / 60) + 4 * np.log(60)
  )


@pytest.mark.parametrize(
  ("act", "words"),
  [
    (lambda: thresholds.settled(np.ones(3), np.ones(3)), "expected"),
    (lambda: thresholds.settled(np.ones((1, 2)), [2, 1]), "ascend"),
    (lambda: thresholds.window_average(CURVES, LENGTHS, 8), "give 1 to 7"),
    (lambda: curve_shapes.logistic(CURVES, LENGTHS), "not finite"),
    (lambda: curve_shapes.logistic(np.ones((1, 3)), [1, 2, 3]), "at least 6"),
    (lambda: curve_shapes.logistic(np.ones(3), [1, 2, 3]), "expected"),
  ],
)
def test_bad_input_is_named(act, words):
  with pytest.raises(errors.InputError, match=words):
    act()
