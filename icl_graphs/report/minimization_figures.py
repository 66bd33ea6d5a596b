"""One figure per graph: energy falls to its floor, the picture unfolds."""

from collections.abc import Mapping
import dataclasses
import pathlib

import matplotlib
from matplotlib import axes as mpl_axes
from matplotlib import collections, ticker
from matplotlib import figure as mpl_figure
import numpy as np
import xarray as xr

from icl_graphs.report import alignment, figures, gallery, palette, wording

_PICTURES = 5
_BLUE, _ORANGE = "#1f4e8c", "#b45309"
_MOST_NAMES = 64
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclasses.dataclass(frozen=True)
class _Drawing:
  """What `gallery.picture` asks of a graph."""

  words: list[str]
  edges: np.ndarray
  directed: bool


def write(
  measured: Mapping[str, xr.Dataset], out: pathlib.Path
) -> list[pathlib.Path]:
  """Draws `GRAPH_minimization.png` for every graph; returns the files."""
  written = []
  with matplotlib.rc_context(figures.STYLE):
    for spec, data in measured.items():
      slug = "".join(c if c.isalnum() else "-" for c in spec)
      path = out / f"{slug}_minimization.png"
      figures.write_png(draw(data), path, dpi=figures.DPI)
      written.append(path)
  return written


def draw(data: xr.Dataset) -> mpl_figure.Figure:
  """Energy against step, its gap to the closed form, and pictures.

  Args:
    data: of `experiments.energy_minimization`: energy [restart, step], scores
      [step, node, pc], embedding [node, mode], eigenvalue, eps, position, arc.
  """
  figure = mpl_figure.Figure((13.2, 5.6), layout="constrained")
  upper, lower = figure.subfigures(2, 1, height_ratios=[1, 0.95])
  left, middle, right = upper.subplots(1, 3, width_ratios=[2, 1.6, 1.2])
  energies = data.energy.values.astype(np.float64)
  steps = data.step.values
  least = float(data.attrs["energy_closed_form"])
  columns = _columns(steps, energies, least)
  _energy(left, steps, energies, least, steps[columns])
  _gap(middle, steps, energies, least)
  _spectrum(right, data)
  _pictures(lower, data, columns)
  restarts = data.sizes["restart"]
  cosine = float(data.principal_cosine.min())
  figure.suptitle(
    f"{data.attrs['graph']}: energy ends at {energies[:, -1].max():.6f}, "
    f"theory says {least:.6f}; least cosine with the spectral embedding "
    f"{_below_one(cosine)} ({restarts} start{'s' * (restarts > 1)})",
    x=0.01,
    ha="left",
  )
  return figure


def _below_one(cosine: float) -> str:
  """Four decimals, never rounded up to a perfect 1."""
  return f"{np.floor(cosine * 1e4 + 1e-3) / 1e4:.4f}"


def _log_steps(axis: mpl_axes.Axes, steps: np.ndarray) -> None:
  axis.set_xscale("symlog", linthresh=1, linscale=0.35)
  axis.set_xlim(0, max(steps[-1], 1))
  ticks = [0, *10 ** np.arange(int(np.log10(max(steps[-1], 1))) + 1)]
  axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
  axis.minorticks_off()
  axis.set_xlabel("step of descent")


def _powers(axis: mpl_axes.Axes) -> None:
  """Powers of ten on the y axis in plain text: formulas are not parsed."""
  axis.set_yscale("log")
  axis.yaxis.set_major_formatter(lambda value, _: _plain(value))
  axis.yaxis.set_minor_formatter(ticker.NullFormatter())


def _plain(value: float) -> str:
  if value <= 0:
    return ""
  power = round(np.log10(value))
  if -3 < power < 5:
    return f"{value:,.{max(0, -power)}f}"
  return "10" + str(power).translate(_SUPERSCRIPT)


def _energy(axis, steps, energies, least, marked) -> None:
  for one in energies[1:]:
    axis.plot(steps, one, color=_BLUE, lw=0.7, alpha=0.35)
  axis.plot(steps, energies[0], color=_BLUE, lw=1.6, label="tr(H'LH)")
  shown = np.isin(steps, marked)
  axis.plot(
    *(steps[shown], energies[0, shown]),
    ls="",
    marker="o",
    ms=4.5,
    mfc="white",
    mec=_BLUE,
    label="pictures below",
  )
  _powers(axis)
  if least > 0:
    axis.axhline(least, color="black", ls="--", lw=1)
    axis.annotate(
      f"closed form {wording.number(least)}",
      (0.02, least),
      xycoords=("axes fraction", "data"),
      xytext=(0, 3),
      textcoords="offset points",
      va="bottom",
      fontsize=7.5,
    )
    low, high = axis.get_ylim()
    axis.set_ylim(min(low, least / 1.9), high)
  _log_steps(axis, steps)
  axis.set_title("Energy falls to its floor")
  axis.legend(loc="upper right")


