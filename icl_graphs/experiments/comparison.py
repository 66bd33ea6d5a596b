"""Theory beside observation: every rival account against a finished run.

Reads a run folder (of `launch.trace` or `launch.analyze`) or anyone's
activations, compares class means with the accounts and accuracy with the
predictors, and writes a folder of its own with the report page anew.
"""

from collections.abc import Mapping
import dataclasses
import json
import pathlib
from typing import Any

import numpy as np
import xarray as xr

from icl_graphs import errors
from icl_graphs.analysis import geometry, measurements, recordings
from icl_graphs.analysis import gram as gram_lib
from icl_graphs.report import comparison_figures, html, run_folder, tables
from icl_graphs.tasks import graphs, words
from icl_graphs.theory import (
  accuracy_fit,
  comparison,
  eigenspaces,
  flow_time,
  ranking,
  similarity,
)

COMPARISON, CONTROL = "comparison.nc", "random_weights"


@dataclasses.dataclass(frozen=True)
class Settings:
  """Everything that decides the numbers; saved in `run.json`.

  The fields from `graph` to `groups` describe activations of another tool, as
  in `launch.analyze`; a run folder knows these itself.
  """

  source: str
  graph: str | None = None
  nodes: str | None = None
  words: str | None = None
  last: int | None = None
  layer: int = 0
  groups: int = 20  # blocks of time; rare nodes need many
  resamples: int = 200
  permutations: int = 400
  seed: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class Observed:
  """What is compared: measurements, their summary, how they were made."""

  tree: xr.DataTree
  summary: Mapping[str, Any]
  run: Mapping[str, Any]


def load(settings: Settings) -> Observed:
  """Reads a run folder or a file of activations.

  Raises:
    InputError: it cannot be read, or does not fit the graph.
  """
  path = pathlib.Path(settings.source)
  if not path.exists():
    raise errors.InputError(f"there is no file or folder {path}")
  if path.is_dir():
    return Observed(
      run_folder.read_tree(path / run_folder.MEASUREMENTS),
      _json(path / run_folder.SUMMARY),
      _json(path / run_folder.RUN),
    )
  if settings.graph is None:
    raise errors.InputError(
      f"{path} is about some graph; name it with --graph, e.g. --graph=grid:4x4"
    )
  graph = graphs.parse(settings.graph)
  recording = recordings.read(
    settings.source,
    settings.nodes,
    _node_words(settings.words, graph.n),
    graph.node_names,
    last=settings.last,
    groups=settings.groups,
  )
  raw = recordings.to_raw(
    recording,
    graph=graph.spec,
    adjacency=graph.adjacency,
    positions=graph.positions,
    directed=graph.directed,
    layer=settings.layer,
  )
  measured = measurements.derive(
    raw, report_layer=settings.layer, seed=settings.seed
  )
  headline = measurements.headline(measured, settings.layer, recording.window)
  return Observed(
    run_folder.tree({graph.spec: measured}), {graph.spec: headline}, {}
  )


def _json(path: pathlib.Path) -> dict[str, Any]:
  try:
    return json.loads(path.read_text(encoding="utf-8"))
  except (OSError, ValueError):
    return {}


def _node_words(given: str | None, n: int) -> tuple[str, ...] | None:
  if given is None:
    return None
  if "," in given:
    return tuple(word.strip() for word in given.split(","))
  return words.concept_words(given, n)


