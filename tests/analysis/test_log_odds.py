"""Belief dynamics: against scipy, at the limit of counting, planted truths."""

import numpy as np
import planted
import pytest
from scipy import optimize, special

from icl_graphs import errors
from icl_graphs.analysis import log_odds, transitions


def belief(b, g, alpha):
  return lambda t: special.expit(b + g * t ** (1 - alpha))


def test_equals_scipy_on_published_accuracies(shared):
  path = shared / "data" / "llama31-8b-grid" / "accuracies.npz"
  t = transitions.points(5, 1400)
  curve = np.load(path)["all_accs"].mean(axis=0)[t - 1]
  found = log_odds.fit(curve[None], t)

  def residual(parts):
    b, g, k = parts
    return special.expit(b + g * t**k) - curve

  # From the solution, the original coordinates stay there.
  start = found.prior[0], found.growth[0], found.exponent[0]
  slow = optimize.least_squares(residual, start, x_scale=np.abs(start))
  assert np.sqrt((slow.fun**2).mean()) == pytest.approx(found.residual[0], 1e-4)
  midpoint = (-slow.x[0] / slow.x[1]) ** (1 / slow.x[2])
  assert midpoint == pytest.approx(found.midpoint[0], rel=2e-3)
  np.testing.assert_allclose(found.curve(t)[0] - curve, slow.fun, atol=2e-4)


def test_recovers_exact_curves_and_their_parameters():
  t = transitions.points(1, 1400)
  for b, g, alpha in ((-3, 0.35, 0.5), (-2, 0.02, 0.1), (-8, 4.0, 0.8)):
    found = log_odds.fit(belief(b, g, alpha)(t)[None], t)
    assert found.residual[0] < 1e-5
    np.testing.assert_allclose(
      [found.prior[0], found.growth[0], found.alpha[0]],
      [b, g, alpha],
      rtol=0.01,
    )
    expected = (-b / g) ** (1 / (1 - alpha))
    assert found.midpoint[0] == pytest.approx(expected, rel=1e-3)


def test_counting_is_the_limit_of_no_exponent():
  """A Bayes reader's odds (v + a k) / (a (n - k)), with v ~ t / n."""
  t = transitions.points(1, 1400)
  counted = special.expit(np.log(t / 60))
  found = log_odds.fit(counted[None], t)
  assert found.exponent[0] == pytest.approx(0, abs=1e-3)
  assert found.rate[0] == pytest.approx(1, abs=1e-3)
  fixed = log_odds.fit(counted[None], t, exponent=0.0)
  assert fixed.midpoint[0] == pytest.approx(60, rel=1e-4)
  falling = log_odds.fit(1 - counted[None], t)
  assert falling.rate[0] == pytest.approx(-1, abs=1e-3)


@pytest.mark.parametrize(
  "walks, length, b, g, alpha",
  [(16, 1400, -3.0, 0.35, 0.5), (256, 256, -2.0, 0.5, 0.6)],
)
def test_planted_midpoints_and_exponents_are_covered(
  walks, length, b, g, alpha
):
  t = transitions.points(1, length, 40)
  rng = np.random.default_rng(3)
  truths = (-b / g) ** (1 / (1 - alpha)), 10 ** (1 - alpha)
  hits = np.zeros(2)
  for trial in range(100):
    accuracies = planted.noisy_walks(rng, belief(b, g, alpha)(t), walks)
    curves = transitions.resampled(
      accuracies, np.ones_like(accuracies), 300, trial
    )
    found = log_odds.fit(curves, t)
    for k, values in enumerate((found.midpoint, 10**found.exponent)):
      one = transitions.estimate(values, walks)
      hits[k] += one.low <= truths[k] <= one.high
  assert hits.min() >= 90, hits


def test_gaps_and_bad_values():
  t = transitions.points(1, 100)
  curves = np.tile(belief(-2, 0.5, 0.5)(t), (2, 1))
  curves[1, 3] = np.nan
  found = log_odds.fit(curves, t)
  assert np.isfinite(found.midpoint[0]) and np.isnan(found.midpoint[1])
  with pytest.raises(errors.InputError, match="0 to 1"):
    log_odds.fit(curves + 1, t)
  with pytest.raises(errors.InputError, match="expected"):
    log_odds.fit(curves[:, :3], t)
