"""Figures of attention heads: scores, and what is lost without them."""

from collections.abc import Mapping, Sequence
import pathlib
from typing import Any

from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure
import numpy as np
import xarray as xr

from icl_graphs.report import curves
from icl_graphs.report.paper_one import drawing, intervals

# More cells than this are drawn without their numbers.
_NUMBERED = 80
_BINS = 16
_LISTS = ("induction heads", "previous-token heads")
_RANDOM, _CLEAN = "random heads", "clean run"
_LOOKS = {
  _LISTS[0]: intervals.LOOKS[0],
  _LISTS[1]: intervals.LOOKS[1],
  _RANDOM: intervals.LOOKS[2],
  _CLEAN: intervals.LOOKS[5],
}
_ABLATIONS = ("zero", "mean")
_SHAPES = (
  ("principal_cosine_2", "smaller principal cosine"),
  ("energy_relative", "relative energy"),
  ("distance_correlation", "distance correlation"),
)


def write(
  folder: pathlib.Path, measured: xr.Dataset, summary: Mapping[str, Any]
) -> None:
  """Draws heads_scores.png, heads_accuracy.png and heads_geometry.png.

  Args:
    folder: for the PNGs.
    measured: `score` (sequence, pattern, layer, head), `accuracy_full` (walk,
      condition, word), `principal_cosine_2`, `energy_relative` and
      `distance_correlation` (hidden_state, condition, stat), and the
      coordinates of conditions.
    summary: "final" [3, condition], "random" by size and ablation, "judged".
  """
  for name, draw in (
    ("heads_scores.png", scores),
    ("heads_accuracy.png", accuracies),
    ("heads_geometry.png", geometry),
  ):
    drawing.write(folder / name, draw, measured, summary)


