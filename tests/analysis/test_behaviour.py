"""Hellinger distances, ways along neighbours, and their Mantel test."""

import numpy as np
import pytest
from scipy import stats
from scipy.sparse import csgraph

from icl_graphs import errors
from icl_graphs.analysis import behaviour, gram, nulls


def distances(seed, n=12, width=5):
  rows = np.random.default_rng(seed).normal(size=(n, width))
  return behaviour.straight(gram.from_rows(rows))


def test_hellinger_by_hand():
  probs = np.array([[1, 0, 0], [0, 1, 0], [0.5, 0.5, 0], [1, 0, 0]])
  found = behaviour.hellinger(probs)
  half = np.sqrt(1 - np.sqrt(0.5))
  np.testing.assert_allclose(found[0], [0, 1, half, 0], atol=1e-7)
  np.testing.assert_allclose(found, found.T)


def test_ways_are_those_of_scipy():
  many = np.stack([distances(seed) for seed in range(4)])
  found = behaviour.geodesics(many, 3)
  for one, lengths, k in zip(many, *found, strict=True):
    near = np.argsort(one, axis=1)[:, 1 : k + 1]
    links = np.zeros_like(one)
    rows = np.arange(len(one))[:, None]
    links[rows, near] = one[rows, near]
    links = np.maximum(links, links.T)
    np.testing.assert_allclose(csgraph.shortest_path(links), lengths)
    assert k >= 3


def test_a_circle_is_unrolled():
  angle = np.arange(20) * 2 * np.pi / 20
  rows = np.stack([np.cos(angle), np.sin(angle)], axis=1)
  apart = np.abs(np.subtract.outer(np.arange(20), np.arange(20)))
  ring = np.minimum(apart, 20 - apart)
  chords = behaviour.straight(gram.from_rows(rows))
  along = behaviour.geodesics(chords, 2)
  assert along.neighbours == 2
  np.testing.assert_allclose(behaviour.agreement(along.lengths, ring), 1)
  assert behaviour.agreement(chords, ring) < 0.99


def test_parts_are_joined_by_more_neighbours():
  rows = np.concatenate([np.arange(5.0), 100 + np.arange(5.0)])[:, None]
  found = behaviour.geodesics(behaviour.straight(gram.from_rows(rows)), 2)
  assert found.neighbours == 5
  assert np.isfinite(found.lengths).all()


def test_unknown_stays_unknown():
  matrix = np.full((2, 6, 6), np.nan)
  matrix[0] = distances(0, 6)
  found = behaviour.geodesics(matrix, 2)
  assert np.isfinite(found.lengths[0]).all() and found.neighbours[1] == 0
  assert np.isnan(behaviour.agreement(matrix, found.lengths)[1])
  with pytest.raises(errors.InputError, match="6 neighbours"):
    behaviour.geodesics(matrix, 6)


def test_agreement_is_pearsons_and_partial_within_strata():
  first, second = distances(1), distances(2)
  upper = np.triu_indices(12, 1)
  expected = stats.pearsonr(first[upper], second[upper])[0]
  np.testing.assert_allclose(behaviour.agreement(first, second), expected)
  strata = np.random.default_rng(0).integers(3, size=(12, 12))
  sides = []
  for matrix in (first, second):
    pairs = matrix[upper]
    for level in range(3):
      inside = strata[upper] == level
      pairs = np.where(inside, pairs - pairs[inside].mean(), pairs)
    sides.append(pairs)
  np.testing.assert_allclose(
    behaviour.agreement(first, second, strata),
    stats.pearsonr(*sides)[0],
  )
  flat = np.ones((12, 12)) - np.eye(12)
  assert np.isnan(behaviour.agreement(first, flat))


def test_what_both_owe_to_the_stratum_does_not_count():
  apart = np.abs(np.subtract.outer(np.arange(12), np.arange(12)))
  noise = [0.1 * distances(seed) for seed in (3, 4)]
  first, second = (apart + each for each in noise)
  assert behaviour.agreement(first, second) > 0.95
  assert abs(behaviour.agreement(first, second, apart)) < 0.35


def test_mantel_null_is_calibrated():
  places = []
  for seed in range(100):
    first, second = distances(2 * seed), distances(2 * seed + 1)
    labels = nulls.permutations(12, 99, seed)
    null = behaviour.agreement(first, behaviour.relabelled(second, labels))
    value = behaviour.agreement(first, second)
    places.append((1 + (null >= value).sum()) / 100)
  assert stats.kstest(places, "uniform").pvalue > 0.01
