import hashlib

import numpy as np
import planted
import pytest

from icl_graphs.analysis import memorisation


def brute_force(nodes, adjacency, alpha):
  n = len(adjacency)
  seen = np.zeros(nodes.shape, int)
  bayes = np.full(nodes.shape, np.nan)
  for walk, row in enumerate(nodes):
    for t, node in enumerate(row):
      if node < 0:
        continue
      seen[walk, t] = sum(earlier == node for earlier in row[:t])
      after = [
        row[s + 1] for s in range(t) if row[s] == node and row[s + 1] >= 0
      ]
      bayes[walk, t] = sum(
        (alpha + after.count(other)) / (alpha * n + len(after))
        for other in np.flatnonzero(adjacency[node])
      )
  return seen, bayes


@pytest.mark.parametrize("kind", ["walk", "lazy", "separated", "unseparated"])
def test_visits_and_bayes_equal_counting(kind):
  adjacency = planted.random_graph(7, 1)
  rng = np.random.default_rng(0)
  if kind == "walk":
    nodes = planted.walks(adjacency, 3, 60, 0)
  elif kind == "lazy":
    nodes = np.repeat(planted.walks(adjacency, 3, 30, 0), 2, axis=1)
  else:
    width = 3 if kind == "separated" else 2
    nodes = np.full((3, 20, width), -1)
    nodes[..., 0] = rng.integers(7, size=(3, 20))
    for pair in nodes.reshape(-1, width):
      pair[1] = rng.choice(np.flatnonzero(adjacency[pair[0]]))
    nodes = nodes.reshape(3, -1)
  seen, bayes = brute_force(nodes, adjacency, 0.43)
  found = memorisation.visits(nodes, adjacency)
  np.testing.assert_array_equal(found.seen, seen)
  np.testing.assert_allclose(
    memorisation.bayes_accuracy(found, nodes, adjacency, 0.43), bayes
  )


def test_closed_form_on_plain_walks():
  adjacency = planted.grid()
  nodes = planted.walks(adjacency, 4, 200, 3)
  found = memorisation.visits(nodes, adjacency)
  degree = adjacency.sum(1)[nodes]
  expected = (0.43 * degree + found.seen) / (0.43 * 16 + found.seen)
  np.testing.assert_allclose(
    memorisation.bayes_accuracy(found, nodes, adjacency, 0.43), expected
  )


def test_iid_formulas_equal_the_binomial_and_the_published_table():
  x = np.array([10, 20, 50, 100])
  one, two = (
    memorisation.iid_one_shot(x, 16),
    memorisation.iid_two_shot(x, 16),
  )
  np.testing.assert_allclose(one, [0.48, 0.73, 0.96, 1.0], atol=0.0055)
  np.testing.assert_allclose(two, [0.13, 0.36, 0.83, 0.99], atol=0.0055)
  draws = np.random.default_rng(0).binomial(10, 1 / 16, 200_000)
  assert one[0] == pytest.approx((draws >= 1).mean(), abs=0.004)
  assert two[0] == pytest.approx((draws >= 2).mean(), abs=0.004)
  assert memorisation.iid_two_shot(np.array(1), 16) == pytest.approx(0)


def test_exact_curves_on_grid_walks_equal_the_published_table():
  adjacency = planted.grid()
  nodes = planted.walks(adjacency, 4000, 100, 0)
  found = memorisation.visits(nodes, adjacency)
  at = np.array([10, 20, 50, 100]) - 1
  once = memorisation.fraction(found.seen >= 1, nodes)[at]
  twice = memorisation.fraction(found.seen >= 2, nodes)[at]
  np.testing.assert_allclose(once, [0.57, 0.73, 0.92, 0.99], atol=0.025)
  np.testing.assert_allclose(twice, [0.25, 0.46, 0.78, 0.96], atol=0.025)


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


def test_bayes_curve_on_the_published_walks():
  nodes = reference_walks()
  digest = hashlib.sha256(nodes.astype(np.uint8).tobytes()).hexdigest()
  assert digest[:16] == "cd48744055f37387"
  adjacency = planted.grid()
  found = memorisation.visits(nodes, adjacency)
  curve = memorisation.bayes_accuracy(found, nodes, adjacency, 0.43).mean(0)
  for t, expected in zip(
    (10, 20, 50, 100, 200, 500, 1000),
    (0.287, 0.344, 0.436, 0.574, 0.702, 0.854, 0.919),
    strict=True,
  ):
    near = slice(round(0.9 * t) - 1, round(1.1 * t))
    # Which few positions the published mean takes in matters at small t.
    tolerance = 0.0015 if t >= 100 else 0.012
    assert curve[near].mean() == pytest.approx(expected, abs=tolerance), t


def test_default_prior_is_the_best_fit_to_llama(shared):
  with np.load(shared / "data/llama31-8b-grid/accuracies.npz") as stored:
    measured = stored["all_accs"].mean(axis=0)
  nodes, adjacency = reference_walks(), planted.grid()
  found = memorisation.visits(nodes, adjacency)
  at = np.unique(np.round(np.geomspace(5, 1400, 60)).astype(int)) - 1

  def misfit(alpha):
    each = memorisation.bayes_accuracy(found, nodes, adjacency, alpha)
    return np.sqrt(np.mean((each.mean(axis=0)[at] - measured[at]) ** 2))

  errors = {round(a, 2): misfit(a) for a in np.arange(0.3, 0.6, 0.01)}
  assert min(errors, key=errors.get) == memorisation.DEFAULT_ALPHA
  # Published: .063, over a slightly different set of 60 positions.
  assert min(errors.values()) == pytest.approx(0.063, abs=0.005)


def test_fraction_counts_walks_on_a_node_only():
  nodes = np.array([[0, -1], [1, -1]])
  holds = np.array([[True, True], [False, True]])
  found = memorisation.fraction(holds, nodes)
  assert found[0] == 0.5 and np.isnan(found[1])
