"""What follows a question and some flips.

Legend: Q questions, n numbers of flips, S scores.
"""

from collections.abc import Sequence
import pathlib

from jaxtyping import Float, Int
from matplotlib import figure as mpl_figure
import numpy as np

from icl_graphs.report import figures as common
from icl_graphs.report.paper_one import drawing, intervals

_COLUMNS = 5
_GREY = "#9ca3af"


def questions(
  path: pathlib.Path,
  lengths: Int[np.ndarray, " n"],
  scores: Float[np.ndarray, "Q n S"],
  names: Sequence[str],
  titles: Sequence[str],
  keys: Sequence[str],
) -> None:
  """A panel per question; even numbers of flips, as in the paper.

  Args:
    path: of the PNG.
    lengths: numbers of flips.
    scores: probability of every class of next tokens.
    names: of the classes: Flips, letters, Answer.
    titles: of the questions.
    keys: letters of their right answers.
  """
  even = lengths % 2 == 0
  lengths, scores = lengths[even], scores[:, even]
  rows = -(-len(titles) // _COLUMNS)
  with drawing.styled():
    figure = mpl_figure.Figure((11, 2.3 * rows + 0.7), layout="constrained")
    cells = figure.subplots(
      rows, _COLUMNS, squeeze=False, sharex=True, sharey=True
    )
    for axis in cells.ravel()[len(titles) :]:
      axis.axis("off")
    handles = {}
    for axis, values, title, key in zip(
      cells.ravel(), scores, titles, keys, strict=False
    ):
      for place, name in enumerate(names):
        label, style = _style(name, key)
        (line,) = axis.plot(lengths, values[:, place], label=label, **style)
        handles[label] = line
      axis.set(title=f"{title}\n(answer {key})", ylim=(-0.03, 1.03))
    for axis in cells[-1]:
      axis.set_xlabel("Flips after the question")
    for axis in cells[:, 0]:
      axis.set_ylabel("Probability")
    figure.legend(
      handles=list(handles.values()), loc="outside lower center", ncols=4
    )
    figure.suptitle("What the next token is", x=0.01, ha="left")
    common.write_png(figure, path, dpi=common.DPI)


def _style(name, key):
  """Legend entry and looks of a class."""
  looks = {"Flips": ("Flips", 0), key: ("right letter", 1), "Answer": (
    "Answer or new line", 3)}  # fmt: skip
  if name not in looks:
    return "other letters", {"color": _GREY, "lw": 0.8, "ls": ":"}
  label, place = looks[name]
  look = intervals.LOOKS[place]
  return label, {
    "color": look.colour,
    "ls": look.dashes,
    "marker": look.marker,
    "markersize": 3,
    "markevery": 4,
    "lw": 1.4,
  }
