"""Generated flips beside independent ones and those of a window average."""

from collections.abc import Mapping
import pathlib

from jaxtyping import Float, Int
import matplotlib
from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure
import numpy as np

from icl_graphs.analysis import sequences, simulated
from icl_graphs.report import curves, figures
from icl_graphs.report.paper_one import intervals

_LINES = 60
KINDS = ("the model", "independent flips", "window average of 5")
_LOOKS = (intervals.LOOKS[0], intervals.LOOKS[2], intervals.LOOKS[1])
_PANELS = {
  "mean": "mean flip",
  "alternation": "alternation rate",
  "sd_of_mean": "SD of sequence means",
  "longest_run": "longest run (flips)",
}
Flips = Int[np.ndarray, "N T"]
Sets = Int[np.ndarray, "S N T"]


def running_means(
  path: pathlib.Path, sets: Mapping[int, tuple[Flips, Flips, Flips]]
) -> None:
  """Share of Tails so far: a column per stated probability, a row per kind.

  Args:
    path: of the PNG.
    sets: percent to sequences of each of `KINDS`.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((2.6 * len(sets) + 0.8, 6), layout="constrained")
    grid = figure.subplots(
      3, len(sets), sharex=True, sharey=True, squeeze=False
    )
    for column, (percent, kinds) in zip(grid.T, sets.items(), strict=True):
      for axis, flips, look in zip(column, kinds, _LOOKS, strict=True):
        means = sequences.running_mean(flips)
        place = np.arange(means.shape[1])
        axis.plot(place, means[:_LINES].T, color=look.colour, lw=0.4, alpha=0.3)
        for end in np.quantile(means, (0.05, 0.95), axis=0):
          axis.plot(place, end, color=curves.INK, ls=curves.DASHES[1], lw=1)
        axis.plot(place, means.mean(axis=0), color=curves.INK, lw=1.4)
        axis.set_ylim(0, 1)
      column[0].set_title(f"{percent}% Tails stated")
      column[-1].set_xlabel("flip")
    for axis, kind in zip(grid[:, 0], KINDS, strict=True):
      axis.set_ylabel(f"{kind}\nshare of Tails so far")
    figure.suptitle(
      "Running means: single sequences, their mean (solid) and middle 90%"
      " (dashed)",
      x=0.01,
      ha="left",
    )
    figures.write_png(figure, path, dpi=figures.DPI)


def fallacy(
  path: pathlib.Path, sets: Mapping[int, tuple[Flips, Sets, Sets]]
) -> None:
  """Histograms of sequence means and longest runs, by stated probability.

  Args:
    path: of the PNG.
    sets: percent to the model's sequences and simulated sets of the others.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((2.6 * len(sets) + 0.8, 5), layout="constrained")
    grid = figure.subplots(2, len(sets), squeeze=False)
    for column, (percent, kinds) in zip(grid.T, sets.items(), strict=True):
      flat = [one.reshape(-1, one.shape[-1]) for one in kinds]
      length = flat[0].shape[1]
      tails = [one.sum(axis=1) for one in flat]
      _histograms(column[0], tails, length)
      column[0].set_title(f"{percent}% Tails stated")
      column[0].set_xlabel(f"Tails among {length} flips")
      _histograms(column[1], [sequences.longest_run(k) for k in flat], length)
      column[1].set_xlabel("longest run (flips)")
    for axis in grid[:, 0]:
      axis.set_ylabel("share of sequences")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    figure.suptitle(
      "The gambler's fallacy: narrower means, shorter runs", x=0.01, ha="left"
    )
    figures.write_png(figure, path, dpi=figures.DPI)


