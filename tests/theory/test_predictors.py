"""Predictors against brute force, published values and planted readers."""

import hashlib

import networkx as nx
import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.theory import accuracy_fit, predictors

GRID = nx.to_numpy_array(nx.grid_2d_graph(4, 4))


def reference_walks() -> np.ndarray:
  """The 16 walks behind the published Llama-3.1-8B accuracies."""
  random = np.random.RandomState(42)
  moves = ((-1, 0), (1, 0), (0, -1), (0, 1))
  result = []
  for start in range(16):
    place = divmod(start, 4)
    walk = [start]
    while len(walk) < 1400:
      options = [(place[0] + r, place[1] + c) for r, c in moves]
      options = [(r, c) for r, c in options if 0 <= r < 4 and 0 <= c < 4]
      place = options[random.choice(len(options))]
      walk.append(4 * place[0] + place[1])
    result.append(walk)
  return np.array(result)


def short_walks(directed=False):
  rng = np.random.default_rng(3)
  adjacency = (rng.random((6, 6)) < 0.5) * 1.0
  np.fill_diagonal(adjacency, 0)
  if not directed:
    adjacency = np.maximum(adjacency, adjacency.T)
  # Steps off the edges and gaps between words are part of what may come.
  nodes = rng.integers(-1, 6, size=(4, 40))
  return nodes, adjacency


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("decay", [1.0, 0.9])
def test_counts_equal_brute_force(directed, decay):
  nodes, adjacency = short_walks(directed)
  found = predictors.count(nodes, adjacency, decay)
  for b, walk in enumerate(nodes.tolist()):
    for t, here in enumerate(walk):
      if here < 0:
        assert np.isnan([field[b, t] for field in found]).all()
        continue
      steps = [
        (walk[s - 1], walk[s], decay ** (t - s))
        for s in range(1, t + 1)
        if walk[s - 1] >= 0 and walk[s] >= 0
      ]
      expected = predictors.Counts(
        degree=adjacency[here].sum(),
        seen=walk[:t].count(here),
        words=sum(node >= 0 for node in walk[: t + 1]),
        near=sum(
          adjacency[here, node] * decay ** (t - s)
          for s, node in enumerate(walk[: t + 1])
          if node >= 0
        ),
        out=sum(w for a, _, w in steps if a == here),
        kept=sum(w * adjacency[a, z] for a, z, w in steps if a == here),
        back=sum(w for _, z, w in steps if z == here),
        returned=sum(w * adjacency[z, a] for a, z, w in steps if z == here),
      )
      got = [field[b, t] for field in found]
      np.testing.assert_allclose(got, expected, atol=1e-9)


def test_readers_equal_counting_word_by_word():
  nodes, adjacency = short_walks()
  counts = predictors.count(nodes, adjacency)
  alpha, n = 0.4, 6
  plain = predictors.bayes(counts, n, alpha)
  both = predictors.bayes_symmetric(counts, n, alpha)
  mixed = predictors.bayes_mixture(counts, n, alpha * n, np.eye(5)[1])
  np.testing.assert_allclose(mixed, plain)
  for b, walk in enumerate(nodes.tolist()):
    for t, here in enumerate(walk):
      if here < 0:
        continue
      one, two = np.zeros((2, n))
      for s in range(1, t + 1):
        a, z = walk[s - 1], walk[s]
        if a >= 0 and z >= 0:
          one[z] += a == here
          two[z] += a == here
          two[a] += z == here
      for reader, tally in ((plain, one), (both, two)):
        p = (alpha + tally) / (alpha + tally).sum()
        mass = (p * adjacency[here]).sum()
        assert reader[b, t] == pytest.approx(mass)


