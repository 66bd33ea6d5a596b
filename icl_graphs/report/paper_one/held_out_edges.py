"""What is expected of edges that were never walked."""

from collections.abc import Mapping
import pathlib

from jaxtyping import Float
import matplotlib
from matplotlib import figure as mpl_figure
from matplotlib import ticker
import numpy as np

from icl_graphs.analysis import unwalked
from icl_graphs.report import figures
from icl_graphs.report.paper_one import intervals

_CHANCE = "#d1d5db"


def held_out(
  path: pathlib.Path,
  by_distance: Mapping[str, Float[np.ndarray, " 3"]],
  model: unwalked.Result,
  reader: unwalked.Result,
  adjusted: Float[np.ndarray, " 3"],
) -> None:
  """Probabilities by kind of pair (left) and gains (right).

  Args:
    path: of the PNG.
    by_distance: kind of pair to value, low, high.
    model: gain of held-out edges over matched non-edges.
    reader: of a reader who mixes steps of several lengths.
    adjusted: the model's, with distance, degree and reach taken out.
  """
  kept = {k: v for k, v in by_distance.items() if np.isfinite(v[0])}
  special = ("walked_edges", "held_out_edges")
  others = [name for name in kept if name not in special]
  order = [name for name in (*special, *others) if name in kept]
  looks = [
    intervals.LOOKS[1]
    if name == "held_out_edges"
    else intervals.LOOKS[5 if name == "walked_edges" else 0]
    for name in order
  ]
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((9.2, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    names = [name.replace("_", " ") for name in order]
    values = np.stack([kept[name] for name in order], axis=1)
    intervals.dots(left, names, np.maximum(values, 1e-7), looks)
    left.set_xscale("log")
    left.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:g}"))
    left.xaxis.set_minor_formatter(ticker.NullFormatter())
    left.set_xlabel("probability of the word (log scale)")
    left.set_title("pairs that no step joined, below the walked edges")
    rows = {
      "model": model[:3],
      "model, structure\ntaken out": adjusted,
      "multi-step reader": reader[:3],
      "reader of\nobserved steps": (0.0, 0.0, 0.0),
    }
    right.axvspan(
      model.null_low, model.null_high, color=_CHANCE, lw=0, zorder=0
    )
    intervals.dots(
      right,
      list(rows),
      np.array(list(rows.values())).T,
      [intervals.LOOKS[k] for k in (1, 1, 3, 2)],
    )
    right.axvline(0, color="#6b7280", lw=0.8)
    right.set_xlabel("gain of held-out edges (log-probability, nats)")
    right.set_title("grey: chance for the model")
    figure.suptitle("Edges that exist but were never walked", x=0.01, ha="left")
    figures.write_png(figure, path, dpi=figures.DPI)
