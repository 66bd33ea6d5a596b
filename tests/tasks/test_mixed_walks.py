"""Walks over two graphs: exact laws, prefixes, graphs made for them."""

import jax.numpy as jnp
import networkx
import numpy as np
import pytest
from scipy import stats

from icl_graphs import errors
from icl_graphs.tasks import graph_edits, graphs, mixed_walks

GRID = graphs.parse("grid:3x3")
RIVAL = graph_edits.relabelled(GRID, graph_edits.rival(GRID, seed=0))
TABLE = mixed_walks.pair_of_tables(GRID, RIVAL)


def draw(second, walks=64, length=100, seed=3, table=TABLE, first=0):
  index = jnp.arange(first, first + walks)
  made = mixed_walks.sample(
    table, seed, index, jnp.asarray(second), length=length
  )
  return np.asarray(made)


def transition(graph):
  adjacency = graph.adjacency
  return adjacency / adjacency.sum(axis=1, keepdims=True)


def p_value(nodes, law):
  """Chi-square of observed steps out of every node against a law."""
  counts = np.zeros(law.shape)
  np.add.at(counts, (nodes[:, :-1].ravel(), nodes[:, 1:].ravel()), 1)
  assert not counts[law == 0].any()
  expected = law * counts.sum(axis=1, keepdims=True)
  used = law > 0
  statistic = ((counts - expected)[used] ** 2 / expected[used]).sum()
  return stats.chi2.sf(statistic, used.sum() - len(law))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_mixed_steps_have_the_law_of_the_mixture(share):
  nodes = draw(mixed_walks.mixture(share, 400), walks=128, length=400)
  law = (1 - share) * transition(GRID) + share * transition(RIVAL)
  assert p_value(nodes, law) > 1e-3
  start = np.bincount(nodes[:, 0], minlength=9)
  assert stats.chisquare(start).pvalue > 1e-3


def test_switch_is_after_the_word_that_was_asked_for():
  nodes = draw(mixed_walks.switch(40, 100), walks=512)
  assert p_value(nodes[:, :40], transition(GRID)) > 1e-3
  assert p_value(nodes[:, 39:], transition(RIVAL)) > 1e-3
  # The graphs share no edge, so that no step can be of both.
  across = GRID.adjacency[nodes[:, 38], nodes[:, 39]]
  after = RIVAL.adjacency[nodes[:, 39], nodes[:, 40]]
  assert across.all() and after.all()


def test_walk_depends_on_its_index_only_and_shorter_ones_are_prefixes():
  second = mixed_walks.mixture(0.5, 100)
  nodes = draw(second)
  np.testing.assert_array_equal(draw(second, walks=5, first=7), nodes[7:12])
  np.testing.assert_array_equal(draw(second, length=41), nodes[:, :41])
  assert (draw(second, seed=4) != nodes).any()


def test_tables_and_schedules_of_every_walk():
  other = mixed_walks.pair_of_tables(RIVAL, GRID)
  both = mixed_walks.transitions.stack_tables([TABLE, other])
  rows = jnp.array([0, 1] * 8)
  each = mixed_walks.transitions.TransitionTable(
    *(None if leaf is None else leaf[rows] for leaf in both)
  )
  schedule = np.stack([mixed_walks.mixture(0.2, 60)] * 16)
  nodes = draw(schedule, walks=16, length=60, table=each)
  for which, table in enumerate((TABLE, other)):
    alone = draw(schedule[0], walks=16, length=60, table=table)
    np.testing.assert_array_equal(nodes[which::2], alone[which::2])


def test_refusals():
  with pytest.raises(errors.InputError, match="same nodes"):
    mixed_walks.pair_of_tables(GRID, graphs.parse("ring:8"))
  with pytest.raises(errors.InputError, match="between 0 and 1"):
    mixed_walks.mixture(1.5, 10)
  for last in (0, 10):
    with pytest.raises(errors.InputError, match="without words"):
      mixed_walks.switch(last, 10)
  with pytest.raises(errors.InputError, match="hold out fewer"):
    graph_edits.held_out(graphs.parse("ring:6"), 2, seed=0)
  with pytest.raises(errors.InputError, match="at least 3"):
    graph_edits.ring((0, 1))


def test_rivals_share_no_edge_where_that_can_be():
  for spec in ("grid:4x4", "ring:10", "hex:3x3"):
    graph = graphs.parse(spec)
    places = graph_edits.rival(graph, seed=1)
    copy = graph_edits.relabelled(graph, places)
    assert not (copy.adjacency * graph.adjacency).any()
    assert networkx.faster_could_be_isomorphic(
      networkx.from_numpy_array(copy.adjacency),
      networkx.from_numpy_array(graph.adjacency),
    )
    i, j = graph.arcs[0]
    assert copy.adjacency[places[i], places[j]]


def test_held_out_edges_leave_the_graph_connected():
  grid = graphs.parse("grid:4x4")
  taken = np.zeros((16, 16))
  for seed in range(40):
    left, edges = graph_edits.held_out(grid, 3, seed)
    assert left.edge_count == 21
    assert networkx.is_connected(networkx.from_numpy_array(left.adjacency))
    assert grid.adjacency[*edges.T].all()
    assert not left.adjacency[*edges.T].any()
    taken[*edges.T] += 1
  assert (taken > 0).sum() > 18


def test_ring_of_an_order():
  ring = graph_edits.ring((0, 2, 4, 1, 3))
  assert ring.edge_count == 5
  assert ring.adjacency[0, 2] and ring.adjacency[3, 0]
  assert not ring.adjacency[0, 1]
