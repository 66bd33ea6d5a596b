"""Energy and accuracy against context."""

import math

from matplotlib import axes as mpl_axes
from matplotlib import colormaps, ticker
from matplotlib import figure as mpl_figure
import numpy as np

from icl_graphs.report import view

BLUE, AMBER, INK, GREY = "#1f4e8c", "#b45309", "#111827", "#6b7280"
DASHES = ["-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1.5, 1, 1.5))]
VARIANTS = (
  "energy_sum",
  "energy_edge",
  "energy_frobenius",
  "energy_centred",
  "energy_ratio",
  "energy_degree",
)
BASELINES = (
  ("memorisation_1shot", "seen once, if words were drawn iid", DASHES[2]),
  ("memorisation_2shot", "seen twice, if words were drawn iid", DASHES[3]),
  ("seen_once", "seen once, on these walks", DASHES[2]),
  ("seen_twice", "seen twice, on these walks", DASHES[3]),
  ("bayes", "Bayes bigram", DASHES[1]),
)
BINS = 90


def log_axis(
  axis: mpl_axes.Axes, ticks: list[int], counted: bool = True
) -> None:
  """Context on a log axis with plain numbers at some of the ticks."""
  axis.set_xscale("log")
  if len(ticks) == 1:
    axis.set_xlim(ticks[0] / 2, ticks[0] * 2)
  most = 7
  if len(ticks) > most:
    picked = np.unique(np.round(np.linspace(0, len(ticks) - 1, most)))
    ticks = [ticks[int(index)] for index in picked]
  axis.set_xticks(ticks if counted else [])
  axis.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:g}"))
  axis.xaxis.set_minor_locator(ticker.NullLocator())


