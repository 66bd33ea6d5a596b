"""Walks: edges only, the right frequencies, and independence of batches."""

import functools
import hashlib

import jax
from jax.extend import random as extend_random
import numpy as np
import pytest
from scipy import stats

from icl_graphs import errors
from icl_graphs.tasks import graphs, streams, walks

_WEIGHTED = np.array(
  [[0, 5, 1, 0], [5, 0, 0.5, 2], [1, 0.5, 0, 0.01], [0, 2, 0.01, 0]]
)
_DIRECTED = np.array([[0, 3.0, 1, 0], [0, 0, 1, 0], [0, 1, 0, 2], [1, 0, 0, 0]])


@functools.cache
def _whole(law):
  table = walks.transition_table(graphs.parse("grid:4x4"))
  found = walks.sample_walks(table, 3, np.arange(256), length=400, law=law)
  return np.asarray(found)


def _sample(adjacency, law=None, count=256, length=400):
  # One padded shape, so that all graphs share compiled programs.
  table = walks.transition_table(adjacency, max_nodes=30, max_degree=6)
  found = walks.sample_walks(table, 5, np.arange(count), length=length, law=law)
  return np.asarray(found)


def _transition_matrix(adjacency, stay=0.0, teleport=0.0, hops=1):
  n = len(adjacency)
  plain = adjacency / adjacency.sum(axis=1, keepdims=True)
  moved = (1 - stay - teleport) * np.linalg.matrix_power(plain, hops)
  return moved + stay * np.eye(n) + teleport / n


def _p_value(counts, expected):
  """Chi-square test of counts [n, n] against row-wise probabilities."""
  assert not counts[expected == 0].any()
  total = counts.sum(axis=1, keepdims=True) * expected
  kept = expected > 0
  statistic = ((counts - total)[kept] ** 2 / total[kept]).sum()
  return stats.chi2.sf(statistic, kept.sum() - (kept.any(axis=1)).sum())


def _counts(nodes, n):
  counts = np.zeros((n, n))
  np.add.at(counts, (nodes[:, :-1].ravel(), nodes[:, 1:].ravel()), 1)
  return counts


@pytest.mark.parametrize(
  "adjacency, law",
  [
    ("grid:4x4", {}),
    ("hex:3x3", {}),
    ("tree:3x2", {}),
    ("grid:4x4", {"stay": 0.3}),
    ("ring:10", {"teleport": 0.25}),
    ("grid:3x3", {"stay": 0.2, "teleport": 0.1}),
    ("ring:7", {"hops": 2}),
    ("grid:3x3", {"hops": 3, "stay": 0.2}),
    (_WEIGHTED, {}),
    (_WEIGHTED, {"stay": 0.5, "hops": 2}),
    (_DIRECTED, {}),
    (_DIRECTED, {"teleport": 0.1}),
  ],
)
def test_transition_frequencies(adjacency, law):
  if isinstance(adjacency, str):
    adjacency = graphs.parse(adjacency).adjacency
  nodes = _sample(adjacency, walks.step_law(**law))
  counts = _counts(nodes, len(adjacency))
  assert _p_value(counts, _transition_matrix(adjacency, **law)) > 1e-3
  # The same test rejects a law that is a few per cent off.
  wrong = law | {"stay": law.get("stay", 0) + 0.03}
  wrong = _transition_matrix(adjacency, **wrong)
  assert _p_value(counts * (wrong > 0), wrong) < 1e-6


def test_weights_are_not_ignored():
  nodes = _sample(_WEIGHTED)
  assert _p_value(_counts(nodes, 4), _transition_matrix(_WEIGHTED > 0)) < 1e-9


