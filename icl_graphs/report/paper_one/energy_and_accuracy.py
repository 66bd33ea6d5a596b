"""Energies of all depths beside accuracy, and which of them moves first."""

from collections.abc import Mapping

from matplotlib import axes as mpl_axes
from matplotlib import colormaps
from matplotlib import figure as mpl_figure
import numpy as np
import xarray as xr

from icl_graphs.report import curves, view
from icl_graphs.report.paper_one import drawing

INK, BLUE, AMBER, GREY = curves.INK, curves.BLUE, curves.AMBER, curves.GREY
DEPTHS = ("early", "middle", "late")
# Layers drawn per depth.
MOST = 4
STYLES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5)))
MARKERS = ("o", "s", "^", "D")
SILHOUETTE = "#e5e7eb"
VARIANTS = (*curves.VARIANTS, "energy_relative")


def thirds(count: int) -> list[list[int]]:
  """Positions of early, middle and late hidden states, at most MOST each."""
  found = []
  for part in np.array_split(np.arange(count), len(DEPTHS)):
    picked = np.linspace(0, len(part) - 1, min(MOST, len(part)))
    found.append([int(part[place]) for place in np.round(picked).astype(int)])
  return found


def by_depth(
  one: view.GraphView, events: xr.Dataset
) -> mpl_figure.Figure | None:
  """Relative energy by layer in three panels, over accuracy as a silhouette.

  Args:
    one: a graph, with its untrained control.
    events: see `order`.
  """
  energy = one.stat("energy_relative")
  if energy is None:
    return None
  figure = mpl_figure.Figure((11.4, 4.7), layout="constrained")
  panels = figure.subplots(1, len(DEPTHS), sharey=True)
  energy = energy[:, one.window]
  untrained = one.control.stat("energy_relative")[:, one.window]
  band = [end[:, one.window] for end in one.null_band("energy_relative")]
  low = min(np.nanmin(energy), np.nanmin(untrained), np.nanmin(band[0]))
  top = max(np.nanmax(energy), np.nanmax(untrained), 1.0)
  floor, ceiling = low - 0.16 * (top - low), top + 0.04 * (top - low)
  for axis, name, layers in zip(
    panels, DEPTHS, thirds(one.size("layer")), strict=True
  ):
    deepest = one.layer if one.layer in layers else layers[-1]
    right = _silhouette(axis, one, events, last=axis is panels[-1])
    _control(axis, one, untrained[deepest], band, deepest)
    for place, k in enumerate(layers):
      _layer_line(axis, one, energy[k], k, place)
    axis.set_title(f"{name} layers")
    axis.set_ylim(floor, ceiling)
    drawing.context_axis(axis, one.labels("context"))
    axis.set_xlabel(f"context ({one.unit}, log scale)")
    axis.legend(
      loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=7, ncols=2
    )
    axis.set_zorder(right.get_zorder() + 1)
    axis.patch.set_visible(False)
    _marks(axis, events.isel(layer=deepest), one, floor + 0.05 * (top - low))
  panels[0].set_ylabel("relative energy (1 = no structure)")
  figure.suptitle(
    f"{one.spec}: energy by depth (lines, left axis) and accuracy (grey area, "
    f"right axis), both over the last {one.labels('window')[one.window]} "
    f"{one.unit}\n◆ energy has made 90% of its fall   "
    "▲ accuracy has made half of its rise (95% intervals over walks)",
    x=0.01,
    ha="left",
    fontsize=10,
  )
  return figure


def _silhouette(
  axis: mpl_axes.Axes, one: view.GraphView, events: xr.Dataset, *, last: bool
) -> mpl_axes.Axes:
  right = axis.twinx()
  contexts = one.labels("context")
  curve = events["accuracy_curve"].isel(window=one.window)
  right.fill_between(
    contexts, 0, curve.sel(accuracy="restricted"), color=SILHOUETTE, lw=0
  )
  right.plot(
    contexts, curve.sel(accuracy="full"), color="#9ca3af", lw=0.9, ls=":"
  )
  right.set_ylim(0, 1.02)
  right.spines["right"].set_visible(last)
  if last:
    right.set_ylabel("accuracy (area: node words; dotted: all words)")
  else:
    right.set_yticks([])
  return right


def _control(
  axis: mpl_axes.Axes,
  one: view.GraphView,
  untrained: np.ndarray,
  band: list[np.ndarray],
  layer: int,
) -> None:
  contexts, label = one.labels("context"), one.labels("layer")[layer]
  axis.fill_between(
    contexts,
    band[0][layer],
    band[1][layer],
    facecolor="none",
    edgecolor=AMBER,
    alpha=0.4,
    hatch="////",
    lw=0,
    label="95% of relabellings",
  )
  axis.plot(
    contexts,
    untrained,
    color=GREY,
    ls=(0, (3, 1, 1, 1)),
    lw=1.3,
    marker="x",
    ms=3.5,
    label=f"layer {label}, random weights",
  )


