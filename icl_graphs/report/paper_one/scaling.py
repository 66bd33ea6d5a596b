"""Transitions against the size of the graph, beside coverage times."""

from collections.abc import Mapping, Sequence

from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure
from matplotlib import ticker
import numpy as np

from icl_graphs.report import curves
from icl_graphs.report.paper_one import intervals

# How other families are marked; grids come first.
_FAMILY = {"grid": 0, "ring": 1, "hex": 3, "regular": 4}
_SMOOTH = 1.12
_LIMIT = "#9ca3af"


def scaling(
  ones: Mapping[str, Sequence], context: int
) -> mpl_figure.Figure | None:
  """Three panels: curves on grids, grids against m, families against n.

  Args:
    ones: graphs by family, each with the attributes of `growth.Growth`.
    context: longest context in words.
  """
  grids = ones.get("grid", ())
  if not any(ones.values()):
    return None
  figure = mpl_figure.Figure((11.5, 3.9), layout="constrained")
  first, second, third = figure.subplots(1, 3)
  _curves(first, grids)
  _grids(second, grids, context)
  _families(third, ones, context)
  return figure


def smooth(curve: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Means over 12% of context either way, at log-spaced t."""
  length = len(curve)
  t = np.unique(np.rint(np.geomspace(1, length, 60)).astype(int))
  return t, np.array(
    [curve[int(np.ceil(x / _SMOOTH)) - 1 : int(x * _SMOOTH)].mean() for x in t]
  )


def _curves(axis: mpl_axes.Axes, grids) -> None:
  for rank, one in enumerate(grids):
    t, mean = smooth(one.curve)
    shade = 0.75 * rank / max(1, len(grids) - 1)
    colour = str(shade)
    axis.plot(
      t, mean, color=colour, lw=1.3, ls=curves.DASHES[rank % 4],
      label=one.spec.split(":")[1],
    )  # fmt: skip
    bend = one.bend.bend.value
    if np.isfinite(bend):
      axis.plot(
        bend, np.interp(bend, t, mean), marker="o", ms=5.5, color=colour,
        mfc=colour if one.bend.determined else "white",
      )  # fmt: skip
  curves.log_axis(axis, _ticks(len(grids[0].curve) if grids else 10))
  axis.set_ylim(0, 1)
  axis.set_title("Accuracy on m x m grids, and where it takes off")
  axis.set_xlabel("context (words)")
  axis.set_ylabel("probability on neighbours")
  axis.legend(fontsize=7, ncols=2, loc="lower right", frameon=False)


def _ticks(length: int) -> list[int]:
  return [t for t in (1, 3, 10, 30, 100, 300, 1000, 3000) if t <= length]


def _points(axis, x, stats, look, label, filled=None) -> None:
  """Values with whiskers; hollow where not `filled`."""
  stats = np.asarray(stats, float).reshape(-1, 3)
  known = np.isfinite(stats[:, 0])
  filled = known if filled is None else np.asarray(filled)
  for place, (value, low, high), full in zip(x, stats, filled, strict=True):
    if not np.isfinite(value):
      continue
    if np.isfinite([low, high]).all():
      axis.plot([place, place], [low, high], color=look.colour, lw=1)
    axis.plot(
      place, value, marker=look.marker, ms=5.5, color=look.colour, ls="",
      mfc=look.colour if full else "white",
    )  # fmt: skip
  axis.plot(
    [], [], marker=look.marker, ms=5.5, color=look.colour, ls="", label=label
  )


def _line(axis, x, stats, look, label) -> None:
  value = np.asarray(stats, float).reshape(-1, 3)[:, 0]
  axis.plot(
    x, value, color=look.colour, ls=look.dashes, lw=1.3, marker=look.marker,
    ms=3.5, label=label,
  )  # fmt: skip


def _grids(axis: mpl_axes.Axes, grids, context) -> None:
  sides = np.array([one.nodes for one in grids]) ** 0.5
  looks = intervals.LOOKS
  kept = [one.bend.determined for one in grids]
  _points(
    axis, sides * 0.985, [one.bend.bend[:3] for one in grids], looks[0],
    "breakpoint", kept,
  )  # fmt: skip
  inside = [one.belief.crossed for one in grids]
  shown = [
    one.belief.midpoint[:3] if good else (np.nan,) * 3
    for one, good in zip(grids, inside, strict=True)
  ]
  _points(axis, sides * 1.015, shown, looks[1], "log-odds midpoint")
  _line(
    axis, sides, [one.edges for one in grids], looks[2], "half of the edges"
  )
  _line(axis, sides, [one.cover for one in grids], looks[3], "every node seen")
  _line(
    axis, sides, [one.counted[:3] for one in grids], looks[4], "counting reader"
  )
  _log_log(axis, sides, context)
  axis.set_title("Grids: transition against side m")
  axis.set_xlabel("side m (nodes)")
  axis.set_ylabel("context (words)")


def _families(axis: mpl_axes.Axes, ones, context) -> None:
  sizes = []
  for family, members in ones.items():
    look = intervals.LOOKS[_FAMILY.get(family, 5)]
    # Side by side where families have graphs of one size.
    aside = 1 + 0.03 * (_FAMILY.get(family, 5) - 2)
    nodes = [one.nodes * aside for one in members]
    sizes += [one.nodes for one in members]
    _points(
      axis, nodes, [one.bend.bend[:3] for one in members], look, family,
      [one.bend.determined for one in members],
    )  # fmt: skip
    _line(axis, nodes, [one.edges for one in members], look, None)
  _log_log(axis, sizes, context)
  low, high = axis.get_ylim()
  axis.set_ylim(low, high * 4)  # room for the legend
  axis.set_title("All families (lines: half of the edges crossed)")
  axis.set_xlabel("nodes n")
  axis.set_ylabel("context (words)")


def _log_log(axis: mpl_axes.Axes, sizes, context: int) -> None:
  axis.axhline(context, color=_LIMIT, lw=1)
  axis.text(
    0.99, context, "longest context", color="#6b7280", fontsize=7,
    ha="right", va="bottom", transform=axis.get_yaxis_transform(),
  )  # fmt: skip
  axis.set_xscale("log")
  axis.set_yscale("log")
  ticks = np.unique(np.round(sizes).astype(int)) if len(sizes) else [1]
  if len(ticks) > 9:
    ticks = [6, 10, 16, 25, 50, 100]
  axis.set_xticks(ticks)
  for which in (axis.xaxis, axis.yaxis):
    which.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:g}"))
  axis.xaxis.set_minor_locator(ticker.NullLocator())
  axis.legend(fontsize=7, loc="upper left", frameon=False)
