"""Walks with their own words; memorisation, transition and scaling recipes."""

import dataclasses
import json

import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.analysis import detection, geometry, gram, transitions
from icl_graphs.experiments import graph_subject, recipe, tracing_settings
from icl_graphs.experiments.paper_one import (
  counting,
  growth,
  memorisation,
  own_words,
  paced,
  scaling,
  scaling_claims,
  transition,
)
from icl_graphs.models import decoder
from icl_graphs.tasks import graphs
from icl_graphs.theory import predictors

LENGTH = 60


@pytest.fixture(scope="module")
def subject(tiny_model, tmp_path_factory):
  settings = tracing_settings.Settings(
    model=str(tiny_model),
    context=LENGTH,
    walks=32,
    windows=(20,),
    resamples=20,
    batch_size=8,
  )
  return graph_subject.GraphSubject(settings, tmp_path_factory.mktemp("out"))


@pytest.fixture(autouse=True)
def one_program(monkeypatch):
  """Every call has as many rows."""
  monkeypatch.setattr(own_words, "CHUNK", 16)


def probabilities(subject, tokens):
  """Of the whole vocabulary at every word, and hidden states."""
  model = decoder.Decoder(subject.decoder)
  final, hidden = model.apply(
    {"params": subject.params}, tokens, lambda hidden: hidden
  )
  logits = decoder.logits(subject.params, subject.decoder, final)
  logits = np.asarray(logits, np.float64)[:, len(subject.bos_ids) :]
  odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
  return odds / odds.sum(axis=-1, keepdims=True), np.asarray(hidden, float)


def test_walks_with_their_own_words_equal_a_plain_reading(subject, monkeypatch):
  pool = own_words.pool(subject)
  seen = []
  evaluate = subject.evaluate

  def spy(name, step, rows, *others, **named):
    seen.append(rows)
    return evaluate(name, step, rows, *others, **named)

  monkeypatch.setattr(subject, "evaluate", spy)
  found = own_words.read(subject, pool, "grid:3x3", count=32)
  assert [len(rows["tokens"]) for rows in seen] == [16, 16]
  rows = {name: np.concatenate([r[name] for r in seen]) for name in seen[0]}
  graph = graphs.parse("grid:3x3")
  nodes = found.nodes
  assert (graph.adjacency[nodes[:, :-1], nodes[:, 1:]] > 0).all()
  assert nodes[:, 0].tolist() == [i % 9 for i in range(32)]
  tokens = rows["tokens"]
  # One word per node and walk, different ones in different walks.
  ids = np.full((32, 9), -1)
  for walk in range(32):
    for node, token in zip(nodes[walk], tokens[walk, 1:], strict=True):
      assert ids[walk, node] in (-1, token)
      ids[walk, node] = token
  assert len({tuple(row) for row in ids}) == 32
  probs, _ = probabilities(subject, tokens)
  for walk in range(32):
    row = ids[walk]
    if (row < 0).any():
      continue  # a word that this walk never reached is not in its tokens
    for t in range(0, LENGTH, 7):
      here = probs[walk, t]
      near = row[np.flatnonzero(graph.adjacency[nodes[walk, t]])]
      place = walk, t
      assert found.accuracy[place] == pytest.approx(here[near].sum(), abs=1e-5)
      assert found.mass[place] == pytest.approx(here[row].sum(), abs=1e-5)
      back = here[tokens[walk, t]] if t else 0.0
      assert found.back[place] == pytest.approx(back, abs=1e-5)