def _histograms(axis: mpl_axes.Axes, kinds: list, length: int) -> None:
  """Whole numbers up to `length`: a filled one, then lines."""
  low = min(one.min() for one in kinds)
  high = max(one.max() for one in kinds)
  # Few bins where values spread over many numbers.
  width = max(1, int(high - low) // 24)
  bins = np.arange(low, high + 2 * width, width) - 0.5
  for one, kind, look in zip(kinds, KINDS, _LOOKS, strict=True):
    share = np.histogram(one, bins)[0] / len(one)
    if kind == KINDS[0]:
      axis.stairs(
        share, bins, fill=True, color=look.colour, alpha=0.35, label=kind
      )
    else:
      axis.stairs(
        share, bins, color=look.colour, ls=look.dashes, lw=1.5, label=kind
      )


def control(
  path: pathlib.Path,
  stated: Float[np.ndarray, " P"],
  means: simulated.Values,
  values: Mapping[str, simulated.Values],
) -> None:
  """Four statistics against the stated probability.

  Args:
    path: of the PNG.
    stated: probabilities.
    means: of flips.
    values: the others, by name.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((9.4, 6), layout="constrained")
    axes = figure.subplots(2, 2).ravel()
    every = {"mean": means, **values}
    for axis, (name, label) in zip(axes, _PANELS.items(), strict=True):
      beside(axis, stated, every[name])
      axis.set_title(label)
      axis.set_xlabel("stated probability of Tails")
      axis.set_ylim(bottom=0)
    p = np.linspace(0, 1, 101)
    axes[0].plot(p, p, color=curves.INK, lw=0.8, label="the stated coin")
    axes[1].plot(p, 2 * p * (1 - p), color=curves.INK, lw=0.8)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    figures.write_png(figure, path, dpi=figures.DPI)


def beside(
  axis: mpl_axes.Axes,
  stated: Float[np.ndarray, " P"],
  one: simulated.Values,
) -> None:
  """The model with whiskers, independent flips as a band, a window dashed."""
  order = np.argsort(stated)
  x = stated[order]
  low, high = np.quantile(one.bernoulli[order], (0.025, 0.975), axis=1)
  axis.fill_between(
    x, low, high, color=curves.GREY, alpha=0.3, lw=0, label=f"{KINDS[1]}, 95%"
  )
  axis.plot(
    *(x, one.window[order].mean(axis=1)),
    color=_LOOKS[2].colour,
    ls=_LOOKS[2].dashes,
    lw=1.2,
    label=KINDS[2],
  )
  axis.plot(
    *(x, one.model[order]),
    color=_LOOKS[0].colour,
    marker=_LOOKS[0].marker,
    ms=4,
    ls="",
    label=f"{KINDS[0]}, 95% interval"
    if one.replicates is not None
    else KINDS[0],
  )
  if one.replicates is not None:
    middle = np.median(one.replicates, axis=1)
    ends = np.quantile(one.replicates, (0.025, 0.975), axis=1) - middle
    axis.vlines(
      x,
      (one.model + ends[0])[order],
      (one.model + ends[1])[order],
      color=_LOOKS[0].colour,
      lw=1.2,
    )


def comparison(
  path: pathlib.Path,
  stated: Float[np.ndarray, " P"],
  gains: Mapping[str, Float[np.ndarray, "3 P"]],
) -> None:
  """Held-out gain over independent flips, by model and stated probability.

  Args:
    path: of the PNG.
    stated: probabilities.
    gains: model to value, low and high, in nats per flip.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((9.4, 3.9), layout="constrained")
    axis = figure.subplots()
    order = np.argsort(stated)
    for number, (name, gain) in enumerate(gains.items()):
      look = intervals.LOOKS[number]
      shift = 0.1 * (number - (len(gains) - 1) / 2)
      value, low, high = 1000 * gain[:, order]
      x = np.arange(len(order)) + shift
      axis.plot(
        *(x, value),
        color=look.colour,
        ls=look.dashes,
        marker=look.marker,
        ms=4,
        lw=0.9,
        label=name,
      )
      axis.vlines(x, low, high, color=look.colour, lw=1)
    axis.axhline(0, color=curves.INK, lw=0.8)
    axis.set_xticks(
      range(len(order)), [f"{100 * p:.0f}%" for p in stated[order]]
    )
    axis.set_xlabel("stated probability of Tails (not to scale)")
    axis.set_ylabel("gain (thousandths of a nat per flip)")
    axis.set_title(
      "How much better than independent flips: held-out likelihood"
      " (above 0: better)"
    )
    figure.legend(loc="outside right upper")
    figures.write_png(figure, path, dpi=figures.DPI)
