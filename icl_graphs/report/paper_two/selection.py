"""Two hypotheses about flips, and how a next flip follows from them.

Legend: m numbers of flips seen.
"""

from collections.abc import Mapping
import pathlib

from jaxtyping import Float, Int
from matplotlib import axes as mpl_axes
from matplotlib import colormaps, ticker
from matplotlib import figure as mpl_figure
import numpy as np

from icl_graphs.report import curves, figures
from icl_graphs.report.paper_one import drawing, intervals

Curve = Float[np.ndarray, " m"]
Named = Mapping[str, Curve]
_AXIS = "Number of the flip that is predicted, m + 1"
_NEXT = "P(concept's next flip)"


def hypotheses(
  path: pathlib.Path,
  flips: Int[np.ndarray, " m"],
  weights: Named,
  posteriors: Named,
  published: Named,
  corrected: Named,
) -> None:
  """The paper's figure: weights, posterior of the concept, and predictions.

  Args:
    path: of the PNG.
    flips: numbers of flips seen; drawn against m + 1, as published.
    weights: of both hypotheses as published, prior included.
    posteriors: of the concept, by name of the likelihood.
    published: predictions under the published weights, by name.
    corrected: likewise under likelihoods of sequences.
  """
  with drawing.styled():
    figure = mpl_figure.Figure((9.4, 6), layout="constrained")
    axes = figure.subplots(2, 2).ravel()
    panels = (
      (weights, "Published weights, prior included", "Weight"),
      (posteriors, "Posterior of the concept", "Probability"),
      (published, "Next flip, published weights", _NEXT),
      (corrected, "Next flip, corrected weights", _NEXT),
    )
    for axis, (lines, title, label) in zip(axes, panels, strict=True):
      _lines(axis, flips + 1, lines)
      axis.set(title=title, xlabel=_AXIS, ylabel=label)
      axis.legend()
    _begin(axes[3])
    figures.write_png(figure, path, dpi=figures.DPI)


def exponents(
  path: pathlib.Path,
  flips: Int[np.ndarray, " m"],
  panels: Mapping[str, Mapping[int, Curve]],
) -> None:
  """Predictions of soft selection by exponent: a panel per likelihood.

  Args:
    path: of the PNG.
    flips: numbers of flips seen; drawn against m + 1, as published.
    panels: title to tau to its prediction; the last is drawn to 21 only.
  """
  with drawing.styled():
    figure = mpl_figure.Figure((9.4, 3.9), layout="constrained")
    cells = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    shades = colormaps["viridis_r"]
    for axis, (title, by_tau) in zip(cells, panels.items(), strict=True):
      for rank, (tau, curve) in enumerate(by_tau.items()):
        axis.plot(
          *(flips + 1, curve),
          color=shades(0.15 + 0.85 * rank / max(len(by_tau) - 1, 1)),
          lw=0.8 + 1.2 * rank / max(len(by_tau) - 1, 1),
          label=f"tau = {tau}",
        )
      axis.set(title=title, xlabel=_AXIS)
    _begin(cells[-1])
    cells[0].set_ylabel(_NEXT)
    handles, labels = cells[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5)
    figures.write_png(figure, path, dpi=figures.DPI)


def observed(
  path: pathlib.Path,
  flips: Int[np.ndarray, " m"],
  model: Curve,
  others: Named,
  slopes: Mapping[str, tuple[float, float]],
  ideal: float,
) -> None:
  """What the model predicts, and how fast its evidence grows per concept.

  Args:
    path: of the PNG.
    flips: numbers of flips seen.
    model: its probability of the concept's next flip.
    others: predictions of averaging and selection, by name.
    slopes: nats per flip by concept: the model's, and an averaging observer's.
    ideal: two hypotheses' slope.
  """
  with drawing.styled():
    figure = mpl_figure.Figure((9.4, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    look = intervals.LOOKS[0]
    left.plot(
      *(flips + 1, model),
      color=look.colour,
      marker=look.marker,
      ms=3.5,
      label="the model",
    )
    _lines(left, flips + 1, others, start=1)
    left.set(
      title="After (01) repeated", xlabel=_AXIS, ylabel=_NEXT, ylim=(0.3, 1.03)
    )
    left.legend(loc="lower right")
    rows = np.arange(len(slopes))
    columns = np.array(list(slopes.values())).reshape(-1, 2).T
    for values, label, look in zip(
      columns,
      ("the model", "averaging over repeated words"),
      (intervals.LOOKS[0], intervals.LOOKS[2]),
      strict=True,
    ):
      right.plot(
        *(values, rows),
        color=look.colour,
        marker=look.marker,
        ms=5,
        ls="",
        label=label,
      )
    right.axvline(
      ideal,
      color=curves.AMBER,
      ls=curves.DASHES[1],
      label="averaging over two hypotheses: ln 2",
    )
    right.set(
      title="Evidence per flip, by concept",
      xlabel="Slope of the log-odds (nats per flip)",
      yticks=rows,
      yticklabels=list(slopes),
      ylim=(max(len(slopes), 1) - 0.5, -0.5),
    )
    right.set_xlim(
      min([0.0, *columns.ravel()]), 1.1 * max([1.0, *columns.ravel()])
    )
    figure.legend(
      *right.get_legend_handles_labels(), loc="outside lower right", ncols=3
    )
    figures.write_png(figure, path, dpi=figures.DPI)


def _begin(axis: mpl_axes.Axes) -> None:
  """Where corrected weights decide."""
  axis.set_xlim(1, 21)
  axis.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))


def _lines(
  axis: mpl_axes.Axes, places: np.ndarray, lines: Named, start: int = 0
) -> None:
  for look, (name, curve) in zip(
    intervals.LOOKS[start:], lines.items(), strict=False
  ):
    axis.plot(places, curve, color=look.colour, ls=look.dashes, label=name)
