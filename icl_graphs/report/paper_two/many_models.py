"""Curves of several models in one picture each.

Measurements are those that the recipes of paper two keep, by model; None where
a model has none. A model keeps its colour, dashes and marker in all pictures.
"""

from collections.abc import Iterable, Iterator, Mapping
import pathlib

import matplotlib
from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure
from matplotlib import ticker
import numpy as np
import xarray as xr

from icl_graphs.analysis import concepts, thresholds
from icl_graphs.report import curves, figures
from icl_graphs.report.paper_one import intervals
from icl_graphs.report.paper_two import judgment

Measured = Mapping[str, xr.Dataset | None]

# With more models, bands would hide each other.
_FEW = 3
_STATED = "stated probability of Tails"
_STATISTICS = {
  "longest_run": "longest run (flips)",
  "alternation": "alternation rate",
  "distinct": "different windows of 10",
  "gzip_together": "compressed (bits per flip)",
  "indel": "edit distance (0 to 1)",
}
# Single concepts that are drawn, from short to long.
_DRAWN = ("01", "011", "0110", "01101", "111000", "1110000", "0010011011")
_EXACT = {"color": curves.INK, "lw": 1.0, "ls": (0, (1, 1))}
_FAIR = {"color": curves.GREY, "lw": 0.9, "ls": ":"}


def means(path: pathlib.Path, measured: Measured) -> None:
  """Mean of generated flips against the stated probability.

  Args:
    path: of the PNG.
    measured: of the recipe `generation`, by model.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((9.4, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], color=curves.INK, lw=0.8, label="the stated coin")
    right.axhline(0, color=curves.INK, lw=0.8)
    for place, name, data in _present(measured):
      data = data.sortby("percent")
      stated, mean = data.percent.values / 100, data["mean"].values
      for axis, less in ((left, 0), (right, stated)):
        _line(axis, place, stated, mean - less, name)
        if "mean_low" in data:
          low, high = data.mean_low.values - less, data.mean_high.values - less
          axis.vlines(stated, low, high, color=_colour(place), lw=1)
    left.set_title("Mean of the flips")
    left.set_ylim(-0.02, 1.02)
    right.set_title("Less the stated probability")
    for axis in (left, right):
      axis.set_xlabel(_STATED)
      axis.set_xlim(0, 1)
    _legend(figure, [left])
    figures.write_png(figure, path, dpi=figures.DPI)


def statistics(path: pathlib.Path, measured: Measured) -> None:
  """Statistics of generated flips, beside independent ones with their mean.

  Args:
    path: of the PNG.
    measured: of the recipes `generation` and `subsequences`, by model.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((13.5, 5.6), layout="constrained")
    grid = figure.subplots(2, len(_STATISTICS), sharex=True)
    for (above, below), (key, title) in zip(
      grid.T, _STATISTICS.items(), strict=True
    ):
      bands = []
      for place, name, data in _present(measured):
        data = data.sortby("percent")
        stated, value = data.percent.values / 100, data[key].values
        null = data[f"{key}_bernoulli"].transpose("percent", "set").values
        middle = null.mean(axis=1)
        above.plot(
          *(stated, middle),
          color=curves.GREY,
          lw=0.8,
          label="independent flips",
        )
        _line(above, place, stated, value, name)
        # A model whose flips are all alike has no alternation to compare.
        with np.errstate(divide="ignore", invalid="ignore"):
          relative = 100 * (value / middle - 1)
          around = 100 * (null / middle[:, None] - 1)
        _line(below, place, stated, relative, name)
        ends = np.quantile(around, (0.025, 0.975), axis=1)
        bands.append(xr.DataArray(ends, {"p": stated}, ("end", "p")))
      _band(below, bands)
      below.axhline(0, color=curves.GREY, lw=0.8)
      above.set_title(title)
      above.set_ylim(bottom=0)
      below.set_xlabel(_STATED)
      below.set_xlim(0, 1)
    grid[0, 0].set_ylabel("as measured")
    grid[1, 0].set_ylabel("relative to independent flips (%)")
    _legend(figure, [grid[0, 0], grid[1, 0]])
    figures.write_png(figure, path, dpi=figures.DPI)


