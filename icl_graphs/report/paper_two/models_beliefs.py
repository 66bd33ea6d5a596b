"""What several models judge and expect, in one picture each."""

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
from icl_graphs.report.paper_two import judgment, model_lines

# Single concepts that are drawn, from short to long.
_DRAWN = ("01", "011", "0110", "01101", "111000", "1110000", "0010011011")
# The paper draws up to so many flips.
_AFTER_QUESTION = 40
_EXACT = {"color": curves.INK, "lw": 1.0, "ls": (0, (1, 1))}
_FAIR = {"color": curves.GREY, "lw": 0.9, "ls": ":"}


def judged(path: pathlib.Path, measured: model_lines.Measured) -> None:
  """Mean p(random) of repeated concepts and of fair flips.

  Args:
    path: of the PNG.
    measured: of the recipe `judgment`, by model.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((9.8, 4.4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for place, name, data in model_lines.present(measured):
      for axis, rows in zip(axes, _random(data), strict=True):
        model_lines.mean(
          axis, place, data.flips.values[1:], rows, name, measured, True
        )
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
    model_lines.legend(figure, [axes[0]])
    figures.write_png(figure, path, dpi=figures.DPI)


def by_concept(path: pathlib.Path, measured: model_lines.Measured) -> None:
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
      for place, name, data in model_lines.present(measured):
        row = list(data.concept.values).index(concept)
        n = data.flips.values[1:]
        marks = model_lines.marks(n, place, log=True)
        model_lines.line(axis, place, n, _random(data)[0][row], name, marks)
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


def expected(path: pathlib.Path, measured: model_lines.Measured) -> None:
  """Concept probability: the mean over concepts, and n50 of each.

  Args:
    path: of the PNG.
    measured: of the recipe `trees`, by model.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((9.8, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    shift = 0.6 / max(len(measured), 2)
    for place, name, data in model_lines.present(measured):
      deepest = data.isel(depth=-1)
      rows = deepest.model_concept_probability.values
      n = data.length.values
      model_lines.mean(left, place, n, rows, name, measured)
      at = np.arange(len(rows)) + shift * (place - (len(measured) - 1) / 2)
      look = intervals.look(place)
      right.plot(
        *(thresholds.settled(rows, n), at), look.marker, color=look.colour, ms=5
      )
    for _, _, data in model_lines.present(measured):
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
    model_lines.legend(figure, [left])
    figures.write_png(figure, path, dpi=figures.DPI)


def questions(path: pathlib.Path, measured: model_lines.Measured) -> None:
  """P(Flips) less P(right letter) against the flips after a question.

  Args:
    path: of the PNG.
    measured: of the recipe `distraction`, by model.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((6.4, 4.2), layout="constrained")
    axis = figure.subplots()
    for place, name, data in model_lines.present(measured):
      score = data.score.transpose("question", "length", "class")
      score = score.isel(length=data.length.values <= _AFTER_QUESTION)
      right = np.stack(
        [
          one.sel({"class": str(one.key.values)}).values
          for one in score.transpose("question", ...)
        ]
      )
      rows = score.sel({"class": "Flips"}).values - right
      model_lines.mean(axis, place, score.length.values, rows, name, measured)
    axis.axhline(0, color=curves.INK, lw=0.8)
    axis.set(
      title=f"Mean over {len(rows)} questions",
      xlabel="flips after the question",
      ylabel="P(flip) less P(right letter)",
    )
    model_lines.legend(figure, [axis])
    figures.write_png(figure, path, dpi=figures.DPI)


def _random(data: xr.Dataset, key: str = "log_mass") -> tuple:
  """p(random) after 1 and more flips: of concepts, and of fair sequences."""
  values = data[key].values
  # Log-odds of non-random, or the masses of (random, non).
  odds = values if values.ndim == 2 else values[..., 1] - values[..., 0]
  random = 1 / (1 + np.exp(np.clip(odds[:, 1:], -50, 50)))
  number = data.sizes["concept"]
  return random[:number], random[number:]


def _exact(measured: model_lines.Measured) -> xr.Dataset | None:
  """The first measurements with a Bayesian answer."""
  every = (data for _, _, data in model_lines.present(measured))
  return next((data for data in every if "exact_log_odds" in data), None)


def _probability_axis(axis: mpl_axes.Axes, lengths: np.ndarray) -> None:
  judgment.flips_axis(axis, lengths)
  axis.axhline(0.5, color="#d1d5db", lw=0.7, zorder=0)
  axis.set_ylim(-0.02, 1.02)
