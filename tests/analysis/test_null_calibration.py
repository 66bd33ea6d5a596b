"""Permutation nulls: p-values of random representations are uniform.

Representations are random over nodes; occurrences, groups of walks and noise
are as in a run, counts those of real walks.
"""

import numpy as np
import planted
import pytest
from scipy import stats

from icl_graphs.analysis import geometry, gram, nulls, pca

RUNS, DRAWS, GROUPS, WIDTH = 400, 199, 8, 24
JUDGED = (
  "energy_ratio",
  "distance_correlation",
  "fiedler_power",
  "parity_power",
  "principal_cosine_1",
  "principal_cosine_2",
)
GRAPHS = {"grid": planted.grid(4), "ring": planted.ring(10)}


def counts(adjacency, rng):
  """Occurrences by group and node in the last 50 of 100 words, 8 walks each."""
  nodes = planted.walks(adjacency, GROUPS * 8, 100, int(rng.integers(2**31)))
  blocks = nodes[:, -50:].reshape(GROUPS, -1)
  return np.stack([np.bincount(b, minlength=len(adjacency)) for b in blocks])


def run(adjacency, rng, identity):
  """Gram matrix of a run without structure.

  Every word has a mean of its own, every group a deviation from it, every
  occurrence noise.
  """
  count = counts(adjacency, rng)
  shape = (GROUPS, len(adjacency), WIDTH)
  means = identity * rng.normal(size=shape[1:]) + 1.5
  means = means + 0.3 * identity * rng.normal(size=shape)
  noise = rng.normal(size=shape) * np.sqrt(count)[..., None]
  sums = count[..., None] * means + noise
  return gram.pooled(gram.from_sums(sums), count)[0]


def p_values(adjacency, seed, identity=1.0, runs=RUNS):
  """By measure: share of the draws beyond the value, ties broken at random.

  With ties (symmetries of the graph) broken like this, p-values of exchangeable
  rows are exactly uniform.
  """
  rng = np.random.default_rng(seed)
  frame = geometry.frame(adjacency)
  found = {name: [] for name in JUDGED}
  for trial in range(runs):
    products = run(adjacency, rng, identity)
    axes = pca.axes(products)
    value = geometry.measure(products, frame, WIDTH, axes)
    labels = nulls.permutations(len(adjacency), DRAWS, trial)
    moved, turned = nulls.relabelled(products, axes, labels)
    null = geometry.measure(moved, frame, WIDTH, turned)
    for name in JUDGED:
      scale = 1e-9 * np.abs(value[name])
      above = (null[name] > value[name] + scale).sum()
      tied = 1 + (np.abs(null[name] - value[name]) <= scale).sum()
      found[name].append((above + rng.uniform() * tied) / (DRAWS + 1))
  return {name: np.array(p) for name, p in found.items()}


@pytest.mark.parametrize("graph", GRAPHS)
def test_p_values_are_uniform(graph):
  """Kolmogorov-Smirnov; 12 tests here, the seed is fixed."""
  found = p_values(GRAPHS[graph], seed=1)
  for name, p in found.items():
    assert stats.kstest(p, "uniform").pvalue > 0.01, (name, p.mean())


def test_limits_reject_as_often_as_they_say():
  """Either limit of 2.5% is passed by 2.5% of unstructured runs."""
  for name, p in p_values(GRAPHS["grid"], seed=2, runs=200).items():
    beyond = (p <= 0.05).sum() + (p > 0.95).sum()
    assert stats.binomtest(int(beyond), 200, 0.1).pvalue > 0.01, name
