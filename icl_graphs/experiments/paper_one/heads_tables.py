"""Numbers and tables of the ablation of heads."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Float
import numpy as np
import xarray as xr

from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_one import heads_conditions as kinds

GEOMETRY = (
  "principal_cosine_1",
  "principal_cosine_2",
  "energy_relative",
  "distance_correlation",
)


def cosine(measured: xr.Dataset, condition: int) -> dict[str, float]:
  """Statistics of the smaller cosine at the report layer, by name."""
  stats = measured["principal_cosine_2"].sel(
    hidden_state=measured.attrs["report_layer"]
  )
  return dict(
    zip(measured["stat"].values, stats[condition].values, strict=True)
  )


def show(estimate: Float[np.ndarray, " 3"]) -> str:
  """Value, low and high as text."""
  value, low, high = estimate
  return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def named(stats: Mapping[str, float]) -> str:
  """The same, of statistics by name."""
  return show([stats[name] for name in ("value", "low", "high")])


def numbers(
  conditions: Sequence[kinds.Condition],
  measured: xr.Dataset,
  summary: Mapping[str, Any],
) -> dict[str, Any]:
  """Name to entry, of the last words and of the report layer."""
  found = {}
  for number, one in enumerate(conditions):
    if one.kind == kinds.RANDOM:
      continue
    name = f"{one.kind} {one.size} {one.ablation}" if one.size else one.kind
    entry = _entry(summary["final"][:, number])
    control = summary["random"].get((one.size, one.ablation))
    entry["null"] = None if control is None else float(control[0])
    found[f"accuracy_full, {name}"] = entry
    stats = cosine(measured, number)
    found[f"principal_cosine_2, {name}"] = {
      key: float(stats[key]) for key in ("value", "low", "high", "null")
    }
  for (size, ablation), estimate in summary["random"].items():
    found[f"accuracy_full, {kinds.RANDOM} {size} {ablation}"] = _entry(estimate)
  found["heads_judged"] = summary["judged"]
  return found


def _entry(estimate):
  return {
    name: float(number)
    for name, number in zip(("value", "low", "high"), estimate, strict=True)
  }


def ablations(
  conditions: Sequence[kinds.Condition],
  measured: xr.Dataset,
  summary: Mapping[str, Any],
) -> recipe.Table:
  """Every condition: accuracy with intervals, and geometry."""
  layer = measured.attrs["report_layer"]
  states = sorted({layer, measured.attrs["layers"]})
  rows = []
  for number, one in enumerate(conditions):
    at = measured.isel(condition=number, stat=0)
    rows.append(
      (
        one.kind + (f", seed {one.seed}" if one.seed else ""),
        str(one.size),
        one.ablation,
        show(summary["final"][:, number]),
        show(summary["restricted"][:, number]),
        *(
          f"{float(at['principal_cosine_1'].sel(hidden_state=k)):.3f}, "
          f"{float(at['principal_cosine_2'].sel(hidden_state=k)):.3f}"
          for k in states
        ),
        *(
          f"{float(at[name].sel(hidden_state=layer)):.3f}"
          for name in GEOMETRY[2:]
        ),
      )
    )
  return recipe.Table(
    f"Accuracy over the last {measured.attrs['last']} words, and geometry",
    (
      *("ablated", "heads", "by", "accuracy", "among node words"),
      *(f"principal cosines, hidden state {k}" for k in states),
      f"relative energy, hidden state {layer}",
      "distance correlation",
    ),
    tuple(rows),
  )


def highest(
  conditions: Sequence[kinds.Condition], measured: xr.Dataset
) -> recipe.Table:
  """Both lists with their scores."""
  size = max(one.size for one in conditions)
  (induction,), (previous,) = (
    kinds.find(conditions, kind, size, kinds.ZERO) for kind in kinds.LISTS
  )
  score = measured["score"].mean("sequence")

  def shown(kind, head):
    value = score.sel(pattern=kind).values[head]
    return f"{head[0]}.{head[1]}  {value:.2f}"

  return recipe.Table(
    "Highest heads (block.head, from 0) and their scores",
    ("rank", *kinds.LISTS),
    tuple(
      (
        str(rank + 1),
        shown(kinds.LISTS[0], first),
        shown(kinds.LISTS[1], second),
      )
      for rank, (first, second) in enumerate(
        zip(
          conditions[induction].heads, conditions[previous].heads, strict=True
        )
      )
    ),
  )
