"""What the interactive page needs to know, as small plain JSON values.

Letters: L layers, W windows, C context checkpoints, n nodes, M modes.
"""

from collections.abc import Mapping
import math
from typing import Any

import numpy as np

from icl_graphs.report import alignment, curves, glossary, palette, view

STATS = ("value", "low", "high", "null")
# Measures offered above the energy curve and in the map, in this order.
CURVES = (
  "energy_relative",
  "distance_correlation",
  "principal_cosine_1",
  "principal_cosine_2",
  "fiedler_power",
  "parity_power",
  "pc12_variance",
  "energy_centred",
  "energy_ratio",
  "energy_degree",
  "energy_edge",
  "energy_sum",
  "energy_frobenius",
)
TIME_BINS = 140
# Pictures are stored in whole steps of one part in a thousand of their size.
PICTURE_STEPS = 1000


def compact(values: Any, digits: int = 4) -> Any:
  """Nested lists with `digits` significant digits; NaN and infinity as None."""
  if isinstance(values, np.ndarray):
    values = values.tolist()
  if isinstance(values, list | tuple):
    return [compact(value, digits) for value in values]
  if values is None or not math.isfinite(values):
    return None
  rounded = float(f"{values:.{digits - 1}e}")
  return int(rounded) if rounded.is_integer() else rounded


def plain(value: Any) -> Any:
  """Any JSON-like value with numpy scalars unpacked and no NaN."""
  if isinstance(value, Mapping):
    return {str(key): plain(entry) for key, entry in value.items()}
  if isinstance(value, list | tuple | np.ndarray):
    return [plain(entry) for entry in value]
  if isinstance(value, np.generic):
    value = value.item()
  if isinstance(value, float):
    return value if math.isfinite(value) else None
  if value is None or isinstance(value, bool | int | str):
    return value
  return str(value)


def graph(one: view.GraphView) -> dict[str, Any]:
  """Everything the page draws for one graph.

  `control`, where an untrained model was measured, replaces the entries of the
  same name when its weights are chosen.
  """
  control = None
  if one.control is not None:
    control = {
      "pictures": _pictures(one.control, 1),
      "measures": _measures(one.control),
      "accuracy": _accuracy(one.control),
      "modes": _modes(one.control),
    }
  counts = one.counts
  return {
    "control": control,
    "counts": None if counts is None else compact(counts, 6),
    "spec": one.spec,
    "unit": one.unit,
    "counted": one.counted,
    "words": one.words,
    "edges": one.edges,
    "directed": one.directed,
    "layout": compact(_fitted(one.positions)[0], 4),
    "colours": palette.by_place(one.positions),
    "layers": one.labels("layer"),
    "windows": one.labels("window"),
    "contexts": one.labels("context"),
    "report": {
      "layer": one.layer,
      "window": one.window,
      "context": one.context,
    },
    "enough": [
      ["".join("01"[int(flag)] for flag in row) for row in rows]
      for rows in one.enough
    ],
    "pictures": _pictures(one, 3),
    "measures": _measures(one),
    "accuracy": _accuracy(one),
    "modes": _modes(one),
  }


def _fitted(
  points: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
  """Points shifted and scaled so that the larger side spans -1 to 1."""
  known = np.isfinite(points).all(axis=-1)
  if not known.any():
    return points, np.zeros(points.shape[-1])
  low, high = points[known].min(axis=0), points[known].max(axis=0)
  centre, reach = (low + high) / 2, (high - low).max() / 2
  return (points - centre) / (reach or 1.0), centre


def _pictures(one: view.GraphView, most: int) -> list[dict[str, Any]]:
  """One entry per pair of components, with aligned whole-number points."""
  scores, explained = one.scores, one.explained
  if scores is None:
    return []
  result = []
  for first in range(min(scores.shape[-1] - 1, most)):
    pair = scores[..., first : first + 2]
    points: list = []
    turns: list = []
    for w in range(one.size("window")):
      rotation = alignment.rotations(pair[:, w], one.positions, one.layer)
      turned = pair[:, w] @ rotation
      points.append(
        [[_steps(_fitted(cell)[0]) for cell in row] for row in turned]
      )
      turns.append(compact(rotation.reshape(*rotation.shape[:2], 4), 3))
    result.append(
      {
        "name": f"{first + 1}-{first + 2}",
        "first": first + 1,
        "points": points,
        "turns": turns,
        "explained": None
        if explained is None
        else compact(np.moveaxis(explained[..., first : first + 2], 1, 0), 3),
      }
    )
  return result


def _steps(points: np.ndarray) -> list[int | None]:
  return [
    round(PICTURE_STEPS * value) if math.isfinite(value) else None
    for value in points.ravel().tolist()
  ]


def _measures(one: view.GraphView) -> list[dict[str, Any]]:
  result = []
  for name in CURVES:
    if one.stat(name) is None:
      continue
    measure = glossary.MEASURES[name]
    entry: dict[str, Any] = {
      "name": name,
      "label": measure.label,
      "direction": measure.direction,
    }
    found = {which: one.stat(name, which) for which in STATS}
    band = one.null_band(name)
    if band is not None:
      found |= dict(zip(("null_low", "null_high"), band, strict=True))
    for which, values in found.items():
      if values is not None and np.isfinite(values).any():
        entry[which] = compact(np.moveaxis(values, 1, 0))
    if "value" in entry:
      result.append(entry)
  return result


def _accuracy(one: view.GraphView) -> dict[str, Any] | None:
  if one.curve("accuracy_full_mean") is None:
    return None
  wanted = [
    (f"{name}_mean", which)
    for name in ("accuracy_full", "accuracy_restricted", "node_mass")
    for which in ("value", "low", "high", "null")
  ]
  wanted += [(name, "value") for name, _, _ in curves.BASELINES]
  at, found = curves.binned(one, wanted, TIME_BINS)
  result: dict[str, Any] = {
    "t": compact(at),
    "range": one.labels("time")[:: max(1, one.size("time") - 1)],
    "curves": {},
  }
  for (name, which), values in zip(wanted, found, strict=True):
    if values is None or not np.isfinite(values).any():
      continue
    key = name.removesuffix("_mean")
    result["curves"].setdefault(key, {})[which] = compact(values)
  return result if "accuracy_full" in result["curves"] else None


def _modes(one: view.GraphView) -> dict[str, Any] | None:
  modes = one.modes
  if modes is None or not modes.eigenvalues.size:
    return None
  return {
    "eigenvalues": compact(modes.eigenvalues),
    "multiplicity": modes.multiplicity.tolist(),
    "power": compact(np.moveaxis(modes.power, 1, 0), 3),
    "flat": compact(modes.flat),
  }
