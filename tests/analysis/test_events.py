"""Event times and lags: exact on clean curves, covered on noisy ones."""

import numpy as np
import pytest

from icl_graphs.analysis import energy, events, nulls, transitions

CONTEXTS = np.unique(np.rint(np.geomspace(1, 256, 24)).astype(int))


def test_half_of_a_line_over_log_context():
  curve = np.log(CONTEXTS)[None]
  at = events.reached(curve, CONTEXTS, 0.5, rising=True)
  np.testing.assert_allclose(at, 16)
  at = events.reached(-curve, CONTEXTS, 0.25, rising=False)
  np.testing.assert_allclose(at, 4)


def test_change_ends_at_the_extreme_value():
  """What comes after the lowest value does not move the event."""
  fall = np.array([[1.0, 0.8, 0.6, 0.9, 0.9]])
  at = events.reached(fall, [1, 2, 4, 8, 16], 1.0, rising=False)
  np.testing.assert_allclose(at, 4)


def test_curves_without_a_change_have_no_event():
  flat = np.ones((1, 5))
  rise = np.arange(5.0)[None]
  at = np.arange(1, 6)
  assert np.isnan(events.reached(flat, at, 0.5, rising=True))
  assert np.isnan(events.reached(rise, at, 0.5, rising=False))
  assert np.isnan(events.reached(np.nan * flat, at, 0.5, rising=True))


def test_contexts_that_miss_words_are_left_out():
  curve = np.tile(np.arange(5.0), (11, 1))
  curve[1:6, 0] = np.nan
  at = events.reached(curve, [1, 2, 4, 8, 16], 0.5, rising=True)
  # From 2 to 16 where the first context is not usable.
  np.testing.assert_allclose(at, 2 * np.sqrt(8))


def test_energies_and_accuracies_of_known_groups():
  rng = np.random.default_rng(0)
  adjacency = np.eye(4, k=1) + np.eye(4, k=-1)
  sums = rng.normal(size=(1, 1, 2, 3, 4, 6))
  flat = sums.reshape(1, 1, 2, 12, 6)
  products = (flat @ np.swapaxes(flat, -1, -2)).reshape(1, 1, 2, 3, 4, 3, 4)
  count = np.full((1, 2, 3, 4), 5.0)
  found = events.energy_curves(products, count, adjacency, 6, 10, 0)
  assert set(found) == set(energy.NAMES)
  means = sums[0, 0, 1].sum(axis=0) / 15
  edges = np.diff(means, axis=0)
  np.testing.assert_allclose(
    found["energy_sum"][0, 0, 0, 1], 2 * (edges**2).sum()
  )
  values = np.arange(12.0).reshape(3, 4) / 12
  values[1, 3] = np.nan
  groups = np.arange(3)
  curve = events.accuracy_curve(values, groups, [2, 4], 2, 10, 0)
  np.testing.assert_allclose(curve[0, 0], values[:, :2].mean())
  np.testing.assert_allclose(curve[0, 1], np.nanmean(values[:, 2:]))
  # The same draws serve energies and accuracies.
  weights = nulls.bootstrap_weights(3, 10, 0)
  expected = (weights @ values[:, :2].sum(axis=1)) / weights.sum(axis=1) / 2
  np.testing.assert_allclose(curve[1:, 0], expected)
  now = events.accuracy_curve(values, groups, [1, 2], None, 10, 0)
  np.testing.assert_allclose(now[0], values[:, :2].mean(axis=0))


@pytest.mark.parametrize("later", [1.0, 2.5])
def test_lags_are_covered(later):
  """Planted falls and rises, noisy from group to group, 100 times."""
  rng = np.random.default_rng(7)
  groups, trials = 8, 100
  x = np.log(CONTEXTS)

  def curve(at, shift=0.0):
    return 1 / (1 + np.exp(-2.5 * (x - np.log(at) - shift)))

  # Groups are ahead or behind in both curves alike, as walks are; the truth is
  # the mean over very many of them.
  spread, many = 0.15, np.linspace(-4, 4, 801)[:, None]
  normal = np.exp(-(many**2) / 2) / np.exp(-(many**2) / 2).sum()
  truth = [
    events.reached(
      (normal * curve(at, spread * many)).sum(axis=0)[None],
      CONTEXTS,
      share,
      rising=True,
    )[0]
    for at, share in ((8, events.SETTLED), (8 * later, events.HALF))
  ]
  covered = np.zeros(3)
  for trial in range(trials):
    found = []
    shift = spread * rng.normal(size=(groups, 1))
    weights = np.concatenate(
      [np.ones((1, groups)), nulls.bootstrap_weights(groups, 200, trial)]
    )
    for at, share, sign in (
      (8, events.SETTLED, -1),
      (8 * later, events.HALF, 1),
    ):
      noisy = curve(at, shift)
      noisy = sign * (noisy + 0.01 * rng.normal(size=noisy.shape))
      replicates = weights @ noisy / groups
      found.append(
        events.timed(replicates, CONTEXTS, share, groups, rising=sign > 0)
      )
    lag = transitions.lag(*found, groups)
    for k, (one, true) in enumerate(
      zip((*found, lag), (*truth, truth[1] / truth[0]), strict=True)
    ):
      covered[k] += one.low <= true <= one.high
  assert (covered >= 90).all(), covered
