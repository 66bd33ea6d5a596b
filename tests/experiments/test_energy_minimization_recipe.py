"""Minimising from what a model showed early in its context."""

import dataclasses

import numpy as np
import pytest
import xarray as xr

from icl_graphs import errors
from icl_graphs.experiments import energy_minimization
from icl_graphs.report import run_folder
from icl_graphs.theory import laplacians

WALKS = np.array([[0, 1, 2, 3, 0, 1, 0, 3], [2, 1, 2, 3, 2, 1, 0, 3]])


@pytest.fixture
def folder(tmp_path):
  """Two contexts of a ring of four; node 3 is missing from the first."""
  rng = np.random.default_rng(0)
  count = np.array([[[2, 2, 1, 0], [1, 1, 1, 0]], [[3, 2, 1, 2], [1, 2, 3, 2]]])
  sums = rng.standard_normal((2, 1, 2, 2, 4, 7)) * count[None, None, ..., None]
  flat = sums.reshape(2, 1, 2, 8, 7)
  products = (flat @ np.swapaxes(flat, -1, -2)).reshape(2, 1, 2, 2, 4, 2, 4)
  products = products.astype(np.float32)
  data = xr.Dataset(
    {
      "gram": (
        ("layer", "window", "context", "group", "node", "group_", "node_"),
        products,
      ),
      "count": (("window", "context", "group", "node"), count[None]),
      "nodes": (("walk", "time"), WALKS),
    },
    {"layer": [0, 1], "window": [5], "context": [4, 8]},
    {"graph": "ring:4", "report_layer": 1},
  )
  run_folder.write_measurements(
    tmp_path / run_folder.MEASUREMENTS, {"ring:4": data}
  )
  means = sums[:, 0, 1].sum(axis=1) / count[1].sum(axis=0)[:, None]
  return tmp_path, means


@pytest.mark.parametrize("layer", [None, 0])
def test_start_and_edges_of_a_run(folder, layer):
  path, means = folder
  measured = energy_minimization.run(
    energy_minimization.Settings(
      graphs=("ring:4",),
      eps=(1.5, 1.0),
      steps=3,
      start=str(path),
      start_layer=layer,
      laplacian="shown:5",
    )
  )["ring:4"]
  rows = means[1 if layer is None else layer]
  shown = laplacians.matrix(laplacians.shown(WALKS, 4, 5))
  np.testing.assert_allclose(
    measured.energy.values[0, 0], np.trace(rows.T @ shown @ rows), rtol=1e-5
  )


def test_large_graphs_go_by_their_edges(monkeypatch, tmp_path):
  monkeypatch.setattr(energy_minimization, "_MOST_DENSE", 50)
  settings = energy_minimization.Settings(
    graphs=("grid:9x9",), width=5, restarts=1, steps=3000, dtype="float64"
  )
  measured = energy_minimization.run(settings)
  summary = energy_minimization.summarise(measured)["grid:9x9"]
  np.testing.assert_allclose(
    summary["energy_final"], summary["energy_closed_form"], rtol=1e-5
  )
  assert summary["principal_cosines"].min() >= 0.9999
  energy_minimization.write(tmp_path, measured, {"grid:9x9": summary})
  assert (tmp_path / "grid-9x9_minimization.png").exists()
  for change, message in (
    ({"laplacian": "shown:9"}, "more than 50 nodes"),
    ({"graphs": ("grid:9x9", "ring:5")}, "goes alone"),
  ):
    with pytest.raises(errors.InputError, match=message):
      energy_minimization.run(dataclasses.replace(settings, **change))


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"start_layer": 7}, "start_layer"),
    ({"graphs": ("ring:5",)}, "it holds ring:4"),
    ({"graphs": ()}, "no graph"),
    ({"laplacian": "shown:9"}, "outside a walk"),
    ({"laplacian": "shown"}, "combinatorial, normalised"),
  ],
)
def test_refusals(folder, change, message):
  settings = {"graphs": ("ring:4",), "start": str(folder[0])} | change
  with pytest.raises(errors.InputError, match=message):
    energy_minimization.run(energy_minimization.Settings(**settings))
