"""Every measurement of a run, labelled, with its interval and its null.

Input is the `raw` dataset of one graph: per-group inner products and counts for
every layer, window and context length, and per-walk accuracies.
"""

import math
from typing import Any

import numpy as np
import xarray as xr

from icl_graphs import errors
from icl_graphs.analysis import (
  accuracy,
  geometry,
  memorisation,
  nulls,
  pca,
  spectrum,
)
from icl_graphs.analysis import gram as gram_lib

STATS = ("value", "low", "high", "null", "null_sd")
COMPONENTS = 4
# Enough for a figure in every cell; the headline gets more.
HEADLINE_DRAWS = 2000
ACCURACIES = ("accuracy_full", "accuracy_restricted")
# Relabelling the nodes leaves these as they are, so they have no null.
_LABEL_FREE = ("pc12_variance",)
_CELL = ("layer", "window", "context")
_GRAM = (*_CELL, "group", "node", "group_", "node_")


def derive(
  raw: xr.Dataset,
  *,
  report_layer: int | None = None,
  count_floor: int = 5,
  resamples: int = 200,
  permutations: int = 200,
  seed: int = 0,
  headline_draws: int = HEADLINE_DRAWS,
  bayes_alpha: float = memorisation.DEFAULT_ALPHA,
) -> xr.Dataset:
  """Adds every measurement to the observations of one graph.

  Args:
    raw: `gram` (layer, window, context, group, node, group_, node_), inner
      products of class sums; `count` (window, context, group, node);
      `adjacency` (node, node_); attribute `hidden_size`. Optional:
      `accuracy_full`, `node_mass`, `null_mass`, `nodes` (walk, time) and
      `walk_group` (walk).
    report_layer: label of the layer whose numbers are the headline; gets
      `headline_draws` resamples and permutations at the last context.
    count_floor: nodes with fewer occurrences in a window are not `enough`.
    resamples: bootstrap draws over groups of walks.
    permutations: relabellings of the nodes for the null.
    seed: of both. The same draws serve every cell, so that differences
      between cells are not differences between draws.
    headline_draws: see `report_layer`; at least the other two are used.
    bayes_alpha: prior of the in-context bigram baseline.

  Returns:
    `raw` and, with a last dimension `stat` of `STATS`: every name in
    `geometry.NAMES` (layer, window, context); `accuracy_full_mean`,
    `accuracy_restricted_mean`, `node_mass_mean` (time);
    `accuracy_full_final`, `accuracy_restricted_final` (over the last fifth).
    Without `stat`: `laplacian_power` (..., mode 2..n), `laplacian_eigenvalue`
    (mode), `pca_scores` (..., node, component), `explained_ratio` (...,
    component), `mean_share` (...), `enough` (window, context, node), and along
    time `memorisation_1shot`, `memorisation_2shot`, `seen_once`, `seen_twice`,
    `bayes`. A cell in which some node never occurs is NaN throughout.

  Raises:
    InputError: variables are missing or misshapen, or the graph cannot be used.
  """
  _check(raw, report_layer)
  draws = _Draws(resamples, permutations, seed)
  ds = _geometry(raw, report_layer, draws, headline_draws)
  total = raw["count"].sum("group")
  ds["enough"] = total.transpose("window", "context", "node") >= count_floor
  if "accuracy_full" in raw:
    ds = ds.merge(_accuracies(raw, max(resamples, 1), headline_draws, seed))
  if "nodes" in raw:
    ds = ds.merge(_baselines(raw, bayes_alpha))
  ds = xr.merge([raw, ds], combine_attrs="override")
  ds = ds.assign_coords(stat=list(STATS))
  ds.attrs = dict(raw.attrs) | {
    "count_floor": count_floor,
    "resamples": resamples,
    "permutations": permutations,
    "analysis_seed": seed,
    "bayes_alpha": bayes_alpha,
  }
  if report_layer is not None:
    ds.attrs["report_layer"] = report_layer
  return ds


def headline(
  ds: xr.Dataset, report_layer: int, window: int
) -> dict[str, Any]:
  """Headline numbers of one graph, as they stand in summary.json.

  Args:
    ds: from `derive`.
    report_layer: label of the layer.
    window: label of the window. The context is the last one.

  Returns:
    name to {"value", "low", "high", "null"} (None where undefined) for both
    accuracies and every name in `geometry.NAMES`; then plain entries
    `report_layer`, `window`, `context`, `nodes`, `groups`, `walks` and
    `smallest_count`, the occurrences of the rarest node.
  """
  for dim, label in (("layer", report_layer), ("window", window)):
    if label not in ds[dim].values:
      raise errors.InputError(
        f"{dim} {label} was not measured; choose one of "
        f"{ds[dim].values.tolist()}"
      )
  cell = ds.sel(layer=report_layer, window=window).isel(context=-1)
  result: dict[str, Any] = {}
  for name in ACCURACIES:
    final = f"{name}_final"
    stats = ds[final].values if final in ds else np.full(len(STATS), np.nan)
    result[name] = _entry(stats)
  for name in geometry.NAMES:
    result[name] = _entry(cell[name].values)
  count = cell["count"].sum("group")
  result |= {
    "report_layer": int(report_layer),
    "window": int(window),
    "context": int(cell["context"]),
    "nodes": int(ds.sizes["node"]),
    "groups": int(ds.sizes["group"]),
    "walks": int(ds.sizes.get("walk", 1)),
    "smallest_count": int(count.min()),
  }
  return result


