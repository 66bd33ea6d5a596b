"""Where loaded parameters live, what loading costs, and what it tells."""

import json
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest

from icl_graphs.engine import progress
from icl_graphs.models import checkpoint, families, weight_files
from tests import host_memory, random_checkpoint

_PROGRAM = pathlib.Path(__file__).parents[1] / "loading_memory.py"
SMALL = random_checkpoint.LLAMA_3_2_1B | {
  "vocab_size": 300,
  "hidden_size": 24,
  "intermediate_size": 40,
  "num_hidden_layers": 4,
  "num_attention_heads": 8,
  "num_key_value_heads": 4,
  "head_dim": 6,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp("small")
  random_checkpoint.write(folder, SMALL)
  return folder


@pytest.fixture(scope="module")
def plain(folder):
  return checkpoint.load(folder, families.read_config(folder))


def _spread(*axes):
  """Sharding over four devices in the named way."""
  mesh = jax.make_mesh(
    (2, 2), ("a", "b"), axis_types=(jax.sharding.AxisType.Auto,) * 2
  )
  return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*axes))


def _heads(path, shape):
  del shape
  if path.endswith(("query/kernel", "key/kernel", "value/kernel")):
    return _spread(None, None, ("a", "b"))
  if path.endswith("output/kernel"):
    return _spread(None, ("a", "b"))
  if path.endswith(("gate/kernel", "up/kernel")):
    return _spread(None, "a", "b")
  if path.endswith("down/kernel"):
    return _spread(None, "b", None)
  return _spread("b") if path == "embedding" else _spread()


RULES = {
  "replicated": lambda path, shape: _spread(),
  "heads and MLP": _heads,
  "layers": lambda path, shape: (
    _spread(("a", "b")) if path.startswith("blocks") else _spread()
  ),
  "last device": lambda path, shape: jax.sharding.SingleDeviceSharding(
    jax.devices()[3]
  ),
}


@pytest.mark.parametrize(
  ("dtype", "rule"),
  [*(("float32", name) for name in RULES), ("bfloat16", "heads and MLP")],
)
def test_placed_parameters_equal_the_plain_ones(folder, plain, rule, dtype):
  config = families.read_config(folder)
  rule = RULES[rule]
  placed = checkpoint.load(folder, config, dtype, rule)

  def check(path, ours, theirs):
    name = "/".join(key.key for key in path)
    assert ours.sharding == rule(name, ours.shape)
    assert ours.dtype == dtype
    np.testing.assert_array_equal(ours, theirs.astype(dtype))

  jax.tree_util.tree_map_with_path(check, placed, plain)


def test_a_device_receives_its_part_only(folder):
  config = families.read_config(folder)
  params = checkpoint.load(folder, config, place=_heads)
  query = params["blocks"]["attention"]["query"]["kernel"]
  assert [shard.data.shape for shard in query.addressable_shards] == [
    (4, 24, 2, 6)
  ] * 4
  gate = params["blocks"]["mlp"]["gate"]["kernel"]
  assert {shard.data.shape for shard in gate.addressable_shards} == {
    (4, 12, 20)
  }


def test_progress_adds_up(folder):
  counts = []
  config = families.read_config(folder)
  checkpoint.load(folder, config, advance=counts.append)
  stored, _ = weight_files.inventory(folder)
  assert sum(counts) == sum(entry.size for entry in stored.values())
  assert sum(counts) > 0.9 * weight_files.total_bytes(folder)
  assert len(counts) == len(stored)


def test_only_large_models_show_a_bar(capsys):
  with progress.loading("weights", 10**6) as advance:
    advance(10**6)
  assert not capsys.readouterr().err
  with progress.loading("weights", 3 * 10**9) as advance:
    advance(10**9)
  shown = capsys.readouterr().err
  assert "weights" in shown and "1.00G/3.00G" in shown and "B/s" in shown


@pytest.mark.skipif(not host_memory.available(), reason="needs Linux")
def test_host_memory():
  """The host holds at most one stacked parameter beyond the parameters.

  On a CPU, where a parameter's place is the host itself, it holds nothing
  beyond them. A second copy of all would be 80 MB.
  """
  done = subprocess.run(
    [sys.executable, str(_PROGRAM), "--gigabytes=0.04", "--dtype=float32"],
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert not done.returncode, done.stderr
  lines = [json.loads(line) for line in done.stdout.splitlines()]
  assert [line["place"] for line in lines] == ["one", "everywhere", "heads"]
  for measured in lines:
    assert measured["parameters"] > 80 * 10**6
    assert measured["beyond"] < 10 * 10**6 < measured["largest"], measured
