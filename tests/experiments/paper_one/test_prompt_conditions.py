"""Walks inside a chat template, and models that have none."""

import json
import shutil

import numpy as np
import pytest

from icl_graphs.experiments import graph_subject, recipe, tracing_settings
from icl_graphs.experiments.paper_one import prompt_conditions

TEMPLATE = (
  "{{ bos_token }}{% for m in messages %}{{ ' box' if m['role'] == 'user' else"
  " ' sand car' }}{{ m['content'] }}{% endfor %}"
)


def ask(folder, out):
  settings = tracing_settings.Settings(
    model=str(folder), walks=16, groups=4, resamples=20, batch_size=4
  )
  return graph_subject.GraphSubject(settings, out)


def test_no_template_is_no_work(tiny_model, tmp_path, monkeypatch):
  subject = ask(tiny_model, tmp_path)
  monkeypatch.setattr(graph_subject.GraphSubject, "trace", None)
  outcome = prompt_conditions.RECIPE.run(subject, tmp_path)
  assert len(outcome.claims) == 2
  for claim in outcome.claims:
    assert claim.verdict == recipe.CANNOT_TELL
    assert "no chat template" in claim.reason
    assert "--chat" not in claim.reason


@pytest.fixture
def instruct(tiny_model, tmp_path):
  folder = tmp_path / "instruct"
  shutil.copytree(tiny_model, folder)
  path = folder / "tokenizer_config.json"
  settings = json.loads(path.read_text()) | {"chat_template": TEMPLATE}
  path.write_text(json.dumps(settings))
  return folder


def test_three_conditions_read_the_same_walks(instruct, tmp_path):
  subject = ask(instruct, tmp_path)
  outcome = prompt_conditions.RECIPE.run(subject, tmp_path)
  ds = outcome.measurements
  assert ds.condition.values.tolist() == [
    *("raw", "user's turn", "assistant's turn, prefilled")
  ]
  # The longest opening is BOS, box, five words and a stop unknown to this
  # model, sand and car; raw words could be more.
  assert ds.context.values[-1] < 128
  assert np.isfinite(ds.measured.sel(stat="value")).all()
  # Raw words minus themselves.
  np.testing.assert_array_equal(
    ds.difference.sel(condition="raw", condition_="raw"), 0
  )
  first = ds.measured.sel(stat="value", name="energy_ratio")
  difference = ds.difference.sel(
    condition="user's turn", condition_="raw", name="energy_ratio"
  ).sel(limit="value")
  np.testing.assert_allclose(
    difference, first.sel(condition="user's turn") - first.sel(condition="raw")
  )
  # A model that was never trained knows no graph.
  assert all(one.verdict != recipe.SHOWN for one in outcome.claims)
  assert (tmp_path / "conditions.png").stat().st_size > 10_000
  # And they are the numbers of the main job.
  length = int(ds.context[-1])
  traced = subject.trace(
    prompt_conditions.SPEC,
    chat=True,
    chat_role="assistant",
    context=length,
    contexts=tuple(ds.context.values.tolist()),
    windows=(subject.report_window,),
    report_window=subject.report_window,
  )
  for name in ("energy_ratio", "distance_correlation"):
    expected = traced[name].sel(layer=subject.report_layer, stat="value")
    got = ds.measured.sel(condition="assistant's turn, prefilled", name=name)
    np.testing.assert_allclose(
      got.sel(stat="value"), expected.values[0], rtol=1e-6
    )