def test_published_table():
  nodes = reference_walks()
  digest = hashlib.sha256(nodes.astype(np.uint8).tobytes()).hexdigest()
  assert digest[:16] == "cd48744055f37387"
  counts = predictors.count(nodes, GRID)
  curve = predictors.bayes(counts, 16, 0.43).mean(axis=0)
  for t, expected in zip(
    (100, 200, 500, 1000), (0.574, 0.702, 0.854, 0.919), strict=True
  ):
    near = curve[round(0.9 * t) - 1 : round(1.1 * t)]
    assert near.mean() == pytest.approx(expected, abs=0.0015)


def test_exact_memory_on_many_walks_equals_the_published_table():
  rng = np.random.default_rng(0)
  step = GRID / GRID.sum(axis=1, keepdims=True)
  cumulative = step.cumsum(axis=1)
  nodes = np.zeros((4000, 100), int)
  nodes[:, 0] = rng.integers(16, size=4000)
  for t in range(1, 100):
    draw = rng.random((4000, 1))
    nodes[:, t] = (cumulative[nodes[:, t - 1]] < draw).sum(axis=1)
  counts = predictors.count(nodes, GRID)
  at = np.array([10, 20, 50, 100]) - 1
  for times, expected in (
    (1, [0.57, 0.73, 0.92, 0.99]),
    (2, [0.25, 0.46, 0.78, 0.96]),
  ):
    share = (counts.seen >= times).mean(axis=0)[at]
    np.testing.assert_allclose(share, expected, atol=0.025)
    recalled = predictors.seen(counts, 16, times)[:, at].mean(axis=0)
    chance = 1 - (1 - share) * (1 - 0.19)
    np.testing.assert_allclose(recalled, chance, atol=0.01)


def by_name(found):
  return {one.name: one for one in found}


def test_a_planted_reader_is_found_and_flat_accuracy_is_not_explained():
  nodes = reference_walks()[:8, :300]
  counts = predictors.count(nodes, GRID)
  rng = np.random.default_rng(0)
  noise = 0.02 * rng.standard_normal(nodes.shape)
  planted = predictors.bayes(counts, 16, 0.8) + noise
  found = by_name(accuracy_fit.fit(planted, nodes, GRID))
  assert found["bayes"].parameters["alpha"] == pytest.approx(0.8, rel=0.1)
  assert found["bayes"].r2 > 0.9
  assert found["bayes"].low < found["bayes"].r2 < found["bayes"].high
  faded = predictors.count(nodes, GRID, 0.97)
  planted = predictors.bayes(faded, 16, 0.3) + noise
  found = accuracy_fit.fit(planted, nodes, GRID)
  assert found[0].name == "bayes_recency"
  found = accuracy_fit.fit(0.2 + noise, nodes, GRID)
  assert all(one.r2 < 0.05 for one in found)


def test_llama(shared):
  with np.load(shared / "data/llama31-8b-grid/accuracies.npz") as stored:
    measured = stored["all_accs"]
  found = by_name(accuracy_fit.fit(measured, reference_walks(), GRID))
  # Published: alpha = .43 by the error of the mean curve.
  assert found["bayes"].parameters["alpha"] == pytest.approx(0.43, abs=0.04)
  assert found["bayes"].r2 == pytest.approx(0.79, abs=0.02)
  assert found["bayes_mixture"].low > found["bayes"].r2
  # Memory that saturates ten times earlier explains next to nothing.
  for name in ("one_shot", "two_shot", "seen_once", "seen_twice"):
    assert found[name].high < 0.2


def test_refusals():
  nodes = reference_walks()[:, :50]
  accuracy = np.full(nodes.shape, 0.5)
  for call, message in (
    (lambda: accuracy_fit.fit(accuracy[:, 1:], nodes, GRID), "per position"),
    (lambda: accuracy_fit.fit(accuracy[:2], nodes[:2], GRID), "at least 4"),
    (lambda: accuracy_fit.fit(accuracy * np.nan, nodes, GRID), "no scored"),
  ):
    with pytest.raises(errors.InputError, match=message):
      call()