def energy_and_accuracy(one: view.GraphView) -> mpl_figure.Figure | None:
  """Relative energy by layer above accuracy, and every energy by name."""
  shown = [name for name in VARIANTS if one.stat(name) is not None]
  relative = one.stat("energy_relative")
  if relative is None and not shown:
    return None
  figure = mpl_figure.Figure((10.5, 5.6), layout="constrained")
  left, right = figure.subfigures(1, 2, width_ratios=[1.15, 1])
  accurate = one.curve("accuracy_full_mean") is not None
  column = left.subplots(1 + accurate, 1, squeeze=False, sharex=accurate)[:, 0]
  if relative is not None:
    _by_layer(column[0], one, relative[:, one.window])
  if accurate:
    _accuracies(column[1], one)
    column[1].set_title("Accuracy (line: whole vocabulary, dashed: node words)")
    column[1].set_xlabel(f"context length ({one.unit}, log scale)")
  else:
    column[0].set_xlabel(f"context length ({one.unit}, log scale)")
  if shown:
    cells = right.subplots(-(-len(shown) // 2), 2, squeeze=False).ravel()
    for axis, name in zip(cells, shown, strict=False):
      _variant(axis, one, name)
    for axis in cells[len(shown) :]:
      axis.axis("off")
    right.supxlabel(f"context length ({one.unit}, log scale)", fontsize=8)
  shown_too = " and accuracy" if accurate else ""
  figure.suptitle(
    f"{one.spec}: energy{shown_too} against context ({one.where}; "
    "grey: bootstrap interval, hatched: null)",
    x=0.01,
    ha="left",
  )
  return figure


def _by_layer(
  axis: mpl_axes.Axes, one: view.GraphView, values: np.ndarray
) -> None:
  contexts, layers = one.labels("context"), one.labels("layer")
  shades = colormaps["viridis"](np.linspace(0, 0.9, max(len(layers), 2)))
  for k, row in enumerate(values):
    report = k == one.layer
    axis.plot(
      contexts,
      row,
      color=INK if report else shades[k],
      lw=2.2 if report else 1.1,
      ls="-" if report else DASHES[k % len(DASHES)],
      marker="o" if report or len(contexts) == 1 else None,
      ms=3.5,
      zorder=4 if report else 2,
      label=f"layer {layers[k]}" + (" (report)" if report else ""),
    )
  _bands(axis, one, "energy_relative", contexts)
  if one.control is not None:
    untrained = one.control.stat("energy_relative")
    if untrained is not None:
      axis.plot(
        contexts,
        untrained[one.layer, one.window],
        color=GREY,
        ls=DASHES[3],
        lw=1.4,
        marker="x",
        ms=3.5,
        label="random weights",
      )
  axis.axhline(1, color=GREY, ls=":", lw=1)
  axis.set_title("Relative energy (1 = no structure, lower = like the graph)")
  log_axis(axis, contexts, one.counted)
  if len(layers) <= 9:
    axis.legend(
      loc="upper left", bbox_to_anchor=(1, 1), borderaxespad=0, labelspacing=0.3
    )


def _bands(
  axis: mpl_axes.Axes, one: view.GraphView, name: str, contexts: list[int]
) -> None:
  """Interval and null of a measurement at the report layer."""
  here = (one.layer, one.window)
  low, high = one.stat(name, "low"), one.stat(name, "high")
  at = np.array(contexts, float)
  if at.size == 1:
    # Bands of no width cannot be seen: a single context gets short ones.
    at = at * [1 / 1.12, 1.12]
  if low is not None and high is not None:
    low, high = (np.broadcast_to(end[here], at.shape) for end in (low, high))
    axis.fill_between(at, low, high, color=INK, alpha=0.16, lw=0, zorder=1)
  null, reach = one.stat(name, "null"), one.null_band(name)
  if null is None or not np.isfinite(null[here]).any():
    return
  middle = np.broadcast_to(null[here], at.shape)
  axis.plot(at, middle, color=AMBER, ls="--", lw=1.2, label="null")
  if reach is not None:
    low, high = (np.broadcast_to(end[here], at.shape) for end in reach)
    axis.fill_between(
      at,
      low,
      high,
      facecolor="none",
      edgecolor=AMBER,
      alpha=0.45,
      hatch="////",
      lw=0,
      zorder=0,
    )


def _variant(axis: mpl_axes.Axes, one: view.GraphView, name: str) -> None:
  contexts = one.labels("context")
  values = one.stat(name)
  assert values is not None
  axis.plot(
    contexts,
    values[one.layer, one.window],
    color=INK,
    lw=1.8,
    marker="o",
    ms=2.5,
    zorder=4,
  )
  _bands(axis, one, name, contexts)
  axis.set_title(name, family="DejaVu Sans Mono", fontsize=8)
  axis.yaxis.set_major_locator(ticker.MaxNLocator(4))
  axis.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
  axis.yaxis.get_offset_text().set_fontsize(6.5)
  log_axis(axis, contexts[:: max(1, len(contexts) // 3)], one.counted)


def binned(
  one: view.GraphView, names: list[tuple[str, str]], most: int = BINS
) -> tuple[np.ndarray, list[np.ndarray | None]]:
  """Curves along time in the bins in which they are drawn.

  Args:
    names: (variable, statistic) pairs.
    most: largest number of bins.

  Returns:
    Bin centres [B] and one [B] array per pair, None where it is absent.
  """
  times = np.array(one.labels("time"), float)
  found = [one.curve(name, which) for name, which in names]
  blank = np.full(times.size, math.nan)
  stacked = np.stack([blank if each is None else each for each in found])
  centres, means = view.log_bins(times, stacked, most)
  kept = [
    None if each is None else mean
    for each, mean in zip(found, means, strict=True)
  ]
  return centres, kept


def _accuracies(axis: mpl_axes.Axes, one: view.GraphView) -> None:
  for name, colour, dash, label in (
    ("accuracy_full_mean", INK, "-", "accuracy, whole vocabulary"),
    ("accuracy_restricted_mean", BLUE, DASHES[1], "accuracy, node words only"),
  ):
    which = ("value", "low", "high", "null")
    at, (value, low, high, null) = binned(one, [(name, key) for key in which])
    if value is None:
      continue
    axis.plot(at, value, color=colour, ls=dash, lw=1.8, label=label, zorder=4)
    if low is not None and high is not None:
      axis.fill_between(at, low, high, color=colour, alpha=0.16, lw=0)
    if null is not None and np.isfinite(null).any():
      first = name == "accuracy_full_mean"
      axis.plot(
        at,
        null,
        color=AMBER,
        ls="--" if first else ":",
        lw=1.2,
        label="null: relabelled graph" if first else None,
      )
  axis.set_ylim(0, 1.02)
  log_axis(axis, _time_ticks(one))


def _time_ticks(one: view.GraphView) -> list[int]:
  last = one.labels("time")[-1]
  ticks = [t for t in (1, 3, 10, 30, 100, 300, 1000, 3000) if t < 0.8 * last]
  return [*ticks, last]


def accuracy(one: view.GraphView) -> mpl_figure.Figure | None:
  """Accuracy against what memorising the walk would give."""
  if one.curve("accuracy_full_mean") is None:
    return None
  figure = mpl_figure.Figure((8.2, 4.1), layout="constrained")
  axis = figure.subplots()
  _accuracies(axis, one)
  for name, label, dash in BASELINES:
    at, (value,) = binned(one, [(name, "value")])
    if value is None or not np.isfinite(value).any():
      continue
    exact = name in ("seen_once", "seen_twice")
    axis.plot(
      at,
      value,
      ls=dash,
      lw=1.5 if exact else 1.0,
      color={"bayes": "#0f766e"}.get(name, INK if exact else "#9ca3af"),
      label=label,
    )
  if one.control is not None:
    at, (value,) = binned(one.control, [("accuracy_full_mean", "value")])
    if value is not None:
      axis.plot(
        at, value, color=GREY, ls=DASHES[3], lw=1.4, label="random weights"
      )
  chance = (one.adjacency > 0).mean()
  axis.axhline(chance, color=GREY, lw=0.8)
  axis.text(
    1,
    chance,
    "chance ",
    transform=axis.get_yaxis_transform(),
    ha="right",
    va="bottom",
    fontsize=7,
    color=GREY,
  )
  axis.set_xlabel(
    f"context length ({one.unit}, log scale; averaged in log bins)"
  )
  axis.set_ylabel("probability on true neighbours")
  axis.legend(loc="upper left", bbox_to_anchor=(1, 1), borderaxespad=0)
  figure.suptitle(
    f"{one.spec}: accuracy beside memorisation of the walk", x=0.01, ha="left"
  )
  return figure