def _layer_line(
  axis: mpl_axes.Axes,
  one: view.GraphView,
  values: np.ndarray,
  layer: int,
  place: int,
) -> None:
  contexts, report = one.labels("context"), layer == one.layer
  label = one.labels("layer")[layer]
  shade = colormaps["viridis"](0.12 + 0.2 * place)
  axis.plot(
    contexts,
    values,
    color=INK if report else shade,
    ls=STYLES[place],
    marker=MARKERS[place],
    ms=3.2,
    lw=2.2 if report else 1.3,
    label=("embedding" if label == 0 else f"layer {label}")
    + (" (report)" if report else ""),
  )
  if report:
    low, high = (
      one.stat("energy_relative", which)[layer, one.window]
      for which in ("low", "high")
    )
    axis.fill_between(contexts, low, high, color=INK, alpha=0.15, lw=0)


def _marks(
  axis: mpl_axes.Axes, events: xr.Dataset, one: view.GraphView, height: float
) -> None:
  """Both events of one layer with their intervals, above the axis."""
  events = events.isel(window=one.window).sel(accuracy="restricted")
  for name, marker, colour in (
    ("energy_settled", "D", INK),
    ("accuracy_half", "^", BLUE),
  ):
    value, low, high = events[name].values
    if not np.isfinite(value):
      continue
    axis.plot(value, height, marker, color=colour, ms=6, mec="white", zorder=6)
    if np.isfinite(low):
      axis.plot([low, high], [height] * 2, color=colour, lw=1.6, zorder=5)
  settled = float(events["energy_settled"].sel(stat="value"))
  if np.isfinite(settled):
    axis.annotate(
      f"layer {int(events['layer'])}",
      (settled, height),
      xytext=(0, 6),
      textcoords="offset points",
      ha="center",
      fontsize=6.5,
    )


def order(
  events: Mapping[str, xr.Dataset],
) -> mpl_figure.Figure | None:
  """Per graph and layer: when the energy settles, when accuracy rises.

  Args:
    events: graph to a dataset with `energy_half`, `energy_settled` (layer,
      window, stat), `accuracy_half` (accuracy, window, stat), all contexts
      with stat "value", "low" and "high", `untrained_settled` (layer, window),
      `accuracy_curve` (accuracy, window, context) and attributes `unit`,
      `report_layer` and `report_window`.
  """
  if not events:
    return None
  figure = mpl_figure.Figure(
    (3.9 * len(events), 1.7 + 0.36 * _most(events)), layout="constrained"
  )
  panels = figure.subplots(1, len(events), squeeze=False)[0]
  for axis, (spec, one) in zip(panels, events.items(), strict=True):
    _order(axis, spec, one)
  panels[0].set_ylabel("hidden state (0 = embedding)")
  handles, labels = panels[0].get_legend_handles_labels()
  figure.legend(handles, labels, loc="outside lower left", ncols=4, fontsize=7)
  figure.suptitle(
    "Which comes first? Diamonds to the left of the shaded bands: the energy "
    "settles before the accuracy rises",
    x=0.01,
    ha="left",
  )
  return figure


def _most(events: Mapping[str, xr.Dataset]) -> int:
  return min(20, max(one.sizes["layer"] for one in events.values()))


def _order(axis: mpl_axes.Axes, spec: str, one: xr.Dataset) -> None:
  layers = one["layer"].values
  here = one.sel(window=one.attrs["report_window"])
  for kind, hatch, colour, text in (
    ("restricted", None, BLUE, "node words"),
    ("full", "////", AMBER, "all words"),
  ):
    value, low, high = here["accuracy_half"].sel(accuracy=kind).values
    if not np.isfinite(value):
      continue
    axis.axvspan(
      low,
      high,
      facecolor=colour if hatch is None else "none",
      edgecolor=colour,
      alpha=0.3,
      hatch=hatch,
      lw=0,
      label=f"accuracy ({text}) half risen",
    )
    axis.axvline(value, color=colour, lw=1, ls="-" if hatch is None else "--")
  rows = np.arange(len(layers))
  for name, marker, face, shift, label in (
    ("energy_half", "o", "white", 0.14, "energy: half of its fall"),
    ("energy_settled", "D", INK, -0.14, "energy: 90% of its fall"),
  ):
    value, low, high = here[name].values.T
    axis.hlines(rows + shift, low, high, color=INK, lw=1.3)
    axis.plot(
      value, rows + shift, marker, color=INK, mfc=face, ms=5, label=label
    )
  axis.plot(
    here["untrained_settled"].values,
    rows - 0.14,
    "x",
    color=GREY,
    ms=5,
    label="the same with random weights",
  )
  report = int(np.flatnonzero(layers == one.attrs["report_layer"])[0])
  axis.axhspan(report - 0.5, report + 0.5, color="#f3f4f6", zorder=0)
  step = max(1, len(layers) // 12)
  axis.set_yticks(rows[::step], [str(k) for k in layers[::step]])
  axis.set_ylim(-0.6, len(layers) - 0.4)
  contexts = [int(t) for t in one["context"].values]
  drawing.context_axis(axis, contexts)
  axis.set_xlabel(f"context ({one.attrs['unit']}, log scale)")
  axis.set_title(spec)
