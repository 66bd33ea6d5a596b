"""Regression by sums per label equals regression on the activations."""

import json

import numpy as np
import planted
import pytest

from icl_graphs import errors
from icl_graphs.analysis import gram, nulls
from icl_graphs.analysis import label_regression as lib

WORDS = (
  "apple bird car egg house milk plane opera box sand sun mango rock math code"
  " phone"
).split()
GRID = planted.grid()
CELLS = lib.cells(GRID)


def walk(length, seed):
  rng = np.random.default_rng(seed)
  nodes = [int(rng.integers(len(GRID)))]
  for _ in range(length - 1):
    nodes.append(int(rng.choice(np.flatnonzero(GRID[nodes[-1]]))))
  return np.array(nodes)


def explicit(columns, rows):
  """Adjusted R^2 by numpy's least squares on the whole design."""
  design = np.hstack([np.ones((len(rows), 1)), *columns])
  beta, _, rank, _ = np.linalg.lstsq(design, rows, rcond=None)
  left = ((rows - design @ beta) ** 2).sum()
  about_mean = ((rows - rows.mean(axis=0)) ** 2).sum()
  number = len(rows)
  return 1 - left / about_mean * (number - 1) / (number - rank), rank


def by_numpy(rows, nodes, following=None):
  one_hot = np.eye(len(GRID))
  previous, current = one_hot[nodes[:-1]], one_hot[nodes[1:]]
  bigram = np.eye(len(GRID) ** 2)[nodes[:-1] * len(GRID) + nodes[1:]]
  result = {
    lib.CURRENT: explicit([current], rows),
    lib.PREVIOUS: explicit([previous], rows),
    lib.ADDITIVE: explicit([current, previous], rows),
    lib.BIGRAM: explicit([bigram], rows),
  }
  if following is not None:
    after = one_hot[following]
    result[lib.NEXT] = explicit([after], rows)
    result[lib.WITH_NEXT] = explicit([current, after], rows)
    result[lib.ALL] = explicit([current, previous, after], rows)
  return result


def check(found, expected, atol=1e-9):
  for name, (value, rank) in expected.items():
    np.testing.assert_allclose(found[name].adjusted, value, atol=atol)
    assert found[name].rank == rank, name


def test_one_walk_is_numpys_regression():
  nodes = walk(300, 0)
  rng = np.random.default_rng(1)
  rows = rng.normal(size=(16, 7))[nodes] + rng.normal(size=(300, 7)) + 3
  rows[1:] += 0.5 * rng.normal(size=(16, 7))[nodes[:-1]]
  found = lib.of_activations(rows, nodes, GRID)
  check(found, by_numpy(rows[1:], nodes))
  with_next = by_numpy(rows[1:-1], nodes[:-1], nodes[2:])
  check(found, {k: v for k, v in with_next.items() if "next" in k})


def grouped(groups=4, length=200):
  """Sums of several walks, and everything to regress on directly."""
  rng = np.random.default_rng(5)
  effect = rng.normal(size=(16, 6)), 0.7 * rng.normal(size=(16, 6))
  sums, together, squares, kept = [], [], [], []
  for group in range(groups):
    nodes = walk(length + 1, group)
    rows = 2 + effect[0][nodes[1:-1]] + effect[1][nodes[:-2]]
    rows = rows + rng.normal(size=rows.shape)
    cell = CELLS.index[nodes[:-2], nodes[1:-1]]
    labels = np.zeros((len(rows), CELLS.labels))
    labels[np.arange(len(rows)), cell] = 1
    labels[np.arange(len(rows)), len(CELLS.previous) + nodes[2:]] = 1
    sums.append(labels.T @ rows)
    together.append(lib.counts(CELLS, cell, nodes[2:]))
    np.testing.assert_allclose(together[-1], labels.T @ labels)
    squares.append((rows**2).sum())
    kept.append((rows, nodes))
  products = gram.from_sums(np.stack(sums))
  return (products, np.stack(together), np.array(squares)), kept


