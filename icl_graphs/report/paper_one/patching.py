"""Figure of patching and steering between two graphs."""

import pathlib

from matplotlib import figure as mpl_figure
import numpy as np
import xarray as xr

from icl_graphs.analysis import moved
from icl_graphs.report import curves
from icl_graphs.report.paper_one import drawing, intervals

FILE = "patching.png"
CAPTION = (
  "How much of the model's preference for graph B is moved by changing the "
  "last word of a walk on graph A, both graphs being over the same words. 0:"
  " the model goes on along A; 1: as much along B as on a walk over B. Left:"
  " the word's hidden state is replaced by that of a walk over B that ends "
  "at the same word, by that of another walk over A, or moved at random as "
  "far (dashed frame: the last hidden state, where the first is 1 by "
  "construction). Middle: the difference of the class means of both graphs "
  "is added once. Right: the same at the report layer, several times. Bands:"
  " 95% bootstrap intervals over pairs of walks."
)


def write(measured: xr.Dataset, folder: pathlib.Path) -> dict[str, str]:
  """Draws the figure.

  Args:
    measured: preferences `clean` (pair, run), `patched` (pair, state, patch)
      and `steered` (pair, state, along, beta).
    folder: for the PNG.

  Returns:
    File name to caption.
  """
  drawing.write(folder / FILE, draw, measured)
  return {FILE: CAPTION}


def draw(measured: xr.Dataset) -> mpl_figure.Figure:
  """Shares moved: patches, steering by state, steering by strength."""
  clean = measured["clean"].values
  ends = clean[:, 0], clean[:, 1], measured.attrs["seed"]
  patched = np.stack(moved.share(measured["patched"].values, *ends))
  steered = np.stack(moved.share(measured["steered"].values, *ends))
  states, betas = measured["state"].values, measured["beta"].values
  report = int(np.flatnonzero(states == measured.attrs["report_layer"])[0])
  once = int(np.flatnonzero(betas == 1)[0])
  figure = mpl_figure.Figure((9.6, 3.5), layout="constrained")
  axes = figure.subplots(1, 3)
  left, low = ("upper left", (0, 0.93)), ("center right", (1, 0.36))
  for axis, x, shares, names, title, label, (place, anchor) in (
    (
      *(axes[0], states, patched, measured["patch"].values),
      *("Patch: hidden state replaced by", "hidden state", left),
    ),
    (
      *(axes[1], states, steered[..., once], measured["along"].values),
      *("Steering, once (beta 1), along", "hidden state", left),
    ),
    (
      *(axes[2], betas, np.swapaxes(steered[:, report], 1, 2)),
      measured["along"].values,
      f"Steering at hidden state {states[report]}, along",
      "times added, beta",
      low,
    ),
  ):
    for k, name in enumerate(names):
      intervals.line(axis, x, shares[:, :, k], intervals.LOOKS[k], name)
    for level in (0, 1):
      axis.axhline(level, color=curves.GREY, lw=0.8, ls=":")
    axis.set_title(title)
    axis.set_xlabel(label)
    axis.legend(loc=place, bbox_to_anchor=anchor)
  for axis in axes[:2]:
    axis.set_xticks(states)
  axes[0].axvspan(
    states[-1] - 0.3, states[-1] + 0.3, fill=False, ec=curves.GREY, ls="--"
  )
  axes[2].set_xticks(betas, [f"{b:g}" for b in betas])
  axes[0].set_ylabel("share of the preference moved")
  figure.suptitle(
    f"{measured.attrs['graph']} and its renamed copy "
    f"({measured.attrs['shared_edges']} shared edges): moving the model from "
    f"one graph to the other ({measured.sizes['pair']} pairs of walks)",
    x=0.01,
    ha="left",
  )
  return figure
