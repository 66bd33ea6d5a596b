"""PCA pictures of the words over contexts and layers."""

import numpy as np
from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure
from matplotlib import patheffects
from matplotlib.patches import FancyArrowPatch

from icl_graphs.report import alignment, palette, view

COLUMNS = 5
INK = "#1f2937"
_HALO = [patheffects.withStroke(linewidth=1.8, foreground="white")]


def emergence(one: view.GraphView) -> mpl_figure.Figure | None:
  """The picture at several contexts (columns) and layers (rows).

  Each picture is turned to agree with its neighbours and scaled to fill its
  frame; the arrows show where PC1 and PC2 point after turning.
  """
  scores = one.scores
  if scores is None or scores.shape[-1] < 2:
    return None
  scores = scores[:, one.window, :, :, :2]
  turns = alignment.rotations(scores, one.positions, one.layer)
  rows = _rows(one)
  columns = _columns(scores[one.layer])
  figure = mpl_figure.Figure(
    (2.25 * (len(columns) + 1), 2.4 * len(rows) + 0.75), layout="constrained"
  )
  grid = figure.subplots(len(rows), len(columns) + 1, squeeze=False)
  colours = palette.by_place(one.positions)
  labels = one.labels("layer")
  for row, k in zip(grid, rows, strict=True):
    _frame(row[0])
    name = "embedding" if labels[k] == 0 else f"layer {labels[k]}"
    if k == one.layer:
      _points(row[0], one, one.positions, colours, np.ones(len(colours), bool))
      row[0].set_title("the graph itself", color="#6b7280")
      name += "\n(report layer)"
    else:
      row[0].axis("off")
    row[1].set_ylabel(
      name, fontweight="bold" if k == one.layer else "normal", color=INK
    )
    for axis, c in zip(row[1:], columns, strict=True):
      _frame(axis)
      turned = scores[k, c] @ turns[k, c]
      missing = ~np.isfinite(turned).all(axis=1)
      _points(axis, one, turned, colours, one.enough[one.window, c])
      _compass(axis, turns[k, c], _ratios(one, k, c))
      if k == rows[-1]:
        axis.set_title(f"{one.labels('context')[c]} words")
      if missing.any():
        axis.text(
          0.5,
          0.01,
          f"{missing.sum()} words not seen often enough",
          transform=axis.transAxes,
          ha="center",
          fontsize=6,
          color="#6b7280",
        )
  figure.suptitle(
    f"{one.spec}: how the words are arranged as the context grows "
    f"(PC 1-2, window {one.labels('window')[one.window]}; lines: the graph's "
    "edges)",
    x=0.01,
    ha="left",
  )
  return figure


def _rows(one: view.GraphView) -> list[int]:
  """Deepest first: last layer, report layer, an early one."""
  last = one.size("layer") - 1
  return sorted({last, one.layer, min(one.layer // 3, last)}, reverse=True)


def _columns(scores: np.ndarray) -> list[int]:
  """About five contexts, evenly spread over those with a picture."""
  drawn = np.flatnonzero(np.isfinite(scores).all(axis=-1).any(axis=-1))
  if not drawn.size:
    drawn = np.arange(len(scores))
  picked = np.linspace(0, drawn.size - 1, min(COLUMNS, drawn.size))
  return [int(drawn[index]) for index in np.round(picked).astype(int)]


def _ratios(one: view.GraphView, k: int, c: int) -> np.ndarray:
  explained = one.explained
  if explained is None:
    return np.full(2, np.nan)
  return explained[k, one.window, c, :2]


def _frame(axis: mpl_axes.Axes) -> None:
  axis.set(xticks=[], yticks=[], xlim=(-1.42, 1.42), ylim=(-1.42, 1.42))
  axis.set_aspect("equal")
  axis.spines[:].set_visible(True)
  axis.spines[:].set_color("#e5e7eb")


def _points(
  axis: mpl_axes.Axes,
  one: view.GraphView,
  points: np.ndarray,
  colours: list[str],
  enough: np.ndarray,
) -> None:
  known = np.isfinite(points).all(axis=1)
  size = np.abs(points[known]).max() if known.any() else 1.0
  points = points / (size or 1.0)
  for i, j in one.edges:
    if not (known[i] and known[j]):
      continue
    if one.directed:
      axis.add_patch(
        FancyArrowPatch(
          points[i],
          points[j],
          arrowstyle="-|>",
          mutation_scale=6,
          shrinkA=3,
          shrinkB=4,
          lw=0.7,
          color="#9ca3af",
          zorder=1,
        )
      )
    else:
      axis.plot(*points[[i, j]].T, color="#9ca3af", lw=0.8, zorder=1)
  small = len(points) > 20
  for index in np.flatnonzero(known):
    solid = enough[index]
    axis.plot(
      *points[index],
      marker="o",
      ms=4 if small else 5.5,
      mfc=colours[index] if solid else "white",
      mec=INK if solid else "#9ca3af",
      mew=0.5 if solid else 1.0,
      zorder=2,
    )
    side = 1 if points[index, 0] >= 0 else -1
    axis.annotate(
      one.words[index],
      points[index],
      xytext=(4 * side, 3.2 if points[index, 1] >= 0 else -3.2),
      textcoords="offset points",
      ha="left" if side > 0 else "right",
      va="bottom" if points[index, 1] >= 0 else "top",
      fontsize=5.2 if small else 6.4,
      color=INK if solid else "#9ca3af",
      path_effects=_HALO,
      zorder=3,
      annotation_clip=True,
    )


def _compass(axis: mpl_axes.Axes, turn: np.ndarray, ratio: np.ndarray) -> None:
  """Two short arrows: PC1 and PC2 with the variance they explain."""
  lines = []
  for row, share, name in zip(turn, ratio, ("PC1", "PC2"), strict=True):
    if np.isfinite(share):
      lines.append(f"{name} {share:.0%}")
    axis.annotate(
      "",
      xy=np.array([-1.18, -1.18]) + 0.2 * row,
      xytext=(-1.18, -1.18),
      arrowprops={
        "arrowstyle": "-|>,head_length=.25,head_width=.12",
        "lw": 1.1 if name == "PC1" else 0.7,
        "ls": "-" if name == "PC1" else (0, (1.5, 1)),
        "color": INK,
        "shrinkA": 0,
        "shrinkB": 0,
      },
    )
  axis.set_xlabel(" · ".join(lines), fontsize=7, labelpad=2)
