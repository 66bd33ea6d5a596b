"""The re-encoding recipe against whole passes with vectors made by hand."""

import dataclasses

import jax
import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.experiments import graph_subject, recipe, tracing_settings
from icl_graphs.experiments.paper_one import reencoding
from icl_graphs.experiments.paper_one import reencoding_conditions as kinds
from icl_graphs.models import decoder
from icl_graphs.probes import edits
from icl_graphs.report.paper_one import reencoding as figures

WALKS = 24


@pytest.fixture(scope="module")
def subject(tiny_model, tmp_path_factory):
  settings = tracing_settings.Settings(
    model=str(tiny_model), walks=WALKS, context=128
  )
  return graph_subject.GraphSubject(settings, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def outcome(subject, tmp_path_factory):
  folder = tmp_path_factory.mktemp("figures")
  found = reencoding.RECIPE.run(subject, folder)
  for figure in found.figures:
    assert (folder / figure.file).stat().st_size > 10_000
  return found


def vector(means, last, target, word, components, unembedding):
  """v = sum_k [(h* - r) . e_k] e_k + unembedding * u*, of one hidden state."""
  _, _, directions = np.linalg.svd(means - means.mean(axis=0))
  made = unembedding * word / np.linalg.norm(word)
  for e in directions[:components]:
    made = made + ((means[target] - last) @ e) * e
  return made


BY_HAND = (  # kind, components, multiples of u*
  (kinds.RECIPE, 2, -2),
  (kinds.BARE, 15, 0),
  (kinds.WORD_ONLY, 0, -2),
)


def test_metrics_are_those_of_whole_passes(subject, outcome):
  """One walk, read as a whole with vectors added at its last position."""
  plan, graph = subject.plan(reencoding.SPEC)
  measured = outcome.measurements
  rows = reencoding._rows(subject, graph, plan.words)
  window = measured.attrs["window"]
  whole = [
    walk
    for walk, nodes in enumerate(rows["nodes"])
    if len(set(nodes[-window:].tolist())) == graph.n
  ]
  assert len(whole) == measured.sizes["walk"]
  nodes, target = rows["nodes"][whole[0]], rows["target"][whole[0]]
  tokens = np.array([*plan.layout.bos_ids, *ids(plan)[nodes]], np.int32)
  tokens = np.tile(tokens, (len(BY_HAND), 1))
  config, params = plan.decoder, subject.params

  @jax.jit
  def read(params, made):
    return edits.read(config, params, tokens, made, lambda hidden: hidden)

  at = np.zeros(tokens.shape, bool)
  at[:, -1] = True
  shape = (config.num_layers + 1, len(BY_HAND), config.hidden_size)
  added = np.zeros(shape, np.float32)
  _, hidden = read(params, edits.Edits(at=at, add=added))
  hidden = np.asarray(hidden, np.float64)[:, 0]
  unembed = np.asarray(decoder.unembedding(params, config), np.float64)
  for state in kinds.late(config):
    occurrences = hidden[state, -window:]
    means = np.stack(
      [occurrences[nodes[-window:] == i].mean(axis=0) for i in range(graph.n)]
    )
    for row, (_, components, unembedding) in enumerate(BY_HAND):
      added[state, row] = vector(
        *(means, hidden[state, -1], target, unembed[ids(plan)[target]]),
        *(components, unembedding),
      )
  final, _ = read(params, edits.Edits(at=at, add=added))
  logits = np.asarray(final, np.float64)[:, -1] @ unembed.T
  total = np.logaddexp.reduce(logits, axis=1, keepdims=True)
  probability = np.exp(logits - total)[:, ids(plan)]
  wanted = np.asarray(graph.adjacency)[target] > 0
  for row, (kind, components, _) in enumerate(BY_HAND):
    found = measured["per_walk"].isel(
      walk=0, condition=figures.find(measured, kind, components or None)
    )
    np.testing.assert_allclose(
      found.sel(metric="mass"), probability[row, wanted].sum(), rtol=2e-3
    )
    assert found.sel(metric="hit_1") == wanted[np.argmax(probability[row])]


def ids(plan):
  return np.array(plan.layout.node_token_ids)


def test_the_clean_run_has_no_vector(outcome):
  measured = outcome.measurements
  clean = figures.find(measured, kinds.CLEAN)
  assert measured["length"].values[clean].max() == 0
  late = measured.attrs["late"].split()
  assert late == ["1", "2"]
  # Random directions have the length of what they stand for.
  np.testing.assert_allclose(
    measured["length"].values[figures.find(measured, kinds.RANDOM, 2)],
    measured["length"].values[figures.find(measured, kinds.RECIPE, 2)],
    rtol=1e-4,
  )


def test_strata_cover_the_walks(outcome):
  measured = outcome.measurements
  walks = dict(
    zip(measured["stratum"].values, measured["walks"].values, strict=True)
  )
  assert (
    walks["even distance"] + walks["odd distance"] == measured.sizes["walk"]
  )
  assert outcome.numbers["walks_skipped"] == 4 * WALKS - measured.sizes["walk"]
  # Parity: the target's neighbours lie on its own side of the current word's.
  assert set(np.unique(measured["distance"])) <= set(range(1, 7))


def test_verdicts_are_of_three_kinds(outcome):
  assert all(claim.verdict in recipe.VERDICTS for claim in outcome.claims)


def test_short_contexts_are_refused(tiny_model, tmp_path):
  settings = tracing_settings.Settings(
    model=str(tiny_model), walks=16, context=40
  )
  short = graph_subject.GraphSubject(settings, tmp_path)
  with pytest.raises(errors.InputError, match="raise --context to 64"):
    reencoding.RECIPE.run(short, tmp_path)


def test_late_states_follow_the_released_code(subject):
  config = subject.decoder
  for layers, wanted in ((32, (29, 30, 31, 32)), (5, (4, 5)), (1, (1,))):
    deep = dataclasses.replace(config, num_layers=layers, sliding=())
    assert kinds.late(deep) == wanted
