"""Geometry against accuracy, per prompt condition."""

import pathlib

import matplotlib
from matplotlib import figure as mpl_figure
import xarray as xr

from icl_graphs.report import curves, figures
from icl_graphs.report.paper_one import intervals

_TITLES = {
  "energy_ratio": "energy ratio (low: graph)",
  "distance_correlation": "distance correlation (high: graph)",
  "accuracy_restricted": "next-node accuracy (among node words)",
}


def draw(path: pathlib.Path, ds: xr.Dataset, title: str) -> None:
  """Three curves against context, and geometry against accuracy.

  Args:
    path: of the PNG.
    ds: `measured` of `analysis.conditions.compare`.
    title: of the figure.
  """
  contexts = ds.context.values.tolist()
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((9.6, 6.2), layout="constrained")
    axes = figure.subplots(2, 2).ravel()
    for k, condition in enumerate(ds.condition.values):
      one, look = ds.measured.sel(condition=condition), intervals.LOOKS[k]
      for axis, name in zip(axes, _TITLES, strict=False):
        estimate = one.sel(name=name, stat=["value", "low", "high"]).values.T
        intervals.line(axis, contexts, estimate, look, str(condition))
      values = one.sel(stat="value")
      axes[3].plot(
        values.sel(name="energy_ratio"),
        values.sel(name="accuracy_restricted"),
        color=look.colour,
        ls=look.dashes,
        marker=look.marker,
        ms=4.5,
        lw=1,
      )
    chance = ds.measured.isel(condition=0)
    for axis, (name, text) in zip(axes, _TITLES.items(), strict=False):
      axis.plot(
        contexts,
        chance.sel(name=name, stat="null"),
        color="black",
        ls=curves.DASHES[2],
        lw=1,
        label="relabelled nodes",
      )
      curves.log_axis(axis, contexts)
      axis.set_xlabel("context length (words, log scale)")
      axis.set_title(text)
    axes[3].set_xlabel("energy ratio (low: graph)")
    axes[3].set_ylabel("next-node accuracy")
    axes[3].set_title("geometry against accuracy, one dot per context")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    figure.suptitle(title, x=0.01, ha="left")
    figures.write_png(figure, path, dpi=figures.DPI)
