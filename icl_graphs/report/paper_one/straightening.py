"""Angles and dimensions of trajectories, beside their nulls."""

from collections.abc import Mapping, Sequence
import pathlib

from jaxtyping import Float
import matplotlib
from matplotlib import figure as mpl_figure
import numpy as np

from icl_graphs.report import curves, figures
from icl_graphs.report.paper_one import intervals

_LABELS = {
  "walk": "walk",
  "shuffled": "the same words, shuffled",
  "untrained": "walk, untrained weights",
}


def draw(
  path: pathlib.Path,
  estimates: Mapping[str, Mapping[str, Float[np.ndarray, "3 L C"]]],
  layers: Sequence[int],
  contexts: Sequence[int],
  layer: int,
  title: str,
) -> None:
  """Relative angle against context and layer, participation against layer.

  Args:
    path: of the PNG.
    estimates: `angle` (degrees, relative to hidden state 0) and
      `participation`, per condition: value, low and high.
    layers: hidden states.
    contexts: in words.
    layer: of the left panel.
    title: of the figure.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((10.6, 3.7), layout="constrained")
    axes = figure.subplots(1, 3)
    for k, (condition, label) in enumerate(_LABELS.items()):
      look = intervals.LOOKS[k]
      angle = estimates["angle"][condition]
      filled = estimates["participation"][condition]
      intervals.line(axes[0], contexts, angle[:, layer], look, label)
      intervals.line(axes[1], layers, angle[:, :, -1], look, label)
      intervals.line(axes[2], layers, filled[:, :, -1], look, label)
    for axis in axes[:2]:
      axis.axhline(0, color="#9ca3af", lw=0.7, zorder=0)
    for axis in axes[1:]:
      axis.set_xlabel("hidden state (0 = embedding)")
      axis.set_xticks(layers[:: max(1, -(-len(layers) // 10))])
    curves.log_axis(axes[0], list(contexts))
    axes[0].set_xlabel("context length (words, log scale)")
    axes[0].set_ylabel("angle minus that of embeddings (degrees)")
    axes[1].set_ylabel("angle minus that of embeddings (degrees)")
    axes[2].set_ylabel("participation ratio (dimensions)")
    axes[0].set_title(f"hidden state {layer}")
    axes[1].set_title(f"at {contexts[-1]} words of context")
    axes[2].set_title(f"at {contexts[-1]} words of context")
    axes[2].set_ylim(bottom=0)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    figure.suptitle(title, x=0.01, ha="left")
    figures.write_png(figure, path, dpi=figures.DPI)
