import json
import shutil
import signal
import time

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors import numpy as safetensors_numpy

from icl_graphs.models import checkpoint, decoder, families, hub
from icl_graphs.training import optimise
from tests import programs

SCORES = (
  *("--score_walks=8", "--score_assignments=2"),
  "--score_graphs=grid:4x4,hex:3x3",
)


SMALL = "tests.launch.small_train"


def train(out, *flags, wait=True):
  return programs.start(SMALL, f"--out={out}", *SCORES, *flags, wait=wait)


def train_again(out, *flags):
  return programs.again(SMALL, f"--out={out}", *SCORES, *flags)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
  out = tmp_path_factory.mktemp("models") / "whole"
  done = train(out)
  assert done.returncode == 0, done.stderr
  assert "targets missed: accuracy" in done.stdout
  return out


def test_the_folder_is_complete(trained):
  assert {file.name for file in trained.iterdir()} == {
    *("config.json", "model.safetensors", "tokenizer.json"),
    *("tokenizer_config.json", "training.json", "scores.json"),
    *("README.md", "loss.png"),
  }
  found = json.loads((trained / "scores.json").read_text())["0"]
  assert found["settings"]["assignments"] == 2
  assert found["report_layer"] == 2
  assert set(found["graphs"]) == {"grid:4x4", "hex:3x3"}
  assert set(found["graphs"]["grid:4x4"]) == {"nouns", "paper"}
  assert set(found["graphs"]["hex:3x3"]) == {"nouns", "paper"}
  assert set(found["graphs"]["grid:4x4"]["nouns"]["layers"]) == {"1", "2"}
  card = (trained / "README.md").read_text()
  assert "| `grid:4x4` | nouns at random | 2 |" in card


def test_a_finished_folder_is_only_scored_again(trained, tmp_path):
  again = tmp_path / "again"
  shutil.copytree(trained, again)
  before = (again / "model.safetensors").stat().st_mtime_ns
  other = tmp_path / "other"
  other.mkdir()
  scores = json.loads((trained / "scores.json").read_text())
  (other / "scores.json").write_text(json.dumps({"7": scores["0"]}))
  (again / "scores.json").unlink()
  done = train_again(again, f"--other_seeds={other}")
  assert done.returncode == 0, done.stderr
  assert "training" not in done.stderr
  assert (again / "model.safetensors").stat().st_mtime_ns == before
  both = json.loads((again / "scores.json").read_text())
  assert both == scores | {"7": scores["0"]}
  assert "training seeds 0, 7" in (again / "README.md").read_text()


def test_a_real_kill_changes_nothing(trained, tmp_path):
  out = tmp_path / "pieces"
  process = train(out, "--save_seconds=0", wait=False)
  while not (out / optimise.STATE_FILE).exists():
    assert process.poll() is None, process.communicate()[1]
    time.sleep(0.01)
  process.send_signal(signal.SIGKILL)
  process.communicate()
  assert not (out / "model.safetensors").exists()
  done = train_again(out)
  assert done.returncode == 0, done.stderr
  assert {file.name for file in out.iterdir()} == {
    file.name for file in trained.iterdir()
  }
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


@pytest.mark.parametrize(
  ("flag", "message"),
  [("--steps=0", "steps"), ("--other_seeds=nowhere", "nowhere")],
)
def test_bad_input_is_refused(tmp_path, flag, message):
  refused = train_again(tmp_path, flag)
  assert refused.returncode == 2, refused.stderr
  assert message in refused.stderr and "Traceback" not in refused.stderr
  assert not list(tmp_path.glob("unfinished*"))


def test_coins_are_trained_and_scored(tmp_path):
  out = tmp_path / "coins"
  small = ("--task=coins", "--score_sequences=4", "--score_documents=4")
  done = programs.again(SMALL, f"--out={out}", *small)
  assert done.returncode == 0, done.stderr
  assert "quantities in their bands" in done.stdout
  rows = json.loads((out / "scores.json").read_text())["0"]["rows"]
  assert rows["J 01: n50"]["exact"] == 7
  assert rows["T 011, d = 6: n90"]["exact"] == 12
  assert {row["met"] for row in rows.values()} <= {True, False, None}
  assert not any(key.startswith("mass:") for key in rows)
  card = (out / "README.md").read_text()
  assert "--task=coins --seed=0" in card and "### Every quantity" in card
  assert (out / "loss.png").stat().st_size
  losses = json.loads((out / "training.json").read_text())["losses"]
  assert len(losses) == 20 and losses[-1] < losses[0]
  assert hub.load_tokenizer(out)("A: [Heads,")["input_ids"][0] == 0
