"""Held-out edges against their matches: planted gains, and none."""

import numpy as np
import pytest

from icl_graphs.analysis import distances, unwalked
from icl_graphs.tasks import graph_edits, graphs

SETS = 40
OPTIONS = {"resamples": 200, "seed": 0}


@pytest.fixture(scope="module")
def sets():
  grid = graphs.parse("grid:4x4")
  rng = np.random.default_rng(0)
  full, walked, edges = [], [], []
  for m in range(SETS):
    whole = graph_edits.relabelled(grid, rng.permutation(16))
    left, gone = graph_edits.held_out(whole, 3, m)
    full.append(whole.adjacency)
    walked.append(left.adjacency)
    edges.append(gone)
  return np.stack(walked), np.stack(full), np.stack(edges)


def logs(sets, gain, structure=0.0, seed=0):
  """Sums of log p with noise, a gain of held-out edges and one of reach."""
  walked, full, _ = sets
  rng = np.random.default_rng(seed)
  visits = rng.integers(4, 12, size=walked.shape[:2]).astype(float)
  mean = -4 + 0.3 * rng.normal(size=walked.shape)
  mean = mean + gain * ((full > 0) & ~(walked > 0))
  reach = np.stack([unwalked.reach(one) for one in walked])
  mean = mean + structure * np.log(np.maximum(reach, 1e-12))
  return mean * visits[..., None], visits


def test_matches_look_alike_from_the_walk(sets):
  walked, full, edges = sets
  pairs = unwalked.matched(*sets)
  assert len(pairs.held) > SETS
  for m, i, options, j in zip(*pairs, strict=True):
    assert full[m, i, j] and not walked[m, i, j]
    hops = distances.hops(walked[m])
    degree = walked[m].sum(axis=1)
    for k in np.flatnonzero(options):
      assert k == j or not full[m, i, k]
      assert hops[i, k] == hops[i, j] and degree[k] == degree[j]
    assert options[j] and options.sum() > 1
  assert edges.shape == (SETS, 3, 2)


@pytest.mark.parametrize("gain", [0.0, 0.5])
def test_planted_gain_is_found_and_none_is_not(sets, gain):
  walked, full, _ = sets
  values, visits = logs(sets, gain)
  pairs = unwalked.matched(*sets)
  found = unwalked.tested(values, visits, pairs, **OPTIONS)
  assert found.low <= gain <= found.high
  assert (found.value > found.null_high) == (gain > 0)
  left = unwalked.adjusted(values, visits, walked, full, **OPTIONS)
  assert left[1] <= gain <= left[2]


def test_structure_alone_is_taken_out(sets):
  walked, full, _ = sets
  values, visits = logs(sets, 0.0, structure=5.0, seed=3)
  plain = unwalked.tested(values, visits, unwalked.matched(*sets), **OPTIONS)
  left = unwalked.adjusted(values, visits, walked, full, **OPTIONS)
  # Held-out edges of a grid have fewer ways round than their matches.
  assert plain.value < plain.null_low
  assert left[1] <= 0 <= left[2]


def test_null_is_calibrated(sets):
  pairs = unwalked.matched(*sets)
  beyond = 0
  for seed in range(60):
    values, visits = logs(sets, 0.0, seed=seed)
    found = unwalked.tested(values, visits, pairs, resamples=60, seed=seed)
    beyond += not found.null_low <= found.value <= found.null_high
  # About 60 * 2 / 61 each side, give or take; beyond 9 in one of 1,000.
  assert beyond <= 9


def test_reach_is_a_law_and_readers_of_steps_gain_nothing(sets):
  walked, full, _ = sets
  total = unwalked.reach(walked[0]).sum(axis=1)
  np.testing.assert_allclose(total, 1 - unwalked.GOES_ON**unwalked.HOPS)
  visits = np.full(walked.shape[:2], 5.0)
  alike = np.full(walked.shape, -5 * np.log(16))
  pairs = unwalked.matched(*sets)
  found = unwalked.tested(alike, visits, pairs, **OPTIONS)
  np.testing.assert_allclose(found[:4], 0, atol=1e-12)
  kinds = unwalked.by_distance(
    np.exp(alike / 5) * 5, visits, walked, full, **OPTIONS
  )
  for name, stat in kinds.items():
    np.testing.assert_allclose(stat[0], 1 / 16, err_msg=name)