@pytest.mark.parametrize("adjacency", ["grid:3x4", "tree:2x2", _WEIGHTED])
def test_non_backtracking(adjacency):
  if isinstance(adjacency, str):
    adjacency = graphs.parse(adjacency).adjacency
  n = len(adjacency)
  law = walks.step_law(non_backtracking=True)
  nodes = _sample(adjacency, law)
  before, here, after = nodes[:, :-2], nodes[:, 1:-1], nodes[:, 2:]
  dead_end = (adjacency > 0).sum(axis=1) == 1
  assert ((before == after) == dead_end[here]).all()
  # One state per arc (before, here); the rest of the row is renormalised.
  counts = np.zeros((n * n, n))
  np.add.at(counts, (before.ravel() * n + here.ravel(), after.ravel()), 1)
  expected = np.tile(adjacency, (n, 1))
  for i, j in np.argwhere(adjacency):
    if not dead_end[j]:
      expected[i * n + j, i] = 0
  visited = counts.sum(axis=1) > 0
  expected = expected[visited] / expected[visited].sum(axis=1, keepdims=True)
  assert _p_value(counts[visited], expected) > 1e-3


def test_non_backtracking_remembers_across_stays_and_hops():
  ring = graphs.parse("ring:9")
  for law, rises in (
    (walks.step_law(non_backtracking=True, stay=0.5), (0, 1)),
    (walks.step_law(non_backtracking=True, hops=3), (3,)),
  ):
    steps = (np.diff(_sample(ring, law)) + 4) % 9 - 4
    falls = tuple(-step for step in reversed(rises))
    assert {tuple(np.unique(row)) for row in steps} == {rises, falls}


@pytest.mark.parametrize("spec", ["grid:4x4", "hex:3x3", "gnp:15:0.2:1"])
def test_all_steps_are_edges_and_starts_are_uniform(spec):
  graph = graphs.parse(spec)
  nodes = _sample(graph)
  assert graph.adjacency[nodes[:, :-1], nodes[:, 1:]].all()
  starts = _sample(graph, count=4000, length=2)[:, 0]
  assert stats.chisquare(np.bincount(starts, minlength=graph.n)).pvalue > 1e-3


def test_large_grid():
  table = walks.transition_table(graphs.parse("grid:100x100"))
  nodes = np.asarray(walks.sample_walks(table, 0, np.arange(500), length=50))
  row, column = np.divmod(nodes, 100)
  moved = abs(np.diff(row)) + abs(np.diff(column))
  assert (moved == 1).all() and nodes.max() > 9_000


_LAWS = {
  "plain": walks.StepLaw(),
  "lazy": walks.StepLaw(stay=0.4, teleport=0.1),
  "hops": walks.StepLaw(hops=2, non_backtracking=True),
}


@pytest.mark.parametrize("law", _LAWS.values(), ids=_LAWS)
def test_a_walk_depends_on_its_seed_and_index_only(law):
  table = walks.transition_table(graphs.parse("grid:4x4"))
  whole = _whole(law)
  sample = functools.partial(walks.sample_walks, table, law=law)
  for part in (np.array([7, 8, 9]), np.array([200, 3, 7])):
    found = sample(3, part, length=400)
    np.testing.assert_array_equal(found, whole[part])
  short = sample(3, np.arange(3), length=33)
  np.testing.assert_array_equal(short, whole[:3, :33])
  other = sample(4, np.arange(3), length=400)
  assert (np.asarray(other) != whole[:3]).any(axis=1).all()
  assert len(np.unique(whole, axis=0)) == len(whole)


def test_a_key_serves_as_a_seed():
  table = walks.transition_table(graphs.parse("grid:4x4"))
  key = jax.random.key(3, impl="threefry2x32")
  found = walks.sample_walks(table, key, np.arange(3), length=33)
  np.testing.assert_array_equal(found, _whole(_LAWS["plain"])[:3, :33])


@pytest.mark.parametrize("flag", ["rbg", "unpartitioned", "x64"])
def test_global_settings_do_not_change_walks(flag):
  table = walks.transition_table(graphs.parse("grid:4x4"))
  changed = {
    "rbg": lambda: jax.default_prng_impl("rbg"),
    "unpartitioned": lambda: jax.threefry_partitionable(False),
    "x64": lambda: jax.enable_x64(True),
  }[flag]
  with changed():
    found = walks.sample_walks(table, 3, np.arange(3), length=33)
  np.testing.assert_array_equal(found, _whole(_LAWS["plain"])[:3, :33])


