"""What judgments should not depend on, and what they should agree with."""

from collections.abc import Mapping
import pathlib

from jaxtyping import Float, Int
import matplotlib
from matplotlib import figure as mpl_figure
import numpy as np

from icl_graphs.report import curves, figures
from icl_graphs.report.paper_one import intervals
from icl_graphs.report.paper_two import judgment


def draw(
  path: pathlib.Path,
  lengths: Int[np.ndarray, " n"],
  phases: Mapping[str, Float[np.ndarray, " n"]],
  advantage: Float[np.ndarray, "3 n"],
  exact: Float[np.ndarray, " n"] | None,
  pairs: Float[np.ndarray, "2 points"],
) -> None:
  """Phases of one cycle, the judgment advantage, and two tasks compared.

  Args:
    path: of the PNG.
    lengths: numbers of flips.
    phases: p(random) by rotation.
    advantage: value, low and high by length.
    exact: advantage of the Bayesian predictor.
    pairs: p(non-random), and 2 P(concept's next flip) - 1.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((11, 4.1), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    shown = lengths <= 40
    for look, (name, curve) in zip(
      intervals.LOOKS, phases.items(), strict=False
    ):
      left.plot(
        *(lengths[shown], curve[shown]),
        color=look.colour,
        ls=look.dashes,
        marker=look.marker,
        ms=3,
        lw=1.1,
        label=name,
      )
    left.set_title("One cycle in five phases")
    left.set_xlabel("flips")
    left.set_ylabel("p(random)")
    left.set_ylim(-0.02, 1.02)
    value, low, high = advantage
    middle.fill_between(
      lengths, low, high, color=curves.BLUE, alpha=0.15, lw=0,
      label="95% interval",
    )  # fmt: skip
    middle.plot(lengths, value, color=curves.BLUE, label="the model")
    if exact is not None:
      middle.plot(
        *(lengths, exact),
        color=curves.AMBER,
        ls=curves.DASHES[1],
        label=judgment.EXACT,
      )
    middle.axhline(
      0, color=curves.INK, ls=curves.DASHES[2], lw=1, label="not told apart"
    )
    judgment.flips_axis(middle, lengths)
    middle.set_title("p(random): fair less repeated")
    middle.set_ylabel("difference")
    right.plot([-1, 1], [-1, 1], color=curves.INK, ls=curves.DASHES[2], lw=1)
    right.plot(
      *(pairs[1], pairs[0]),
      color=curves.BLUE,
      marker="o",
      ms=2.5,
      alpha=0.4,
      ls="",
    )
    right.set_title("Two tasks, the same flips")
    right.set_xlabel("2 P(concept's next flip) - 1, when continuing")
    right.set_ylabel("p(non-random), when judging")
    lowest = min(0.0, *pairs[1].tolist()) if pairs.size else 0.0
    right.set_xlim(lowest - 0.03, 1.03)
    right.set_ylim(-0.03, 1.03)
    judgment.legend(figure, left, middle)
    figures.write_png(figure, path, dpi=figures.DPI)
