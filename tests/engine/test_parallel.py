"""The same numbers however walks and parameters are spread over devices."""

import json
import os
import subprocess
import sys

import pytest

from icl_graphs import errors
from icl_graphs.engine import parallel
from icl_graphs.models import config as config_lib
from tests import programs
from tests.engine import spreads

CONFIG = config_lib.DecoderConfig(
  family="llama",
  vocab_size=48,
  hidden_size=8,
  num_layers=3,
  num_heads=4,
  num_kv_heads=2,
  head_size=2,
  mlp_size=12,
  max_positions=16,
)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
  """What `spreads` printed, by spread."""
  folder = tmp_path_factory.mktemp("spreads")
  command = [sys.executable, "-m", "tests.engine.spreads", str(folder)]
  done = subprocess.run(
    command,
    cwd=programs.REPOSITORY,
    env=os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=8"},
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert done.returncode == 0, done.stderr
  lines = map(json.loads, done.stdout.splitlines())
  return {tuple(line["spread"]): line for line in lines}


def test_every_spread_observes_the_same(found):
  assert set(found) == set(spreads.SPREADS)
  for spread, line in found.items():
    assert line["done"][:2] == [spreads.ALL, spreads.SOME]
    assert line["nodes_equal"], spread
    # Sums of 600 float32 terms in another order: measured at most 6e-7.
    assert line["whole"] < 5e-6 and line["stopped"] < 5e-6, spread


def test_every_spread_resumes_to_the_same_bits(found):
  assert all(line["resumed_exactly"] for line in found.values())


def test_parameters_stay_cut(found):
  mesh = found[8, "data:2,model:4"]
  assert mesh["embedding"] == [spreads.VOCABULARY // 4, 16]
  # Only per-walk numbers are gathered: no weights, no logits.
  per_walk = f"{spreads.ROWS},{spreads.WORDS}"
  for line in found.values():
    assert set(line["gathered"]) <= {per_walk}


def test_parameters_by_their_axes():
  spread = parallel.spread(4, "data:1,model:4")

  def spec(path, *shape):
    return tuple(spread.place(path, shape).spec)

  assert spec("embedding", 48, 8) == ("model", None)
  assert spec("unembedding", 48, 8) == ("model", None)
  assert spec("positions", 16, 8) == ()
  assert spec("final_norm/weight", 8) == ()
  block = "blocks/attention"
  assert spec(f"{block}/query/kernel", 3, 8, 4, 2)[2] == "model"
  assert spec(f"{block}/query/bias", 3, 4, 2) == (None, "model", None)
  # Two heads on four devices: everywhere. Four: one each.
  assert set(spec(f"{block}/key/kernel", 3, 8, 2, 2)) == {None}
  assert spec(f"{block}/value/kernel", 3, 8, 4, 2)[2] == "model"
  assert spec(f"{block}/output/kernel", 3, 4, 2, 8)[1] == "model"
  assert spec(f"{block}/output/bias", 3, 8) == ()
  assert spec("blocks/mlp/up/kernel", 3, 8, 12)[2] == "model"
  assert spec("blocks/mlp/down/kernel", 3, 12, 8)[1] == "model"
  assert spec("blocks/mlp/down/bias", 3, 8) == ()


@pytest.mark.parametrize(
  "mesh, members, model",
  [
    (None, 4, 1),
    ("data:4", 4, 1),
    ("model:4", 1, 4),
    ("model:2", 2, 2),
    ("data:1,model:2", 1, 2),
  ],
)
def test_meshes(mesh, members, model):
  spread = parallel.spread(None, mesh)
  assert (spread.data, spread.model) == (members, model)
  assert spread.mesh.devices.size == members * model


@pytest.mark.parametrize(
  "mesh", ["data:2,model:4", "model:8", "modle:2", "data:2;model:2", "model:0"]
)
def test_refuses_meshes(mesh):
  with pytest.raises(errors.InputError, match=f"--mesh={mesh}"):
    parallel.spread(None, mesh)


def test_refuses_what_cannot_be_divided():
  parallel.spread(None, "model:4").check(CONFIG)
  with pytest.raises(errors.InputError, match="4 attention heads.*3 devices"):
    parallel.spread(None, "model:3").check(CONFIG)
