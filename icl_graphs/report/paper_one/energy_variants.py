"""Every energy by its own name, at all depths and windows."""

from matplotlib import axes as mpl_axes
from matplotlib import colormaps, ticker
from matplotlib import figure as mpl_figure
import numpy as np

from icl_graphs.report import curves, view
from icl_graphs.report.paper_one import drawing
from icl_graphs.report.paper_one import energy_and_accuracy as depths

# Layers drawn per depth, and windows.
MOST_LAYERS, MOST_WINDOWS = 3, 2
_ROW, _COLUMN = 1.2, 3.3
ACCURACIES = (
  ("accuracy_full_mean", "accuracy, all words"),
  ("accuracy_restricted_mean", "accuracy, node words"),
  ("node_mass_mean", "mass on node words"),
)


def variants(one: view.GraphView) -> mpl_figure.Figure | None:
  """Energies (rows) by depth (columns), accuracies in the last row.

  Solid: the first window, dashed: the second. Each energy has its own scale.
  """
  names = [name for name in depths.VARIANTS if one.stat(name) is not None]
  if not names:
    return None
  width = _COLUMN * len(depths.DEPTHS) + 0.4
  height = _ROW * (len(names) + 1) + 1.1
  figure = mpl_figure.Figure((width, height))
  grid = figure.subplots(
    len(names) + 1,
    len(depths.DEPTHS),
    gridspec_kw={
      # By hand: automatic layouts take seconds for this many panels.
      "left": 0.85 / width,
      "right": 1 - 0.1 / width,
      "top": 1 - 0.8 / height,
      "bottom": 0.45 / height,
      "wspace": 0.22,
      "hspace": 0.42,
    },
  )
  thirds = depths.thirds(one.size("layer"))
  for place, (row, name) in enumerate(zip(grid[:-1], names, strict=True)):
    row[0].set_ylabel(name.replace("_", "\n"), fontsize=7.5)
    for axis, layers in zip(row, thirds, strict=True):
      _panel(axis, one, name, layers)
      drawing.context_axis(axis, one.labels("context"))
      axis.tick_params(labelbottom=False)
      if place == 0:
        _legend(axis)
  for axis, text in zip(grid[0], depths.DEPTHS, strict=True):
    axis.set_title(f"{text} layers")
  for axis, (name, text) in zip(grid[-1], ACCURACIES, strict=True):
    _accuracy(axis, one, name)
    axis.set_title(text, fontsize=8)
    axis.set_xlabel(f"context ({one.unit}, log scale)", fontsize=7.5)
  windows = " and ".join(map(str, one.labels("window")[:MOST_WINDOWS]))
  figure.suptitle(
    f"{one.spec}: every energy, windows {windows} (solid, dashed), and the "
    "accuracies\nDotted: value without structure (mean over relabellings); "
    "scales differ, so that shapes are compared, not heights",
    x=0.1 / width,
    y=1 - 0.08 / height,
    ha="left",
    va="top",
    fontsize=10,
  )
  return figure


def _legend(axis: mpl_axes.Axes) -> None:
  """Above the panel, right of its title."""
  axis.legend(
    loc="lower right",
    bbox_to_anchor=(1, 0.97),
    borderaxespad=0,
    fontsize=6.5,
    ncols=MOST_LAYERS,
    handlelength=1.8,
    columnspacing=0.8,
  )


def _panel(
  axis: mpl_axes.Axes, one: view.GraphView, name: str, layers: list[int]
) -> None:
  values, null = one.stat(name), one.stat(name, "null")
  assert values is not None
  contexts, labels = one.labels("context"), one.labels("layer")
  picked = layers if len(layers) <= MOST_LAYERS else [layers[0], *layers[-2:]]
  for place, k in enumerate(picked):
    shade = colormaps["viridis"](0.1 + 0.32 * place)
    colour = depths.INK if k == one.layer else shade
    for w in range(min(MOST_WINDOWS, one.size("window"))):
      axis.plot(
        contexts,
        values[k, w],
        color=colour,
        ls="-" if w == 0 else "--",
        lw=1.3,
        marker=depths.MARKERS[place] if w == 0 else None,
        ms=2.4,
        label=f"layer {labels[k]}" if w == 0 else None,
      )
    if null is not None and np.isfinite(null[k, 0]).any():
      axis.plot(contexts, null[k, 0], color=colour, lw=0.8, ls=":")
  axis.yaxis.set_major_locator(ticker.MaxNLocator(4))
  axis.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
  axis.yaxis.get_offset_text().set_fontsize(6)
  axis.tick_params(labelsize=6.5)


def _accuracy(axis: mpl_axes.Axes, one: view.GraphView, name: str) -> None:
  which = ("value", "low", "high", "null")
  at, (value, low, high, null) = curves.binned(
    one, [(name, key) for key in which]
  )
  if value is None:
    axis.axis("off")
    return
  axis.plot(at, value, color=depths.INK, lw=1.4)
  if low is not None and high is not None:
    axis.fill_between(at, low, high, color=depths.INK, alpha=0.2, lw=0)
  if null is not None and np.isfinite(null).any():
    axis.plot(at, null, color=depths.AMBER, ls=":", lw=1)
  if one.control is not None:
    at, (untrained,) = curves.binned(one.control, [(name, "value")])
    if untrained is not None:
      axis.plot(at, untrained, color=depths.GREY, ls=(0, (3, 1, 1, 1)), lw=1)
  axis.set_ylim(0, 1.03)
  axis.tick_params(labelsize=6.5)
  drawing.context_axis(axis, one.labels("context"))
