"""The words taking the shape of the graph: over contexts, over layers.

Pictures are turned as wholes so that neighbouring ones agree; that is for the
eye only (see `alignment`). Letters: L layers, C contexts, n nodes.
"""

from collections.abc import Sequence

from jaxtyping import Float
from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure
import numpy as np

from icl_graphs.report import alignment, gallery, palette, view, wording

ROWS, COLUMNS = 6, 5
INK, SOFT, FAINT = "#111827", "#6b7280", "#d1d5db"
# Inches: side of a picture, and what stands above and below all of them.
_PICTURE, _HEAD, _FOOT = 1.7, 0.75, 0.6
_STATS = ("value", "low", "high", "null")
# What a picture must show on both to be called formed, and the side.
MEASURES = (("energy_relative", -1), ("principal_cosine_2", 1))
# How a cell's frame is drawn: colour, width, line style.
FRAMES = {
  "present": (INK, 1.8, "-"),
  "matched": (INK, 0.9, (0, (3, 2))),
  "absent": (FAINT, 0.8, "-"),
  "unknown": (FAINT, 0.8, ":"),
}
FRAMES_TEXT = (
  "Thick frame: neighbours closer, and the plane nearer to the graph's two "
  "smoothest modes,\nthan with relabelled words and than with random weights. "
  "Dashed: only than with relabelled words. Thin grey: neither. Hollow dots: "
  "words seen too rarely."
)


def states(one: view.GraphView) -> np.ndarray:
  """What may be said of the picture at each layer and context.

  present: relative energy lower and the smaller principal cosine higher than
  their nulls (the value beyond the exact limits of the null, the interval
  beyond its mean) and, where an untrained model was measured, than in it.
  matched: clear of the nulls, but on one or both no further than the untrained
  model. absent: not clear of both nulls. unknown: a word was never seen.

  Returns:
    [L, C] of str, at the view's window.
  """
  found = np.full((one.size("layer"), one.size("context")), "present", object)
  for state in ("matched", "absent", "unknown"):
    for name, direction in MEASURES:
      found[judged(one, name, direction) == state] = state
  return found


def judged(one: view.GraphView, name: str, direction: int) -> np.ndarray:
  """`wording.judge` of one measure, [L, C]; reversed counts as absent."""
  band = one.null_band(name)
  numbers = [one.stat(name, which) for which in _STATS]
  numbers += [None, None] if band is None else list(band)
  numbers.append(None if one.control is None else one.control.stat(name))
  shape = one.size("layer"), one.size("context")
  columns = [
    np.full(shape, np.nan) if each is None else each[:, one.window]
    for each in numbers
  ]
  found = np.empty(shape, object)
  for here in np.ndindex(shape):
    *stats, low, high, untrained = (float(each[here]) for each in columns)
    state = wording.judge(direction, *stats, (low, high), untrained)
    found[here] = "absent" if state == "reversed" else state
  return found


def turned(
  one: view.GraphView, components: tuple[int, int] = (0, 1)
) -> Float[np.ndarray, "L C n 2"] | None:
  """Scores in two components, turned so that neighbouring pictures agree.

  None where the components were not kept.
  """
  scores = one.scores
  if scores is None or scores.shape[-1] <= max(components):
    return None
  scores = scores[:, one.window][..., list(components)]
  return scores @ alignment.rotations(scores, one.positions, one.layer)


def chosen_layers(one: view.GraphView, most: int = ROWS) -> list[int]:
  """Positions of layers to draw, deepest first: the embedding, the report
  layer, the last, and what lies evenly between."""
  last = one.size("layer") - 1
  even = np.round(np.linspace(0, last, min(most, last + 1))).astype(int)
  picked = set(even.tolist())
  if one.layer not in picked:
    inner = [k for k in picked if k not in (0, last)] or list(picked)
    picked.discard(min(inner, key=lambda k: abs(k - one.layer)))
    picked.add(one.layer)
  return sorted(picked, reverse=True)


def chosen_contexts(points: np.ndarray, most: int = COLUMNS) -> list[int]:
  """Positions of contexts to draw, evenly over those that have a picture."""
  drawn = np.flatnonzero(np.isfinite(points).all(axis=(-2, -1)).any(axis=0))
  if not drawn.size:
    drawn = np.arange(points.shape[1])
  even = np.linspace(0, drawn.size - 1, min(most, drawn.size))
  return [int(drawn[index]) for index in np.round(even).astype(int)]


def layer_name(one: view.GraphView, position: int) -> str:
  label = one.labels("layer")[position]
  name = "embedding" if label == 0 else f"layer {label}"
  return f"{name}\n(report layer)" if position == one.layer else name


