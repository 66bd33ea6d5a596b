"""From the sums of a finished run to labelled arrays that analysis reads."""

import numpy as np
import xarray as xr

from icl_graphs.engine import forward
from icl_graphs.engine import state as state_lib
from icl_graphs.probes import class_sums
from icl_graphs.tasks import graphs


def gram(sums: np.ndarray) -> np.ndarray:
  """Inner products of class sums, [..., G, n, D] to [..., G, n, G, n].

  Every distance, energy, angle and spectrum of the class means follows from
  these and the counts, whatever the width D.
  """
  groups, nodes, width = sums.shape[-3:]
  rows = sums.reshape(*sums.shape[:-3], groups * nodes, width)
  products = rows @ np.swapaxes(rows, -1, -2)
  return products.reshape(*sums.shape[:-1], groups, nodes)


def to_dataset(
  plan: forward.Plan, graph: graphs.Graph, state: state_lib.State
) -> xr.Dataset:
  """Labels the observations of one graph.

  Returns:
    `gram` (layer, window, context, group, node, group_, node_), `count`
    (window, context, group, node), `accuracy_full`, `node_mass`, `null_mass`
    and `nodes` (walk, time), `walk_group` (walk), `adjacency` and `position`;
    without the first three where the plan has no accuracy.
  """
  spec = plan.sums
  # Layer by layer: the float64 sums of all layers at once would be large.
  grams = [
    gram(class_sums.windowed(spec, layer, axis=0)).astype(np.float32)
    for layer in state.sums.hidden
  ]
  count = class_sums.windowed(spec, state.sums.count, axis=0)
  words = list(plan.layout.words)
  groups = np.arange(spec.num_groups)
  walk_time = ("walk", "time")
  per_walk = state.per_walk
  dataset = xr.Dataset(
    {
      "gram": (
        ("layer", "window", "context", "group", "node", "group_", "node_"),
        np.stack(grams),
      ),
      "count": (
        ("window", "context", "group", "node"),
        count.astype(np.float32),
      ),
      "accuracy_full": (walk_time, per_walk.accuracy_full),
      "node_mass": (walk_time, per_walk.node_mass),
      "null_mass": (walk_time, per_walk.null_mass),
      "nodes": (walk_time, per_walk.nodes.astype(np.int16)),
      "walk_group": (("walk",), np.arange(state.done) % spec.num_groups),
      "adjacency": (("node", "node_"), graph.adjacency),
      "position": (("node", "xy"), graph.positions),
    },
    coords={
      "layer": list(plan.layers),
      "window": list(spec.windows),
      "context": list(spec.context_lengths),
      "group": groups,
      "group_": groups,
      "node": words,
      "node_": words,
      "time": np.arange(1, plan.words + 1),
    },
    attrs={
      "graph": graph.spec,
      "directed": int(graph.directed),
      "hidden_size": plan.decoder.hidden_size,
      "layers": plan.decoder.num_layers,
      "mode": plan.layout.mode,
    },
  )
  if plan.accuracy:
    return dataset
  return dataset.drop_vars(["accuracy_full", "node_mass", "null_mass"])
