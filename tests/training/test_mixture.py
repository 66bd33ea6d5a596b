import dataclasses
import functools

import jax
from jax import numpy as jnp
import numpy as np
import pytest

from icl_graphs.tasks import graphs
from icl_graphs.training import mixture, tokenizer

V = 128
WORDS = 3


@functools.partial(jax.jit, static_argnames=("scenes", "length", "nodes"))
def _draw(key, table, numbers, *, scenes, length, nodes):
  return mixture.sample(
    key,
    table,
    mixture.Mixture(scenes=scenes, **numbers),
    batch=64,
    length=length,
    vocab_size=V,
    max_nodes=nodes,
  )


def draw(data, specs=("ring:9",), *, seed=0, length=301, nodes=30):
  # Numbers are traced, so that one compilation serves most tests.
  numbers = dataclasses.asdict(data)
  scenes = numbers.pop("scenes")
  tokens = _draw(
    jax.random.key(seed),
    mixture.tables(specs),
    jax.tree.map(jnp.float32, numbers),
    scenes=scenes,
    length=length,
    nodes=nodes,
  )
  return np.asarray(tokens)


def with_calendar(share, **others):
  return dataclasses.replace(mixture.PLAIN, calendar=share, scenes=3, **others)


def degrees(row):
  """Distinct words that stood beside each word of a sequence."""
  beside = {}
  for first, second in zip(row[1:-1], row[2:], strict=True):
    beside.setdefault(first, set()).add(second)
    beside.setdefault(second, set()).add(first)
  return {word: len(others) for word, others in beside.items()}


def test_sequences_are_words_after_bos():
  tokens = draw(mixture.Mixture(), ("ring:7", "ring:11"))
  assert (tokens[:, 0] == tokenizer.bos_id()).all()
  assert tokens.min() >= 0 and tokens.max() < V
  assert not (tokens[:, 1:] == tokenizer.bos_id()).any()


def test_plain_walks_stay_on_the_graph():
  tokens = draw(with_calendar(0.0))
  for row in tokens:
    assert len(set(row[1:])) <= 9
    assert max(degrees(row).values()) <= 2
    assert (row[1:-1] != row[2:]).all()


def test_non_backtracking_walks_go_round():
  data = with_calendar(0.0, non_backtracking=1.0)
  for row in draw(data)[:, 1:]:
    assert (row[9:] == row[:-9]).all()
    assert len(set(row)) == 9


def test_non_backtracking_steps_are_uniform_over_the_others():
  data = with_calendar(0.0, non_backtracking=1.0)
  tokens = draw(data, ("regular:8:3:0",))[:, 1:]
  assert (tokens[:, 2:] != tokens[:, :-2]).all()


def test_lazy_walks_stay_at_the_drawn_rate():
  data = with_calendar(0.0, lazy=1.0, stay=(0.5, 0.5))
  tokens = draw(data)[:, 1:]
  assert np.mean(tokens[:, 1:] == tokens[:, :-1]) == pytest.approx(
    0.5, abs=0.02
  )


def test_hops_cross_several_edges_at_the_drawn_rate():
  data = with_calendar(0.0, hops=1.0, more=(0.5, 0.5))
  tokens = draw(data, ("ring:11",))[:, 1:]
  # Back where it was: two hops (.25) of which half return, and four (.0625)
  # of which 6 in 16 do, six (.0156..) with 20 in 64.
  returned = np.mean(tokens[:, 1:] == tokens[:, :-1])
  expected = 0.25 / 2 + 0.0625 * 6 / 16 + 0.5**6 * 20 / 64
  assert returned == pytest.approx(expected, abs=0.01)


def test_every_law_can_stay_and_go_on_a_little():
  data = with_calendar(0.0, least_stay=(0.2, 0.2))
  tokens = draw(data)[:, 1:]
  stayed = np.mean(tokens[:, 1:] == tokens[:, :-1])
  assert stayed == pytest.approx(0.2, abs=0.02)
  data = with_calendar(0.0, least_more=(0.5, 0.5))
  tokens = draw(data, ("ring:11",))[:, 1:]
  returned = np.mean(tokens[:, 1:] == tokens[:, :-1])
  assert returned == pytest.approx(0.155, abs=0.015)


def test_noise_shows_a_neighbour_instead():
  tokens = draw(with_calendar(0.0, noise=1.0, misread=(0.3, 0.3)))
  # Words beside each other then stand for nodes up to three apart.
  assert max(max(degrees(row).values()) for row in tokens) > 2
  stayed = np.mean(tokens[:, 2:] == tokens[:, 1:-1])
  # One of the two is shown as its neighbour, the other node, half the time.
  assert stayed == pytest.approx(2 * 0.3 * 0.7 / 2, abs=0.02)


def test_calendars_walk_in_their_own_order():
  tokens = draw(with_calendar(1.0))[:, 1:] - WORDS
  names = tokenizer.vocabulary(V)
  assert names[0] == "Monday" and names[7] == "January"
  lengths = np.where(tokens[:, :1] < 7, 7, 12)
  start = np.where(lengths == 7, 0, 7)
  steps = np.diff(tokens - start, axis=1) % lengths
  assert np.isin(steps, [1]).mean() == pytest.approx(0.5, abs=0.05)
  assert ((steps == 1) | (steps == lengths - 1)).all()


def test_pairs_are_neighbours_with_a_separator():
  tokens = draw(with_calendar(0.0, pairs=1.0), length=301)
  places = tokens[:, 1:].reshape(len(tokens), -1, 3)
  assert (places[..., 2] == tokenizer.separator_id()).all()
  for row in places:
    beside = {}
    for first, second, _ in row:
      beside.setdefault(first, set()).add(second)
    assert max(map(len, beside.values())) == 2


def test_scenes_change_words_and_graph():
  data = with_calendar(0.0, switch=1.0, scene_length=10.0)
  counts = [len(set(row[1:])) for row in draw(data)]
  assert max(counts) > 18 and min(counts) > 9


def test_laws_change_within_a_scene():
  data = with_calendar(
    0.0, lazy=0.5, stay=(0.9, 0.9), law_switch=1.0, law_length=30.0
  )
  tokens = draw(data)[:, 1:]
  stays = tokens[:, 1:] == tokens[:, :-1]
  halves = stays[:, :100].mean(axis=1) - stays[:, -100:].mean(axis=1)
  assert np.abs(halves).max() > 0.4
  assert max(len(set(row)) for row in tokens) <= 9


def test_large_graphs_can_be_left_out():
  tokens = draw(with_calendar(0.0), ("ring:7", "ring:11"), nodes=9)
  assert max(len(set(row[1:])) for row in tokens) == 7


def test_the_key_decides_the_batch():
  data = mixture.Mixture()
  first, again, other = (draw(data, seed=s)[:4] for s in (1, 1, 2))
  assert (first == again).all() and (first != other).any(axis=1).all()


def test_training_graphs_leave_out_the_held_out_ones():
  specs = mixture.graph_specs()
  assert len(set(specs)) == len(specs) >= 50
  assert not set(specs) & set(mixture.HELD_OUT)
  assert not any(spec.startswith("hex") for spec in specs)
  kept = {graphs.parse(spec).adjacency.tobytes() for spec in specs}
  for spec in mixture.HELD_OUT:
    assert graphs.parse(spec).adjacency.tobytes() not in kept, spec
