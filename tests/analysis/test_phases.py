"""Phases on a planted ring, without structure, and by their last flips."""

import itertools

import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.analysis import phases


def gram(points):
  centred = points - points.mean(axis=-2, keepdims=True)
  return centred @ np.swapaxes(centred, -1, -2)


@pytest.mark.parametrize("number", [5, 8])
def test_a_planted_ring_is_found(number):
  points = phases.layout(number)
  found = phases.measure(
    gram(points), np.array(1.0), [0, 1] * (number // 2) + [1] * (number % 2)
  )
  # Neighbours are 2 sin(pi / P) apart, and all the variance is one wave.
  wanted = (number - 1) / (2 * number) * 4 * np.sin(np.pi / number) ** 2
  assert found["energy_relative"] == pytest.approx(wanted)
  assert found["principal_cosine_2"] == pytest.approx(1)
  assert found["fiedler_power"] == pytest.approx(1)
  power = phases.ring_power(gram(points))
  assert power[0] == pytest.approx(1) and power.sum() == pytest.approx(1)


def test_phases_that_are_equally_far_apart_are_no_ring():
  simplex = gram(np.eye(6))
  found = phases.measure(simplex[None], np.ones(1), [0, 0, 1, 0, 1, 1])
  assert found["energy_beyond"] == pytest.approx(1)
  assert found["energy_relative"] == pytest.approx(1)
  np.testing.assert_allclose(phases.ring_power(simplex), phases.flat_power(6))


def test_what_coincides_has_no_geometry():
  found = phases.measure(
    np.zeros((2, 5, 5)), np.array([1.0, 0.0]), [0, 0, 1, 0, 1]
  )
  assert all(np.isnan(values).all() for values in found.values())


WORD = [0, 1, 1, 0, 0, 1, 0]


def test_orders_that_keep_flips_have_no_structure_on_average():
  points = np.random.default_rng(0).normal(size=(2, 7, 4))
  draws = phases.reordered_energy(gram(points), WORD, 4000, 0)
  assert draws.shape == (4000, 2)
  np.testing.assert_allclose(draws.mean(axis=0), 1, atol=0.01)


def test_the_mean_over_orders_that_keep_flips_is_exact():
  points = np.random.default_rng(1).normal(size=(7, 4))
  heads, tails = np.flatnonzero(np.equal(WORD, 0)), np.flatnonzero(WORD)
  means = {0: points[heads].mean(axis=0), 1: points[tails].mean(axis=0)}
  rest = points - np.array([means[flip] for flip in WORD])
  energies = []
  for first in itertools.permutations(heads):
    for second in itertools.permutations(tails):
      order = np.empty(7, int)
      order[heads], order[tails] = first, second
      moved = rest[order]
      energies.append(((moved - np.roll(moved, -1, axis=0)) ** 2).sum())
  # The first order is the one given.
  found = phases.measure(gram(points), np.array(1.0), WORD)["energy_beyond"]
  assert found == pytest.approx(energies[0] / np.mean(energies))


def test_the_flip_just_read_makes_no_ring():
  # In a word with long runs it has a low energy all the same.
  word = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
  points = np.array(word, float)[:, None]
  found = phases.measure(gram(points), np.array(1.0), word)
  assert found["energy_relative"] < 0.4
  assert np.isnan(found["energy_beyond"])


def test_last_flips_alone_make_some_ring_of_long_runs():
  word = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
  seen = [tuple(word[(k - back) % 10] for back in range(3)) for k in range(10)]
  points = np.array([[one == other for other in seen] for one in set(seen)])
  found = phases.measure(gram(points.T.astype(float)), np.array(1.0), word)
  energy = phases.recent_flips_energy(word)
  assert energy == pytest.approx(float(found["energy_beyond"]))
  assert energy < 0.95
  # Three flips tell all eight phases apart, and no two neighbours are closer.
  assert phases.recent_flips_energy([0, 0, 0, 1, 0, 1, 1, 1]) > 0.95


def test_three_phases_are_refused():
  with pytest.raises(errors.InputError, match="at least 4"):
    phases.ring(3)