def test_geometry_by_group_equals_class_means(subject):
  pool = own_words.pool(subject)
  found = paced.read(subject, pool, "grid:3x3")
  walks = paced.FEWEST * paced.GROUPS
  graph = graphs.parse("grid:3x3")
  nodes = own_words.sample(graph, walks, LENGTH, 0)
  rng = np.random.default_rng((paced._WORD_STREAM, 0))
  slots = rng.permuted(np.tile(np.arange(len(pool.words)), (16, 1)), axis=1)
  group = np.arange(walks) // (walks // 16)
  words = pool.ids[slots[group[:, None], nodes]]
  tokens = np.concatenate([np.full((walks, 1), subject.bos_ids[0]), words], 1)
  _, hidden = probabilities(subject, tokens)
  states = hidden[subject.report_layer][:, 1:]
  frame = geometry.frame(graph.adjacency)
  for c, context in enumerate(found.contexts):
    inside = slice(max(0, context - 20), context)
    for g in (0, 7):
      part = states[group == g, inside].reshape(-1, states.shape[-1])
      labels = nodes[group == g, inside].reshape(-1)
      means = np.stack([part[labels == node].mean(axis=0) for node in range(9)])
      expected = geometry.measure(gram.from_rows(means), frame, part.shape[-1])
      for name in paced.MEASURES:
        assert found.measures[name][g, c] == pytest.approx(
          expected[name], rel=2e-3
        )
  assert len(found.contexts) >= 1
  np.testing.assert_allclose(found.count, walks // 16)


def check(outcome, folder, *files):
  assert outcome.claims
  json.dumps(outcome.numbers, allow_nan=False)
  for file in files:
    assert (folder / file).stat().st_size > 10_000
  for table in outcome.tables:
    assert all(len(row) == len(table.header) for row in table.rows)
  for claim in outcome.claims:
    assert claim.reason and claim.criterion


def test_memorisation_runs_on_an_untrained_model(subject, tmp_path):
  outcome = memorisation.RECIPE.run(subject, tmp_path)
  check(outcome, tmp_path, "memorisation.png")
  # Nothing was learnt, so nothing may be claimed to go beyond counting.
  assert outcome.claims[2].verdict == recipe.NOT_SHOWN


def test_transition_runs_on_an_untrained_model(subject, tmp_path, monkeypatch):
  monkeypatch.setattr(transition, "SPECS", ("grid:3x3", "grid:40x40"))
  monkeypatch.setattr(transition, "RESAMPLES", 60)
  outcome = transition.RECIPE.run(subject, tmp_path)
  check(outcome, tmp_path, "transition.png")
  assert recipe.SHOWN not in [claim.verdict for claim in outcome.claims]


def test_scaling_runs_on_an_untrained_model(subject, tmp_path, monkeypatch):
  families = {"grid": ("grid:3x3", "grid:4x4", "grid:40x40"), "ring": ()}
  monkeypatch.setattr(growth, "FAMILIES", families)
  monkeypatch.setattr(growth, "RESAMPLES", 60)
  monkeypatch.setattr(growth, "LONG_LENGTH", 400)
  outcome = scaling.RECIPE.run(subject, tmp_path)
  check(outcome, tmp_path, "scaling.png")
  assert any("grid:40x40 is left out" in note for note in outcome.notes)
  assert recipe.SHOWN not in [claim.verdict for claim in outcome.claims]


def test_too_short_a_context_is_refused(subject, tmp_path):
  settings = dataclasses.replace(subject.settings, context=20)
  short = graph_subject.GraphSubject(settings, tmp_path)
  for module in (transition, scaling):
    with pytest.raises(errors.InputError, match="too few"):
      module.RECIPE.run(short, tmp_path)


def walked(spec, reader, alpha, walks=64, length=256):
  """What a counting reader would have been read to expect."""
  graph = graphs.parse(spec)
  nodes = own_words.sample(graph, walks, length, 3)
  counts = predictors.count(nodes, graph.adjacency)
  accuracy = reader(counts, graph.n, alpha)
  back = np.minimum(accuracy, 0.2)
  return own_words.Read(nodes, accuracy, back, np.ones_like(accuracy))


def test_a_counting_reader_is_recognised():
  for both, reader in counting.READERS.items():
    alpha = float(counting.ALPHAS[20])
    found = walked("grid:5x5", reader, alpha)
    adjacency = graphs.parse("grid:5x5").adjacency
    fitted = counting.fitted(found.nodes, adjacency, found.accuracy)
    assert (fitted.both, fitted.alpha) == (both, alpha)
    assert fitted.error < 1e-12


def test_a_slow_learner_is_told_from_memory():
  """Knows the graph only late: memory saturates far earlier."""
  found = walked("grid:5x5", predictors.bayes, 0.1, length=1000)
  t = np.arange(1, 1001)
  slow = 0.1 + 0.8 / (1 + np.exp(-(np.log(t) - np.log(300)) * 6))
  noise = np.random.default_rng(0).normal(size=found.accuracy.shape) * 0.02
  late = found._replace(accuracy=np.clip(slow + noise, 0, 1))
  one = memorisation.compared("grid:5x5", late, 0)
  assert one.later.low > 3
  assert one.bend.determined and 100 < one.bend.bend.value < 300
  # A reader that counts with the same prior saturates with memory.
  same = memorisation.compared("grid:5x5", found, 0)
  np.testing.assert_allclose(same.lead, 0, atol=0.01)


def planted_growth(m, at, context=256):
  """A grid whose transition lies at a given context."""
  rng = np.random.default_rng(m)
  t = np.arange(1, context + 1)
  x = np.log10(t)
  mean = 0.3 + 0.02 * x + 0.35 * np.maximum(0, x - np.log10(at))
  walks = rng.beta(4 * mean, 4 * (1 - mean), (48, context))
  ones = np.ones_like(walks)
  edges, cover = growth.coverage(graphs.parse(f"grid:{m}x{m}"))
  return growth.Growth(
    f"grid:{m}x{m}",
    "grid",
    m * m,
    48,
    walks.mean(axis=0),
    walks.mean(axis=0),
    detection.detect(walks, ones, 200, 0, candidates=150),
    detection.belief(walks, ones, 20, 0),
    transitions.Estimate(20.0, 15.0, 25.0, np.zeros(0)),
    counting.Counter(0.1, False, 0.0, walks),
    edges,
    cover,
  )


def test_verdicts_on_planted_exponents():
  sides = (3, 4, 5, 6, 7)
  for power, factor, expected in ((2.5, 0.75, recipe.SHOWN), (0.8, 9, None)):
    grids = [planted_growth(m, factor * m**power) for m in sides]
    law = scaling_claims.breakpoints(grids)
    kept = np.sqrt([one.nodes for one in law.used])
    assert law.law.low <= power / 2 <= law.law.high, kept
    claims = scaling_claims.claims({"grid": grids}, 256)
    assert claims[0].verdict == recipe.SHOWN
    if expected is None:
      assert claims[2].verdict == recipe.NOT_SHOWN
    else:
      assert claims[2].verdict in (recipe.SHOWN, recipe.CANNOT_TELL)
    assert claims[3].verdict == recipe.CANNOT_TELL
