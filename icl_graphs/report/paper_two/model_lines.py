"""How models are told apart where several are in one picture.

A model keeps its colour, dashes and marker in all pictures.
"""

from collections.abc import Iterable, Iterator, Mapping

from jaxtyping import Float
from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure
import numpy as np
import xarray as xr

from icl_graphs.report.paper_one import intervals

# Measurements that recipes keep, by model; None where a model has none.
Measured = Mapping[str, xr.Dataset | None]
# With more models, bands would hide each other.
_FEW = 3


def present(measured: Measured) -> Iterator[tuple[int, str, xr.Dataset]]:
  """Place among all models, name and measurements of those that have some."""
  for place, (name, data) in enumerate(measured.items()):
    if data is not None:
      yield place, name, data


def colour(place: int) -> str:
  """Of a model."""
  return intervals.look(place).colour


def marks(x: np.ndarray, place: int, log: bool = False) -> list[int]:
  """Which points have markers: about ten, not the same for all models."""
  shift = place % 3 / 3
  if log:
    at = np.geomspace(1, len(x), 10)
    at = at * at[1] ** shift - 1
  else:
    step = max(1, len(x) / 11)
    at = np.arange(0, len(x), step) + step * shift
  return np.unique(np.round(at[at < len(x) - 0.5]).astype(int)).tolist()


def line(
  axis: mpl_axes.Axes,
  place: int,
  x: Float[np.ndarray, " X"],
  y: Float[np.ndarray, " X"],
  name: str,
  marks: list[int] | None = None,
) -> None:
  """A model's curve, with markers at some points or at all."""
  look = intervals.look(place)
  axis.plot(
    *(x, y),
    color=look.colour,
    ls=look.dashes,
    marker=look.marker,
    markevery=marks,
    ms=4,
    lw=1.3,
    label=name,
  )


def mean(
  axis: mpl_axes.Axes,
  place: int,
  x: Float[np.ndarray, " X"],
  rows: Float[np.ndarray, "rows X"],
  name: str,
  measured: Measured,
  log: bool = False,
) -> None:
  """Mean over rows, with its interval where there are few models."""
  value, low, high = intervals.mean(rows)
  line(axis, place, x, value, name, marks(x, place, log))
  if len(measured) <= _FEW:
    axis.fill_between(x, low, high, color=colour(place), alpha=0.13, lw=0)


def legend(figure: mpl_figure.Figure, axes: Iterable[mpl_axes.Axes]) -> None:
  """Below the panels; every label once."""
  handles = {}
  for axis in axes:
    for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
      handles.setdefault(label, handle)
  figure.legend(
    handles.values(), handles.keys(), loc="outside lower center", ncols=4
  )
