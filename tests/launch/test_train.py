import json
import os
import signal
import subprocess
import sys
import time

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors import numpy as safetensors_numpy

from icl_graphs.models import checkpoint, decoder, families
from icl_graphs.training import optimise
from tests import programs


def start(out, *flags):
  command = [sys.executable, "-m", "tests.launch.small_train"]
  return subprocess.Popen(
    [
      *(*command, f"--out={out}"),
      *("--score_walks=8", "--score_graphs=grid:4x4"),
      *flags,
    ],
    cwd=programs.REPOSITORY,
    env=os.environ | {"JAX_PLATFORMS": "cpu"},
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def finish(process):
  output, problems = process.communicate(timeout=300)
  assert process.returncode == 0, problems
  return output


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
  out = tmp_path_factory.mktemp("models") / "whole"
  finish(start(out))
  return out


def test_the_folder_is_complete(trained):
  assert {file.name for file in trained.iterdir()} == {
    *("config.json", "model.safetensors", "tokenizer.json"),
    *("tokenizer_config.json", "training.json", "scores.json"),
    *("README.md", "loss.png"),
  }
  scores = json.loads((trained / "scores.json").read_text())
  assert set(scores["0"]) == {"grid:4x4"}
  assert set(scores["0"]["grid:4x4"]["layers"]) == {"1", "2"}
  card = (trained / "README.md").read_text()
  assert "grid:4x4" in card and "`hex:3x3`" in card


def test_a_real_kill_changes_nothing(trained, tmp_path):
  out = tmp_path / "pieces"
  process = start(out, "--save_seconds=0")
  while not (out / optimise.STATE_FILE).exists():
    assert process.poll() is None, process.communicate()[1]
    time.sleep(0.01)
  process.send_signal(signal.SIGKILL)
  process.communicate()
  assert not (out / "model.safetensors").exists()
  finish(start(out))
  whole, pieces = (
    safetensors_numpy.load_file(folder / "model.safetensors")
    for folder in (trained, out)
  )
  for name, array in whole.items():
    np.testing.assert_array_equal(pieces[name], array, err_msg=name)
  losses = [
    json.loads((folder / "training.json").read_text())["losses"]
    for folder in (trained, out)
  ]
  assert losses[0] == losses[1]


def test_transformers_reads_it_and_agrees(trained):
  torch = pytest.importorskip("torch")
  import transformers

  model = transformers.AutoModelForCausalLM.from_pretrained(trained)
  tokenizer = transformers.AutoTokenizer.from_pretrained(trained)
  ids = tokenizer(" apple bird apple milk Monday bird/").input_ids
  with torch.no_grad():
    wanted = model(torch.tensor([ids]), output_hidden_states=True)
  config = families.read_config(trained)
  params = checkpoint.load(trained, config)
  final, seen = decoder.Decoder(config).apply(
    {"params": params}, jnp.array([ids]), lambda hidden: hidden
  )
  for ours, theirs in zip(seen[:-1], wanted.hidden_states, strict=False):
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)
  np.testing.assert_allclose(
    decoder.logits(params, config, final), wanted.logits.numpy(), atol=1e-4
  )


def test_bad_input_is_refused(tmp_path):
  process = start(tmp_path, "--steps=0")
  assert "steps" in process.communicate(timeout=300)[1]
  assert process.returncode == 2
  process = start(tmp_path, "--other_seeds=nowhere")
  assert "nowhere" in process.communicate(timeout=300)[1]
  assert process.returncode == 2
