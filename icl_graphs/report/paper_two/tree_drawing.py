"""Trees of what flips may come next, in red and blue.

Legend: n context lengths.
"""

from collections.abc import Mapping, Sequence
import pathlib

from jaxtyping import Float, Int
from matplotlib import axes as mpl_axes
from matplotlib import collections
from matplotlib import figure as mpl_figure
from matplotlib import lines as mpl_lines
import numpy as np

from icl_graphs.analysis import concepts
from icl_graphs.report import figures as common
from icl_graphs.report.paper_one import drawing

# Of the paper: Heads and Tails. In greyscale dashes and direction tell.
_COLOURS = ("#f47fa5", "#7db8e8")
_DASHES = ("solid", (0, (1.0, 0.35)))
# Points: .5 for no probability, 9 more for certainty.
_THIN, _WIDER = 0.5, 9.0


def trees(
  path: pathlib.Path,
  tails: Mapping[str, Float[np.ndarray, "n paths"]],
  lengths: Int[np.ndarray, " n"],
  concept: str,
  depth: int,
) -> None:
  """A tree per context length, a row per predictor.

  Args:
    path: of the PNG.
    tails: probability of Tails after every path, by predictor.
    lengths: of the contexts.
    concept: that they repeat.
    depth: flips from a tree's root to its leaves.
  """
  with drawing.styled():
    figure = mpl_figure.Figure(
      (2.15 * len(lengths), 2.7 * len(tails) + 0.6), layout="constrained"
    )
    cells = figure.subplots(len(tails), len(lengths), squeeze=False)
    for row, (name, values) in zip(cells, tails.items(), strict=True):
      for axis, tree, n in zip(row, values, lengths, strict=True):
        draw(axis, tree, depth, concept)
        seen = ("HT"[int(flip)] for flip in np.resize(list(concept), n))
        text = "".join(seen)
        shown = text if n <= 12 else f"...{text[-9:]}"
        axis.set_title(f"n = {n}\n{shown}", fontsize=8, fontfamily="monospace")
      row[0].set_ylabel(name)
    sides = zip(("Heads (up)", "Tails (down)"), _COLOURS, _DASHES, strict=True)
    figure.legend(
      handles=[
        mpl_lines.Line2D((), (), color=colour, ls=dashes, lw=3, label=label)
        for label, colour, dashes in sides
      ],
      loc="outside lower center",
      ncols=2,
      handlelength=4,
    )
    figure.suptitle(
      f"What may come after n flips of {concept} repeated"
      " (width of an edge: probability of the path to its end)",
      x=0.01,
      ha="left",
    )
    common.write_png(figure, path, dpi=common.DPI)


def draw(
  axis: mpl_axes.Axes,
  tails: Float[np.ndarray, " paths"],
  depth: int,
  concept: str | None = None,
) -> None:
  """One tree, from left to right, Heads upwards.

  Args:
    axis: to draw on.
    tails: probability of Tails after each of `concepts.paths(depth)`.
    depth: flips from the root to the leaves.
    concept: whose continuations get dots.
  """
  reached = _reached(tails, depth)
  for flip in (0, 1):
    edges = [path for path in reached if path and path[-1] == flip]
    widths = [_THIN + _WIDER * reached[path] for path in edges]
    axis.add_collection(
      collections.LineCollection(
        [[_at(path[:-1]), _at(path)] for path in edges],
        colors=_COLOURS[flip],
        linewidths=widths,
        linestyles=[_DASHES[flip]],
      )
    )
  if concept:
    ends = {
      tuple(string[:length])
      for string in concepts.rotations(concept, depth).tolist()
      for length in range(depth + 1)
    }
    places = np.array([_at(path) for path in sorted(ends)])
    axis.plot(*places.T, "o", color="#111827", markersize=2.2, zorder=3)
  axis.set(xlim=(-0.3, depth + 0.3), ylim=(-1, 1), xticks=[], yticks=[])
  axis.spines[:].set_visible(False)


def _reached(tails, depth) -> dict[tuple[int, ...], float]:
  """Probability of every path, the root and the leaves included."""
  found = {(): 1.0}
  for path in concepts.paths(depth):
    chance = float(tails[concepts.place(path)])
    found[*path, 0] = found[path] * (1 - chance)
    found[*path, 1] = found[path] * chance
  return found


def _at(path: Sequence[int]) -> tuple[float, float]:
  """Place of a node: leaves are evenly spread."""
  height = sum((1 - 2 * flip) / 2**step for step, flip in enumerate(path, 1))
  return float(len(path)), height
