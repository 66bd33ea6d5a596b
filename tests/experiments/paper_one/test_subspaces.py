"""Ablations of subspaces on an untrained model, and their limits by hand."""

import functools

import numpy as np
import pytest

from icl_graphs.analysis import subspaces as spaces
from icl_graphs.experiments import graph_subject, recipe, tracing_settings
from icl_graphs.experiments.paper_one import class_means, subspaces
from icl_graphs.experiments.paper_one import subspaces_conditions as kinds
from icl_graphs.models import decoder, layers
from icl_graphs.report.paper_one import subspaces as figures


@pytest.fixture(scope="module")
def subject(tiny_model, tmp_path_factory):
  settings = tracing_settings.Settings(
    model=str(tiny_model), walks=16, context=60
  )
  return graph_subject.GraphSubject(settings, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def outcome(subject, tmp_path_factory):
  folder = tmp_path_factory.mktemp("figures")
  found = subspaces.RECIPE.run(subject, folder)
  for figure in found.figures:
    assert (folder / figure.file).stat().st_size > 10_000
  return found


def test_every_ablation_is_there(outcome):
  measured = outcome.measurements
  assert np.isfinite(measured["per_walk"]).all()
  powers = measured["power"].sel(space=measured["space"][:-1])
  np.testing.assert_allclose(powers.sum("space"), 1, atol=1e-6)
  for name, _ in figures.targets(measured):
    at = figures.find(measured, kind=kinds.TAKEN, target=name)
    assert len(at) >= 2
  assert all(claim.verdict in recipe.VERDICTS for claim in outcome.claims)


def test_what_is_taken_away_at_the_end_is_gone(outcome):
  """Its modes have no power left, and nothing left is all of the rest."""
  measured = outcome.measurements
  at = {"start": measured.attrs["layers"], "extent": kinds.ONE}
  plane = figures.find(
    measured, kind=kinds.TAKEN, target=spaces.GRAPH_PLANE, **at
  )
  clean = figures.find(measured, kind=kinds.CLEAN)
  first = measured["power"].values[:, 0]
  # Estimated on other walks, so that little and not nothing is left.
  assert first[plane] < 0.6 * first[clean]


def test_removed_norms_match(outcome):
  measured = outcome.measurements
  for name in (spaces.GRAPH_PLANE, spaces.PARITY):
    wanted, inside, anywhere = (
      measured["removed"].values[
        figures.find(measured, kind=kind, target=name, extent=kinds.ONE)
      ]
      for kind in (kinds.TAKEN, kinds.INSIDE_MATCHED, kinds.ANYWHERE_MATCHED)
    )
    at = measured.attrs["report_layer"]
    wanted = measured["removed"].values[
      figures.find(
        measured, kind=kinds.TAKEN, target=name, extent=kinds.ONE, start=at
      )
    ]
    np.testing.assert_allclose(inside, wanted[0], rtol=1e-6)
    np.testing.assert_allclose(anywhere, wanted[0], rtol=1e-6)


def test_all_directions_at_the_end_give_the_means_prediction(subject):
  """Without any direction only the centre is left: one prediction for all."""
  plan, graph = subject.plan(subspaces.SPEC)
  config, width = plan.decoder, plan.decoder.hidden_size
  states = config.num_layers + 1
  rng = np.random.default_rng(0)
  centre = rng.normal(size=(states, width)).astype(np.float32)
  weight = np.zeros((1, states, width), np.float32)
  weight[:, -1] = 1
  arrays = kinds.Arrays(
    np.broadcast_to(np.eye(width, dtype=np.float32), (states, width, width)),
    np.arange(width, dtype=np.int32)[None],
    weight,
    np.zeros((1, states), bool),
    centre,
  )
  walks = class_means.sample(graph, 0, np.arange(4), plan)
  edges = np.asarray(graph.adjacency) > 0
  _, per_row = subject.evaluate(
    "test",
    functools.partial(subspaces._step, config, plan.layout, 30),
    {"condition": np.zeros(4, np.int32), "walk": np.arange(4, dtype=np.int32)},
    {"arrays": arrays, "nodes": walks, "edges": edges},
    words=plan.words,
  )
  params = subject.params
  final = layers.Norm(config.norm).apply(
    {"params": params["final_norm"]}, centre[-1]
  )
  logits = np.asarray(decoder.unembedding(params, config), np.float64) @ (
    np.asarray(final, np.float64)
  )
  probability = np.exp(logits - np.logaddexp.reduce(logits))
  probability = probability[np.array(plan.layout.node_token_ids)]
  last = walks[:, -max(1, plan.words // 5) :]
  wanted = (edges @ probability)[last].mean(axis=1)
  np.testing.assert_allclose(per_row[:, 0], wanted, rtol=1e-4)
  np.testing.assert_allclose(per_row[:, 1], probability.sum(), rtol=1e-4)


def test_conditions_as_arrays():
  """Which rows are taken where, at which strength."""
  rng = np.random.default_rng(1)
  means, samples = rng.normal(size=(4, 6, 20)), rng.normal(size=(50, 4, 20))
  every = spaces.principal(means)
  targets = [
    spaces.Subspace(spaces.GRAPH_PLANE, None, every[:, :2]),
    spaces.Subspace(spaces.EVERY, None, every),
  ]
  bank = kinds.Bank(means, samples, targets)
  conditions = [
    kinds.Condition(kinds.CLEAN),
    kinds.Condition(kinds.TAKEN, spaces.EVERY, 5, 1, kinds.ONWARDS),
    kinds.Condition(kinds.KEPT, spaces.GRAPH_PLANE, 2, 2),
    kinds.Condition(
      kinds.ANYWHERE_MATCHED, spaces.GRAPH_PLANE, 2, 2, kinds.ONE, 1
    ),
  ]
  arrays = kinds.as_arrays(conditions, bank)
  np.testing.assert_array_equal(arrays.weight[0], 0)
  np.testing.assert_array_equal(arrays.weight[1].sum(axis=1), [0, 5, 5, 5])
  np.testing.assert_array_equal(
    arrays.keep, [[0] * 4, [0] * 4, [0, 0, 1, 0], [0] * 4]
  )
  taken = arrays.bank[2, arrays.select[1]]
  np.testing.assert_allclose(taken, every[2], atol=1e-6)
  # What the matched one subtracts has the same mean square.
  about = samples[:, 2] - means[2].mean(axis=0)

  def subtracted(number):
    rows = arrays.bank[2, arrays.select[number]]
    rows = rows * arrays.weight[number, 2][:, None]
    return ((about @ rows.T @ rows) ** 2).sum(axis=1).mean()

  plane = ((about @ every[2, :2].T) ** 2).sum(axis=1).mean()
  np.testing.assert_allclose(subtracted(3), plane, rtol=1e-5)
  np.testing.assert_allclose(bank.removed(conditions[3]) * bank.total[2], plane)
  kept = bank.removed(conditions[2])
  np.testing.assert_allclose((1 - kept) * bank.total[2], plane)
