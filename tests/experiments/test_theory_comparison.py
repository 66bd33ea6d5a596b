"""Comparison of runs and recordings: what is written, said and refused."""

import json

import networkx as nx
import numpy as np
import pytest
import xarray as xr

from icl_graphs import errors
from icl_graphs.analysis import geometry, measurements
from icl_graphs.experiments import comparison
from icl_graphs.report import figures, run_folder
from icl_graphs.theory import mixing
from tests.theory import observed

GRID = geometry.frame(nx.to_numpy_array(nx.grid_2d_graph(4, 4)))
DRAWS = {"resamples": 40, "permutations": 120}


def walks(count, length):
  rng = np.random.default_rng(0)
  step = mixing.walk_matrix(GRID)
  nodes = np.zeros((count, length), int)
  for walk in nodes:
    walk[0] = rng.integers(16)
    for t in range(1, length):
      walk[t] = rng.choice(16, p=step[walk[t - 1]])
  return nodes


def measured(account, name):
  means = np.stack([mixing.simulate(account, 500, seed) for seed in (0, 1)])
  raw = observed.raw(GRID.adjacency, means, contexts=(20, 80))
  nodes = walks(8, 80)
  raw["nodes"] = (("walk", "time"), nodes)
  raw["walk_group"] = ("walk", np.arange(8))
  raw["accuracy_full"] = (
    ("walk", "time"),
    np.clip(np.linspace(0.2, 0.8, 80) + 0 * nodes, 0, 1),
  )
  raw["node_mass"] = (("walk", "time"), np.ones(nodes.shape))
  raw = raw.assign_coords(time=np.arange(1, 81))
  raw.attrs |= {"graph": name, "model": "planted"}
  return measurements.derive(
    raw, report_layer=1, resamples=4, permutations=4, headline_draws=4
  )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  folder = tmp_path_factory.mktemp("run")
  tree = xr.DataTree.from_dict(
    {
      "test": measured(mixing.partial_overlap(GRID, 2, 0.4), "test"),
      "test/random_weights": measured(mixing.flat(GRID), "test"),
    }
  )
  run_folder.write_measurements(folder / "measurements.nc", tree)
  headline = measurements.headline(tree["test"].to_dataset(), 1, 50)
  run_folder.write_json(folder / "summary.json", {"test": headline})
  run_folder.write_json(folder / "run.json", {"model": "planted"})
  return folder


def test_a_run_gets_its_theory(run, tmp_path, monkeypatch):
  monkeypatch.setattr(figures, "DPI", 40)
  settings = comparison.Settings(str(run), **DRAWS)
  seen = comparison.load(settings)
  compared = comparison.compare(settings, seen)
  summary = comparison.summarise(compared)
  comparison.write(tmp_path, seen, compared, summary)
  stored = json.loads((tmp_path / "summary.json").read_text())["test"]
  assert stored["reading"].startswith("Best on held-out walks: neighbour")
  overlap = stored["accounts"]["partial_overlap"]
  assert overlap["verdict"] == "best"
  assert overlap["low"] < overlap["score"] < overlap["high"]
  assert overlap["null"] < 0.3 and overlap["p"] <= 0.01
  assert overlap["procrustes_r2"]["value"] > 0.9
  assert stored["signed_spectrum"]["rho"] == pytest.approx(0.4, abs=0.15)
  assert set(stored["predictors"]["bayes"]) >= {"value", "low", "parameters"}
  verdicts = {
    one["verdict"] for one in stored["random_weights"]["accounts"].values()
  }
  assert verdicts == {"unsupported", "reference"}
  assert len(list(tmp_path.glob("test_theory_*.png"))) == 3
  page = (tmp_path / "report.html").read_text()
  assert "What theory would have predicted" in page
  assert stored["reading"] in page
  assert page.count("data:image/png;base64,") == 3
  with xr.open_datatree(tmp_path / "comparison.nc") as tree:
    assert tree["test"]["score"].dims == (
      *("account", "layer", "window", "context", "stat"),
    )
    assert "random_weights" in tree["test"].children
  assert "overlapping space" in comparison.table(summary)


def npz(folder, **arrays):
  np.savez(folder / "a.npz", **arrays)
  return str(folder / "a.npz")


def test_activations_of_another_tool(tmp_path):
  rng = np.random.default_rng(0)
  nodes = walks(1, 1200)[0]
  means = mixing.simulate(mixing.partial_overlap(GRID, 2, 0.4), 300, 0)
  values = means[nodes] + rng.standard_normal((1200, 600))
  path = npz(tmp_path, activations=values, nodes=nodes)
  settings = comparison.Settings(path, graph="grid:4x4", **DRAWS)
  compared = comparison.compare(settings, comparison.load(settings))
  summary = comparison.summarise(compared)["grid:4x4"]
  assert summary["accounts"]["partial_overlap"]["score"] > 0.85
  assert {"previous_token", "induction"} <= set(summary["accounts"])


@pytest.mark.parametrize(
  ("arrays", "options", "message"),
  [
    ({"activations": np.ones((50, 4))}, {}, "not their nodes"),
    (
      {"activations": np.full((90, 4), np.nan), "nodes": np.arange(90) % 16},
      {},
      "not finite",
    ),
    (
      {"activations": np.ones((90, 4)), "nodes": np.arange(90)},
      {},
      "nodes 0 to 15",
    ),
    ({"class_means": np.ones((9, 4))}, {}, "graph has 16"),
    ({"class_means": np.eye(16)}, {}, "cannot be cross-validated"),
    ({"class_means": np.eye(16)}, {"graph": None}, "--graph"),
  ],
)
def test_refusals(tmp_path, arrays, options, message):
  path = npz(tmp_path, **arrays)
  settings = comparison.Settings(
    path, **({"graph": "grid:4x4"} | DRAWS | options)
  )
  with pytest.raises(errors.InputError, match=message):
    comparison.compare(settings, comparison.load(settings))


def test_refuses_what_is_not_there(tmp_path):
  for source in (tmp_path / "nothing", tmp_path):
    with pytest.raises(errors.InputError, match="no file|cannot read"):
      comparison.load(comparison.Settings(str(source)))
