"""The trained model beside the same architecture with random weights."""

from collections.abc import Sequence
import dataclasses

from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure
import numpy as np

from icl_graphs.report import curves, view
from icl_graphs.report.paper_one import drawing, emergence

LOOKS = (
  ("trained", curves.INK, "-", "o"),
  ("random weights", curves.AMBER, (0, (4, 1.5)), "x"),
)


def beside(
  ones: Sequence[view.GraphView], chance: Sequence[np.ndarray]
) -> mpl_figure.Figure | None:
  """Per graph: both pictures, both energies and both accuracies.

  Args:
    ones: graphs with their controls.
    chance: along time, what guessing a node word evenly would score.
  """
  drawn = [
    (one, guess, points, blank)
    for one, guess in zip(ones, chance, strict=True)
    if (points := emergence.turned(one)) is not None
    and one.control is not None
    and (blank := emergence.turned(one.control)) is not None
  ]
  if not drawn:
    return None
  figure = mpl_figure.Figure((11.6, 2.75 * len(drawn) + 0.7))
  width, height = figure.get_size_inches()
  grid = figure.subplots(
    len(drawn),
    4,
    squeeze=False,
    gridspec_kw={
      "left": 0.1 / width,
      "right": 1 - 0.15 / width,
      "top": 1 - 0.85 / height,
      "bottom": 0.75 / height,
      "wspace": 0.24,
      "hspace": 0.42,
      "width_ratios": (1, 1, 1.25, 1.25),
    },
  )
  for row, (one, guess, points, blank) in zip(grid, drawn, strict=True):
    here = one.layer, one.context
    alone = dataclasses.replace(one, control=None)
    state = emergence.states(alone)[here]
    emergence.cell(row[0], one, points[here], state, *here, named=True)
    row[0].set_title(f"{one.spec}: trained")
    control = one.control
    emergence.cell(
      row[1],
      control,
      blank[here],
      emergence.states(control)[here],
      *here,
      named=True,
    )
    row[1].set_title("random weights")
    _energies(row[2], one)
    _accuracies(row[3], one, guess)
  handles, labels = grid[0, 2].get_legend_handles_labels()
  guess_line, guess_text = grid[0, 3].get_legend_handles_labels()
  figure.legend(
    [*handles, guess_line[-1]],
    [*labels, guess_text[-1]],
    loc="lower right",
    bbox_to_anchor=(1 - 0.15 / width, 0.02 / height),
    ncols=4,
    fontsize=7.5,
  )
  first = drawn[0][0]
  figure.suptitle(
    "What training adds: the same architecture with random weights "
    f"(norms left at one; hidden state "
    f"{first.labels('layer')[first.layer]}, "
    f"last {first.labels('window')[first.window]} positions)\n"
    "Pictures: after the whole context. A thick frame: neighbours closer and "
    "plane nearer to the graph's smoothest modes than with relabelled words",
    x=0.1 / width,
    y=1 - 0.08 / height,
    ha="left",
    va="top",
    fontsize=10,
  )
  return figure


def _energies(axis: mpl_axes.Axes, one: view.GraphView) -> None:
  contexts = one.labels("context")
  for each, (label, colour, dashes, marker) in zip(
    (one, one.control), LOOKS, strict=True
  ):
    value, low, high = (
      each.stat("energy_relative", which)[each.layer, each.window]
      for which in ("value", "low", "high")
    )
    axis.plot(
      contexts,
      value,
      color=colour,
      ls=dashes,
      marker=marker,
      ms=3.5,
      lw=1.5,
      label=label,
    )
    axis.fill_between(contexts, low, high, color=colour, alpha=0.18, lw=0)
  low, high = (
    end[one.layer, one.window] for end in one.null_band("energy_relative")
  )
  axis.fill_between(
    contexts,
    low,
    high,
    facecolor="none",
    edgecolor=curves.GREY,
    alpha=0.45,
    hatch="////",
    lw=0,
    label="95% of relabellings",
  )
  drawing.context_axis(axis, contexts)
  axis.set_title("relative energy (1 = no structure)")
  axis.set_xlabel(f"context ({one.unit}, log scale)", labelpad=1)


def _accuracies(
  axis: mpl_axes.Axes, one: view.GraphView, guess: np.ndarray
) -> None:
  for each, (label, colour, dashes, _) in zip(
    (one, one.control), LOOKS, strict=True
  ):
    names = [
      ("accuracy_restricted_mean", which) for which in ("value", "low", "high")
    ]
    at, (value, low, high) = curves.binned(each, names, 40)
    if value is None:
      continue
    axis.plot(at, value, color=colour, ls=dashes, lw=1.5, label=label)
    if low is not None and high is not None:
      axis.fill_between(at, low, high, color=colour, alpha=0.18, lw=0)
  times = np.array(one.labels("time"), float)
  at, means = view.log_bins(times, guess[None], 40)
  axis.plot(
    at,
    means[0],
    color="#d1d5db",
    lw=4.5,
    zorder=1,
    label="guessing evenly among the node words",
  )
  axis.set_ylim(0, 1.02)
  drawing.context_axis(axis, one.labels("context"))
  axis.set_title("accuracy among node words")
  axis.set_xlabel(f"context ({one.unit}, log scale)", labelpad=1)