def _gap(axis, steps, energies, least) -> None:
  gaps = np.abs(energies / least - 1) if least > 0 else np.abs(energies)
  # On a log scale an exact hit has no place.
  gaps = np.where(gaps > 0, gaps, np.nan)
  for one in gaps:
    axis.plot(steps, one, color=_BLUE, lw=0.9, alpha=0.6)
  _powers(axis)
  _log_steps(axis, steps)
  axis.set_title("|energy / closed form − 1|")


def _spectrum(axis, data) -> None:
  """Where the energy sits: eps_k^2 lambda_k per constraint."""
  parts = np.square(data.eps.values) * data.eigenvalue.values
  place = np.arange(1, len(parts) + 1)
  axis.bar(place, parts, width=0.62, color=_ORANGE, alpha=0.85)
  for x, part, value in zip(place, parts, data.eigenvalue.values, strict=True):
    if len(parts) <= 8:
      axis.annotate(
        f"λ={value:.3g}",
        *((x, part), (0, 2), "data", "offset points"),
        ha="center",
        fontsize=7,
      )
  axis.set_xticks(place[:: -(-len(place) // 8)])
  axis.set_xlabel("mode k (1: the common mean)")
  axis.set_title("Closed form: ε²λ of each mode")
  axis.set_ylim(0, max(parts.max(), 1e-12) * 1.15)


def _mesh(axis, edges, points, colours) -> None:
  """A graph too large for names: its edges, coloured by place."""
  low, high = points.min(axis=0), points.max(axis=0)
  points = (points - (low + high) / 2) / ((high - low).max() / 2 or 1.0)
  axis.add_collection(
    collections.LineCollection(
      points[edges],
      colors=[colours[first] for first in edges[:, 0]],
      linewidths=0.8 if len(points) < 1000 else 0.25,
    )
  )


def _columns(
  steps: np.ndarray, energies: np.ndarray, least: float
) -> np.ndarray:
  """The start and log-spaced steps until the energy has settled."""
  gap = energies.max(axis=0) - least
  settled = np.flatnonzero(gap <= 1e-3 * max(least, 1e-12 * energies.max()))
  end = settled[0] if settled.size else len(steps) - 1
  wanted = np.geomspace(max(steps[min(1, end)], 1), steps[end], _PICTURES - 1)
  nearest = np.abs(np.log(np.maximum(steps, 0.5))[:, None] - np.log(wanted))
  return np.unique([0, *nearest.argmin(axis=0)])


def _pictures(lower, data, columns) -> None:
  scores = data.scores.values[columns][..., :2]
  if scores.shape[-1] < 2:
    scores = np.pad(scores, [(0, 0)] * 2 + [(0, 2 - scores.shape[-1])])
  embedding = data.embedding.values[:, 1:3]
  embedding = np.pad(embedding, [(0, 0), (0, 2 - embedding.shape[1])])
  every = np.concatenate([scores, embedding[None]])
  positions = data.position.values
  turns = alignment.rotations(every[None], positions, 0)[0]
  colours = palette.by_place(positions)
  names = [str(name) for name in data.node.values]
  arcs, directed = data.arc.values, bool(data.attrs["directed"])
  drawing = _Drawing(
    names, arcs if directed else arcs[arcs[:, 0] < arcs[:, 1]], directed
  )
  known = np.ones(len(names), bool)
  axes = lower.subplots(1, _PICTURES + 1)
  titles = [f"step {data.step.values[c]:,}" for c in columns]
  places = [*axes[: len(columns)], axes[-1]]
  for axis in axes:
    axis.axis("off")
  for axis, points, turn, title in zip(
    *(places, every, turns, [*titles, "spectral embedding"]), strict=True
  ):
    axis.axis("on")
    gallery.frame(axis)
    if len(names) > _MOST_NAMES:
      _mesh(axis, drawing.edges, points @ turn, colours)
    else:
      gallery.picture(axis, drawing, points @ turn, colours, known)
    axis.set_title(title)
  axes[-1].spines[:].set_color(_ORANGE)
  axes[-1].spines[:].set_linewidth(1.4)
  axes[-1].title.set_color(_ORANGE)
  lower.supxlabel(
    "PC 1-2 of the first start; lines are the graph's edges; pictures are "
    "turned and scaled to fit",
    fontsize=7.5,
    color="#6b7280",
  )