def _entry(stats: np.ndarray) -> dict[str, float | None]:
  return {
    name: float(number) if math.isfinite(number) else None
    for name, number in zip(STATS[:4], stats[:4], strict=True)
  }


def _check(raw: xr.Dataset, report_layer: int | None) -> None:
  wanted = {
    "gram": _GRAM,
    "count": ("window", "context", "group", "node"),
    "adjacency": ("node", "node_"),
  }
  for name, dims in wanted.items():
    if name not in raw:
      raise errors.InputError(f"the observations have no variable {name!r}")
    if set(raw[name].dims) != set(dims):
      raise errors.InputError(
        f"{name!r} has dimensions {raw[name].dims}; expected {dims}"
      )
  if "hidden_size" not in raw.attrs:
    raise errors.InputError("the observations lack attribute 'hidden_size'")
  if report_layer is not None and report_layer not in raw["layer"].values:
    raise errors.InputError(
      f"report layer {report_layer} was not observed; choose one of "
      f"{raw['layer'].values.tolist()}"
    )


class _Draws:
  """Bootstrap weightings and relabellings, drawn once and shared by cells."""

  def __init__(self, resamples: int, permutations: int, seed: int):
    self.resamples, self.permutations = resamples, permutations
    self.seed = seed
    self._weights: dict[int, np.ndarray] = {}
    self._labels: dict[int, np.ndarray] = {}

  def at_least(self, number: int) -> "_Draws":
    return _Draws(
      max(self.resamples, number) if self.resamples else 0,
      max(self.permutations, number) if self.permutations else 0,
      self.seed,
    )

  def weights(self, groups: int) -> np.ndarray:
    if groups not in self._weights:
      self._weights[groups] = nulls.bootstrap_weights(
        groups, self.resamples, self.seed
      )
    return self._weights[groups]

  def labels(self, nodes: int) -> np.ndarray:
    if nodes not in self._labels:
      self._labels[nodes] = nulls.permutations(
        nodes, self.permutations, self.seed
      )
    return self._labels[nodes]


def _geometry(
  raw: xr.Dataset, report_layer: int | None, draws: _Draws, headline_draws: int
) -> xr.Dataset:
  frame = geometry.frame(raw["adjacency"].transpose("node", "node_").values)
  products = raw["gram"].transpose(*_GRAM)
  count = raw["count"].transpose("window", "context", "group", "node").values
  shape = tuple(raw.sizes[dim] for dim in _CELL)
  nodes = raw.sizes["node"]
  layers = raw["layer"].values.tolist()
  stats = {
    name: np.full((*shape, len(STATS)), np.nan) for name in geometry.NAMES
  }
  scores = np.full((*shape, nodes, COMPONENTS), np.nan)
  explained = np.full((*shape, COMPONENTS), np.nan)
  power = np.full((*shape, nodes - 1), np.nan)
  share = np.full(shape, np.nan)
  more = draws.at_least(headline_draws)
  for cell in np.ndindex(shape):
    layer, window, context = cell
    observed = products[cell].values
    reported = layers[layer] == report_layer and context == shape[2] - 1
    gram, total = gram_lib.pooled(observed, count[window, context])
    if not (total > 0).all() or not np.isfinite(gram).all():
      continue
    axes = pca.axes(gram)
    measured = _cell(
      observed,
      count[window, context],
      gram,
      axes,
      frame,
      int(raw.attrs["hidden_size"]),
      more if reported else draws,
    )
    for name, values in measured.items():
      stats[name][cell] = values
    scores[cell] = pca.scores(axes, COMPONENTS)
    explained[cell] = pca.explained_ratio(axes, COMPONENTS)
    power[cell] = spectrum.power(gram, frame.modes)
    share[cell] = gram_lib.mean_share(gram)
  ds = xr.Dataset(
    {name: ((*_CELL, "stat"), values) for name, values in stats.items()}
    | {
      "pca_scores": ((*_CELL, "node", "component"), scores),
      "explained_ratio": ((*_CELL, "component"), explained),
      "laplacian_power": ((*_CELL, "mode"), power),
      "laplacian_eigenvalue": (("mode",), frame.modes.values[1:]),
      "mean_share": (_CELL, share),
    }
  )
  return ds.assign_coords(
    component=np.arange(1, COMPONENTS + 1), mode=np.arange(2, nodes + 1)
  )


