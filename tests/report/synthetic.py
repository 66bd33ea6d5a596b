"""Measurements of a model that never ran: a graph forming over contexts.

The representations are the graph's own layout, hidden in noise, with a weight
that grows with layer and context. Every number is then measured on them with
the textbook formula, so that the pictures tell a consistent story.
"""

import numpy as np
import xarray as xr

STATS = ["value", "low", "high", "null", "null_sd"]
WORDS = (
  "apple bird car egg house milk plane opera box sand sun mango rock math "
  "code phone tree dog metal water fire boat mouse cup book paper key tea "
  "shoe ball"
).split()
WIDTH = 24


def grid(side: int = 4) -> tuple[np.ndarray, np.ndarray]:
  place = np.array([(c, -r) for r in range(side) for c in range(side)], float)
  apart = np.abs(place[:, None] - place[None]).sum(-1)
  return (apart == 1).astype(float), place


def ring(n: int = 10) -> tuple[np.ndarray, np.ndarray]:
  angle = 2 * np.pi * np.arange(n) / n
  place = np.stack([np.sin(angle), np.cos(angle)], axis=-1)
  step = (np.arange(n)[:, None] - np.arange(n)[None]) % n
  return np.isin(step, (1, n - 1)).astype(float), place


def _steps(adjacency: np.ndarray) -> np.ndarray:
  n = len(adjacency)
  steps = np.full((n, n), np.inf)
  reach = np.eye(n)
  for distance in range(n):
    steps = np.where((reach > 0) & np.isinf(steps), distance, steps)
    reach = reach @ (adjacency + np.eye(n))
  return steps


def _measure(h: np.ndarray, adjacency: np.ndarray) -> dict[str, float]:
  n, edges = len(h), adjacency.sum() / 2
  degree = np.diag(adjacency.sum(1))
  laplacian = degree - adjacency
  values, vectors = np.linalg.eigh(laplacian)
  centred = h - h.mean(0)
  total = (centred**2).sum()
  energy = np.trace(centred.T @ laplacian @ centred)
  u, s, _ = np.linalg.svd(centred, full_matrices=False)
  pairs = np.triu_indices(n, 1)
  gaps = np.linalg.norm(h[:, None] - h[None], axis=-1)[pairs]
  cosines = np.linalg.svd(u[:, :2].T @ vectors[:, 1:3])[1]
  power = ((vectors[:, 1:].T @ centred) ** 2).sum(1) / total
  return {
    "energy_sum": 2 * energy,
    "energy_edge": energy / edges,
    "energy_frobenius": energy / (h.shape[1] * (h**2).sum()),
    "energy_centred": energy / total,
    "energy_ratio": energy / total / n,
    "energy_degree": energy / np.trace(centred.T @ degree @ centred),
    "energy_relative": energy / total / (2 * edges / (n - 1)),
    "distance_correlation": np.corrcoef(gaps, _steps(adjacency)[pairs])[0, 1],
    "principal_cosine_1": cosines[0],
    "principal_cosine_2": cosines[1],
    "fiedler_power": power[0] + power[1],
    "parity_power": power[-1],
    "pc12_variance": (s[:2] ** 2).sum() / (s**2).sum(),
  }


