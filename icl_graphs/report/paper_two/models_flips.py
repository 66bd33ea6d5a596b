"""Flips that several models generated, in one picture each."""

import pathlib

import matplotlib
from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure
import numpy as np
import xarray as xr

from icl_graphs.report import curves, figures
from icl_graphs.report.paper_two import model_lines

_STATED = "stated probability of Tails"
_STATISTICS = {
  "longest_run": "longest run (flips)",
  "alternation": "alternation rate",
  "distinct": "different windows of 10",
  "gzip_together": "compressed (bits per flip)",
  "indel": "edit distance (0 to 1)",
}


def means(path: pathlib.Path, measured: model_lines.Measured) -> None:
  """Mean of generated flips against the stated probability.

  Args:
    path: of the PNG.
    measured: of the recipe `generation`, by model.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((9.4, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], color=curves.INK, lw=0.8, label="the stated coin")
    right.axhline(0, color=curves.INK, lw=0.8)
    for place, name, data in model_lines.present(measured):
      data = data.sortby("percent")
      stated, mean = data.percent.values / 100, data["mean"].values
      for axis, less in ((left, 0), (right, stated)):
        model_lines.line(axis, place, stated, mean - less, name)
        if "mean_low" in data:
          low, high = data.mean_low.values - less, data.mean_high.values - less
          axis.vlines(stated, low, high, color=model_lines.colour(place), lw=1)
    left.set_title("Mean of the flips")
    left.set_ylim(-0.02, 1.02)
    right.set_title("Less the stated probability")
    for axis in (left, right):
      axis.set_xlabel(_STATED)
      axis.set_xlim(0, 1)
    model_lines.legend(figure, [left])
    figures.write_png(figure, path, dpi=figures.DPI)


def statistics(path: pathlib.Path, measured: model_lines.Measured) -> None:
  """Statistics of generated flips, beside independent ones with their mean.

  Args:
    path: of the PNG.
    measured: of the recipes `generation` and `subsequences`, by model.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((13.5, 5.6), layout="constrained")
    grid = figure.subplots(2, len(_STATISTICS), sharex=True)
    for (above, below), (key, title) in zip(
      grid.T, _STATISTICS.items(), strict=True
    ):
      bands = []
      for place, name, data in model_lines.present(measured):
        data = data.sortby("percent")
        stated, value = data.percent.values / 100, data[key].values
        null = data[f"{key}_bernoulli"].transpose("percent", "set").values
        middle = null.mean(axis=1)
        above.plot(
          *(stated, middle),
          color=curves.GREY,
          lw=0.8,
          label="independent flips",
        )
        model_lines.line(above, place, stated, value, name)
        # A model whose flips are all alike has no alternation to compare.
        with np.errstate(divide="ignore", invalid="ignore"):
          relative = 100 * (value / middle - 1)
          around = 100 * (null / middle[:, None] - 1)
        model_lines.line(below, place, stated, relative, name)
        ends = np.quantile(around, (0.025, 0.975), axis=1)
        bands.append(xr.DataArray(ends, {"p": stated}, ("end", "p")))
      _band(below, bands)
      below.axhline(0, color=curves.GREY, lw=0.8)
      above.set_title(title)
      above.set_ylim(bottom=0)
      below.set_xlabel(_STATED)
      below.set_xlim(0, 1)
    grid[0, 0].set_ylabel("as measured")
    grid[1, 0].set_ylabel("relative to independent flips (%)")
    model_lines.legend(figure, [grid[0, 0], grid[1, 0]])
    figures.write_png(figure, path, dpi=figures.DPI)


def _band(axis: mpl_axes.Axes, bands: list[xr.DataArray]) -> None:
  """The widest of the models' limits, where they have one."""
  every = xr.concat(xr.align(*bands, join="outer"), "model")
  low = every.isel(end=0).min("model")
  axis.fill_between(
    *(every.p.values, low.values, every.isel(end=1).max("model").values),
    color=curves.GREY,
    alpha=0.25,
    lw=0,
    label="independent flips, 95%",
  )
