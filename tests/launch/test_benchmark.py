"""The benchmark program, from outside."""

import json

from tests.programs import launch


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
