"""What analysis writes is what the report reads."""

import numpy as np
import xarray as xr

from icl_graphs.analysis import measurements
from icl_graphs.report import figures, tables
from report import synthetic, test_outputs

LAYERS, GROUPS, WALKS, TIME = 3, 4, 8, 40
CONTEXTS = (2, 10, 40)


def observations() -> xr.Dataset:
  """A graph that forms with depth; two nodes unseen at the first context."""
  rng = np.random.default_rng(0)
  adjacency, place = synthetic.grid(3)
  n, width = len(adjacency), 12
  words = synthetic.WORDS[:n]
  count = np.full((1, len(CONTEXTS), GROUPS, n), 3.0, np.float32)
  count[:, 0, :, :2] = 0
  gram = np.empty((LAYERS, 1, len(CONTEXTS), GROUPS, n, GROUPS, n), np.float32)
  axes = np.linalg.qr(rng.normal(size=(width, 2)))[0].T
  for layer in range(LAYERS):
    for context in range(len(CONTEXTS)):
      means = layer * context * place @ axes + rng.normal(
        size=(GROUPS, n, width)
      )
      sums = means * count[0, context][..., None]
      gram[layer, 0, context] = np.einsum("gnd,hmd->gnhm", sums, sums)
  nodes = np.empty((WALKS, TIME), np.int16)
  nodes[:, 0] = rng.integers(n, size=WALKS)
  for t in range(1, TIME):
    for walk in range(WALKS):
      near = np.flatnonzero(adjacency[nodes[walk, t - 1]])
      nodes[walk, t] = rng.choice(near)
  mass = np.full((WALKS, TIME), 0.9, np.float32)
  cell = ("layer", "window", "context")
  walk_time = ("walk", "time")
  return xr.Dataset(
    {
      "gram": ((*cell, "group", "node", "group_", "node_"), gram),
      "count": (("window", "context", "group", "node"), count),
      "accuracy_full": (walk_time, 0.8 * mass),
      "node_mass": (walk_time, mass),
      "null_mass": (walk_time, 0.3 * mass),
      "nodes": (walk_time, nodes),
      "walk_group": (("walk",), np.arange(WALKS) % GROUPS),
      "adjacency": (("node", "node_"), adjacency),
      "position": (("node", "xy"), place),
    },
    coords={
      "layer": np.arange(LAYERS),
      "window": [20],
      "context": list(CONTEXTS),
      "group": np.arange(GROUPS),
      "group_": np.arange(GROUPS),
      "node": words,
      "node_": words,
      "time": np.arange(1, TIME + 1),
    },
    attrs={
      "graph": "grid:3x3",
      "directed": 0,
      "hidden_size": width,
      "mode": "walk",
    },
  )


def test_measurements_become_a_report(tmp_path):
  derived = measurements.derive(
    observations(),
    report_layer=2,
    resamples=30,
    permutations=60,
    headline_draws=60,
  )
  summary = {"grid:3x3": measurements.headline(derived, 2, 20)}
  tree = xr.DataTree.from_dict({"grid:3x3": derived})
  drawn = [path.stem for path in figures.write(tree, tmp_path)]
  assert drawn == [f"grid_3x3_{name}" for name in test_outputs.FIGURES]
  text, page = test_outputs.write(tree, tmp_path, summary)
  (graph,) = page.data["graphs"]
  assert graph["report"] == {"layer": 2, "window": 0, "context": 2}
  names = [measure["name"] for measure in graph["measures"]]
  assert set(names) <= set(summary["grid:3x3"])
  assert len(names) == 13
  # Unseen words: no picture at the first context, one afterwards.
  assert graph["counts"][0][0][:3] == [0, 0, 12]
  assert set(graph["pictures"][0]["points"][0][2][0]) == {None}
  assert None not in graph["pictures"][0]["points"][0][2][1]
  assert {"bayes", "seen_once"} <= set(graph["accuracy"]["curves"])
  assert "Structure present" in text
  assert "The model predicts neighbours better than chance" in text
  assert "energy_relative" in tables.headline(summary["grid:3x3"])
