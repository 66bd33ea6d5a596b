"""The golden check: released numbers pass, other models fail honestly."""

import json

import jax
import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.analysis import published
from icl_graphs.experiments import (
  golden,
  golden_table,
  graph_subject,
  tracing_settings,
)
from icl_graphs.models import decoder
from icl_graphs.tasks import graphs, prompts, published_walks

KEYS = {one.key for one in golden_table.PUBLISHED}


@pytest.fixture(scope="module")
def released(shared):
  """Every value that the released measurements hold."""
  folder = shared / "data" / "llama31-8b-grid"
  with np.load(folder / "accuracies.npz") as stored:
    full = stored["all_accs"]
  with np.load(folder / "pca.npz") as stored:
    activations = stored["activations"]
  adjacency = np.asarray(graphs.parse(published_walks.SPEC).adjacency, float)
  nodes = published_walks.single()[-published.LAST :].astype(int)
  return published.accuracy(
    full, published_walks.accuracy_set()
  ) | published.representation(activations, nodes, adjacency)


def test_released_measurements_give_the_published_numbers(released):
  rows = golden_table.judge(released, {})
  judged = {row.key: row for row in rows if row.key in released}
  assert len(judged) == 53
  for one in golden_table.PUBLISHED:
    if one.key in released:
      # Half a unit of the last digit printed, far inside the band.
      digits = len(np.format_float_positional(one.value).split(".")[1])
      half = 0.51 * 10.0**-digits
      if one.key.startswith("null_"):
        half = 0.006
      assert abs(released[one.key] - one.value) <= half, one.key
      assert judged[one.key].verdict in (
        golden_table.PASS,
        golden_table.NO_BAND,
      )
  # Ablations and head scores are in no released file.
  missing = [row.key for row in rows if row.value is None]
  assert all(
    key.startswith(("without ", "cosine ", "induction ", "previous-token "))
    for key in missing
  )


def test_every_row_of_the_table_is_there():
  assert len(KEYS) == len(golden_table.PUBLISHED) == 82
  for kind in golden_table.HEADS.values():
    assert len(set(kind)) == 32
  assert not set.intersection(*map(set, golden_table.HEADS.values()))


def test_bands():
  row = golden_table.Published("x", "x", 2.0, 0.1)
  ratio = golden_table.Published("y", "y", 2.0, 0.1, relative=True)
  bare = golden_table.Published("z", "z", 2.0, None)

  def verdicts(value, **options):
    rows = golden_table.judge(
      dict.fromkeys("xyz", value), {}, rows=(row, ratio, bare), **options
    )
    return [row.verdict for row in rows]

  assert verdicts(2.1) == ["pass", "pass", "no band"]
  assert verdicts(2.15) == ["fail", "pass", "no band"]
  assert verdicts(1.7) == ["fail", "fail", "no band"]
  assert verdicts(2.15, half_precision=True) == ["pass", "pass", "no band"]
  # A value that is not finite was asked for and is wrong.
  assert verdicts(float("nan")) == ["fail", "fail", "fail"]
  (left_out,) = golden_table.judge({}, {"x": "no reason"}, rows=(row,))
  assert (left_out.verdict, left_out.reason) == ("not applicable", "no reason")


def test_a_model_that_is_too_short_is_refused(tiny_model, tmp_path):
  settings = tracing_settings.Settings(model=str(tiny_model), context=60)
  subject = graph_subject.GraphSubject(settings, tmp_path)
  with pytest.raises(errors.InputError, match="golden check.*1400 words"):
    golden.run(subject, tmp_path)


@pytest.fixture(scope="module")
def long_model(tiny_model, tmp_path_factory):
  """An untrained model that reads 1,400 words."""
  folder = tmp_path_factory.mktemp("long")
  for file in tiny_model.iterdir():
    (folder / file.name).write_bytes(file.read_bytes())
  config = json.loads((folder / "config.json").read_text())
  config["max_position_embeddings"] = 1401
  (folder / "config.json").write_text(json.dumps(config))
  return folder


def test_end_to_end_on_another_model(long_model, tmp_path, monkeypatch):
  few = published_walks.accuracy_set()[:2]
  monkeypatch.setattr(published_walks, "accuracy_set", lambda: few)
  monkeypatch.setattr(golden, "LAYER", 1)
  lists = {"induction": ((1, 2), (0, 1)), "previous-token": ((0, 2), (1, 0))}
  monkeypatch.setattr(golden_table, "HEADS", lists)
  monkeypatch.setattr(golden_table, "SIZES", (1, 2))
  subject = graph_subject.GraphSubject(
    tracing_settings.Settings(model=str(long_model), context=60, batch_size=2),
    tmp_path,
  )
  rows = {row.key: row for row in golden.run(subject, tmp_path)}
  assert set(rows) == KEYS
  written = json.loads((tmp_path / "golden.json").read_text())
  assert "hidden_size 32 instead of 4096" in written["other_model"]
  assert len(written["rows"]) == len(rows)
  text = (tmp_path / "golden.md").read_text()
  assert "| accuracy at word 1000 | 0.892 | ±0.01 |" in text
  # An untrained model knows nothing of the graph.
  assert rows["t 1201-1400"].verdict == golden_table.FAIL
  assert rows["r2_current"].value is not None
  assert rows["without induction 8"].verdict == golden_table.NOT_APPLICABLE
  assert rows["induction 15.30"].verdict == golden_table.NOT_APPLICABLE
  check_accuracy(subject, few, rows)


def check_accuracy(subject, nodes, rows):
  """Accuracy without a head is that of weights without its projection."""
  plan, graph = subject.plan(published_walks.SPEC, context=1400)
  tokens = prompts.assemble(plan.layout, nodes).tokens

  @jax.jit
  def read(params):
    model = decoder.Decoder(subject.decoder)
    final, _ = model.apply({"params": params}, tokens)
    logits = decoder.logits(params, subject.decoder, final)
    return jax.nn.softmax(logits, axis=-1)

  def accuracy(params):
    probs = np.asarray(read(params), float)
    probs = probs[:, plan.layout.offset :, list(plan.layout.node_token_ids)]
    return (probs * (graph.adjacency > 0)[nodes]).sum(axis=-1)

  params = jax.tree.map(np.array, subject.params)
  full = accuracy(params)
  np.testing.assert_allclose(rows["t 500"].value, full[:, 499].mean(), 1e-4)
  kernel = params["blocks"]["attention"]["output"]["kernel"]
  # [L, N, H, D]: head 2 of layer 1 writes nothing.
  kernel[1, 2] = 0
  last = accuracy(params)[:, -published.LAST :].mean()
  np.testing.assert_allclose(rows["without induction 1"].value, last, 1e-4)
