"""How often generated flips repeat each other, and chains fitted to them."""

from collections.abc import Mapping, Sequence
import itertools
import pathlib
from typing import NamedTuple

from jaxtyping import Float, Int
import matplotlib
from matplotlib import axes as mpl_axes
from matplotlib import axis as mpl_axis
from matplotlib import figure as mpl_figure
from matplotlib import patches, ticker
import numpy as np

from icl_graphs.analysis import simulated
from icl_graphs.report import curves, figures
from icl_graphs.report.paper_one import intervals
from icl_graphs.report.paper_two import generation

_LOOKS = (intervals.LOOKS[0], intervals.LOOKS[2], intervals.LOOKS[1])
# Width of an arrow: this, and so much times its probability.
_THIN, _THICKER = 0.2, 3.0


class Windows(NamedTuple):
  """Windows of the flips at one stated probability.

  Attributes:
    percent: stated.
    widths: of the windows.
    distinct: number of different ones by width.
    possible: the largest number there can be.
    width: of the windows that are counted.
    counts: how often each occurs, most frequent first, for each of
      `generation.KINDS`.
  """

  percent: int
  widths: Int[np.ndarray, " W"]
  distinct: simulated.Values
  possible: Float[np.ndarray, " W"]
  width: int
  counts: Sequence[Int[np.ndarray, " unique"]]


def draw(
  path: pathlib.Path,
  stated: Float[np.ndarray, " P"],
  values: Mapping[str, simulated.Values],
  windows: Windows,
) -> None:
  """Windows at one probability, and compression and distances at all.

  Args:
    path: of the PNG.
    stated: probabilities.
    values: statistics by name: "gzip_together" and "indel".
    windows: of one probability.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((9.4, 6.2), layout="constrained")
    axes = figure.subplots(2, 2).ravel()
    generation.beside(axes[0], windows.widths, windows.distinct)
    axes[0].plot(
      *(windows.widths, windows.possible),
      color=curves.INK,
      lw=0.8,
      label="as many as there can be",
    )
    axes[0].set_yscale("log")
    _plain(axes[0].yaxis)
    axes[0].set_xticks(windows.widths)
    axes[0].set_xlabel("width of the window (flips)")
    axes[0].set_title(f"Different windows, {windows.percent}% Tails stated")
    for counts, look in zip(windows.counts, _LOOKS, strict=True):
      axes[1].plot(
        *(np.arange(1, len(counts) + 1), counts),
        color=look.colour,
        ls=look.dashes,
        lw=1.5,
      )
    axes[1].set_xscale("log")
    _plain(axes[1].xaxis)
    axes[1].set_xlabel("rank (log scale)")
    axes[1].set_title(
      f"Times each window of {windows.width} occurs,"
      f" {windows.percent}% Tails stated"
    )
    axes[1].set_ylim(bottom=0)
    for axis, name, title in (
      (axes[2], "gzip_together", "All sequences compressed (bits per flip)"),
      (axes[3], "indel", "Edit distance between sequences (0 to 1)"),
    ):
      generation.beside(axis, stated, values[name])
      axis.set_title(title)
      axis.set_xlabel("stated probability of Tails")
      axis.set_ylim(bottom=0)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    figures.write_png(figure, path, dpi=figures.DPI)


def _plain(axis: mpl_axis.Axis) -> None:
  """Powers of ten written out: formulas are off."""
  axis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:,.0f}"))
  axis.set_minor_formatter(ticker.NullFormatter())


def chains(
  path: pathlib.Path,
  percent: int,
  fitted: Mapping[str, Sequence[Float[np.ndarray, " codes"]]],
) -> None:
  """Markov chains as graphs: a row per kind of flips, a column per order.

  Args:
    path: of the PNG.
    percent: stated.
    fitted: kind to, for orders 1 and up, the probability of Tails after the
      flips whose binary number is the index.
  """
  with matplotlib.rc_context(figures.STYLE):
    columns = max(map(len, fitted.values()))
    figure = mpl_figure.Figure(
      (3.2 * columns, 3.3 * len(fitted) + 0.4), layout="constrained"
    )
    grid = figure.subplots(len(fitted), columns, squeeze=False)
    for row, (kind, tables) in zip(grid, fitted.items(), strict=True):
      for order, (axis, tails) in enumerate(
        zip(row, tables, strict=True), start=1
      ):
        _chain(axis, order, tails)
        axis.set_title(f"{kind}, order {order}")
    figure.suptitle(
      f"What comes after the last flips, {percent}% Tails stated",
      x=0.01,
      ha="left",
    )
    figures.write_png(figure, path, dpi=figures.DPI)


def _chain(
  axis: mpl_axes.Axes, order: int, tails: Float[np.ndarray, " codes"]
) -> None:
  states = list(itertools.product((0, 1), repeat=order))
  angle = np.pi / 2 + 2 * np.pi * np.arange(len(states)) / len(states)
  points = np.stack([np.cos(angle), np.sin(angle)], axis=1)
  for here, state in enumerate(states):
    for flip, colour in enumerate((curves.AMBER, curves.BLUE)):
      chance = float(tails[here] if flip else 1 - tails[here])
      to = states.index((*state[1:], flip))
      _arrow(axis, points[here], points[to], chance, colour)
    axis.text(
      *points[here],
      "".join("HT"[k] for k in state),
      ha="center",
      va="center",
      fontsize=7.5,
      zorder=3,
      bbox={"boxstyle": "circle,pad=0.25", "fc": "white", "ec": curves.GREY},
    )
  axis.set_xlim(-1.6, 1.6)
  axis.set_ylim(-1.6, 1.6)
  axis.set_aspect("equal")
  axis.axis("off")


def _arrow(axis, start, end, chance, colour):
  """An arrow that leaves room for the circles; a loop where it returns."""
  style = {
    "arrowstyle": "-|>",
    "mutation_scale": 9,
    "lw": _THIN + _THICKER * chance,
    "color": colour,
    "alpha": 0.8,
  }
  if np.allclose(start, end):
    outwards = 0.3 * start
    across = 0.13 * np.array([-start[1], start[0]])
    axis.add_patch(
      patches.FancyArrowPatch(
        start + 0.4 * outwards + across,
        start + 0.4 * outwards - across,
        connectionstyle="arc3,rad=-1.6",
        **style,
      )
    )
  else:
    axis.add_patch(
      patches.FancyArrowPatch(
        start,
        end,
        connectionstyle="arc3,rad=0.18",
        shrinkA=13,
        shrinkB=13,
        **style,
      )
    )