def compare(settings: Settings, observed: Observed) -> xr.DataTree:
  """Compares every graph; an untrained control at the report cell only.

  Returns:
    A tree with one dataset per graph, from `comparison.compare`, with
    `flow_...` from `flow_time` and, where accuracies were measured,
    `accuracy_measured` (time), `accuracy_curve` (predictor, time),
    `accuracy_r2` (predictor, stat) and the attribute `accuracy_parameters`.
    Child `random_weights`: the comparison of the control.
  """
  draws = comparison.Settings(
    resamples=settings.resamples,
    permutations=settings.permutations,
    seed=settings.seed,
  )
  found = {}
  for name, node in observed.tree.children.items():
    raw = node.to_dataset()
    at = int(raw.attrs["report_layer"]), int(raw.attrs["report_window"])
    compared = comparison.compare(raw, draws, *at)
    compared = compared.merge(_flow(raw, settings))
    if "accuracy_full" in raw and "nodes" in raw:
      predicted = _accuracy(raw, settings.seed)
      compared = compared.merge(predicted).assign_attrs(
        compared.attrs | predicted.attrs
      )
    found[name] = compared
    if CONTROL in node.children:
      control = node[CONTROL].to_dataset()
      control = control.sel(window=[at[1]]).isel(context=[-1])
      # The same labels as the parent: a tree must agree; gaps are NaN.
      found[f"{name}/{CONTROL}"] = comparison.compare(
        control, draws, *at
      ).reindex(window=raw["window"].values, context=raw["context"].values)
  return xr.DataTree.from_dict(found)


def _flow(raw: xr.Dataset, settings: Settings) -> xr.Dataset:
  graph = geometry.frame(raw["adjacency"].values)
  dims = "group", "node", "group_", "node_"
  products = raw["gram"].transpose(*comparison.CELL, *dims).values
  count = raw["count"].transpose("window", "context", "group", "node").values
  contexts = raw["context"].values
  every = np.ones((1, count.shape[2]))
  columns: dict[str, list] = {}
  for w in range(raw.sizes["window"]):
    grams = [
      gram_lib.between_groups(products[:, w, c], count[w, c], every)[:, 0]
      for c in range(len(contexts))
    ]
    found = flow_time.flow_times(
      np.stack(grams, axis=1),
      contexts,
      graph,
      min(200, settings.permutations),
      settings.seed,
    )
    for name, values in found._asdict().items():
      columns.setdefault(name, []).append(values)

  def shaped(name):
    return np.stack(columns[name], axis=1)

  result = {
    f"flow_{name}": (comparison.CELL, shaped(name)) for name in ("tau", "r2")
  }
  for name in ("total_r2", "monotonicity", "slope"):
    null = shaped(f"null_{name.removeprefix('total_')}")
    value = shaped(name)
    known = np.isfinite(null)
    number = np.maximum(known.sum(axis=-1), 1)
    mean = np.where(known, null, 0).sum(axis=-1) / number
    reached = (np.where(known, null, -np.inf) >= value[..., None]).sum(axis=-1)
    p = (1 + reached) / (1 + null.shape[-1])
    unknown = np.full_like(value, np.nan)
    result[f"flow_{name}"] = (
      ("layer", "window", "stat"),
      np.stack(
        [
          value,
          unknown,
          unknown,
          mean,
          unknown,
          np.where(np.isfinite(value), p, np.nan),
        ],
        axis=-1,
      ),
    )
  result["flow_slope_r2"] = (("layer", "window"), shaped("slope_r2"))
  return xr.Dataset(result)


def _accuracy(raw: xr.Dataset, seed: int) -> xr.Dataset:
  accuracy = raw["accuracy_full"].transpose("walk", "time").values
  nodes = raw["nodes"].transpose("walk", "time").values
  adjacency = raw["adjacency"].transpose("node", "node_").values
  found = accuracy_fit.fit(accuracy, nodes, adjacency, seed)
  count = np.isfinite(accuracy).sum(axis=0)
  mean = np.where(np.isfinite(accuracy), accuracy, 0).sum(axis=0)
  stats = [[one.r2, one.low, one.high, 0.0, np.nan, np.nan] for one in found]
  return xr.Dataset(
    {
      "accuracy_measured": ("time", mean / np.where(count, count, np.nan)),
      "accuracy_curve": (
        ("predictor", "time"),
        np.stack([one.curve for one in found]),
      ),
      "accuracy_r2": (("predictor", "stat"), np.array(stats)),
    },
    {
      "predictor": [one.name for one in found],
      "time": raw["time"].values,
    },
    {
      "accuracy_parameters": json.dumps(
        {one.name: one.parameters for one in found}
      )
    },
  )


