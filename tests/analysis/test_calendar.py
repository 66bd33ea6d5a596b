"""Overlaps of rings with the calendar, and statistics that allow for them."""

from collections import Counter

import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.analysis import calendar, pca
from icl_graphs.analysis import gram as gram_lib

DAYS = "Mon Tue Wed Thu Fri Sat Sun".split()
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def order_of(text, names):
  return tuple(names.index(name) for name in text.split())


def planted(*parts, noise=0.0, n=7, seed=0):
  """Gram matrix of rows with given strengths on the harmonics of rings."""
  rng = np.random.default_rng(seed)
  rows = noise * rng.normal(size=(n, 64)) + 3.0
  for place, (strength, order, k) in enumerate(parts):
    waves = calendar.harmonic(order, k)
    rows[:, 2 * place : 2 * place + waves.shape[1]] += strength * waves
  return gram_lib.from_rows(rows)


def test_the_23_orders_of_a_week_and_how_much_of_them_is_a_harmonic():
  orders = calendar.valid_orders(7)
  worst = Counter(round(calendar.overlaps(o)[1:].max(), 3) for o in orders)
  assert len(orders) == 23
  assert worst == {0.545: 7, 0.654: 7, 0.808: 7, 1.0: 2}
  assert len(calendar.clearest(orders)) == 7
  for order in orders:
    np.testing.assert_allclose(calendar.overlaps(order).sum(), 1)


@pytest.mark.parametrize(
  "order, expected",
  [
    (order_of("Mon Thu Sun Wed Sat Tue Fri", DAYS), (0, 1, 0)),
    (order_of("Mon Wed Fri Sun Tue Thu Sat", DAYS), (0, 0, 1)),
    (order_of("Mon Wed Sat Tue Fri Sun Thu", DAYS), (0.075, 0.545, 0.379)),
    (
      order_of("Jan Aug Mar Oct May Dec Jul Feb Sep Apr Nov Jun", MONTHS),
      (0, 0, 0, 0, 1, 0),
    ),
  ],
)
def test_overlaps_of_published_orders(order, expected):
  assert calendar.valid(order)
  np.testing.assert_allclose(calendar.overlaps(order), expected, atol=6e-4)


def test_rings_of_equal_steps():
  assert calendar.ring_order(7, 3) == order_of(
    "Mon Thu Sun Wed Sat Tue Fri", DAYS
  )
  with pytest.raises(errors.InputError, match="common"):
    calendar.ring_order(12, 3)
  with pytest.raises(errors.InputError, match="too many"):
    calendar.valid_orders(12)


def test_months_that_are_nearly_no_harmonic():
  drawn = list(calendar.drawn_orders(12, seed=0))
  best = calendar.clearest(drawn, 4)
  assert len(best) == 4
  assert all(calendar.valid(order) for order in drawn)
  # No order can stay below an even spread over the five pairs and the sixth.
  assert 2 / 11 <= calendar.overlaps(best[0]).max() < 0.25


@pytest.mark.parametrize("n", [7, 12])
def test_harmonics_are_a_basis_of_centred_patterns(n):
  order = np.random.default_rng(1).permutation(n)
  total = calendar.projectors(order).sum(axis=0)
  np.testing.assert_allclose(total, np.eye(n) - 1 / n, atol=1e-12)


def test_shares_of_components_and_variance():
  week, other = range(7), calendar.clearest(calendar.valid_orders(7))[0]
  gram = planted((3, week, 1), (1, week, 2))
  found = pca.axes(gram)
  first, second = calendar.projectors(week)[:2]
  np.testing.assert_allclose(calendar.share(gram, first), 0.9)
  np.testing.assert_allclose(
    calendar.component_shares(found.vectors, first)[:2], [1, 0], atol=1e-9
  )
  np.testing.assert_allclose(
    calendar.component_shares(found.vectors, second)[:2], [0, 1], atol=1e-9
  )
  # The confound: a ring never walked shows in components 3-4.
  ring = calendar.projector(other)
  assert calendar.component_shares(found.vectors, ring)[1] > 0.5
  left = calendar.residual(gram, first)
  np.testing.assert_allclose(calendar.share(left, second), 1)


def test_unique_part_is_blind_to_the_calendar_and_sees_the_context():
  week = range(7)
  harmonics = calendar.projectors(week)
  for order in calendar.valid_orders(7)[:6]:
    ring = calendar.projector(order)
    only = planted((3, week, 1), (2, week, 2), (1, week, 3))
    both = planted((3, week, 1), (2, week, 2), (2, order, 1))
    if calendar.overlaps(order).max() > 1 - 1e-9:
      assert np.isnan(calendar.unique(both, ring, harmonics))
      continue
    assert abs(calendar.unique(only, ring, harmonics)) < 1e-6
    assert calendar.unique(both, ring, harmonics) > 0.2
    np.testing.assert_allclose(calendar.explained(only, harmonics), 1)


def test_unique_part_is_centred_on_zero_without_structure():
  harmonics = calendar.projectors(range(7))
  ring = calendar.projector(calendar.clearest(calendar.valid_orders(7))[0])
  grams = np.stack([planted(noise=1.0, seed=seed) for seed in range(400)])
  found = calendar.unique(grams, ring, harmonics)
  assert abs(found.mean()) < 4 * found.std() / 20
  # Two free patterns beside the identity, of 21 - 1 dimensions.
  share = calendar.explained(grams, harmonics)
  assert abs(share.mean() - 2 / 20) < 0.015


def test_batches_equal_single_matrices():
  harmonics = calendar.projectors(range(7))
  grams = np.stack([planted(noise=1.0, seed=seed) for seed in range(6)])
  batch = grams.reshape(2, 3, 7, 7)
  for one in (
    lambda g: calendar.unique(g, harmonics[1], harmonics[:1]),
    lambda g: calendar.explained(g, harmonics[:2]),
    lambda g: calendar.share(g, harmonics[0]),
  ):
    expected = np.array([one(gram) for gram in grams]).reshape(2, 3)
    np.testing.assert_allclose(one(batch), expected)
