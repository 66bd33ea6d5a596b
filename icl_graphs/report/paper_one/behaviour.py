"""Distances of activations against distances of predictions."""

from collections.abc import Mapping
import pathlib

import matplotlib
from matplotlib import figure as mpl_figure
import numpy as np
import xarray as xr

from icl_graphs.report import curves, figures
from icl_graphs.report.paper_one import intervals

_LINES = {
  "straight": "straight lines",
  "geodesic": "geodesics",
  "beyond": "straight lines, pairs at one graph distance",
}
_LOOKS = dict(zip(_LINES, (intervals.LOOKS[k] for k in (0, 1, 3)), strict=True))


def draw(
  path: pathlib.Path, measured: Mapping[str, xr.Dataset], layer: int
) -> None:
  """One row per graph: pairs of nodes, and correlations by hidden state.

  Args:
    path: of the PNG.
    measured: graph spec to `activation`, `hellinger`, `steps` (node, node_)
      and `correlation` (layer, context, measure, stat).
    layer: of the pairs.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure(
      (9.4, 3.4 * len(measured) + 0.5), layout="constrained"
    )
    grid = figure.subplots(
      len(measured), 2, squeeze=False, width_ratios=[1, 1.2]
    )
    for (spec, ds), (left, right) in zip(measured.items(), grid, strict=True):
      _pairs(figure, left, ds)
      left.set_title(
        f"{spec}: hidden state {layer}, {int(ds.context[-1])} words"
      )
      _correlations(right, ds)
      right.set_title(f"{spec}: correlation, {int(ds.context[-1])} words")
    handles, labels = grid[0, 1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    figure.suptitle(
      "Nodes that the model continues alike, and where it puts them",
      x=0.01,
      ha="left",
    )
    figures.write_png(figure, path, dpi=figures.DPI)


def _pairs(figure, axis, ds):
  upper = np.triu_indices(ds.sizes["node"], 1)
  steps = ds.steps.values[upper]
  most = int(steps.max())
  drawn = axis.scatter(
    ds.hellinger.values[upper],
    ds.activation.values[upper],
    c=steps,
    cmap="viridis",
    vmin=1,
    vmax=most,
    s=11,
    lw=0,
    alpha=0.8,
  )
  bar = figure.colorbar(drawn, ax=axis, pad=0.02, fraction=0.06)
  bar.set_label("steps apart in the graph", fontsize=7.5)
  bar.outline.set_lw(0)
  bar.set_ticks(list(range(1, most + 1, max(1, most // 6))))
  axis.set_xlabel("Hellinger distance of next-node distributions")
  axis.set_ylabel("distance of activations")
  axis.set_ylim(bottom=0)


def _correlations(axis, ds):
  last = ds.correlation.isel(context=-1)
  layers = ds.layer.values.tolist()
  for name, label in _LINES.items():
    stats = last.sel(measure=name)
    estimate = stats.sel(stat=["value", "low", "high"]).values.T
    intervals.line(axis, layers, estimate, _LOOKS[name], label)
  axis.plot(
    layers,
    last.sel(measure="straight", stat="null_high"),
    color="black",
    ls=curves.DASHES[2],
    lw=1,
    label="97.5% of relabellings, straight lines",
  )
  axis.axhline(0, color="#d1d5db", lw=0.7, zorder=0)
  axis.set_xlabel("hidden state (0 = embedding)")
  axis.set_ylabel("correlation over pairs of nodes")
  axis.set_xticks(layers[:: max(1, -(-len(layers) // 12))])
  axis.set_ylim(top=1.02)
