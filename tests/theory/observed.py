"""Simulated runs: what every account would have a model show."""

import numpy as np
import xarray as xr

from icl_graphs.analysis import gram


def raw(
  adjacency: np.ndarray,
  means: np.ndarray,
  *,
  groups: int = 8,
  noise: float = 0.5,
  contexts: tuple[int, ...] = (100,),
  seed: int = 0,
) -> xr.Dataset:
  """Observations of class means [L, n, D] or [L, C, n, D] with noise.

  Every group sees every node a few times; noise is per occurrence, in units of
  the spread of the means.
  """
  if means.ndim == 3:
    means = np.repeat(means[:, None], len(contexts), axis=1)
  rng = np.random.default_rng(seed)
  layers, _, nodes, width = means.shape
  shape = (1, len(contexts), groups, nodes)
  count = rng.integers(3, 9, size=shape).astype(float)
  sums = means[:, None, :, None] * count[..., None]
  spread = noise * means.std() * np.sqrt(count)[..., None]
  sums = sums + spread * rng.standard_normal((layers, *shape, width))
  labels = [f"w{node}" for node in range(nodes)]
  return xr.Dataset(
    {
      "gram": (
        ("layer", "window", "context", "group", "node", "group_", "node_"),
        gram.from_sums(sums),
      ),
      "count": (("window", "context", "group", "node"), count),
      "adjacency": (("node", "node_"), adjacency),
      "position": (
        ("node", "xy"),
        np.random.default_rng(0).normal(size=(nodes, 2)),
      ),
    },
    {
      "layer": range(layers),
      "window": [50],
      "context": list(contexts),
      "group": range(groups),
      "group_": range(groups),
      "node": labels,
      "node_": labels,
    },
    {
      "graph": "test:graph",
      "hidden_size": width,
      "layers": max(layers - 1, 1),
      "directed": 0,
      "report_layer": layers - 1,
      "report_window": 50,
    },
  )
