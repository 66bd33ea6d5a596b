"""One figure of a benchmark: rates with their range, memory where measured."""

from collections.abc import Mapping
import pathlib
from typing import Any

import matplotlib
from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure

from icl_graphs.report import figures

_OURS, _OTHERS = "#1f4e8c", "#b9bec7"
_RATE = "_per_second"
# Rates further apart than this are drawn on a logarithmic axis.
_WIDE = 20


def write(content: Mapping[str, Any], path: pathlib.Path) -> None:
  """Draws what `launch.benchmark` saved as benchmark.json.

  Args:
    content: with "rows", by name.
    path: of the PNG.
  """
  with matplotlib.rc_context(figures.STYLE):
    figures.write_png(draw(content), path, dpi=figures.DPI)


def draw(content: Mapping[str, Any]) -> mpl_figure.Figure:
  """Bars of every row; ours are dark.

  A pass of a model is also drawn as a share of the matmul ceiling, and with its
  memory above the weights.
  """
  rows = content["rows"]
  passes = {name: row for name, row in rows.items() if "mfu" in row}
  rows = passes or rows
  memory = _memory(passes)
  figure = mpl_figure.Figure(
    (9.5 if memory else 6.5, 1.1 + 0.32 * len(rows)), layout="constrained"
  )
  axes = figure.subplots(1, 2 if memory else 1, squeeze=False, sharey=True)[0]
  _rates(axes[0], rows)
  if memory:
    sizes = [size / 1e9 for size in memory.values()]
    axes[1].barh(list(memory), sizes, color=_colours(memory))
    axes[1].set_title("Peak memory above the weights, GB")
  for axis in axes:
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
  axes[0].invert_yaxis()
  return figure


def _rates(axis: mpl_axes.Axes, rows: Mapping[str, Any]) -> None:
  """Medians as bars, slowest to fastest repeat as whiskers."""
  unit = next(key for key in next(iter(rows.values())) if key.endswith(_RATE))
  rates = {name: row[unit] for name, row in rows.items()}
  medians = [rate["median"] for rate in rates.values()]
  ranges = [
    [rate["median"] - rate["low"] for rate in rates.values()],
    [rate["high"] - rate["median"] for rate in rates.values()],
  ]
  axis.barh(
    list(rates), medians, xerr=ranges, color=_colours(rates), ecolor="#374151"
  )
  if max(medians) > _WIDE * min(medians):
    axis.set_xscale("log")
    # Mathematical text is switched off: powers of ten are written out.
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
  for place, (name, row) in enumerate(rows.items()):
    share = f"  {row['mfu']:.0%} of matmul" if "mfu" in row else ""
    axis.annotate(
      f"{rates[name]['median']:,.0f}{share}",
      (rates[name]["high"], place),
      (4, 0),
      textcoords="offset points",
      va="center",
      fontsize=7.5,
    )
  axis.margins(x=0.3)
  axis.set_title(f"{unit.removesuffix(_RATE).capitalize()} per second")


def _memory(rows: Mapping[str, Any]) -> dict[str, int]:
  """Measured bytes by row; empty where memory was not measured."""
  sizes = {name: row.get("peak_bytes") for name, row in rows.items()}
  return {} if None in sizes.values() else sizes


def _colours(rows: Mapping[str, Any]) -> list[str]:
  others = ("transformers", "hooks", "torch", "numpy", "networkx", "python")
  return [
    _OTHERS
    if name.lower().startswith(others) or name.endswith("read alone")
    else _OURS
    for name in rows
  ]
