"""The recipe's sums on devices against regressions on kept activations."""

import jax
import numpy as np
import pytest

from icl_graphs.analysis import label_regression as regression
from icl_graphs.engine import forward
from icl_graphs.experiments import graph_subject, recipe, tracing_settings
from icl_graphs.experiments.paper_one import variance_decomposition
from icl_graphs.models import decoder
from icl_graphs.tasks import prompts, walks

WALKS, LENGTH = 16, 60


@pytest.fixture(scope="module")
def subject(tiny_model, tmp_path_factory):
  settings = tracing_settings.Settings(
    model=str(tiny_model),
    walks=WALKS,
    batch_size=4,
    groups=4,
    context=LENGTH,
    resamples=40,
  )
  return graph_subject.GraphSubject(settings, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp("figures")


@pytest.fixture(scope="module")
def outcome(subject, folder):
  return variance_decomposition.RECIPE.run(subject, folder)


@pytest.fixture(scope="module")
def measured(outcome):
  return outcome.measurements


def explicit(columns, rows):
  design = np.hstack([np.ones((len(rows), 1)), *columns])
  beta, _, rank, _ = np.linalg.lstsq(design, rows, rcond=None)
  left = ((rows - design @ beta) ** 2).sum()
  about_mean = ((rows - rows.mean(axis=0)) ** 2).sum()
  return 1 - left / about_mean * (len(rows) - 1) / (len(rows) - rank)


def test_sums_give_the_regression_on_activations(subject, measured):
  plan, graph = subject.plan(variance_decomposition.SPEC)
  work = forward.task(graph, 0)
  nodes = np.asarray(
    walks.sample_walks(work.table, 0, np.arange(WALKS), length=LENGTH + 1)
  )
  tokens = prompts.assemble(plan.layout, nodes[:, :-1]).tokens
  model = decoder.Decoder(subject.decoder)
  _, hidden = jax.jit(
    lambda params: model.apply({"params": params}, tokens, lambda x: x)
  )(subject.params)
  one_hot = np.eye(graph.n)
  for context in measured.context.values[[0, -1]]:
    # Words counted from 0; the first one has no previous.
    time = np.arange(max(1, context - 50), context)
    previous, current, after = (
      one_hot[nodes[:, time + shift]].reshape(-1, graph.n)
      for shift in (-1, 0, 1)
    )
    cells = nodes[:, time - 1] * graph.n + nodes[:, time]
    for layer in (1, 2):
      rows = np.asarray(hidden, float)[layer][:, plan.layout.offset + time]
      rows = rows.reshape(-1, rows.shape[-1])
      found = measured.adjusted_r2.sel(
        layer=layer, context=context, stat="value"
      )
      for name, columns in (
        (regression.CURRENT, [current]),
        (regression.ADDITIVE, [current, previous]),
        (regression.BIGRAM, [np.eye(graph.n**2)[cells.ravel()]]),
        (regression.WITH_NEXT, [current, after]),
      ):
        np.testing.assert_allclose(
          found.sel(design=name), explicit(columns, rows), atol=2e-5
        )


def test_embeddings_are_the_current_word(measured):
  found = measured.adjusted_r2.sel(layer=0, stat="value")
  for name in (regression.CURRENT, regression.BIGRAM, regression.ADDITIVE):
    np.testing.assert_allclose(found.sel(design=name), 1, atol=1e-5)
  null = measured.adjusted_r2.sel(layer=0, design=regression.CURRENT)
  assert (abs(null.sel(stat="null")) < 0.2).all()


def test_outcome(outcome, folder):
  assert all(claim.verdict in recipe.VERDICTS for claim in outcome.claims)
  for figure in outcome.figures:
    assert (folder / figure.file).stat().st_size > 10_000
  value = outcome.numbers["next given current"]
  assert value["low"] < 0.05 and value["high"] > -0.05
