"""The benchmark program, from outside."""

import json

import numpy as np
import pytest
import torch
import transformers

from icl_graphs import errors
from icl_graphs.experiments.speed import model, random_checkpoint, shapes
from tests.programs import launch

TINY = shapes.config("llama-3.2-1b", layers=3, vocab=60) | {
  "hidden_size": 24,
  "intermediate_size": 40,
  "num_attention_heads": 4,
  "num_key_value_heads": 2,
  "head_dim": 8,
  "initializer_range": 0.3,
}
GPT2 = {"shape": "gpt2", "layers": 1, "vocab": 20}
CONTEXTS, WINDOW, NODES = (3, 17, 30), 12, 5


@pytest.fixture(scope="module")
def given(tmp_path_factory):
  """A checkpoint, a job, and what the program says about them."""
  folder = tmp_path_factory.mktemp("given")
  random_checkpoint.write(folder / "model", TINY)
  rng = np.random.default_rng(0)
  job = {
    "tokens": rng.integers(60, size=(4, 32)),
    "nodes": rng.integers(-1, NODES, size=(4, 32)),
    "node_token_ids": rng.choice(60, NODES, replace=False),
    "context_lengths": np.array(CONTEXTS),
    "window": np.array(WINDOW),
  }
  # A node that nobody visits in the shortest context.
  job["nodes"][:, :3] = np.minimum(job["nodes"][:, :3], NODES - 2)
  np.savez(folder / "job.npz", **job)
  done = launch(
    "benchmark",
    *(f"--checkpoint={folder / 'model'}", f"--tokens={folder / 'job.npz'}"),
    *("--repeats=2", f"--out={folder / 'out'}"),
    f"--trace_dir={folder / 'trace'}",
  )
  assert done.returncode == 0, done.stderr
  return folder, job, done.stdout


def test_outputs_are_those_of_loops_over_transformers(given):
  folder, job, _ = given
  theirs = transformers.AutoModelForCausalLM.from_pretrained(
    folder / "model", dtype=torch.float32
  )
  theirs.config.tie_last_hidden_states = False
  with torch.no_grad():
    out = theirs(torch.as_tensor(job["tokens"]), output_hidden_states=True)
  hidden = [h.double().numpy() for h in out.hidden_states]
  log_probs = torch.log_softmax(out.logits.double(), -1).numpy()
  found = np.load(folder / "out" / "outputs.npz")
  assert found["class_means"].shape == (4, 3, NODES, 24)
  for c, context in enumerate(CONTEXTS):
    for node in range(NODES):
      where = [
        (b, t)
        for b in range(4)
        for t in range(max(0, context - WINDOW), context)
        if job["nodes"][b, t] == node
      ]
      assert found["counts"][c, node] == len(where)
      for layer in range(4):
        got = found["class_means"][layer, c, node]
        if not where:
          assert np.isnan(got).all()
          continue
        mean = np.mean([hidden[layer][b, t] for b, t in where], axis=0)
        scale = np.abs(hidden[layer]).max()
        np.testing.assert_allclose(got, mean, atol=1e-5 * scale)
  assert found["counts"][0, NODES - 1] == 0
  expected = log_probs[..., job["node_token_ids"]]
  np.testing.assert_allclose(found["node_log_probs"], expected, atol=1e-4)
  mass = np.exp(expected).sum(-1)
  np.testing.assert_allclose(found["node_mass"], mass, atol=1e-5)


def test_json_has_every_row_and_headline(given):
  folder, _, printed = given
  content = json.loads((folder / "out" / "benchmark.json").read_text())
  rows = content["rows"]
  assert set(rows) == {
    *("bare", "useful", "useful_chosen", "walk_sampling"),
    *("transformers_bare", "transformers_useful", "hooks_useful"),
  }
  for name, row in rows.items():
    rate = row["tokens_per_second"]
    assert 0 < rate["low"] <= rate["median"] <= rate["high"], name
    assert len(row["seconds"]) == 2
    assert name in printed
  for name in (
    *("ratio_useful_vs_transformers", "ratio_bare_vs_transformers"),
    *("ratio_useful_vs_hooks", "mfu", "peak_bytes"),
  ):
    assert content[name] > 0, name
  time = {name: row["median"] for name, row in rows.items()}
  cost = time["useful"] / time["bare"] - 1
  assert np.isclose(content["cost_of_measuring"], cost)
  assert 0 <= content["max_relative_difference"] < 1e-4
  assert rows["useful"]["tokens"] == 4 * 32
  assert rows["useful"]["flops"] > rows["useful_chosen"]["flops"]
  assert rows["useful"]["compile_seconds"] > 0
  assert content["devices"] == 2
  assert set(content["load_seconds"]) == {"icl_graphs", "transformers"}
  assert (folder / "out" / "benchmark.png").stat().st_size > 1000
  assert any(path.is_file() for path in (folder / "trace").rglob("*"))


def test_refuses_with_status_2(tmp_path):
  flags = "--restarts=3", "--notorch", f"--out={tmp_path}"
  refused = launch("benchmark", *flags)
  assert refused.returncode == 2, refused.stderr
  assert "--restarts is not for --what=model" in refused.stderr
  assert "Traceback" not in refused.stderr
  assert not (tmp_path / "benchmark.json").exists()


@pytest.mark.parametrize(
  ("settings", "message"),
  [
    ({"shape": "llama-9"}, "llama-3.2-1b"),
    ({"rows": "useful,fast"}, "fast"),
    ({"rows": "hooks_useful"}, "without torch"),
    ({"dtype": "int8"}, "int8"),
    (GPT2 | {"length": 1}, "--length=1"),
    (GPT2 | {"length": 1025}, "1,024 positions"),
    (GPT2 | {"vocab": 16}, "--vocab"),
    ({"checkpoint": "/no/such/model"}, "/no/such/model"),
  ],
)
def test_refuses_bad_settings(settings, message):
  settings = model.Settings(**settings)
  with pytest.raises(errors.InputError, match=message):
    model.measure(settings, None)


def test_minimization(tmp_path):
  done = launch(
    "benchmark",
    *("--what=minimization", "--restarts=8", "--repeats=1"),
    *("--torch_steps=100", "--numpy_restarts=1", "--numpy_steps=100"),
    f"--out={tmp_path}",
  )
  assert done.returncode == 0, done.stderr
  content = json.loads((tmp_path / "benchmark.json").read_text())
  rows = content["rows"]
  assert rows["torch, batched"]["scaled_by"] == 10
  assert rows["numpy, one by one"]["scaled_by"] == 80
  assert rows["icl_graphs"]["steps_per_second"]["median"] > 0
  assert "icl_graphs" in done.stdout