def test_walks_stay_the_same_between_versions():
  # Written down once: other numbers would break every stored run.
  walk = [13, 12, 13, 14, 10, 6, 7, 6, 10, 6, 10, 9]
  assert _whole(_LAWS["plain"])[0, :12].tolist() == walk
  table = walks.transition_table(graphs.parse("grid:4x4"))
  pairs = walks.sample_pairs(table, 3, np.arange(1), pairs=4)
  expected = [[13, 12], [12, 13], [7, 11], [8, 4]]
  assert np.asarray(pairs)[0].tolist() == expected


@pytest.mark.parametrize(
  "adjacency, law, digest",
  [
    ("grid:4x4", {"non_backtracking": True}, "63be5f4f38784ebf"),
    (_WEIGHTED, {"stay": 0.2, "teleport": 0.1, "hops": 2}, "983277ef8410a464"),
    (
      _DIRECTED,
      {"non_backtracking": True, "hops": 3, "stay": 0.2},
      "61e5240d4da2807d",
    ),
  ],
)
def test_walks_of_other_laws_stay_the_same(adjacency, law, digest):
  if isinstance(adjacency, str):
    adjacency = graphs.parse(adjacency).adjacency
  nodes = _sample(adjacency, walks.step_law(**law), count=8, length=101)
  assert hashlib.sha256(nodes.tobytes()).hexdigest()[:16] == digest


@pytest.mark.parametrize("spec", ["grid:4x4", "complete:12", "tree:3x2"])
def test_equal_and_cumulative_shares_give_the_same_walks(spec):
  table = walks.transition_table(graphs.parse(spec))
  assert table.cumulative is None
  degree = np.asarray(table.degree)
  slots = np.minimum(np.arange(table.neighbours.shape[1]) + 1, degree[:, None])
  quanta = np.rint(slots / degree[:, None] * 2**23)
  cumulative = (quanta / 2**23).astype(np.float32)
  sample = functools.partial(walks.sample_walks, seed=1, length=101)
  for law in (walks.StepLaw(), walks.StepLaw(non_backtracking=True)):
    pair = [
      sample(each, walk_index=np.arange(64), law=law)
      for each in (table, table._replace(cumulative=cumulative))
    ]
    np.testing.assert_array_equal(*pair)


def test_equal_and_unequal_shares_in_one_batch():
  equal = walks.transition_table(graphs.parse("ring:5"), 6, 4)
  unequal = walks.transition_table(_WEIGHTED, 6, 4)
  stacked = walks.stack_tables([equal, unequal])
  both = walks.sample_walks(stacked, 3, np.arange(2), length=50)
  for k, table in enumerate((equal, unequal)):
    alone = walks.sample_walks(table, 3, np.array([k]), length=50)
    np.testing.assert_array_equal(both[k], alone[0])


def test_the_cipher_is_jax_s():
  words = np.random.default_rng(0).integers(2**32, size=(2, 1000), dtype="u4")
  key = np.array([7, 2**32 - 1], np.uint32)
  expected = extend_random.threefry_2x32(tuple(key), words.ravel())
  found = np.ravel(jax.jit(streams.encrypt)(key, *words))
  np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("law", _LAWS.values(), ids=_LAWS)
def test_shortest_walks_are_prefixes(law):
  table = walks.transition_table(graphs.parse("grid:4x4"))
  for length in (1, 2, 3):
    short = walks.sample_walks(table, 3, np.arange(3), length=length, law=law)
    np.testing.assert_array_equal(short, _whole(law)[:3, :length])


def test_arcs_know_their_way_back():
  table = walks.transition_table(_DIRECTED)
  neighbours, back = np.asarray(table.neighbours), np.asarray(table.back)
  for i, j in np.argwhere(_DIRECTED):
    slot = back[i, list(neighbours[i, : table.degree[i]]).index(j)]
    assert (slot >= 0) == (_DIRECTED[j, i] > 0)
    assert slot < 0 or neighbours[j, slot] == i


def test_most_hops_and_largest_seed():
  law = walks.step_law(hops=walks.MAX_HOPS)
  table = walks.transition_table(graphs.parse("ring:9"))
  last = np.array([2**31 - 1])
  nodes = walks.sample_walks(table, 2**32 - 1, last, length=400, law=law)
  # So many hops forget the start: every step to every node.
  assert len(np.unique(np.diff(np.asarray(nodes)) % 9)) == 9


