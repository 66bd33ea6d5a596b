"""Variance of activations that the words around them explain."""

from collections.abc import Sequence
import pathlib

from jaxtyping import Float
import matplotlib
from matplotlib import figure as mpl_figure
import numpy as np

from icl_graphs.report import curves, figures
from icl_graphs.report.paper_one import intervals

_NULL = 3
_LOOKS = [intervals.LOOKS[k] for k in (5, 0, 1, 3, 4)]


def decomposition(
  path: pathlib.Path,
  names: Sequence[str],
  layers: Sequence[int],
  contexts: Sequence[int],
  by_layer: Float[np.ndarray, "L S 6"],
  by_context: Float[np.ndarray, "C S 6"],
  title: str,
  layer: int,
) -> None:
  """Adjusted R^2 against layer (left) and against context (right).

  Args:
    path: of the PNG.
    names: of the S designs.
    layers: hidden states.
    contexts: in words.
    by_layer: value, low, high, null and its limits at the longest context.
    by_context: the same at the report layer.
    title: of the figure.
    layer: the report layer.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((9.2, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for axis, x, stats in (
      (left, layers, by_layer),
      (right, contexts, by_context),
    ):
      for k, name in enumerate(names):
        intervals.line(axis, x, stats[:, k, :3].T, _LOOKS[k], name)
      axis.plot(
        x,
        stats[:, :, _NULL].max(axis=1),
        color="black",
        ls=curves.DASHES[2],
        lw=1,
        label="largest with the words of another walk",
      )
      axis.axhline(0, color="#d1d5db", lw=0.7, zorder=0)
    left.set_xlabel("hidden state (0 = embedding)")
    left.set_xticks(layers[:: max(1, -(-len(layers) // 12))])
    left.set_ylabel("adjusted R²")
    left.set_title(f"at {contexts[-1]} words of context")
    curves.log_axis(right, list(contexts))
    right.set_xlabel("context length (words, log scale)")
    right.set_title(f"hidden state {layer}")
    left.set_ylim(min(-0.03, float(np.nanmin(by_layer)) - 0.02), 1.05)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(
      handles, labels, loc="outside lower center", ncols=min(4, len(labels))
    )
    figure.suptitle(title, x=0.01, ha="left")
    figures.write_png(figure, path, dpi=figures.DPI)
