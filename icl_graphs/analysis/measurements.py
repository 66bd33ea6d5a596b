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
  geometry,
  memorisation,
  nulls,
  pca,
  spectrum,
  time_curves,
)
from icl_graphs.analysis import gram as gram_lib

STATS = (
  *("value", "low", "high", "null"),
  *("null_sd", "null_low", "null_high"),
)
COMPONENTS = 4
# Enough for a figure in every cell; the headline gets more.
HEADLINE_DRAWS = 2000
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
    `raw` and, with a last dimension `stat` of `STATS` (for the last two see
    `nulls.limits`; accuracies have none): every name in
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
    curves = time_curves.accuracies(raw, resamples, headline_draws, seed)
    ds = ds.merge(curves)
  if "nodes" in raw:
    ds = ds.merge(time_curves.baselines(raw, bayes_alpha))
  ds = raw.merge(ds, join="exact")
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


def headline(ds: xr.Dataset, report_layer: int, window: int) -> dict[str, Any]:
  """Headline numbers of one graph, as they stand in summary.json.

  Args:
    ds: from `derive`.
    report_layer: label of the layer.
    window: label of the window. The context is the last one.

  Returns:
    name to {"value", "low", "high", "null"} (None where undefined) for both
    accuracies and every name in `geometry.NAMES`; then plain entries
    `report_layer`, `window`, `context`, `nodes`, `groups`, `walks` and
    `smallest_count`, the occurrences of the rarest node; None where a
    recording does not tell.
  """
  for dim, label in (("layer", report_layer), ("window", window)):
    if label not in ds[dim].values:
      raise errors.InputError(
        f"{dim} {label} was not measured; choose one of "
        f"{ds[dim].values.tolist()}"
      )
  cell = ds.sel(layer=report_layer, window=window).isel(context=-1)
  result: dict[str, Any] = {}
  for name in time_curves.FINALS:
    final = f"{name}_final"
    stats = ds[final].values if final in ds else np.full(len(STATS), np.nan)
    result[name] = _entry(stats)
  for name in geometry.NAMES:
    result[name] = _entry(cell[name].values)
  known = bool(ds.attrs.get("counts_known", True))
  fewest = int(cell["count"].sum("group").min())
  result |= {
    "report_layer": int(report_layer),
    "window": int(window) if known else None,
    "context": int(cell["context"]) if known else None,
    "nodes": ds.sizes["node"],
    "groups": ds.sizes["group"],
    "walks": ds.sizes.get("walk"),
    "smallest_count": fewest if known else None,
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
    chance = [np.nan] * 4
    if null and name not in _LABEL_FREE:
      draws = null[name]
      chance = [draws.mean(), draws.std(), *nulls.limits(draws)]
    result[name] = np.array([value[name], low, high, *chance])
  return result