def test_groups_of_walks_and_their_weights():
  observed, kept = grouped()
  weights = np.array([[1.0, 1, 1, 1], [2, 0, 1, 1]])
  summed, counted, total = lib.pooled(*observed, weights)
  found = lib.fit(lib.projectors(CELLS, counted), summed, total)
  for draw, chosen in enumerate(([0, 1, 2, 3], [0, 0, 2, 3])):
    rows = np.concatenate([kept[g][0] for g in chosen])
    previous, current, after = (
      np.concatenate([kept[g][1][place] for g in chosen])
      for place in (slice(None, -2), slice(1, -1), slice(2, None))
    )
    one_hot = np.eye(16)
    expected = {
      lib.ADDITIVE: explicit([one_hot[current], one_hot[previous]], rows),
      lib.NEXT: explicit([one_hot[after]], rows),
      lib.ALL: explicit(
        [one_hot[current], one_hot[previous], one_hot[after]], rows
      ),
    }
    check(
      {k: lib.Fit(*(x[draw] for x in v)) for k, v in found.items()}, expected
    )
  single = lib.pooled(*observed)
  alone = lib.fit(lib.projectors(CELLS, single[1]), single[0], single[2])
  np.testing.assert_allclose(
    alone[lib.BIGRAM].adjusted, found[lib.BIGRAM].adjusted[0]
  )


def test_the_next_word_explains_nothing_given_the_current_one():
  gains = []
  for seed in range(40):
    nodes = walk(200, seed)
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(16, 4))[nodes] + rng.normal(size=(200, 4))
    found = lib.of_activations(rows, nodes, GRID)
    gains.append(found[lib.WITH_NEXT].adjusted - found[lib.CURRENT].adjusted)
  error = np.std(gains) / np.sqrt(len(gains))
  assert abs(np.mean(gains)) < 4 * error + 1e-3


def test_intervals_cover():
  """Adjusted R^2 of a planted effect lies in the interval nearly always."""
  inside = 0
  for trial in range(40):
    rng = np.random.default_rng(100 + trial)
    effect = np.random.default_rng(0).normal(size=(16, 6))
    sums, together, squares = [], [], []
    for group in range(8):
      nodes = walk(200, 1000 * trial + group)
      rows = effect[nodes[1:-1]] + rng.normal(size=(198, 6))
      cell = CELLS.index[nodes[:-2], nodes[1:-1]]
      labels = np.zeros((len(rows), CELLS.labels))
      labels[np.arange(len(rows)), cell] = 1
      labels[np.arange(len(rows)), len(CELLS.previous) + nodes[2:]] = 1
      sums.append(labels.T @ rows)
      together.append(lib.counts(CELLS, cell, nodes[2:]))
      squares.append((rows**2).sum())
    observed = gram.from_sums(np.stack(sums)), np.stack(together), squares
    weights = nulls.bootstrap_weights(8, 60, trial)
    weights = np.concatenate([np.ones((1, 8)), weights])
    summed, counted, total = lib.pooled(*observed, weights)
    prepared = lib.projectors(CELLS, counted, (lib.CURRENT,))
    found = lib.fit(prepared, summed, total)
    value = found[lib.CURRENT].adjusted
    low, high = nulls.interval(value[0], value[1:], 8)
    degree = GRID.sum(axis=0)
    share = degree / degree.sum()
    centred = effect - share @ effect
    signal = share @ (centred**2).sum(axis=1)
    inside += low <= signal / (signal + 6) <= high
  assert inside >= 36


def test_published_decomposition_of_llama(shared):
  folder = shared / "data" / "llama31-8b-grid"
  words = json.loads((folder / "sequence.json").read_text())
  nodes = np.array([WORDS.index(word) for word in words])[-200:]
  with np.load(folder / "pca.npz") as stored:
    rows = stored["activations"].astype(float)
  found = lib.of_activations(rows, nodes, GRID)
  for name, value, tolerance in (
    (lib.CURRENT, 0.80, 5e-3),
    (lib.PREVIOUS, 0.46, 5e-3),
    (lib.ADDITIVE, 0.890, 5e-4),
    (lib.BIGRAM, 0.898, 5e-4),
  ):
    assert found[name].adjusted == pytest.approx(value, abs=tolerance), name
  check(found, by_numpy(rows[1:], nodes), atol=1e-8)


def test_refuses_what_is_no_walk():
  with pytest.raises(errors.InputError, match="no edge for step 1"):
    lib.of_activations(np.ones((3, 2)), np.array([0, 1, 10]), GRID)
  with pytest.raises(errors.InputError, match="one node per activation"):
    lib.of_activations(np.ones((3, 2)), np.array([0, 1]), GRID)
