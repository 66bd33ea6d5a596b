"""Mixtures, switches and held-out edges on an untrained tiny model."""

import jax.numpy as jnp
import numpy as np
import pytest

from icl_graphs.experiments import graph_subject, recipe, tracing_settings
from icl_graphs.experiments.paper_one import (
  held_out_edges,
  mixtures,
  readings,
  rivals,
  switches,
)

SETTINGS = {"context": 60, "walks": 32, "windows": (20,), "resamples": 50}


@pytest.fixture(scope="module")
def asked(tiny_model, tmp_path_factory):
  settings = tracing_settings.Settings(model=str(tiny_model), **SETTINGS)
  return graph_subject.GraphSubject(settings, tmp_path_factory.mktemp("asked"))


def run(one, asked, folder):
  out = one.RECIPE.run(asked, folder)
  for figure in out.figures:
    assert (folder / figure.file).stat().st_size > 5000
  assert all(claim.verdict in recipe.VERDICTS for claim in out.claims)
  return out, {claim.text: claim for claim in out.claims}


def test_mixtures(asked, tmp_path):
  out, claims = run(mixtures, asked, tmp_path)
  # An untrained model expects no graph, whatever the mixture.
  slope = out.numbers["preference_slope"]
  assert slope["value"] < 0.2
  assert claims[mixtures.MATCH[0]].verdict == recipe.NOT_SHOWN
  # The Bayesian reader was fitted to it, and saw the walks.
  found = out.measurements
  assert 0 < float(found.log_odds_bayes.mean("group")[-1]) < 0.5
  assert found.sizes["phi"] == len(mixtures.SHARES)


def test_switches(asked, tmp_path):
  out, claims = run(switches, asked, tmp_path)
  assert claims[switches.CONVERGES[0]].verdict != recipe.SHOWN
  tree = out.measurements
  for last in (15, 30):
    one = tree[f"after_{last}"].to_dataset()
    assert one.attrs["last_word_of_first_graph"] == last
    assert one.context.values[-1] == 60
    assert np.isfinite(one.energy_relative.mean("group")).all()


def test_held_out_edges(asked, tmp_path):
  out, claims = run(held_out_edges, asked, tmp_path)
  assert claims[held_out_edges.BEYOND[0]].verdict != recipe.SHOWN
  found = out.measurements
  gone = (found.graph > 0) & (found.walked == 0)
  assert (gone.sum(("node", "other")) == 2 * held_out_edges.HELD).all()
  # Every position of the second half is a visit of one node.
  assert (found.visits.sum("node") == 30).all()
  # All that is expected, of node words or others.
  total = found.mass.sum("other") / found.visits
  assert float(total.max()) <= 1 + 1e-5


def test_scores_of_several_sets_of_edges(asked):
  pair = rivals.make(asked, "grid:3x3", contexts=(30, 60), window=20, walks=16)
  second = np.zeros(60, np.float32)
  sums, scores = rivals.read(asked, "test", pair, second)
  assert scores.mass.shape == (16, 2, 60)
  assert (scores.mass.sum(axis=1) <= scores.total + 1e-6).all()
  # All steps are on the first graph of the row's group.
  for row, nodes in enumerate(scores.nodes):
    first = pair.adjacency[row % rivals.GROUPS, 0]
    assert first[nodes[:-1], nodes[1:]].all()
  grams = readings.own_grams(pair.plan, sums)
  assert grams.shape == (3, 2, 8, 9, 9)
  products, count = readings.products(pair.plan, sums)
  total = count.sum(axis=-1)
  np.testing.assert_array_equal(total, np.full((2, 8), 40.0))
  means = jnp.einsum("kcgigj->kcgij", products) / (
    count[None, ..., :, None] * count[None, ..., None, :]
  )
  np.testing.assert_allclose(means, grams, rtol=1e-5, equal_nan=True)
