"""What the next word may be after each question.

Legend: 3 tasks, 3 lists of flips, 2 answers.
"""

from collections.abc import Mapping, Sequence
import pathlib

from jaxtyping import Float
from matplotlib import figure as mpl_figure
import numpy as np

from icl_graphs.report import figures as common
from icl_graphs.report.paper_one import drawing, intervals

_LOOKS = {
  "the model": (intervals.LOOKS[0], ""),
  "exact Bayes": (intervals.LOOKS[1], "///"),
  "random weights": (intervals.LOOKS[2], "..."),
}
_WIDTH = 0.8


def next_words(
  path: pathlib.Path,
  tasks: Mapping[str, Sequence[str]],
  names: Sequence[str],
  series: Mapping[str, Float[np.ndarray, "3 3 2"]],
) -> None:
  """A row per question, a column per list, bars for every answer.

  Args:
    path: of the PNG.
    tasks: the questions' names to the two answers of each.
    names: of the lists.
    series: probability of both answers, by predictor; the rest is drawn too.
  """
  with drawing.styled():
    figure = mpl_figure.Figure((9.4, 6.4), layout="constrained")
    cells = figure.subplots(len(tasks), len(names), sharey=True, squeeze=False)
    for row, (task, words) in enumerate(tasks.items()):
      for column, axis in enumerate(cells[row]):
        for place, (who, values) in enumerate(series.items()):
          _bars(axis, values[row, column], who, (place, len(series)))
        axis.set(
          xticks=np.arange(3), xticklabels=[*words, "the rest"], ylim=(0, 1.12)
        )
        axis.set_yticks([0, 0.5, 1])
        if not row:
          axis.set_title(names[column])
      cells[row, 0].set_ylabel(f"{task}\nprobability")
    handles, labels = cells[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    figure.suptitle("What the next word is", x=0.01, ha="left")
    common.write_png(figure, path, dpi=common.DPI)


def _bars(axis, answers, who, place) -> None:
  """One predictor's three bars, with their heights in figures."""
  look, hatch = _LOOKS[who]
  values = [*answers, max(0.0, 1 - answers.sum())]
  width = _WIDTH / place[1]
  at = np.arange(3) - _WIDTH / 2 + (place[0] + 0.5) * width
  made = axis.bar(
    *(at, values),
    width,
    color=look.colour if not hatch else "white",
    edgecolor=look.colour,
    hatch=hatch,
    label=who,
  )
  axis.bar_label(made, fmt="%.2f", fontsize=6.5, padding=1)