def test_mixed_laws_and_graphs_in_one_batch():
  specs = ("grid:4x4", "ring:10", "hex:3x3")
  parsed = [graphs.parse(spec) for spec in specs]
  tables = walks.stack_tables(
    [walks.transition_table(graph, 30, 5) for graph in parsed]
  )
  laws = walks.StepLaw(
    stay=np.array([0, 0.3, 0], np.float32),
    teleport=np.array([0, 0, 0.2], np.float32),
    hops=np.array([1, 3, 2], np.int32),
    non_backtracking=np.array([True, False, False]),
  )

  @jax.jit
  def sample(tables, laws):
    return walks.sample_walks(
      tables, 9, np.arange(3), length=200, law=laws, max_hops=3
    )

  mixed = np.asarray(sample(tables, laws))
  for k in range(3):
    law = walks.StepLaw(*(np.asarray(leaf)[k].item() for leaf in laws))
    table = jax.tree.map(lambda leaf, k=k: leaf[k], tables)
    alone = walks.sample_walks(table, 9, np.array([k]), length=200, law=law)
    np.testing.assert_array_equal(mixed[k], alone[0])


def test_given_start_nodes():
  table = walks.transition_table(graphs.parse("grid:4x4"))
  nodes = walks.sample_walks(
    table, 0, np.arange(16), length=9, start=np.arange(16)
  )
  np.testing.assert_array_equal(nodes[:, 0], np.arange(16))
  pairs = walks.sample_pairs(
    table, 0, np.arange(16), pairs=3, start=np.arange(16)
  )
  np.testing.assert_array_equal(pairs[:, 0, 0], np.arange(16))
  free = walks.sample_pairs(table, 0, np.arange(16), pairs=3)
  np.testing.assert_array_equal(pairs[:, 1:], free[:, 1:])


@pytest.mark.parametrize("adjacency", ["tree:3x2", _WEIGHTED, _DIRECTED])
def test_pairs(adjacency):
  if isinstance(adjacency, str):
    adjacency = graphs.parse(adjacency).adjacency
  table = walks.transition_table(adjacency, max_nodes=13, max_degree=4)
  pairs = np.asarray(walks.sample_pairs(table, 2, np.arange(100), pairs=400))
  first = np.bincount(pairs[..., 0].ravel(), minlength=len(adjacency))
  assert stats.chisquare(first).pvalue > 1e-3
  counts = _counts(pairs.reshape(-1, 2), len(adjacency))
  assert _p_value(counts, _transition_matrix(adjacency)) > 1e-3
  part = walks.sample_pairs(table, 2, np.array([42]), pairs=30)
  np.testing.assert_array_equal(part[0], pairs[42, :30])
  # Independent pairs: w1 does not follow the w2 before it.
  follows = np.stack([pairs[:, :-1, 1].ravel(), pairs[:, 1:, 0].ravel()], 1)
  uniform = np.full(adjacency.shape, 1 / len(adjacency))
  assert _p_value(_counts(follows, len(adjacency)), uniform) > 1e-3


def test_single_steps():
  adjacency = graphs.parse("grid:3x3").adjacency
  table = walks.transition_table(adjacency)
  keys = jax.random.split(jax.random.key(0), 20_000)
  nodes = np.arange(20_000, dtype=np.int32) % 9

  @jax.jit
  def move(keys, nodes, law):
    def step(key, node):
      return walks.step(key, node, np.int32(-1), table, law, max_hops=2)

    return jax.vmap(step)(keys, nodes)

  for law in ({}, {"stay": 0.2, "teleport": 0.1, "hops": 2}):
    following = move(keys, nodes, walks.step_law(**law))
    counts = _counts(np.stack([nodes, following], axis=1), 9)
    assert _p_value(counts, _transition_matrix(adjacency, **law)) > 1e-3


