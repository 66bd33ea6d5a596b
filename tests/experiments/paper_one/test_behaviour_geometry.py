"""Sums of predictions on devices against predictions one by one."""

import jax
import numpy as np

from icl_graphs.engine import forward
from icl_graphs.experiments import graph_subject, recipe, tracing_settings
from icl_graphs.experiments.paper_one import behaviour_geometry
from icl_graphs.models import decoder

WALKS, LENGTH, SPEC = 16, 80, behaviour_geometry.GRID


def test_on_a_model_that_was_never_trained(tiny_model, tmp_path):
  settings = tracing_settings.Settings(
    model=str(tiny_model),
    walks=WALKS,
    batch_size=4,
    groups=4,
    context=LENGTH,
    resamples=20,
  )
  subject = graph_subject.GraphSubject(settings, tmp_path)
  outcome = behaviour_geometry.RECIPE.run(subject, tmp_path)
  assert [one.verdict in recipe.VERDICTS for one in outcome.claims] == 3 * [
    True
  ]
  assert (tmp_path / "behaviour.png").stat().st_size > 10_000
  ds = outcome.measurements["grid_5x5"].to_dataset()

  plan, graph = subject.plan(SPEC)
  batch = forward.sample(plan, forward.task(graph, 0), np.arange(WALKS))
  model = decoder.Decoder(subject.decoder)

  @jax.jit
  def read(params):
    final, hidden = model.apply(
      {"params": params}, batch.tokens, lambda hidden: hidden
    )
    return decoder.logits(params, subject.decoder, final), hidden

  logits, hidden = read(subject.params)
  chosen = np.asarray(logits, float)[..., list(plan.layout.node_token_ids)]
  probs = np.exp(chosen - chosen.max(axis=-1, keepdims=True))
  probs /= probs.sum(axis=-1, keepdims=True)
  recent = np.asarray(batch.nodes).copy()
  recent[:, : plan.layout.offset + LENGTH - subject.report_window] = -1
  rows = np.asarray(hidden, float)[subject.report_layer]
  mean = np.stack([probs[recent == node].mean(axis=0) for node in range(25)])
  np.testing.assert_allclose(ds.probs, mean, atol=1e-6)
  states = np.stack([rows[recent == node].mean(axis=0) for node in range(25)])
  apart = np.linalg.norm(states[:, None] - states, axis=-1)
  np.testing.assert_allclose(ds.activation, apart, atol=1e-3)