def _pca(h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  u, s, _ = np.linalg.svd(h - h.mean(0), full_matrices=False)
  return (u * s)[:, :4], (s**2 / (s**2).sum())[:4]


def dataset(
  spec: str,
  adjacency: np.ndarray,
  place: np.ndarray,
  *,
  layers: int = 7,
  windows: tuple[int, ...] = (50, 200),
  contexts: tuple[int, ...] = (5, 10, 15, 20, 30, 50, 75, 100, 150, 200),
  strength: float = 1.6,
  length: int = 200,
  seed: int = 0,
) -> xr.Dataset:
  """One graph's dataset as the analysis would write it."""
  rng = np.random.default_rng(seed)
  n, draws = len(adjacency), 6
  words = WORDS[:n]
  identity = rng.normal(size=(n, WIDTH)) + 2 * rng.normal(size=WIDTH)
  axes = np.linalg.qr(rng.normal(size=(WIDTH, 2)))[0].T
  shape = (place - place.mean(0)) / place.std() * np.sqrt(WIDTH / 2) @ axes
  values, vectors = np.linalg.eigh(np.diag(adjacency.sum(1)) - adjacency)
  cells = (layers, len(windows), len(contexts))
  measured: dict[str, np.ndarray] = {}
  scores = np.empty((*cells, n, 4))
  explained = np.empty((*cells, 4))
  power = np.empty((*cells, n - 1))
  for index in np.ndindex(cells):
    k, w, c = index
    t = contexts[c]
    depth = 1 / (1 + np.exp(-(k - 0.35 * layers) * 1.6)) if layers > 1 else 1.0
    grown = strength * depth / (1 + (35 / t) ** 2)
    noise = 0.6 / np.sqrt(min(t, windows[w]) / 10)
    samples = []
    for _ in range(draws):
      h = identity + grown * shape + noise * rng.normal(size=(n, WIDTH))
      samples.append(_measure(h, adjacency))
    h = np.asarray(identity + grown * shape)
    h = h + noise / np.sqrt(draws) * rng.normal(size=(n, WIDTH))
    now = _measure(h, adjacency)
    null = [_measure(h[rng.permutation(n)], adjacency) for _ in range(12)]
    for name, value in now.items():
      spread = np.std([sample[name] for sample in samples])
      chance = [sample[name] for sample in null]
      cell = measured.setdefault(name, np.empty((*cells, 5)))
      cell[index] = (
        value,
        value - spread,
        value + spread,
        np.mean(chance),
        np.std(chance),
      )
    scores[index], explained[index] = _pca(h)
    centred = h - h.mean(0)
    power[index] = ((vectors[:, 1:].T @ centred) ** 2).sum(1) / (
      centred**2
    ).sum()
  time = np.arange(1, length + 1)
  cell = ("layer", "window", "context")
  variables = {
    name: ((*cell, "stat"), array) for name, array in measured.items()
  }
  variables |= {
    "pca_scores": ((*cell, "node", "component"), scores),
    "explained_ratio": ((*cell, "component"), explained),
    "laplacian_power": ((*cell, "mode"), power),
    "laplacian_eigenvalue": (("mode",), values[1:]),
    "enough": (
      ("window", "context", "node"),
      np.ones((len(windows), len(contexts), n), bool),
    ),
    "count": (
      ("window", "context", "group", "node"),
      np.full((len(windows), len(contexts), 2, n), 9.0),
    ),
    "adjacency": (("node", "node_"), adjacency),
    "position": (("node", "xy"), place),
  }
  variables |= _accuracies(time, adjacency, strength, rng)
  return xr.Dataset(
    variables,
    coords={
      "layer": np.arange(layers),
      "window": list(windows),
      "context": list(contexts),
      "stat": STATS,
      "node": words,
      "time": time,
      "mode": np.arange(2, n + 1),
      "component": np.arange(1, 5),
    },
    attrs={"graph": spec, "model": "synthetic", "directed": 0, "mode": "walk"},
  )


def _accuracies(time, adjacency, strength, rng):
  n = len(adjacency)
  chance = adjacency.sum() / n / n
  rise = 1 / (1 + (40 / time) ** 1.5) if strength > 0 else 0 * time
  curves = {
    "accuracy_restricted_mean": chance + (0.92 - chance) * rise,
    "node_mass_mean": 1 - np.exp(-time / 6),
  }
  curves["accuracy_full_mean"] = (
    curves["accuracy_restricted_mean"] * curves["node_mass_mean"]
  )
  variables = {}
  for name, curve in curves.items():
    noisy = np.clip(curve + 0.02 * rng.normal(size=time.size), 0, 1)
    null = np.full(time.size, chance) * curves["node_mass_mean"]
    if name == "node_mass_mean":
      null = np.full(time.size, np.nan)
    stats = [noisy, noisy - 0.03, noisy + 0.03, null, 0 * null + 0.01]
    variables[name] = (("time", "stat"), np.stack(stats, axis=-1))
  once = 1 - (1 - 1 / n) ** time
  twice = once - time / n * (1 - 1 / n) ** (time - 1)
  variables |= {
    "memorisation_1shot": (("time",), once),
    "memorisation_2shot": (("time",), twice),
    "seen_once": (("time",), 1 - np.exp(-time / 14)),
    "seen_twice": (("time",), 1 - (1 + time / 14) * np.exp(-time / 14)),
    "bayes": (("time",), (0.4 * 3 + time / n) / (0.4 * n + time / n)),
  }
  return variables


def summary(data: xr.Dataset, layer: int = 5, window: int = 0) -> dict:
  """The flat summary of one dataset."""
  result: dict = {}
  for name, variable in data.data_vars.items():
    if variable.dims == ("layer", "window", "context", "stat"):
      cell = variable.isel(context=-1, window=window)
      cell = cell.isel(layer=min(layer, data.sizes["layer"] - 1))
    elif variable.dims == ("time", "stat"):
      cell = variable.isel(time=slice(-(data.sizes["time"] // 5), None))
      cell = cell.mean("time")
    else:
      continue
    key = str(name).removesuffix("_mean")
    result[key] = {which: float(cell.sel(stat=which)) for which in STATS[:4]}
  result["report_layer"] = min(layer, data.sizes["layer"] - 1)
  result["window"] = int(data["window"].values[window])
  return result


def run(
  layers: int = 4, contexts: tuple[int, ...] = (5, 10, 20, 50, 100, 200)
) -> xr.DataTree:
  """Two graphs that form, one with a control, and one that does not."""
  size = {"layers": layers, "contexts": contexts}
  return xr.DataTree.from_dict(
    {
      "grid:4x4": dataset("grid:4x4", *grid(), **size),
      "grid:4x4/random_weights": dataset(
        "grid:4x4", *grid(), strength=0.0, seed=3, **size
      ),
      "ring:10": dataset("ring:10", *ring(), seed=1, **size),
      "hex:3x3": dataset(
        "a graph that never forms", *grid(5), strength=0.0, seed=5, **size
      ),
    }
  )