def _cell(
  products, count, gram, axes, frame, hidden_size, draws
) -> dict[str, np.ndarray]:
  """All statistics of one layer, window and context: name to [stat]."""
  value = geometry.measure(gram, frame, hidden_size, axes)
  present = np.flatnonzero(count.sum(axis=1) > 0)
  replicates = {}
  if len(present) > 1 and draws.resamples:
    resampled, _ = gram_lib.pooled(
      products[np.ix_(present, range(len(gram)), present, range(len(gram)))],
      count[present],
      draws.weights(len(present)),
    )
    replicates = geometry.measure(resampled, frame, hidden_size)
  null = {}
  if draws.permutations:
    permuted, moved = nulls.relabelled(gram, axes, draws.labels(len(gram)))
    null = geometry.measure(permuted, frame, hidden_size, moved)
  result = {}
  for name in geometry.NAMES:
    low, high = nulls.interval(
      value[name],
      replicates.get(name, np.zeros(0)),
      len(present),
      bounds=geometry.RANGES[name],
    )
    mean = spread = np.nan
    if null and name not in _LABEL_FREE:
      mean, spread = null[name].mean(), null[name].std()
    result[name] = np.array([value[name], low, high, mean, spread])
  return result


def _accuracies(
  raw: xr.Dataset, resamples: int, headline_draws: int, seed: int
) -> xr.Dataset:
  def read(name):
    return raw[name].transpose("walk", "time").values.astype(np.float64)

  full, mass = read("accuracy_full"), read("node_mass")
  values = {
    "accuracy_full": full,
    "accuracy_restricted": accuracy.restricted(full, mass),
    "node_mass": mass,
  }
  chance = {}
  if "null_mass" in raw:
    by_chance = read("null_mass")
    chance = {
      "accuracy_full": by_chance,
      "accuracy_restricted": accuracy.restricted(by_chance, mass),
    }
  groups = (
    raw["walk_group"].values
    if "walk_group" in raw
    else np.zeros(len(full), np.int64)
  )
  end = accuracy.last_fifth(full.shape[1])
  ds = xr.Dataset()
  for name, array in values.items():
    sums = accuracy.group_totals(array, groups)
    null = chance.get(name, np.full_like(array, np.nan))
    null_sums = accuracy.group_totals(null, groups)
    ds[f"{name}_mean"] = (
      ("time", "stat"),
      _with_null(*sums, *null_sums, resamples, seed),
    )
    if name in ACCURACIES:
      finals = [part[:, end].sum(axis=1) for part in (*sums, *null_sums)]
      number = max(resamples, headline_draws)
      ds[f"{name}_final"] = (("stat",), _with_null(*finals, number, seed))
  return ds


def _with_null(
  sums, count, null_sums, null_count, resamples, seed
) -> np.ndarray:
  """[..., stat]; `null_sd` is the standard error of the null over groups."""
  found = accuracy.mean_with_interval(sums, count, resamples, seed)
  null = null_sums.sum(axis=0) / np.where(
    null_count.sum(axis=0) > 0, null_count.sum(axis=0), np.nan
  )
  spread = accuracy.standard_error(null_sums, null_count)
  return np.stack([*found, null, spread], axis=-1)


def _baselines(raw: xr.Dataset, alpha: float) -> xr.Dataset:
  nodes = raw["nodes"].transpose("walk", "time").values.astype(np.int64)
  adjacency = raw["adjacency"].transpose("node", "node_").values
  n = len(adjacency)
  if nodes.size and (nodes.min() < -1 or nodes.max() >= n):
    raise errors.InputError(
      f"'nodes' run from {nodes.min()} to {nodes.max()}; the graph has 0 to "
      f"{n - 1}, and -1 marks positions without a node"
    )
  words = (nodes >= 0).cumsum(axis=1).mean(axis=0)
  found = memorisation.visits(nodes, adjacency)
  bayes = memorisation.bayes_accuracy(found, nodes, adjacency, alpha)
  if "accuracy_full" in raw:
    scored = np.isfinite(
      raw["accuracy_full"].transpose("walk", "time").values
    )
    bayes = np.where(scored, bayes, np.nan)
    nodes = np.where(scored, nodes, -1)
  known = np.isfinite(bayes)
  count = known.sum(axis=0)
  return xr.Dataset(
    {
      "memorisation_1shot": ("time", memorisation.iid_one_shot(words, n)),
      "memorisation_2shot": ("time", memorisation.iid_two_shot(words, n)),
      "seen_once": ("time", memorisation.fraction(found.seen >= 1, nodes)),
      "seen_twice": ("time", memorisation.fraction(found.seen >= 2, nodes)),
      "bayes": (
        "time",
        np.where(known, bayes, 0).sum(axis=0)
        / np.where(count > 0, count, np.nan),
      ),
    }
  )
