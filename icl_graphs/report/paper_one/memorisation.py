"""Accuracy beside readers that remember or count, by context and by visits."""

from collections.abc import Sequence

from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure
import numpy as np

from icl_graphs.report import curves
from icl_graphs.report.paper_one import intervals, scaling

_IID = "#9ca3af"
# Colour, dashes and width of each baseline.
_READERS = {
  "seen once, if words were iid": (_IID, (0, (1, 1)), 1.2),
  "seen twice, if words were iid": (_IID, (0, (5, 1.5)), 1.2),
  "seen once, on these walks": (curves.INK, (0, (1, 1)), 1.3),
  "seen twice, on these walks": (curves.INK, (0, (5, 1.5)), 1.3),
  "counts steps as taken": (curves.AMBER, (0, (5, 1.5, 1, 1.5)), 1.5),
  "counts steps both ways": ("#7c3aed", (0, (8, 2)), 1.5),
}
_MARKS = {"counts steps as taken": "s", "counts steps both ways": "D"}


def memorisation(ones: Sequence) -> mpl_figure.Figure | None:
  """A row per graph: accuracy against context, and against earlier visits.

  Args:
    ones: with the attributes of `Compared`.
  """
  if not ones:
    return None
  figure = mpl_figure.Figure(
    (10.5, 0.9 + 3.1 * len(ones)), layout="constrained"
  )
  axes = figure.subplots(len(ones), 2, squeeze=False, width_ratios=[1.25, 1])
  for row, one in zip(axes, ones, strict=True):
    _by_context(row[0], one)
    _by_visits(row[1], one)
  listed = {}
  for axis in axes[:, 0]:
    handles, labels = axis.get_legend_handles_labels()
    listed |= dict(zip(labels, handles, strict=True))
  figure.legend(
    list(listed.values()), list(listed), loc="outside lower center", ncols=4,
    frameon=False, fontsize=7.5,
  )  # fmt: skip
  return figure


def _by_context(axis: mpl_axes.Axes, one) -> None:
  length = one.curve.shape[1]
  t, mean = scaling.smooth(one.curve[0])
  band = [scaling.smooth(limit)[1] for limit in one.curve[1:]]
  axis.plot(t, mean, color=curves.BLUE, lw=2, label="model")
  axis.fill_between(t, *band, color=curves.BLUE, alpha=0.2, lw=0)
  for name, values in one.readers.items():
    colour, dashes, width = _READERS[name]
    axis.plot(
      *scaling.smooth(values), color=colour, ls=dashes, lw=width, label=name
    )
  bend = one.bend.bend
  if one.bend.determined:
    axis.axvspan(bend.low, bend.high, color=curves.BLUE, alpha=0.08, lw=0)
    axis.plot(
      bend.value, np.interp(bend.value, t, mean), marker="o", ms=6,
      color=curves.BLUE, ls="", label="takes off (two segments)",
    )  # fmt: skip
  curves.log_axis(
    axis, [x for x in (1, 3, 10, 30, 100, 300, 1000) if x <= length]
  )
  axis.set_ylim(0, 1.02)
  axis.set_title(f"{one.spec}: accuracy and memory against context")
  axis.set_xlabel("context (words)")
  axis.set_ylabel("probability on neighbours,\nor share of words seen")


def _by_visits(axis: mpl_axes.Axes, one) -> None:
  x = np.arange(len(one.visits))
  intervals.line(axis, x, one.by_visits, intervals.LOOKS[0], "model")
  for name, values in one.readers_by_visits.items():
    colour, dashes, width = _READERS[name]
    axis.plot(
      x, values, color=colour, ls=dashes, lw=width, marker=_MARKS[name], ms=4,
      label=name,
    )  # fmt: skip
  axis.set_xticks(x, [str(v) for v in one.visits])
  axis.set_ylim(0, 1.02)
  axis.set_title(f"{one.spec}: by earlier visits of the current word")
  axis.set_xlabel("earlier visits")
  axis.set_ylabel("probability on neighbours")
