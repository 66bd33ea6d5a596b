"""Two rings told apart: planted structure, turned rings, calibrated nulls."""

import numpy as np

from icl_graphs.analysis import calendar, conflict

CLEAREST = calendar.clearest(calendar.valid_orders(7))


def sums(order, strengths, rng, groups=4, count=30, noise=1.0, contexts=2):
  """Class sums of words on the calendar and, at the end, on a ring."""
  n, width = len(order), 48
  week, ring = strengths
  base = np.zeros((n, width))
  base[:, :2] = week * calendar.harmonic(range(n))
  result = np.zeros((1, contexts, groups, n, width))
  for c in range(contexts):
    rows = base.copy()
    rows[:, 2:4] += ring * c / (contexts - 1) * calendar.harmonic(order)
    scatter = noise * np.sqrt(count) * rng.normal(size=(groups, n, width))
    result[0, c] = count * rows + scatter
  return result


def runs(strengths, seed=0, orders=CLEAREST, **options):
  rng = np.random.default_rng(seed)
  products = []
  for order in orders:
    made = sums(order, strengths, rng, **options)
    flat = made.reshape(*made.shape[:2], -1, made.shape[-1])
    shape = (*made.shape[:4], *made.shape[2:4])
    products.append((flat @ np.swapaxes(flat, -1, -2)).reshape(shape))
  count = np.full((len(orders), 2, 4, len(orders[0])), 30.0)
  return conflict.Runs(orders, np.stack(products), count)


def test_turned_rings_overlap_alike():
  for order in CLEAREST[:2]:
    rings = conflict.turned(order)
    assert len(rings) == 7 and len(set(rings)) == 7
    for ring in rings:
      np.testing.assert_allclose(
        calendar.overlaps(ring), calendar.overlaps(order)
      )
    weeks = conflict.turned_weeks(order)
    assert weeks[0] == tuple(range(7)) and len(weeks) == 7
    own = calendar.projectors(order)
    alike = [
      np.einsum("kij,ij->k", own, calendar.projector(week)) for week in weeks
    ]
    np.testing.assert_allclose(alike, np.tile(alike[0], (7, 1)), atol=1e-12)
  step = calendar.ring_order(7, 2)
  assert len(conflict.turned(step)) == len(conflict.turned_weeks(step)) == 1


def test_both_rings_are_found_where_they_are():
  found = runs((4.0, 2.0))
  stats = found.statistics(60, 0)
  last = {name: stat[0, -1] for name, stat in stats.items()}
  assert last["calendar_in_pc12"][0] > 0.9 > last["calendar_in_pc12"][5]
  assert last["context_in_pc34"][0] > last["context_in_pc34"][5]
  assert last["context_unique"][1] > last["context_unique"][5]
  assert last["context_residual"][0] > 0.8
  low = found.growth("context_unique", 60, 0)[0, -1, 1]
  assert low > 0
  apart = found.difference("calendar_in_pc12", "context_in_pc12", 60, 0)
  assert apart[0, -1, 1] > 0.5


def test_a_calendar_with_harmonics_is_no_ring_of_the_context():
  rng = np.random.default_rng(5)
  base = np.zeros((7, 48))
  for k, size in ((1, 3.0), (2, 2.0), (3, 1.0)):
    base[:, 2 * k : 2 * k + 2] = size * calendar.harmonic(range(7), k)
  products = []
  for _ in CLEAREST:
    made = 30 * base + 2 * rng.normal(size=(1, 2, 4, 7, 48))
    flat = made.reshape(1, 2, 28, 48)
    gram = flat @ np.swapaxes(flat, -1, -2)
    products.append(gram.reshape(1, 2, 4, 7, 4, 7))
  count = np.full((7, 2, 4, 7), 30.0)
  stats = conflict.Runs(CLEAREST, np.stack(products), count).statistics(60, 0)
  # The confound that a plain picture falls for.
  assert stats["context_in_pc34"][0, -1, 0] > 0.4
  for name in ("context_in_pc34", "context_unique"):
    value, _, _, _, low, high = stats[name][0, -1]
    assert low <= value <= high


def test_null_of_turned_rings_is_calibrated():
  names = ("context_unique", "context_in_pc12")
  beyond = dict.fromkeys(names, 0)
  for seed in range(60):
    found = runs((3.0, 0.0), seed=seed)
    draws = found.chance(199, seed)
    for name in names:
      value = found.values[name].mean(axis=0)[0, -1]
      above = (draws[name][:, 0, -1] >= value).sum()
      beyond[name] += (1 + above) / 200 <= 0.1
  # Binomial with mean 6; beyond 13 in one of 400.
  assert all(0 < number <= 13 for number in beyond.values())


def test_ring_without_turned_ones_has_no_null():
  natural = runs((3.0, 0.0), orders=[tuple(range(7))]).statistics(40, 0)
  assert np.isnan(natural["context_in_pc12"][..., 3:]).all()
  assert np.isfinite(natural["calendar_in_pc12"][..., 3:]).all()
  assert np.isnan(natural["context_unique"][..., 0]).all()