def over_layers(
  one: view.GraphView, components: tuple[int, int] = (0, 1)
) -> mpl_figure.Figure | None:
  """Layers (rows, deepest first) by contexts (columns), beside the graph."""
  points = turned(one, components)
  if points is None:
    return None
  rows, columns = chosen_layers(one), chosen_contexts(points)
  # The frames tell of the first two components only.
  planar = components == (0, 1)
  found = states(one)
  width = _PICTURE * (len(columns) + 1.6) + 0.2
  height = (_PICTURE + 0.22) * len(rows) + _HEAD + _FOOT
  figure = mpl_figure.Figure((width, height))
  cells = figure.add_gridspec(
    len(rows),
    len(columns) + 1,
    width_ratios=[1.35, *[1] * len(columns)],
    # Placed by hand: an automatic layout takes seconds for this many pictures.
    left=0.1 / width,
    right=1 - 0.1 / width,
    top=1 - _HEAD / height,
    bottom=_FOOT / height,
    wspace=0.06,
    hspace=0.17,
  )
  the_graph(figure.add_subplot(cells[: min(2, len(rows)), 0]), one)
  for place, k in enumerate(rows):
    for column, c in enumerate(columns, start=1):
      axis = figure.add_subplot(cells[place, column])
      cell(axis, one, points[k, c], found[k, c] if planar else "absent", k, c)
      if column == 1:
        weight = "bold" if k == one.layer else "normal"
        axis.set_ylabel(layer_name(one, k), color=INK, fontweight=weight)
      if place == 0:
        axis.set_title(one.context_text(c))
  first, second = (component + 1 for component in components)
  figure.suptitle(
    f"{one.spec}: the words in the plane of components {first} and {second}, "
    f"over context and depth\n{_how_averaged(one)}; lines: the graph's edges",
    x=0.1 / width,
    y=1 - 0.1 / height,
    ha="left",
    va="top",
    fontsize=10,
  )
  if planar:
    _explain(figure, FRAMES_TEXT, 0.1 / width, 0.08 / height)
  return figure


def _explain(figure: mpl_figure.Figure, text: str, x: float, y: float) -> None:
  figure.text(x, y, text, ha="left", va="bottom", fontsize=7.5, color=SOFT)


def over_context(ones: Sequence[view.GraphView]) -> mpl_figure.Figure | None:
  """One row per graph: the report layer at growing contexts."""
  drawn = [(one, points) for one in ones if (points := turned(one)) is not None]
  if not drawn:
    return None
  columns = max(len(chosen_contexts(points)) for _, points in drawn)
  side = 1.95
  width = side * (columns + 1) + 0.2
  height = (side + 0.4) * len(drawn) + 0.75
  figure = mpl_figure.Figure((width, height))
  grid = figure.subplots(
    len(drawn),
    columns + 1,
    squeeze=False,
    gridspec_kw={
      "left": 0.1 / width,
      "right": 1 - 0.1 / width,
      "top": 1 - 0.6 / height,
      "bottom": 0.5 / height,
      "wspace": 0.05,
      "hspace": 0.24,
    },
  )
  for row, (one, points) in zip(grid, drawn, strict=True):
    the_graph(row[0], one, one.spec)
    picked, found = chosen_contexts(points), states(one)
    for axis in row[1 + len(picked) :]:
      axis.axis("off")
    for axis, c in zip(row[1:], picked, strict=False):
      here = one.layer, c
      cell(axis, one, points[here], found[here], *here, named=True)
      axis.set_title(one.context_text(c))
  first = drawn[0][0]
  figure.suptitle(
    "Words taking the shape of a graph as the context grows "
    f"(layer {first.labels('layer')[first.layer]}; mean of each word's last "
    f"{first.labels('window')[first.window]} positions; first two principal "
    "components)",
    x=0.1 / width,
    y=1 - 0.1 / height,
    ha="left",
    va="top",
    fontsize=10.5,
  )
  _explain(figure, FRAMES_TEXT.replace("\n", " "), 0.1 / width, 0.08 / height)
  return figure


def _how_averaged(one: view.GraphView) -> str:
  window = one.labels("window")[one.window]
  return f"each dot: the mean of one word over the last {window} {one.unit}"


def the_graph(
  axis: mpl_axes.Axes, one: view.GraphView, name: str = "the graph itself"
) -> None:
  """The graph's own drawing, with its words."""
  gallery.frame(axis)
  axis.spines[:].set_visible(False)
  n = one.size("node")
  gallery.picture(
    axis,
    one,
    one.positions,
    palette.by_place(one.positions),
    np.ones(n, bool),
  )
  axis.set_title(name, color=SOFT)


def cell(
  axis: mpl_axes.Axes,
  one: view.GraphView,
  points: Float[np.ndarray, "n 2"],
  state: str,
  layer: int,
  context: int,
  *,
  named: bool = False,
) -> None:
  """One picture, its relative energy below, its frame telling its state."""
  gallery.frame(axis)
  gallery.picture(
    axis,
    one,
    points,
    palette.by_place(one.positions),
    one.enough[one.window, context],
    named=named,
  )
  colour, width, style = FRAMES[state]
  axis.spines[:].set(color=colour, linewidth=width, linestyle=style)
  energy = one.stat("energy_relative")
  if energy is None:
    return
  value = float(energy[layer, one.window, context])
  if np.isfinite(value):
    axis.set_xlabel(
      f"energy {value:.2f}",
      fontsize=7,
      labelpad=2,
      fontweight="bold" if state == "present" else "normal",
    )
