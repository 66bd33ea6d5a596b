"""Small graphs and runs with known answers, for the tests of this folder."""

import numpy as np
import xarray as xr


def grid(side: int = 4) -> np.ndarray:
  place = np.array([(r, c) for r in range(side) for c in range(side)])
  apart = np.abs(place[:, None] - place[None]).sum(axis=-1)
  return (apart == 1).astype(np.float64)


def ring(n: int) -> np.ndarray:
  step = (np.arange(n)[:, None] - np.arange(n)[None]) % n
  return np.isin(step, (1, n - 1)).astype(np.float64)


def torus(side: int = 4) -> np.ndarray:
  eye = np.eye(side)
  return np.kron(ring(side), eye) + np.kron(eye, ring(side))


def random_graph(n: int, seed: int, weighted: bool = False) -> np.ndarray:
  """Connected: a path with random chords."""
  rng = np.random.default_rng(seed)
  weights = rng.uniform(0.5, 3, (n, n)) if weighted else np.ones((n, n))
  chords = rng.random((n, n)) < 0.3
  upper = np.triu(chords | np.eye(n, k=1, dtype=bool), 1) * weights
  return upper + upper.T


def walks(adjacency: np.ndarray, count: int, length: int, seed: int):
  """Simple random walks, [count, length], from uniform starts."""
  rng = np.random.default_rng(seed)
  n = len(adjacency)
  degree = adjacency.sum(axis=1).astype(int)
  listed = np.zeros((n, degree.max()), int)
  for node in range(n):
    listed[node, : degree[node]] = np.flatnonzero(adjacency[node])
  nodes = np.zeros((count, length), int)
  nodes[:, 0] = rng.integers(n, size=count)
  for t in range(1, length):
    here = nodes[:, t - 1]
    pick = (rng.random(count) * degree[here]).astype(int)
    nodes[:, t] = listed[here, pick]
  return nodes


def observe(
  adjacency: np.ndarray,
  *,
  layers: int = 2,
  windows: tuple[int, ...] = (20, 60),
  contexts: tuple[int, ...] = (30, 80),
  groups: int = 4,
  width: int = 12,
  num_walks: int = 8,
  structure: float = 1.0,
  seed: int = 0,
) -> tuple[xr.Dataset, np.ndarray, np.ndarray]:
  """A run over random walks: the dataset, activations and nodes behind it.

  activations [layer, walk, time, D]: graph layout (from layer 1 on) plus word
  identity plus noise.
  """
  rng = np.random.default_rng(seed)
  n, length = len(adjacency), max(contexts)
  nodes = walks(adjacency, num_walks, length, seed + 1)
  _, modes = np.linalg.eigh(np.diag(adjacency.sum(axis=1)) - adjacency)
  layout = modes[:, 1:3] @ rng.normal(size=(2, width)) * 3 * structure
  means = rng.normal(size=(layers, n, width)) + 1.5
  means += np.arange(layers)[:, None, None] * layout
  activations = means[:, nodes]
  activations = activations + rng.normal(size=activations.shape)
  group_of = np.arange(num_walks) % groups
  shape = (len(windows), len(contexts), groups, n)
  sums = np.zeros((layers, *shape, width))
  count = np.zeros(shape)
  for w, window in enumerate(windows):
    for c, context in enumerate(contexts):
      for t in range(max(0, context - window), context):
        for walk in range(num_walks):
          place = w, c, group_of[walk], nodes[walk, t]
          count[place] += 1
          sums[(slice(None), *place)] += activations[:, walk, t]
  flat = sums.reshape(*sums.shape[:-3], groups * n, width)
  gram = flat @ np.swapaxes(flat, -1, -2)
  full = rng.uniform(0.1, 0.6, (num_walks, length))
  mass = np.minimum(full + rng.uniform(0.1, 0.3, full.shape), 1)
  names = [f"w{node}" for node in range(n)]
  raw = xr.Dataset(
    {
      "gram": (
        ("layer", "window", "context", "group", "node", "group_", "node_"),
        gram.reshape(layers, *shape, groups, n),
      ),
      "count": (("window", "context", "group", "node"), count),
      "accuracy_full": (("walk", "time"), full),
      "node_mass": (("walk", "time"), mass),
      "null_mass": (("walk", "time"), mass * 0.2),
      "nodes": (("walk", "time"), nodes.astype(np.int16)),
      "walk_group": (("walk",), group_of),
      "adjacency": (("node", "node_"), adjacency),
      "position": (("node", "xy"), modes[:, 1:3]),
    },
    coords={
      "layer": range(layers),
      "window": list(windows),
      "context": list(contexts),
      "group": range(groups),
      "group_": range(groups),
      "node": names,
      "node_": names,
      "time": range(1, length + 1),
    },
    attrs={"hidden_size": width, "graph": "test:graph", "directed": 0},
  )
  return raw, activations, nodes


def segmented(t, breaks, slopes, start: float) -> np.ndarray:
  """Continuous piecewise-linear curve in log10 t; slopes per decade."""
  x = np.log10(t)
  curve = start + slopes[0] * (x - x[0])
  for at, change in zip(breaks, np.diff(slopes), strict=True):
    curve = curve + change * np.maximum(0, x - np.log10(at))
  return curve


def noisy_walks(
  rng: np.random.Generator,
  mean: np.ndarray,
  count: int,
  certain: float = 4.0,
  spread: float = 0.15,
) -> np.ndarray:
  """Accuracies of walks [count, T] whose expectation is `mean`.

  Beta noise at every word, as wide as in real walks (`certain` is the sum of
  its parameters), and a factor per walk, so that words of a walk go together.
  """
  factor = rng.uniform(-1, 1, (count, 1)) * spread
  walk = mean * (1 + factor * np.minimum(1, (1 - mean) / mean))
  walk = np.clip(walk, 1e-6, 1 - 1e-6)
  return rng.beta(certain * walk, certain * (1 - walk))