def _band(axis: mpl_axes.Axes, bands: list[xr.DataArray]) -> None:
  """The widest of the models' limits, where they have one."""
  every = xr.concat(xr.align(*bands, join="outer"), "model")
  low = every.isel(end=0).min("model")
  axis.fill_between(
    *(every.p.values, low.values, every.isel(end=1).max("model").values),
    color=curves.GREY,
    alpha=0.25,
    lw=0,
    label="independent flips, 95%",
  )


def judged(path: pathlib.Path, measured: Measured) -> None:
  """Mean p(random) of repeated concepts and of fair flips.

  Args:
    path: of the PNG.
    measured: of the recipe `judgment`, by model.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((9.8, 4.4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for place, name, data in _present(measured):
      for axis, rows in zip(axes, _random(data), strict=True):
        _mean(axis, place, data.flips.values[1:], rows, name, len(measured))
    exact = _exact(measured)
    for axis, title, part in zip(
      axes, ("Repeated concepts", "Fair sequences"), (0, 1), strict=True
    ):
      if exact is not None:
        rows = _random(exact, "exact_log_odds")[part]
        axis.plot(
          *(exact.flips.values[1:], rows.mean(axis=0)),
          **_EXACT,
          label=judgment.EXACT,
          zorder=5,
        )
      axis.set_title(f"{title}, mean of {len(_random(data)[part])}")
      _probability_axis(axis, data.flips.values[1:])
    axes[0].set_ylabel("p(random)")
    _legend(figure, [axes[0]])
    figures.write_png(figure, path, dpi=figures.DPI)


def by_concept(path: pathlib.Path, measured: Measured) -> None:
  """p(random) of single repeated concepts, a panel each.

  Args:
    path: of the PNG.
    measured: of the recipe `judgment`, by model.
  """
  exact = _exact(measured)
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((12.6, 5.6), layout="constrained")
    cells = figure.subplots(2, 4, sharex=True, sharey=True).ravel()
    for axis, concept in zip(cells, _DRAWN, strict=False):
      for place, name, data in _present(measured):
        row = list(data.concept.values).index(concept)
        n = data.flips.values[1:]
        _line(axis, place, n, _random(data)[0][row], name, every=_every(n))
      if exact is not None:
        row = list(exact.concept.values).index(concept)
        axis.plot(
          *(exact.flips.values[1:], _random(exact, "exact_log_odds")[0][row]),
          **_EXACT,
          label=judgment.EXACT,
          zorder=5,
        )
      axis.set_title(f"{concept} repeated")
      _probability_axis(axis, n)
      axis.xaxis.set_tick_params(labelbottom=True)
    for axis in cells[::4]:
      axis.set_ylabel("p(random)")
    rest = cells[len(_DRAWN) :]
    for axis in rest:
      axis.axis("off")
    rest[0].legend(*cells[0].get_legend_handles_labels(), loc="center")
    figures.write_png(figure, path, dpi=figures.DPI)


def expected(path: pathlib.Path, measured: Measured) -> None:
  """Concept probability: the mean over concepts, and n50 of each.

  Args:
    path: of the PNG.
    measured: of the recipe `trees`, by model.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((9.8, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    shift = 0.6 / max(len(measured), 2)
    for place, name, data in _present(measured):
      deepest = data.isel(depth=-1)
      rows = deepest.model_concept_probability.values
      n = data.length.values
      _mean(left, place, n, rows, name, len(measured))
      at = np.arange(len(rows)) + shift * (place - (len(measured) - 1) / 2)
      look = intervals.look(place)
      right.plot(
        *(thresholds.settled(rows, n), at), look.marker, color=look.colour, ms=5
      )
    for _, _, data in _present(measured):
      if "exact_concept_probability" in data:
        rows = data.exact_concept_probability.isel(depth=-1).values
        left.plot(n, rows.mean(axis=0), **_EXACT, label="exact Bayes", zorder=5)
        break
    names, depth = list(data.concept.values), int(deepest.depth)
    chance = np.mean([concepts.chance(one, depth) for one in names])
    left.axhline(chance, **_FAIR, label="fair flips")
    left.set(
      title=f"Mean over {len(names)} concepts, {depth} flips ahead",
      xlabel="flips seen, n",
      ylabel="concept probability",
      ylim=(-0.03, 1.03),
    )
    right.set(
      title="Flips until the concept is expected (n50)",
      xlabel="flips seen, n",
      xlim=(n[0] - 1, n[-1] + 1),
      yticks=range(len(names)),
      yticklabels=names,
      ylim=(len(names) - 0.4, -0.6),
    )
    right.grid(axis="y", color="#e5e7eb", lw=0.6)
    right.set_axisbelow(True)
    for axis in (left, right):
      axis.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    _legend(figure, [left])
    figures.write_png(figure, path, dpi=figures.DPI)


def questions(path: pathlib.Path, measured: Measured) -> None:
  """P(Flips) less P(right letter) against the flips after a question.

  Args:
    path: of the PNG.
    measured: of the recipe `distraction`, by model.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((6.4, 4.2), layout="constrained")
    axis = figure.subplots()
    for place, name, data in _present(measured):
      score = data.score.transpose("question", "length", "class")
      right = np.stack(
        [
          one.sel({"class": str(one.key.values)}).values
          for one in score.transpose("question", ...)
        ]
      )
      rows = score.sel({"class": "Flips"}).values - right
      _mean(axis, place, data.length.values, rows, name, len(measured))
    axis.axhline(0, color=curves.INK, lw=0.8)
    axis.set(
      title=f"Mean over {len(rows)} questions",
      xlabel="flips after the question",
      ylabel="P(flip) less P(right letter)",
    )
    axis.set_xscale("symlog", linthresh=10)
    axis.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:g}"))
    _legend(figure, [axis])
    figures.write_png(figure, path, dpi=figures.DPI)


def _present(measured: Measured) -> Iterator[tuple[int, str, xr.Dataset]]:
  """Place among all models, name and measurements of those that have some."""
  for place, (name, data) in enumerate(measured.items()):
    if data is not None:
      yield place, name, data


def _random(data: xr.Dataset, key: str = "log_mass") -> tuple:
  """p(random) after 1 and more flips: of concepts, and of fair sequences."""
  values = data[key].values
  # Log-odds of non-random, or the masses of (random, non).
  odds = values if values.ndim == 2 else values[..., 1] - values[..., 0]
  random = 1 / (1 + np.exp(np.clip(odds[:, 1:], -50, 50)))
  number = data.sizes["concept"]
  return random[:number], random[number:]


def _exact(measured: Measured) -> xr.Dataset | None:
  """The first measurements with a Bayesian answer."""
  every = (data for _, _, data in _present(measured))
  return next((data for data in every if "exact_log_odds" in data), None)


def _probability_axis(axis: mpl_axes.Axes, lengths: np.ndarray) -> None:
  judgment.flips_axis(axis, lengths)
  axis.axhline(0.5, color="#d1d5db", lw=0.7, zorder=0)
  axis.set_ylim(-0.02, 1.02)


def _colour(place: int) -> str:
  return intervals.look(place).colour


def _every(x: np.ndarray) -> int:
  """Points between markers."""
  return max(1, len(x) // 12)


def _line(axis, place, x, y, name, every=1) -> None:
  look = intervals.look(place)
  axis.plot(
    *(x, y),
    color=look.colour,
    ls=look.dashes,
    marker=look.marker,
    markevery=(place % every, every),
    ms=4,
    lw=1.3,
    label=name,
  )


def _mean(axis, place, x, rows, name, models) -> None:
  """Mean over rows, with its interval where there are few models."""
  value, low, high = intervals.mean(rows)
  _line(axis, place, x, value, name, every=_every(x))
  if models <= _FEW:
    axis.fill_between(x, low, high, color=_colour(place), alpha=0.13, lw=0)


def _legend(figure: mpl_figure.Figure, axes: Iterable[mpl_axes.Axes]) -> None:
  """Below the panels; every label once."""
  handles = {}
  for axis in axes:
    for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
      handles.setdefault(label, handle)
  figure.legend(
    handles.values(), handles.keys(), loc="outside lower center", ncols=4
  )
