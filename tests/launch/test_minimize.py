"""Minimising as a user starts it."""

import json

import numpy as np
import pytest
import xarray as xr

from tests.programs import again, launch


def test_graphs_in_one_run(tmp_path):
  done = launch(
    "minimize",
    "--graph=grid:3x3,circulant:8:1,2",
    *("--width=6", "--restarts=3", "--steps=300", "--records=20"),
    f"--out={tmp_path}",
  )
  assert done.returncode == 0, done.stderr
  summary = json.loads((tmp_path / "summary.json").read_text())
  assert set(summary) == {"grid:3x3", "circulant:8:1,2"}
  for spec, one in summary.items():
    assert abs(one["energy_final"] / one["energy_closed_form"] - 1) < 1e-3
    assert min(one["principal_cosines"]) >= 0.9999
    assert len(one["principal_cosines"]) == 3
    assert spec in done.stdout
  assert json.loads((tmp_path / "run.json").read_text())["eps"] == [
    *(1.5, 1.25, 1.0)
  ]
  with xr.open_datatree(tmp_path / "trajectory.nc") as tree:
    data = tree["grid:3x3"].to_dataset()
    assert data.energy.sizes == {"restart": 3, "step": data.sizes["step"]}
    assert data.sizes["step"] <= 21 and data.step.values[0] == 0
    energy = data.energy.values
    assert (energy[:, 0] > energy[:, -1]).all()
    assert data.scores.sizes["node"] == 9
    # The embedding drawn is a minimiser.
    np.testing.assert_allclose(
      np.linalg.svd(data.embedding.values)[1], [1.5, 1.25, 1.0]
    )
  assert len(list(tmp_path.glob("*.png"))) == 2


def test_start_from_a_file_and_edges_of_a_walk(tmp_path):
  rows = np.random.default_rng(0).standard_normal((9, 5)) + 3
  np.savez(tmp_path / "means.npz", class_means=rows)
  done = again(
    "launch.minimize",
    *("--graph=grid:3x3", "--laplacian=shown:300", "--dtype=float64"),
    *(f"--start={tmp_path}/means.npz", f"--out={tmp_path}", "--steps=4000"),
  )
  assert done.returncode == 0, done.stderr
  summary = json.loads((tmp_path / "summary.json").read_text())["grid:3x3"]
  np.testing.assert_allclose(
    summary["energy_final"], summary["energy_closed_form"], rtol=1e-5
  )
  assert summary["restarts"] == 1


@pytest.mark.parametrize(
  ("flag", "message"),
  [
    ("--eps=1,2", "strictly decreasing"),
    ("--eps=1,x", "--eps"),
    ("--laplacian=shown:3", "longer context"),
  ],
)
def test_refuses_with_status_2(tmp_path, flag, message):
  out = tmp_path / "run"
  refused = again("launch.minimize", "--graph=grid:3x3", f"--out={out}", flag)
  assert refused.returncode == 2, refused.stderr
  assert message in refused.stderr
  assert "Traceback" not in refused.stderr
  assert not (out / "summary.json").exists()
