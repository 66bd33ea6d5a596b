"""A change of the graph in the middle of walks."""

from collections.abc import Sequence
import pathlib
from typing import NamedTuple

from jaxtyping import Float, Int
import matplotlib
from matplotlib import figure as mpl_figure
import numpy as np

from icl_graphs.report import figures
from icl_graphs.report.paper_one import intervals

OLD, NEW = intervals.LOOKS[0], intervals.LOOKS[1]


class Change(NamedTuple):
  """What is drawn of one change.

  Attributes:
    last: words on the old graph.
    contexts: [C], where energies were taken.
    energy: [E, C, 3], value, low, high of the old and the new graph.
    mass: [E, T, 3], probabilities of their neighbours.
    fading, lasting: [E, T], of Bayesian readers.
  """

  last: int
  contexts: Int[np.ndarray, " C"]
  energy: Float[np.ndarray, "E C 3"]
  mass: Float[np.ndarray, "E T 3"]
  fading: Float[np.ndarray, "E T"]
  lasting: Float[np.ndarray, "E T"]


def switches(path: pathlib.Path, changes: Sequence[Change], layer: int) -> None:
  """Energies (left) and probabilities (right) of both graphs, a row a change.

  Args:
    path: of the PNG.
    changes: one row each.
    layer: hidden state of the energies.
  """
  rows = len(changes)
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((9.4, 2.7 * rows + 0.9), layout="constrained")
    grid = figure.subplots(rows, 2, squeeze=False, sharex=True)
    for (left, right), change in zip(grid, changes, strict=True):
      for look, stat, name in zip(
        (OLD, NEW), change.energy, ("old graph", "new graph"), strict=True
      ):
        intervals.line(left, change.contexts, stat.T, look, name)
      _probabilities(right, change)
      left.set_ylabel("relative energy (1: no structure)")
      right.set_ylabel("probability of neighbours")
      right.set_ylim(0, 1.02)
      for axis in (left, right):
        axis.axvline(change.last, color="#374151", ls=":", lw=1)
        axis.set_title(f"graph changes after word {change.last}")
    for axis in grid[-1]:
      axis.set_xlabel("context (words)")
    handles, labels = grid[0, 1].get_legend_handles_labels()
    # Columns are filled first: one for each kind of line.
    order = [0, 3, 1, 4, 2, 5]
    figure.legend(
      [handles[k] for k in order],
      [labels[k] for k in order],
      loc="outside lower center",
      ncols=3,
    )
    figure.suptitle(
      f"One graph gives way to another over the same words (hidden state"
      f" {layer})",
      x=0.01,
      ha="left",
    )
    figures.write_png(figure, path, dpi=figures.DPI)


def _probabilities(axis, change):
  time = np.arange(1, change.mass.shape[1] + 1)
  thinned = slice(None, None, max(1, len(time) // 25))
  graphs = zip(
    (OLD, NEW),
    ("old graph", "new graph"),
    change.mass,
    change.fading,
    change.lasting,
    strict=True,
  )
  for look, name, mass, fading, lasting in graphs:
    intervals.line(axis, time[thinned], mass[thinned].T, look, name)
    axis.plot(
      time, fading, color=look.colour, lw=0.9, ls="-",
      label=f"{name}: reader who forgets",
    )  # fmt: skip
    axis.plot(
      time, lasting, color=look.colour, lw=0.9, ls=":",
      label=f"{name}: reader who does not",
    )  # fmt: skip