def summarise(compared: xr.DataTree) -> dict[str, dict[str, Any]]:
  """Per graph: an entry per account, and what else there is to say."""
  summary = {}
  for name, node in compared.children.items():
    data = node.to_dataset()
    ranks = ranking.ranking(data)
    cell = _report_cell(data)
    entry: dict[str, Any] = {
      "reading": ranking.sentence(ranks),
      "accounts": {
        one.name: _entry(one)
        | {
          key: _stats(cell[key].sel(account=one.name))
          for key in similarity.NAMES
        }
        for one in ranks
      },
    }
    spaces = eigenspaces.Eigenspaces(
      data["mu"].values, data["multiplicity"].values, np.zeros(0)
    )
    power = cell["power"].sel(stat="value").values
    if np.isfinite(power).all():
      entry["signed_spectrum"] = eigenspaces.signed_fit(power, spaces)._asdict()
      entry["signed_spectrum"]["contrast"] = _stats(cell["contrast"])
    at = data.sel(
      layer=data.attrs["report_layer"], window=data.attrs["report_window"]
    )
    entry["flow_time"] = {
      key: _stats(at[f"flow_{key}"])
      for key in ("total_r2", "monotonicity", "slope")
    } | {
      "context": data["context"].values,
      "tau": at["flow_tau"].values,
    }
    if "predictor" in data.dims:
      parameters = json.loads(data.attrs["accuracy_parameters"])
      entry["predictors"] = {
        str(key): _stats(data["accuracy_r2"].sel(predictor=key))
        | {"parameters": parameters[str(key)]}
        for key in data["predictor"].values
      }
    entry |= {key: data.attrs[key] for key in ("report_layer", "report_window")}
    entry["ceiling"] = float(cell["ceiling"])
    if CONTROL in node.children:
      control = ranking.ranking(node[CONTROL].to_dataset())
      entry[CONTROL] = {
        "reading": ranking.sentence(control),
        "accounts": {one.name: _entry(one) for one in control},
      }
    summary[str(data.attrs.get("graph", name))] = entry
  return summary


def _report_cell(data: xr.Dataset) -> xr.Dataset:
  return data.sel(
    layer=data.attrs["report_layer"], window=data.attrs["report_window"]
  ).isel(context=-1)


def _stats(values: xr.DataArray) -> dict[str, float]:
  names = ("value", "low", "high", "null", "p")
  return {name: float(values.sel(stat=name)) for name in names}


def _entry(one: ranking.Rank) -> dict[str, Any]:
  return {key: value for key, value in one._asdict().items() if key != "name"}


def write(
  out: pathlib.Path,
  observed: Observed,
  compared: xr.DataTree,
  summary: Mapping[str, Mapping[str, Any]],
) -> None:
  """Writes the comparison, its figures, and the report page with both."""
  run_folder.write_measurements(out / COMPARISON, compared)
  run_folder.write_json(out / run_folder.SUMMARY, summary)
  theory = {}
  for name, node in compared.children.items():
    data = node.to_dataset()
    spec = str(data.attrs.get("graph", name))
    drawn = comparison_figures.write(data, summary[spec], spec, out)
    theory[spec] = {
      "reading": summary[spec]["reading"],
      "control": summary[spec].get(CONTROL, {}).get("reading"),
      "accounts": list(summary[spec]["accounts"].values()),
      "figures": drawn,
    }
  html.write(observed.tree, observed.summary, observed.run, out, theory)


def table(summary: Mapping[str, Mapping[str, Any]]) -> str:
  """Per graph, the ranking as text."""
  return "\n\n".join(
    f"{spec}\n{one['reading']}\n{tables.accounts(one['accounts'])}"
    for spec, one in summary.items()
  )
