"""Accuracy and energy against context, with the fits that date them."""

from collections.abc import Sequence

from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure
import numpy as np

from icl_graphs.report import curves
from icl_graphs.report.paper_one import intervals, scaling

_DOTS = "#9ca3af"


def transition(ones: Sequence, window: int) -> mpl_figure.Figure | None:
  """A row per graph: accuracy, accuracy without the way back, energy.

  Args:
    ones: with the attributes of `experiments.paper_one.transition.Timed`.
    window: of the class means, in words.
  """
  if not ones:
    return None
  figure = mpl_figure.Figure(
    (11.5, 0.7 + 2.7 * len(ones)), layout="constrained"
  )
  axes = figure.subplots(len(ones), 3, squeeze=False)
  for row, one in zip(axes, ones, strict=True):
    _accuracy(row[0], one)
    _onward(row[1], one)
    _energy(row[2], one, window)
  for column in axes.T:
    listed = {}
    for axis in column:
      handles, labels = axis.get_legend_handles_labels()
      listed |= dict(zip(labels, handles, strict=True))
    column[-1].legend(
      list(listed.values()), list(listed), fontsize=7, frameon=False,
      loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2,
    )  # fmt: skip
  return figure


def _dots(axis: mpl_axes.Axes, curve: np.ndarray, label: str) -> None:
  t, mean = scaling.smooth(curve)
  axis.plot(t, mean, color=_DOTS, ls="", marker=".", ms=5, label=label)
  curves.log_axis(
    axis, [x for x in (1, 3, 10, 30, 100, 300, 1000) if x <= len(curve)]
  )
  axis.set_ylim(0, 1)


def _band(axis: mpl_axes.Axes, found, colour: str) -> None:
  if np.isfinite([found.low, found.high]).all():
    axis.axvspan(found.low, found.high, color=colour, alpha=0.1, lw=0)
  if np.isfinite(found.value):
    axis.axvline(found.value, color=colour, lw=0.9, ls=(0, (2, 2)))


def _accuracy(axis: mpl_axes.Axes, one) -> None:
  _dots(axis, one.accuracy, "measured")
  found = one.bend
  axis.plot(
    found.t, found.fits["two_segments"], color=curves.BLUE, lw=1.8,
    label="two segments",
  )  # fmt: skip
  axis.plot(
    found.whole, found.fits["three_segments"], color=curves.AMBER,
    ls=(0, (5, 1.5)), lw=1.3, label="three segments",
  )  # fmt: skip
  _band(axis, found.bend, curves.BLUE)
  axis.set_title(f"{one.spec}: accuracy")
  axis.set_ylabel("probability on neighbours")
  axis.set_xlabel("context (words)")


def _onward(axis: mpl_axes.Axes, one) -> None:
  _dots(axis, one.onward, "measured")
  belief = one.belief
  axis.plot(
    belief.t, belief.curve, color="#7c3aed", ls=(0, (8, 2)), lw=1.6,
    label="smooth log-odds",
  )  # fmt: skip
  found = one.onward_bend
  axis.plot(
    found.t, found.fits["two_segments"], color=curves.BLUE, lw=1.4,
    label="two segments",
  )  # fmt: skip
  if belief.crossed:
    axis.plot(
      belief.midpoint.value, 0.5, color="#7c3aed", marker="D", ms=6, ls="",
      label="midpoint t*",
    )  # fmt: skip
  axis.set_title(f"{one.spec}: without the way back")
  axis.set_ylabel("share of the rest on neighbours")
  axis.set_xlabel("context (words)")


def _energy(axis: mpl_axes.Axes, one, window: int) -> None:
  found = one.settles["energy_relative"]
  if len(found.contexts):
    intervals.line(
      axis, found.contexts, found.curve, intervals.LOOKS[0], "model"
    )
    look = intervals.LOOKS[2]
    axis.plot(
      found.contexts, found.control, color=look.colour, ls=look.dashes,
      marker=look.marker, ms=4, lw=1.3, label="random weights",
    )  # fmt: skip
  else:
    axis.text(
      *(0.5, 0.5),
      "too few contexts in which every group of walks\n"
      f"holds every word in its last {window}",
      transform=axis.transAxes,
      ha="center",
      va="center",
      fontsize=8,
      color=curves.INK,
    )
  axis.axhline(
    found.level, color=curves.INK, lw=0.8, ls=(0, (2, 3)), label="no structure"
  )
  _band(axis, found.at, curves.BLUE)
  curves.log_axis(
    axis, [x for x in (1, 3, 10, 30, 100, 300, 1000) if x <= len(one.accuracy)]
  )
  axis.set_xlim(1, len(one.accuracy) * 1.1)
  axis.set_title(f"{one.spec}: relative energy, last {window} words")
  axis.set_ylabel("energy / level without structure")
  axis.set_xlabel("context (words)")