def scores(
  measured: xr.Dataset, summary: Mapping[str, Any]
) -> mpl_figure.Figure:
  """Mean attention of every head, previous-token and induction."""
  del summary
  score = measured["score"].mean("sequence")
  layers, number = score.sizes["layer"], score.sizes["head"]
  height = 1.6 + min(5.0, 0.34 * layers)
  figure = mpl_figure.Figure((8.6, height), layout="constrained")
  for axis, kind, title in zip(
    figure.subplots(1, 2, sharey=True),
    reversed(_LISTS),
    ("Previous-token score", "Induction score"),
    strict=True,
  ):
    values = score.sel(pattern=kind).values
    image = axis.imshow(values, cmap="Greys", vmin=0, vmax=1, aspect="auto")
    if values.size <= _NUMBERED:
      for (row, column), value in np.ndenumerate(values):
        axis.text(
          column, row, f"{value:.2f}", ha="center", va="center", fontsize=8,
          color="white" if value > 0.5 else "black",
        )  # fmt: skip
    axis.set_title(title)
    axis.set_xlabel("head")
    axis.set_xticks(range(0, number, max(1, number // 8)))
    axis.set_yticks(range(0, layers, max(1, layers // 8)))
  figure.axes[0].set_ylabel("block")
  figure.colorbar(image, ax=figure.axes, label="mean attention", shrink=0.8)
  figure.suptitle(
    "Where heads look on random tokens that are repeated once", x=0.01,
    ha="left",
  )  # fmt: skip
  return figure


def accuracies(
  measured: xr.Dataset, summary: Mapping[str, Any]
) -> mpl_figure.Figure:
  """Above, the end of the context by number of heads; below, over context."""
  figure = mpl_figure.Figure((9.2, 6.4), layout="constrained")
  cells = figure.subplots(2, 2, sharey=True)
  for column, ablation in enumerate(_ABLATIONS):
    above, below = cells[:, column]
    _by_size(above, measured, ablation, summary["final"], summary["random"])
    above.set_title(f"{ablation} ablation, last {measured.attrs['last']} words")
    size = summary["judged"] or int(measured["size"].max())
    _by_context(below, measured, ablation, size)
    below.set_title(f"{ablation} ablation of {size} heads, over context")
    below.set_xlabel("context length (words, log scale)")
  for axis in cells[:, 0]:
    axis.set_ylabel("probability of a neighbour")
    axis.set_ylim(0, 1.02)
  _finish(figure, cells[0, 0])
  figure.suptitle(
    f"{measured.attrs['graph']}: predictions without the highest heads",
    x=0.01, ha="left",
  )  # fmt: skip
  return figure


def geometry(
  measured: xr.Dataset, summary: Mapping[str, Any]
) -> mpl_figure.Figure:
  """Class means at the report layer, by number of heads."""
  del summary
  layer = measured.attrs["report_layer"]
  figure = mpl_figure.Figure((9.6, 5.8), layout="constrained")
  cells = figure.subplots(2, len(_SHAPES), sharey="col", sharex=True)
  for row, ablation in enumerate(_ABLATIONS):
    for axis, (name, title) in zip(cells[row], _SHAPES, strict=True):
      stats = measured[name].sel(hidden_state=layer).values.T
      low, high = stats[5:7, 0]
      axis.axhspan(low, high, color="#d1d5db", alpha=0.6, lw=0)
      _by_size(axis, measured, ablation, stats[:3], None)
      axis.set_title(f"{title}, {ablation} ablation", fontsize=9)
  for axis in cells[:, 0]:
    axis.set_ylim(0, 1.05)
  for axis in cells[0]:
    axis.set_xlabel("")
  _finish(figure, cells[0, 0])
  figure.suptitle(
    f"{measured.attrs['graph']}: geometry of hidden state {layer} without the"
    " highest heads (grey: null of permuted words)",
    x=0.01, ha="left",
  )  # fmt: skip
  return figure


def _by_size(
  axis: mpl_axes.Axes,
  measured: xr.Dataset,
  ablation: str,
  estimate: np.ndarray,
  random: Mapping[tuple[int, str], np.ndarray] | None,
) -> None:
  """Lines of both lists, random heads (each set where no mean is given)."""
  sizes = sorted(set(measured["size"].values.tolist()) - {0})
  for kind in _LISTS:
    of = [_of(measured, kind, size, ablation)[0] for size in sizes]
    intervals.line(axis, sizes, estimate[:, of], _LOOKS[kind], kind)
  drawn = [
    size for size in sizes if len(_of(measured, _RANDOM, size, ablation))
  ]
  look = _LOOKS[_RANDOM]
  if random is not None and drawn:
    mean = np.stack([random[size, ablation] for size in drawn], axis=1)
    intervals.line(axis, drawn, mean, look, f"{_RANDOM}, mean of sets")
  for size in drawn:
    sets = estimate[0, _of(measured, _RANDOM, size, ablation)]
    axis.plot(
      [size] * len(sets), sets, ls="", marker="_", ms=7, color=look.colour,
      label="single random sets" if size == drawn[0] else None,
    )  # fmt: skip
  clean = np.repeat(estimate[:, :1], len(sizes), axis=1)
  intervals.line(axis, sizes, clean, _LOOKS[_CLEAN], _CLEAN)
  axis.set_xscale("log", base=2)
  axis.set_xticks(sizes, [str(size) for size in sizes])
  axis.minorticks_off()
  axis.set_xlabel("number of ablated heads")


def _by_context(
  axis: mpl_axes.Axes, measured: xr.Dataset, ablation: str, size: int
) -> None:
  """Mean accuracy in log-spaced bins of the context."""
  words = measured["word"].values
  edges = np.unique(np.geomspace(1, len(words) + 1, _BINS).astype(int))
  bins = list(zip(edges[:-1], edges[1:], strict=True))
  middle = [words[a - 1 : b - 1].mean() for a, b in bins]
  mean = measured["accuracy_full"].mean("walk").values
  for kind in (*_LISTS, _RANDOM, _CLEAN):
    of = _of(measured, kind, size, ablation) if kind != _CLEAN else [0]
    if len(of):
      curve = mean[of].mean(axis=0)
      look = _LOOKS[kind]
      axis.plot(
        middle, [curve[a - 1 : b - 1].mean() for a, b in bins],
        color=look.colour, ls=look.dashes, marker=look.marker, ms=3.5, lw=1.5,
      )  # fmt: skip
  plain = [m * 10**k for k in range(6) for m in (1, 2, 5)]
  curves.log_axis(axis, [one for one in plain if one <= len(words)])


def _of(
  measured: xr.Dataset, kind: str, size: int, ablation: str
) -> Sequence[int]:
  return np.flatnonzero(
    (measured["kind"].values == kind)
    & (measured["size"].values == size)
    & (measured["ablation"].values == ablation)
  )


def _finish(figure: mpl_figure.Figure, axis: mpl_axes.Axes) -> None:
  figure.legend(
    *axis.get_legend_handles_labels(), loc="outside lower center", ncols=5
  )