def test_transition_table_is_exact_and_padded():
  table = walks.transition_table(_WEIGHTED, max_nodes=6, max_degree=5)
  assert table.neighbours.shape == table.cumulative.shape == (6, 5)
  np.testing.assert_array_equal(table.degree, [2, 3, 3, 2, 0, 0])
  np.testing.assert_array_equal(table.neighbours[1, :3], [0, 2, 3])
  quanta = np.asarray(table.cumulative, np.float64) * 2**23
  np.testing.assert_array_equal(quanta, np.rint(quanta))
  np.testing.assert_allclose(
    quanta[1, :3] / 2**23, np.cumsum([5, 0.5, 2]) / 7.5, atol=2**-24
  )
  assert (quanta[4:] == 2**23).all()


@pytest.mark.parametrize(
  "law, message",
  [
    ({"stay": -0.1}, "stay=-0.1"),
    ({"stay": 1.5}, "stay=1.5"),
    ({"stay": float("nan")}, "stay=nan"),
    ({"stay": 1}, "never moves"),
    ({"teleport": 2}, "teleport=2"),
    ({"stay": 0.6, "teleport": 0.5}, "more than 1"),
    ({"hops": 0}, "hops=0"),
    ({"hops": 1.5}, "hops=1.5"),
    ({"hops": 99}, "hops=99"),
  ],
)
def test_bad_laws(law, message):
  with pytest.raises(errors.InputError, match=message):
    walks.step_law(**law)
  table = walks.transition_table(graphs.parse("ring:5"))
  with pytest.raises(errors.InputError, match=message):
    walks.sample_walks(
      table, 0, np.arange(2), length=5, law=walks.StepLaw(**law)
    )


@pytest.mark.parametrize(
  "change, message",
  [
    ({"seed": -1}, "seed -1"),
    ({"seed": 2**32}, "seed 4294967296"),
    ({"length": 0}, "length 0"),
    ({"start": np.array([0, 5])}, r"start nodes \[5\].*5 nodes"),
    ({"start": np.array([-1, 0])}, r"start nodes \[-1\]"),
  ],
)
def test_bad_sampling_arguments(change, message):
  table = walks.transition_table(graphs.parse("ring:5"), max_nodes=8)
  given = {"seed": 0, "walk_index": np.arange(2), "length": 5} | change
  with pytest.raises(errors.InputError, match=message):
    walks.sample_walks(table, **given)


def test_bad_tables():
  grid = graphs.parse("grid:3x3")
  for size in ({"max_nodes": 8}, {"max_degree": 3}):
    with pytest.raises(errors.InputError, match="9 nodes and up to 4"):
      walks.transition_table(grid, **size)
  light = np.array([[0, 1, 1e-9], [1, 0, 1], [1e-9, 1, 0]])
  with pytest.raises(errors.InputError, match="never be taken"):
    walks.transition_table(light)
  table = walks.transition_table(grid)
  with pytest.raises(errors.InputError, match="0 pairs"):
    walks.sample_pairs(table, 0, np.arange(2), pairs=0)


def test_released_walks_are_walks_on_our_grid():
  """The published walks, regenerated with numpy's legacy generator."""
  generator = np.random.RandomState(42)

  def walk(node):
    row, column = node
    nodes = [4 * row + column]
    for _ in range(1399):
      moves = [(row - 1, column), (row + 1, column)]
      moves += [(row, column - 1), (row, column + 1)]
      moves = [move for move in moves if min(move) >= 0 and max(move) <= 3]
      row, column = moves[generator.choice(len(moves))]
      nodes.append(4 * row + column)
    return nodes

  set_of_16 = np.array([walk(divmod(i, 4)) for i in range(16)], np.uint8)
  generator.seed(42)
  start = (generator.randint(0, 4), generator.randint(0, 4))
  single = np.array(walk(start), np.uint8)
  for nodes, digest in (
    (set_of_16, "cd48744055f37387"),
    (single, "313e1f69e92bee84"),
  ):
    assert hashlib.sha256(nodes.tobytes()).hexdigest()[:16] == digest
  adjacency = graphs.parse("grid:4x4").adjacency
  assert adjacency[set_of_16[:, :-1], set_of_16[:, 1:]].all()
  # And they obey the law that our sampler obeys.
  assert _p_value(_counts(set_of_16, 16), _transition_matrix(adjacency)) > 1e-3
