"""What the ablations show, judged by criteria stated here."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from icl_graphs.analysis import subspaces, walk_bootstrap
from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_one import estimates
from icl_graphs.experiments.paper_one import subspaces_conditions as kinds
from icl_graphs.report.paper_one import subspaces as figures

_text = estimates.fixed

MOST, LITTLE = 0.8, 0.2
PLANE = (
  "The plane that the pictures show, of the graph's two smoothest modes, is "
  "used for prediction more than other directions of the class means.",
  "Taken away at the report layer, it costs more accuracy_full than random "
  "directions as many, inside the span of the class means and anywhere, and "
  "than both of these with the same removed norm: every paired difference has "
  "its 95% interval above 0.",
)
SPAN = (
  "What the model knows of the graph lies in the span of the class means.",
  "Taking the span away at the report layer removes more than "
  f"{MOST:.0%} of accuracy_restricted above chance, and random directions as "
  f"many with the same removed norm less than {LITTLE:.0%}, each with its "
  "whole 95% interval.",
)
ALONE = (
  "The span of the class means alone is enough.",
  f"Keeping nothing else from the report layer on leaves more than {MOST:.0%} "
  "of accuracy_restricted above chance, with its whole 95% interval.",
)


def outcome(
  measured: xr.Dataset, captions: Mapping[str, str]
) -> recipe.Outcome:
  """Judges the claims and gathers numbers, tables and figures."""
  return recipe.Outcome(
    claims=(_plane(measured), _span(measured), _alone(measured)),
    numbers=_numbers(measured),
    figures=recipe.captioned(captions),
    tables=tuple(_table(measured, e) for e in (kinds.ONE, kinds.ONWARDS)),
    measurements=measured,
    notes=_notes(measured),
  )


def _lost(measured, readout="accuracy_full", **which) -> np.ndarray:
  """Clean minus ablated, per walk; at the report layer, from there on."""
  at = {"start": measured.attrs["report_layer"], "extent": kinds.ONWARDS}
  return figures.lost(measured, readout, **(at | which))


def _mean(measured, values) -> walk_bootstrap.Estimate:
  return walk_bootstrap.mean(values, seed=measured.attrs["seed"])


def _share(measured, values) -> walk_bootstrap.Estimate:
  """Of accuracy_restricted above chance."""
  clean = figures.readout(measured, "accuracy_restricted", kind=kinds.CLEAN)
  above = clean - measured.attrs["chance"]
  return walk_bootstrap.ratio(values, above, seed=measured.attrs["seed"])


def _rank(measured, target: str) -> int:
  at = measured["target"].values == target
  return int(measured["rank"].values[at][0])


def _plane(measured: xr.Dataset) -> recipe.Claim:
  name = subspaces.GRAPH_PLANE
  rank = _rank(measured, name)
  here = {"extent": kinds.ONE}
  lost = _lost(measured, kind=kinds.TAKEN, target=name, **here)
  controls = {
    "inside": {"kind": kinds.INSIDE, "rank": rank},
    "anywhere": {"kind": kinds.ANYWHERE, "rank": rank},
    "inside, same norm": {"kind": kinds.INSIDE_MATCHED, "target": name},
    "anywhere, same norm": {"kind": kinds.ANYWHERE_MATCHED, "target": name},
  }
  controls = {k: _lost(measured, **here, **one) for k, one in controls.items()}
  gaps = {key: _mean(measured, lost - one) for key, one in controls.items()}
  text = ", ".join(
    f"{key} {_text(_mean(measured, one))} (difference {_text(gaps[key])})"
    for key, one in controls.items()
  )
  onwards = _lost(measured, kind=kinds.TAKEN, target=name)
  beside = _lost(measured, kind=kinds.INSIDE, rank=rank)
  return recipe.Claim(
    *PLANE,
    recipe.SHOWN
    if all(gap.low > 0 for gap in gaps.values())
    else recipe.NOT_SHOWN,
    f"accuracy_full lost: {_text(_mean(measured, lost))}; random directions "
    f"{text}. Taken away from there on: {_text(_mean(measured, onwards))}, "
    f"random inside {_text(_mean(measured, beside))}.",
  )


def _span(measured: xr.Dataset) -> recipe.Claim:
  name, key = subspaces.EVERY, "accuracy_restricted"
  rank = _rank(measured, name)
  lost, plain, control = (
    _share(measured, _lost(measured, key, extent=kinds.ONE, **one))
    for one in (
      {"kind": kinds.TAKEN, "target": name},
      {"kind": kinds.ANYWHERE, "rank": rank},
      {"kind": kinds.ANYWHERE_MATCHED, "target": name},
    )
  )
  shown = lost.low > MOST and control.high < LITTLE
  return recipe.Claim(
    *SPAN,
    recipe.SHOWN if shown else recipe.NOT_SHOWN,
    f"Share of accuracy_restricted above chance "
    f"({measured.attrs['chance']:.2f}) that is lost: {_text(lost)}; random "
    f"directions as many {_text(plain)}, with the same removed norm "
    f"{_text(control)}.",
  )


def _alone(measured: xr.Dataset) -> recipe.Claim:
  key = "accuracy_restricted"

  def left(target):
    lost = _lost(measured, key, kind=kinds.KEPT, target=target)
    clean = figures.readout(measured, key, kind=kinds.CLEAN)
    return _share(measured, clean - measured.attrs["chance"] - lost)

  span, plane = left(subspaces.EVERY), left(subspaces.GRAPH_PLANE)
  return recipe.Claim(
    *ALONE,
    recipe.SHOWN if span.low > MOST else recipe.NOT_SHOWN,
    f"Share of accuracy_restricted above chance that is left: {_text(span)}; "
    f"with the graph plane alone {_text(plane)}; with nothing, 0.",
  )


def _entry(estimate, null) -> dict[str, float]:
  return {k: float(v) for k, v in estimate._asdict().items()} | {
    "null": float(null)
  }


def _numbers(measured: xr.Dataset) -> dict:
  """Accuracy lost by every subspace; null: random ones of its rank, inside
  the class means where there are any, else anywhere."""
  clean = {
    name: _entry(
      _mean(measured, figures.readout(measured, name, kind=kinds.CLEAN)),
      measured.attrs["chance"] if "accuracy" in name else np.nan,
    )
    for name in measured["readout"].values.tolist()
  }
  numbers: dict = {"clean": clean, "walks": measured.sizes["walk"]}
  for extent in (kinds.ONE, kinds.ONWARDS):
    for target, rank in figures.targets(measured):
      null = _lost(measured, kind=kinds.INSIDE, rank=rank, extent=extent)
      if np.isnan(null).any():  # As many as that are the whole span.
        null = _lost(measured, kind=kinds.ANYWHERE, rank=rank, extent=extent)
      lost = _lost(measured, kind=kinds.TAKEN, target=target, extent=extent)
      numbers[f"accuracy_full lost without {target}, {extent}"] = _entry(
        _mean(measured, lost), null.mean()
      )
  return numbers


def _table(measured: xr.Dataset, extent: str) -> recipe.Table:
  rows = []
  powers = figures.powers(measured)
  shown = [0, measured["space"].values.tolist().index("parity")] if (
    "parity" in measured["space"].values
  ) else [0]  # fmt: skip
  for label, which in figures.rows(measured):
    which = which | {"start": measured.attrs["report_layer"], "extent": extent}
    at = figures.find(measured, **which)
    if not len(at):
      continue
    lost = [
      _mean(measured, figures.lost(measured, name, **which))
      for name in measured["readout"].values.tolist()
    ]
    rows.append(
      (
        label,
        str(int(measured["rank"].values[at[0]])),
        f"{measured['removed'].values[at].mean():.3f}",
        *map(_text, lost),
        *(_text([part[at[0], k] for part in powers]) for k in shown),
      )
    )
  clean = int(figures.find(measured, kind=kinds.CLEAN)[0])
  rows.append(
    (
      *("clean run (the values themselves)", "0", "0"),
      *(
        _text(
          _mean(measured, figures.readout(measured, name, kind=kinds.CLEAN))
        )
        for name in measured["readout"].values.tolist()
      ),
      *(_text([part[clean, k] for part in powers]) for k in shown),
    )
  )
  names = measured["space"].values.tolist()
  return recipe.Table(
    f"Lost by ablation at hidden state {measured.attrs['report_layer']}, "
    f"{extent} (clean minus ablated; random subspaces: mean over draws)",
    (
      *("taken away", "directions", "variance removed"),
      *(f"{name} lost" for name in measured["readout"].values.tolist()),
      *(f"power of {names[k]} at the last hidden state" for k in shown),
    ),
    tuple(rows),
  )


def _notes(measured: xr.Dataset) -> tuple[str, ...]:
  a = measured.attrs
  return (
    "Subspaces are estimated on other walks than those that are ablated, from "
    f"class means over the last {a['window']} words; they are taken away at "
    "every word, about the mean of the class means.",
    "Directions of several modes are not orthogonal to each other; their span "
    "is what is taken away.",
    "Same removed norm: as many random directions, along which more (or less) "
    "than the whole part is subtracted, so that what is subtracted has the "
    "same mean square as the subspace beside which it stands, measured on "
    "clean walks; at one hidden state, because at several the surplus would be "
    "taken away again.",
    f"Random subspaces: means over {kinds.SEEDS} draws at the report layer, "
    "one elsewhere; their intervals are over walks, not over draws.",
    f"{measured.sizes['walk']} walks; accuracies are means over the last fifth "
    "of the context; intervals are over walks, those of powers over groups of "
    "walks left out in turn.",
  )
