"""Concept probability against the number of flips seen.

Legend: D depths, S concepts, n context lengths.
"""

from collections.abc import Mapping, Sequence
import pathlib

from jaxtyping import Float, Int
from matplotlib import figure as mpl_figure
from matplotlib import lines as mpl_lines
from matplotlib import ticker
import numpy as np

from icl_graphs.report import figures as common
from icl_graphs.report.paper_one import drawing, intervals

# Colour, dashes and marker by predictor; depths differ in width and shade.
_LOOKS = {
  "the model": intervals.LOOKS[0],
  "exact Bayes": intervals.LOOKS[1],
  "random weights": intervals.LOOKS[2],
}
_COLUMNS = 4
_AXIS = "Flips seen, n"


def by_concept(
  path: pathlib.Path,
  lengths: Int[np.ndarray, " n"],
  names: Sequence[str],
  series: Mapping[str, Float[np.ndarray, "D S n"]],
  depths: Sequence[int],
  chance: Float[np.ndarray, "D S"],
) -> None:
  """A panel per concept.

  Args:
    path: of the PNG.
    lengths: of the contexts.
    names: of the concepts.
    series: concept probabilities, by predictor.
    depths: of the trees; the last is drawn strongest.
    chance: probability under fair flips.
  """
  rows = -(-len(names) // _COLUMNS)
  with drawing.styled():
    figure = mpl_figure.Figure((9.6, 1.75 * rows + 0.9), layout="constrained")
    cells = figure.subplots(
      rows, _COLUMNS, squeeze=False, sharex=True, sharey=True
    )
    for axis in cells.ravel()[len(names) :]:
      axis.axis("off")
    for place, (axis, name) in enumerate(
      zip(cells.ravel(), names, strict=False)
    ):
      for who, curves in series.items():
        for depth, curve in enumerate(curves[:, place]):
          _curve(axis, lengths, curve, who, depth == len(depths) - 1)
      for depth in range(len(depths)):
        axis.axhline(chance[depth, place], color="#6b7280", lw=0.8, ls=":")
      axis.set(title=name, ylim=(-0.03, 1.03))
    for axis in cells[-1]:
      axis.set_xlabel(_AXIS)
    for axis in cells[:, 0]:
      axis.set_ylabel("Probability")
    figure.legend(
      handles=_handles(series, depths), loc="outside lower center", ncols=4
    )
    figure.suptitle(
      "Probability that the next flips repeat the concept", x=0.01, ha="left"
    )
    common.write_png(figure, path, dpi=common.DPI)


def _curve(axis, lengths, curve, who, strong) -> None:
  look = _LOOKS[who]
  axis.plot(
    *(lengths, curve),
    color=look.colour,
    ls=look.dashes,
    lw=1.7 if strong else 0.9,
    alpha=1 if strong else 0.6,
    marker=look.marker if strong else None,
    markersize=3,
    markevery=5,
  )


def _handles(series, depths):
  made = [
    mpl_lines.Line2D(
      *((), ()),
      color=_LOOKS[who].colour,
      ls=_LOOKS[who].dashes,
      lw=1.7 if strong else 0.9,
      alpha=1 if strong else 0.6,
      marker=_LOOKS[who].marker if strong else None,
      markersize=3,
      label=f"{who}, d = {depth}",
    )
    for strong, depth in enumerate(depths)
    for who in series
  ]
  line = mpl_lines.Line2D((), (), color="#6b7280", lw=0.8, ls=":")
  line.set_label("fair flips")
  return [*made, line]


def overall(
  path: pathlib.Path,
  lengths: Int[np.ndarray, " n"],
  curves: Mapping[str, Float[np.ndarray, "S n"]],
  chance: Float[np.ndarray, " S"],
  names: Sequence[str],
  switches: Mapping[str, Sequence[Float[np.ndarray, " S"]]],
  depth: int,
) -> None:
  """Mean over concepts, and where each concept's switch is.

  Args:
    path: of the PNG.
    lengths: of the contexts.
    curves: by predictor.
    chance: of fair flips.
    names: of the concepts.
    switches: n50 and n90 by predictor; NaN for never.
    depth: of the trees.
  """
  with drawing.styled():
    figure = mpl_figure.Figure((9.6, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for who, values in curves.items():
      intervals.line(*(left, lengths, intervals.mean(values)), _LOOKS[who], who)
    left.axhline(chance.mean(), color="#6b7280", lw=1, ls=":")
    left.annotate(
      "fair flips", (lengths[-1], chance.mean()), xytext=(0, 3),
      textcoords="offset points", ha="right", color="#6b7280", fontsize=7.5,
    )  # fmt: skip
    left.set(
      title=f"Mean over {len(names)} concepts, d = {depth}",
      xlabel=_AXIS,
      ylabel="Concept probability",
      ylim=(-0.03, 1.03),
    )
    left.legend(loc="upper left")
    rows = np.arange(len(names))
    for step, (who, pair) in enumerate(switches.items()):
      look = _LOOKS[who]
      for level, values in zip((50, 90), pair, strict=True):
        right.plot(
          *(values, rows + 0.15 - 0.3 * (step == 0) * (len(switches) > 1)),
          look.marker,
          color=look.colour,
          markersize=5,
          fillstyle="full" if level == 90 else "none",
          label=f"{who}, n{level}",
        )
    right.set(
      title="Flips until the concept is expected",
      xlabel=_AXIS,
      xlim=(lengths[0] - 1, lengths[-1] + 1),
      yticks=rows,
      yticklabels=names,
      ylim=(len(names) - 0.5, -0.5),
    )
    right.grid(axis="y", color="#e5e7eb", lw=0.6)
    right.set_axisbelow(True)
    figure.legend(
      handles=right.get_legend_handles_labels()[0],
      loc="outside lower right",
      ncols=4,
    )
    for axis in (left, right):
      axis.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    common.write_png(figure, path, dpi=common.DPI)
