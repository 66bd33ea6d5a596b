"""Curves of two graphs over the same words."""

from collections.abc import Mapping, Sequence
import pathlib

from jaxtyping import Float
import matplotlib
from matplotlib import figure as mpl_figure
import numpy as np

from icl_graphs.report import curves, figures
from icl_graphs.report.paper_one import intervals

FIRST, SECOND = intervals.LOOKS[0], intervals.LOOKS[1]
READER = intervals.LOOKS[3]
_CHANCE = "#d1d5db"


def mixtures(
  path: pathlib.Path,
  shares: Sequence[float],
  stats: Mapping[str, Float[np.ndarray, "2 P 3"]],
  chance: Mapping[str, Float[np.ndarray, "2 P"]],
  odds: Float[np.ndarray, "P 3"],
  reader: Float[np.ndarray, "P 3"],
  layer: int,
) -> None:
  """Energies, distance correlations and expectations against the mixture.

  Args:
    path: of the PNG.
    shares: of steps on the second graph.
    stats: measure to value, low, high of both graphs.
    chance: measure to lower and upper limits.
    odds: log-odds of the second graph, of the model.
    reader: of a Bayesian reader.
    layer: hidden state.
  """
  shares = np.array(shares)
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((9.8, 3.8), layout="constrained")
    panels = figure.subplots(1, 3)
    labels = ("relative energy (1: no structure)", "distance correlation")
    for axis, (name, values), label in zip(
      panels, stats.items(), labels, strict=False
    ):
      axis.fill_between(shares, *chance[name], color=_CHANCE, lw=0, zorder=0)
      for look, of_graph, graph in (
        (FIRST, values[0], "first graph"),
        (SECOND, values[1], "second graph"),
      ):
        intervals.line(axis, shares, of_graph.T, look, graph)
      axis.set_ylabel(label)
      axis.set_xlabel("share of steps on the second graph")
    axis = panels[2]
    inner = (shares > 0) & (shares < 1)
    x = np.log(shares[inner] / (1 - shares[inner]))
    axis.plot(x, x, color=_CHANCE, lw=3, label="the mixture itself")
    intervals.line(axis, x, odds[inner].T, FIRST, "model")
    intervals.line(axis, x, reader[inner].T, READER, "Bayesian reader")
    axis.set_xlabel("log-odds of the mixture")
    axis.set_ylabel("log-odds of the second graph's neighbours")
    axis.legend(loc="upper left")
    panels[0].legend(loc="best")
    figure.suptitle(
      f"Two graphs over the same words, mixed (hidden state {layer};"
      " grey band: chance)",
      x=0.01,
      ha="left",
    )
    figures.write_png(figure, path, dpi=figures.DPI)


def even_mixture(
  path: pathlib.Path,
  contexts: Sequence[int],
  energy: Float[np.ndarray, "2 C 3"],
  chance: Float[np.ndarray, "2 C"],
  cosines: Float[np.ndarray, "2 C 3"],
  cosine_chance: Float[np.ndarray, "2 C"],
  layer: int,
) -> None:
  """Both graphs' energies and the angles between their directions.

  Args:
    path: of the PNG.
    contexts: in words.
    energy: value, low, high of both graphs.
    chance: limits of the energy.
    cosines: of the two principal angles, the larger cosine first.
    cosine_chance: limits of the larger one.
    layer: hidden state.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((7.6, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axis, values, limits, names, label in (
      (
        left,
        energy,
        chance,
        ("first graph", "second graph"),
        "relative energy (1: no structure)",
      ),
      (
        right,
        cosines,
        cosine_chance,
        ("larger cosine", "smaller cosine"),
        "cosine between the graphs' directions",
      ),
    ):
      axis.fill_between(contexts, *limits, color=_CHANCE, lw=0, zorder=0)
      for look, stat, name in zip((FIRST, SECOND), values, names, strict=True):
        intervals.line(axis, contexts, stat.T, look, name)
      curves.log_axis(axis, list(contexts))
      axis.set_xlabel("context (words, log scale)")
      axis.set_ylabel(label)
    # Room for the legends.
    left.margins(y=0.3)
    left.legend(loc="lower right")
    right.set_ylim(-0.02, 1)
    right.legend(loc="upper right")
    figure.suptitle(
      f"An even mixture as the context grows (hidden state {layer})",
      x=0.01,
      ha="left",
    )
    figures.write_png(figure, path, dpi=figures.DPI)
