"""PCA pictures of the words over contexts and layers."""

from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure
from matplotlib import patheffects
from matplotlib.patches import FancyArrowPatch
import numpy as np

from icl_graphs.report import alignment, palette, placement, view

COLUMNS = 5
INK, FAINT = "#1f2937", "#9ca3af"
PANEL, REACH = 2.15, 1.45  # inches; half the side of a picture in its units
_CORNER = np.array([-1.2, -1.2])
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
    (2.25 * (len(columns) + 1), 2.42 * len(rows) + 0.6), layout="constrained"
  )
  grid = figure.subplots(len(rows), len(columns) + 1, squeeze=False)
  colours = palette.by_place(one.positions)
  labels = one.labels("layer")
  for row, k in zip(grid, rows, strict=True):
    frame(row[0])
    name = "embedding" if labels[k] == 0 else f"layer {labels[k]}"
    if k == one.layer:
      picture(row[0], one, one.positions, colours, np.ones(len(colours), bool))
      row[0].set_title("the graph itself", color="#6b7280")
      name += "\n(report layer)"
    else:
      row[0].axis("off")
    row[1].set_ylabel(
      name, fontweight="bold" if k == one.layer else "normal", color=INK
    )
    for axis, c in zip(row[1:], columns, strict=True):
      frame(axis)
      turned = scores[k, c] @ turns[k, c]
      enough = one.enough[one.window, c]
      picture(axis, one, turned, colours, enough)
      if np.isfinite(turned).any():
        _compass(axis, turns[k, c], _ratios(one, k, c))
      if k == rows[0]:
        axis.set_title(one.context_text(c))
      if not enough.all():
        axis.text(
          0.98,
          0.02,
          f"{np.sum(~enough)} words seen too rarely",
          transform=axis.transAxes,
          ha="right",
          fontsize=6,
          color="#6b7280",
        )
  # A narrow figure has no room for one long line.
  gap = " " if len(columns) >= COLUMNS else "\n"
  grows = " as the context grows" if len(columns) > 1 else ""
  figure.suptitle(
    f"{one.spec}: how the words are arranged{grows}{gap}"
    f"(PC 1-2; report: {one.where}; lines: the graph's edges)",
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


def frame(axis: mpl_axes.Axes) -> None:
  """An empty square picture without ticks."""
  axis.set(xticks=[], yticks=[], xlim=(-REACH, REACH), ylim=(-REACH, REACH))
  axis.set_aspect("equal")
  axis.spines[:].set_visible(True)
  axis.spines[:].set_color("#e5e7eb")


def picture(
  axis: mpl_axes.Axes,
  one: view.GraphView,
  points: np.ndarray,
  colours: list[str],
  enough: np.ndarray,
  *,
  named: bool = True,
) -> None:
  """Nodes and the graph's edges, scaled to fill the frame.

  Args:
    axis: from `frame`.
    one: for its words, edges and directed.
    points: [n, 2]; NaN rows are left out.
    colours: of the nodes.
    enough: [n] bool; the others are drawn hollow.
    named: whether every node gets its word.
  """
  known = np.isfinite(points).all(axis=1)
  if not known.any():
    axis.text(
      0,
      0,
      "no picture: some words\nnot seen yet",
      ha="center",
      va="center",
      color=FAINT,
    )
    return
  low, high = points[known].min(axis=0), points[known].max(axis=0)
  points = (points - (low + high) / 2) / ((high - low).max() / 2 or 1.0)
  for i, j in one.edges:
    if known[i] and known[j]:
      _edge(axis, points[i], points[j], one.directed)
  small = len(points) > 20
  for index in np.flatnonzero(known):
    solid = enough[index]
    axis.plot(
      *points[index],
      marker="o",
      ms=4 if small else 5.5,
      mfc=colours[index] if solid else "white",
      mec=INK if solid else FAINT,
      mew=0.5 if solid else 1.0,
      zorder=2,
    )
  if named:
    _names(axis, one.words, points, enough, 5.4 if small else 6.6)


def _names(
  axis: mpl_axes.Axes,
  words: list[str],
  points: np.ndarray,
  enough: np.ndarray,
  size: float,
) -> None:
  """Words beside their nodes, `size` points high."""
  # Data units per point of font size, for a picture PANEL inches wide.
  unit = 2 * REACH / (72 * PANEL)
  widths = np.array([0.6 * size * unit * len(word) for word in words])
  centres = placement.label_centres(
    points, widths, 1.1 * size * unit, 4.2 * unit, REACH
  )
  for index in np.flatnonzero(np.isfinite(points).all(axis=1)):
    axis.text(
      *centres[index],
      words[index],
      ha="center",
      va="center",
      fontsize=size,
      color=INK if enough[index] else FAINT,
      path_effects=_HALO,
      zorder=3,
      clip_on=True,
    )


def _edge(
  axis: mpl_axes.Axes, start: np.ndarray, end: np.ndarray, directed: bool
) -> None:
  if not directed:
    axis.plot(*np.stack([start, end]).T, color=FAINT, lw=0.8, zorder=1)
    return
  axis.add_patch(
    FancyArrowPatch(
      start,
      end,
      arrowstyle="-|>",
      mutation_scale=6,
      shrinkA=3,
      shrinkB=4,
      lw=0.7,
      color=FAINT,
      zorder=1,
    )
  )


def _compass(axis: mpl_axes.Axes, turn: np.ndarray, ratio: np.ndarray) -> None:
  """Two short arrows: PC1 and PC2 with the variance they explain."""
  lines = []
  for row, share, name in zip(turn, ratio, ("PC1", "PC2"), strict=True):
    if np.isfinite(share):
      stroke = "—" if name == "PC1" else "···"
      lines.append(f"{stroke} {name} {share:.0%}")
    axis.annotate(
      "",
      xy=_CORNER + 0.2 * row,
      xytext=_CORNER,
      arrowprops={
        "arrowstyle": "-|>,head_length=.25,head_width=.12",
        "lw": 1.1 if name == "PC1" else 0.7,
        "ls": "-" if name == "PC1" else (0, (1.5, 1)),
        "color": INK,
        "shrinkA": 0,
        "shrinkB": 0,
      },
    )
  axis.set_xlabel("   ".join(lines), fontsize=7, labelpad=2)
