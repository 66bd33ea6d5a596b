"""The sweep over heads against single passes; verdicts on planted curves."""

import functools
import random

import jax
import numpy as np
import pytest
import xarray as xr

from icl_graphs.engine import forward
from icl_graphs.experiments import graph_subject, recipe, tracing_settings
from icl_graphs.experiments.paper_one import heads as heads_recipe
from icl_graphs.experiments.paper_one import heads_conditions as kinds
from icl_graphs.experiments.paper_one import heads_verdicts as verdicts
from icl_graphs.models import decoder
from icl_graphs.probes import edits, heads
from tests.models import switches

LENGTH = 80


@pytest.fixture(scope="module")
def subject(tiny_model, tmp_path_factory):
  settings = tracing_settings.Settings(
    model=str(tiny_model), walks=16, groups=4, context=LENGTH, resamples=40
  )
  return graph_subject.GraphSubject(settings, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def outcome(subject, tmp_path_factory):
  folder = tmp_path_factory.mktemp("figures")
  found = heads_recipe.RECIPE.run(subject, folder)
  for figure in found.figures:
    assert (folder / figure.file).stat().st_size > 10_000
  return found


@functools.partial(jax.jit, static_argnums=0)
def read(config, params, tokens, made):
  final, hidden = edits.read(config, params, tokens, made, lambda one: one)
  return decoder.logits(params, config, final), hidden


def test_conditions_are_those_of_single_passes(subject, outcome):
  """Scores, mean outputs, accuracy and class means, one after the other."""
  measured, config = outcome.measurements, subject.decoder
  tokens = heads.repeated_tokens(config.vocab_size)
  patterns = heads.previous_token(), heads.induction(32)
  scored = jax.jit(
    lambda params: heads.scores(config, params, tokens, patterns)
  )(subject.params)
  np.testing.assert_allclose(measured["score"], scored, atol=1e-5)

  plan, graph = subject.plan(heads_recipe.SPEC)
  task = forward.task(graph, 0)
  sample = jax.jit(functools.partial(forward.sample, plan))
  others = sample(task, np.arange(16) + 2**24)
  words = np.asarray(others.nodes) >= 0
  mean = jax.jit(
    lambda params: heads.output_sums(config, params, others.tokens, words)
  )(subject.params)
  mean = np.asarray(mean) / words.sum()

  batch = sample(task, np.arange(8))
  linked = np.asarray(graph.adjacency) > 0
  ids = np.asarray(plan.layout.node_token_ids)
  for number in (0, 2, 3, measured.sizes["condition"] - 1):
    names = str(measured["heads"][number].values).split()
    taken = [tuple(map(int, one.split("."))) for one in names]
    fill = mean * (measured["ablation"][number].item() == kinds.MEAN)
    made = edits.Edits(
      edits.without(config, taken)[:, None], fill[:, None].astype(np.float32)
    )
    logits, hidden = read(config, subject.params, batch.tokens, made)
    logits = np.asarray(logits)
    probs = np.exp(logits - np.logaddexp.reduce(logits, -1, keepdims=True))
    nodes = np.asarray(batch.nodes)[:, 1:]
    expected = (probs[:, 1:, ids] * linked[nodes]).sum(-1)
    np.testing.assert_allclose(
      measured["accuracy_full"][:, number], expected, atol=2e-5
    )
    window = measured.attrs["window"]
    kept = np.asarray(hidden)[-1][:, -window:].reshape(-1, config.hidden_size)
    at = nodes[:, -window:].reshape(-1)
    means = np.stack([kept[at == i].mean(axis=0) for i in range(graph.n)])
    means = means - means.mean(axis=0)
    square = ((means[:, None] - means) ** 2).sum(-1)
    energy = square[linked].mean() / square.sum() * graph.n * (graph.n - 1)
    found = measured["energy_relative"].isel(hidden_state=-1, stat=0)
    assert found[number] == pytest.approx(energy, rel=1e-3)


def test_outcome_tells_everything(outcome, subject):
  assert len(outcome.claims) == 4
  assert all(one.reason for one in outcome.claims)
  assert {"heads_judged", "accuracy_full, clean run"} <= set(outcome.numbers)
  measured = outcome.measurements
  rows, highest = outcome.tables
  assert len(rows.rows) == measured.sizes["condition"]
  assert len(highest.rows) == 4
  assert measured.attrs["work"] < 0.9


def test_random_heads_are_those_of_the_published_code():
  config = switches.BASE  # 3 blocks of 4 heads
  every = [(layer, head) for layer in range(3) for head in range(4)]
  previous, induction = every[::-1], every
  made = kinds.make(config, induction, previous)
  assert kinds.sizes(config) == (1, 2, 4)
  assert len(made) == 1 + 2 * 3 * (2 + 4)
  (_, at) = kinds.find(made, kinds.RANDOM, 2, kinds.MEAN)[:2]
  others = every[2:-2]
  assert made[at].heads == tuple(random.Random(101).sample(others, 2))
  assert kinds.matched(made) == 4
  # Lists that leave fewer heads than they hold have nothing to compare with.
  apart = kinds.make(config, every, every[6:] + every[:6])
  assert kinds.matched(apart) == 4
  tree = kinds.as_tree(made, config, np.zeros((3, 4, 8)))
  assert tree.ancestor.shape == (4, len(made))


@pytest.fixture
def planted():
  """Conditions of a model of 8 heads, with nothing lost."""
  every = [(layer, head) for layer in range(3) for head in range(4)]
  conditions = kinds.make(switches.BASE, every, every[::-1])
  rng = np.random.default_rng(0)
  shape = (12, len(conditions), 50)
  full = 0.8 + 0.01 * rng.normal(size=shape)
  stats = np.tile(
    [0.97, 0.96, 0.98, 0.2, 0.1, 0.05, 0.4], (1, len(conditions), 1)
  )
  dims = ("hidden_state", "condition", "stat")
  names = ("value", "low", "high", "null", "null_sd", "null_low", "null_high")
  return conditions, xr.Dataset(
    {
      "accuracy_full": (("walk", "condition", "word"), full),
      "accuracy_restricted": (("walk", "condition", "word"), full),
      "score": (
        ("sequence", "pattern", "layer", "head"),
        np.zeros((1, 2, 3, 4)),
      ),
      **{
        name: (dims, stats.copy())
        for name in ("principal_cosine_1", "principal_cosine_2")
      },
      **{
        name: (dims, stats.copy())
        for name in ("energy_relative", "distance_correlation")
      },
    },
    {
      "hidden_state": [3],
      "stat": list(names),
      "pattern": [kinds.PREVIOUS, kinds.INDUCTION],
    },
    {"last": 10, "seed": 0, "report_layer": 3, "layers": 3, "work": 0.5},
  )


def verdicts_of(conditions, measured):
  summary = verdicts.judge(conditions, measured)
  found = verdicts.outcome(conditions, measured, summary)
  return [one.verdict for one in found.claims]


def test_verdicts_of_what_was_published(planted):
  """Both lists lose accuracy; only one the geometry."""
  conditions, measured = planted
  assert verdicts_of(*planted) == [
    *[recipe.NOT_SHOWN] * 2,
    *(recipe.SHOWN, recipe.NOT_SHOWN),
  ]
  for number, one in enumerate(conditions):
    if one.kind in kinds.LISTS:
      measured["accuracy_full"][:, number] -= 0.1
    if one.kind == kinds.PREVIOUS:
      measured["principal_cosine_2"][:, number, :3] = [0.2, 0.15, 0.25]
  assert verdicts_of(*planted) == [recipe.SHOWN] * 4


def test_verdicts_need_every_random_set_and_a_geometry(planted):
  conditions, measured = planted
  drawn = kinds.find(conditions, kinds.RANDOM, 4, kinds.MEAN)
  for number, one in enumerate(conditions):
    if one.kind in kinds.LISTS or number == drawn[1]:
      measured["accuracy_full"][:, number] -= 0.1
  measured["principal_cosine_2"][:, 0, 0] = 0.3
  assert verdicts_of(*planted) == [
    *[recipe.NOT_SHOWN] * 2,
    *[recipe.CANNOT_TELL] * 2,
  ]
