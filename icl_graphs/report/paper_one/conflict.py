"""Pictures of two rings over the same words."""

from collections.abc import Mapping, Sequence
import pathlib

from jaxtyping import Float
import matplotlib
from matplotlib import figure as mpl_figure
from matplotlib import patheffects
import numpy as np

from icl_graphs.report import curves, figures
from icl_graphs.report.paper_one import intervals

CALENDAR, CONTEXT = intervals.LOOKS[0], intervals.LOOKS[1]
VALUE, LOW, HIGH, NULL_HIGH = 0, 1, 2, 5
_HALO = [patheffects.withStroke(linewidth=2.2, foreground="white")]


def pictures(
  path: pathlib.Path,
  scores: Float[np.ndarray, "2 n 4"],
  explained: Float[np.ndarray, "2 4"],
  words: Sequence[str],
  order: Sequence[int],
  contexts: tuple[int, int],
  layer: int,
) -> None:
  """Components 1-2 and 3-4 at two contexts, with both rings.

  Args:
    path: of the PNG.
    scores: of the class means, words in calendar order.
    explained: share of the variance of each component.
    words: n words in calendar order.
    order: the ring that was walked.
    contexts: in tokens.
    layer: hidden state.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((6.6, 6.9), layout="constrained")
    grid = figure.subplots(2, 2)
    for row, at, share, tokens in zip(
      grid, scores, explained, contexts, strict=True
    ):
      for axis, first in zip(row, (0, 2), strict=True):
        _picture(axis, at[:, first : first + 2], words, order)
        axis.set_xlabel(f"PC{first + 1} ({share[first]:.0%} of variance)")
        axis.set_ylabel(f"PC{first + 2} ({share[first + 1]:.0%})")
      row[0].set_title(
        "first word: no context" if tokens == 1 else f"{tokens} tokens"
      )
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    figure.suptitle(
      f"Which ring do the days lie on? (hidden state {layer})",
      x=0.01,
      ha="left",
    )
    figures.write_png(figure, path, dpi=figures.DPI)


def _picture(axis, points, words, order):
  """Both rings through the words; the frame is as wide as it is high."""
  rings = ((range(len(words)), CALENDAR, "calendar", 2.0),)
  rings += ((order, CONTEXT, "context (walked)", 1.6),)
  for ring, look, label, width in rings:
    closed = points[[*ring, ring[0]]]
    axis.plot(
      *closed.T, color=look.colour, ls=look.dashes, lw=width, label=label
    )
  axis.plot(*points.T, ls="", marker="o", ms=5, mfc="white", mec="#111827")
  middle = points.mean(axis=0)
  reach = np.abs(points - middle).max() * 1.35
  for point, word in zip(points, words, strict=True):
    away = point - middle
    away = away / max(np.linalg.norm(away), 1e-9)
    axis.text(
      *(point + 0.13 * reach * away),
      word[:3],
      ha="center",
      va="center",
      path_effects=_HALO,
    )
  axis.set(xticks=[], yticks=[])
  axis.set_xlim(middle[0] - reach, middle[0] + reach)
  axis.set_ylim(middle[1] - reach, middle[1] + reach)
  axis.set_aspect("equal")


def over_context(
  path: pathlib.Path,
  stats: Mapping[str, Float[np.ndarray, "C 6"]],
  contexts: Sequence[int],
  layer: int,
) -> None:
  """Both rings in components 1-2, in 3-4, and by regression.

  Args:
    path: of the PNG.
    stats: measure to value, low, high, null, null_low, null_high.
    contexts: in tokens.
    layer: hidden state.
  """
  panels = (
    ("components 1-2", "in_pc12", "share of the components in the ring"),
    ("components 3-4", "in_pc34", ""),
    ("regression, no components", "unique", "semi-partial correlation"),
  )
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((9.6, 3.7), layout="constrained")
    for axis, (title, name, label) in zip(
      figure.subplots(1, 3), panels, strict=True
    ):
      for ring, look in (("calendar", CALENDAR), ("context", CONTEXT)):
        _line(axis, contexts, stats[f"{ring}_{name}"], look, ring)
      axis.set_title(title)
      axis.set_ylabel(label)
      axis.axhline(0, color="#d1d5db", lw=0.7, zorder=0)
      curves.log_axis(axis, list(contexts))
      axis.set_xlabel("context (tokens, log scale)")
      if name != "unique":
        axis.set_ylim(-0.03, 1.03)
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    figure.suptitle(
      f"Calendar against context as pairs of days are read (hidden state"
      f" {layer}, clearest orders)",
      x=0.01,
      ha="left",
    )
    figures.write_png(figure, path, dpi=figures.DPI)


def over_layers(
  path: pathlib.Path,
  stats: Mapping[str, Float[np.ndarray, "L 2 6"]],
  layers: Sequence[int],
  contexts: tuple[int, int],
  layer: int,
) -> None:
  """What either ring alone explains, at the first and longest context.

  Args:
    path: of the PNG.
    stats: measure to value, low, high, null, null_low, null_high.
    layers: hidden states.
    contexts: in tokens.
    layer: the report layer, marked.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((7.4, 3.7), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for place, (axis, tokens) in enumerate(zip(panels, contexts, strict=True)):
      for ring, look in (("calendar", CALENDAR), ("context", CONTEXT)):
        _line(axis, layers, stats[f"{ring}_unique"][:, place], look, ring)
      axis.set_title(
        "first word: no context" if tokens == 1 else f"{tokens} tokens"
      )
      axis.axvline(layer, color="#d1d5db", lw=5, zorder=0)
      axis.set_xlabel("hidden state (0 = embedding)")
      axis.set_xticks(layers[:: max(1, -(-len(layers) // 12))])
      axis.axhline(0, color="#d1d5db", lw=0.7, zorder=0)
    panels[0].set_ylabel("semi-partial correlation")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    figure.suptitle(
      "Where the two rings sit (grey: report layer)", x=0.01, ha="left"
    )
    figures.write_png(figure, path, dpi=figures.DPI)


def _line(axis, x, stat, look, ring):
  intervals.line(axis, x, stat[:, [VALUE, LOW, HIGH]].T, look, ring)
  axis.plot(
    x,
    stat[:, NULL_HIGH],
    color=look.colour,
    ls=look.dashes,
    lw=0.7,
    label=f"{ring}, upper end of chance",
  )
