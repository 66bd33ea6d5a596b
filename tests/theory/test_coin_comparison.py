"""Comparing models of flips: those that made the flips win."""

import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.theory import coin_comparison, coin_fits, coin_models


@pytest.fixture(scope="module")
def alike():
  """A window average of 5 flips."""
  flips = coin_models.simulate(coin_models.WindowAverage(0.3, 5, 0.05), 4, 300)
  return flips, {
    one.name: one for one in coin_comparison.compare(flips, stated=0.3)
  }


def test_the_model_that_made_the_flips_wins(alike):
  _, found = alike
  assert set(found) == {*coin_comparison.FITS, "stated"}
  window, chain = found["window average"], found["Markov chain"]
  assert min(found.values(), key=lambda one: one.nats).name in (
    "window average",
    "window average 5",
  )
  assert [parts["window"] for parts in window.parameters] == [5, 5]
  assert [parts["order"] for parts in chain.parameters] == [5, 5]
  assert window.gain[1] > 0.03
  assert found["bernoulli"].gain == (0, 0, 0)
  for one in found.values():
    assert one.low < one.nats < one.high


def test_simulations_look_like_what_was_observed(alike):
  flips, found = alike
  assert max(map(abs, found["window average"].distance)) < 4
  assert found["bernoulli"].distance.sd_of_mean > 8
  assert found["bernoulli"].distance.longest_run > 8
  shape = coin_comparison.shape(flips)
  assert shape.sd_of_mean == pytest.approx(np.std(flips.mean(1), ddof=1))


def test_scores_are_of_the_half_that_was_not_fitted(alike):
  flips, found = alike
  order = np.random.default_rng(0).permutation(len(flips))
  one, other = flips[order[:150]], flips[order[150:]]
  total = 0.0
  for train, test in ((one, other), (other, one)):
    p = coin_fits.bernoulli(train, smoothing=0.5).p
    tails = test.sum()
    total -= tails * np.log(p) + (test.size - tails) * np.log1p(-p)
  assert found["bernoulli"].nats == pytest.approx(total / flips.size, rel=1e-5)


def test_fair_flips_are_not_told_apart():
  flips = coin_models.simulate(coin_models.Bernoulli(0.5), 9, 300)
  for one in coin_comparison.compare(flips, stated=0.5):
    if one.name not in ("stated", "bernoulli"):
      assert one.gain[1] <= 1e-3


def test_constant_flips_can_be_compared():
  flips = np.zeros((300, 50), int)
  flips[0, 3] = 1
  found = coin_comparison.compare(flips, resamples=50)
  assert all(np.isfinite(one.nats) for one in found)


@pytest.mark.parametrize(
  ("flips", "stated", "words"),
  [
    (np.zeros((7, 5), int), None, "at least 8"),
    (np.zeros((9, 5), int), 1.0, "between 0 and 1"),
  ],
)
def test_bad_input_is_named(flips, stated, words):
  with pytest.raises(errors.InputError, match=words):
    coin_comparison.compare(flips, stated)
