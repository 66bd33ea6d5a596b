"""Judged randomness against the number of flips."""

from collections.abc import Mapping
import pathlib

from jaxtyping import Float, Int
import matplotlib
from matplotlib import axes as mpl_axes
from matplotlib import colormaps
from matplotlib import figure as mpl_figure
import numpy as np

from icl_graphs.analysis import judgments, thresholds
from icl_graphs.report import curves, figures
from icl_graphs.report.paper_one import intervals

Lengths = Int[np.ndarray, " n"]
_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
EXACT = "exact Bayesian answer"
# Log-odds beyond this are rounding.
_MOST = 10.0
_PERIODS = ((2, 3, "-"), (4, 5, (0, (5, 1.5))), (6, 10, (0, (5, 1.5, 1, 1.5))))
_LONGER = (11, 99, (0, (1, 1)))


def judged(
  path: pathlib.Path,
  lengths: Lengths,
  repeated: Float[np.ndarray, "concept n"],
  periods: Int[np.ndarray, " concept"],
  fair: Float[np.ndarray, "sequence n"],
  exact: Float[np.ndarray, "sequence n"] | None,
) -> None:
  """p(random) of concepts, and of fair flips with their mean and band.

  Args:
    path: of the PNG.
    lengths: numbers of flips.
    repeated: p(random) of each concept.
    periods: lengths of the concepts.
    fair: p(random) of each fair sequence.
    exact: the same of the Bayesian predictor.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((10, 4.3), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    shades = colormaps["viridis_r"]
    named = set()
    for curve, period in zip(repeated, periods.tolist(), strict=True):
      low, high, dashes = _group(period)
      ends = f"{low} to {high}" if high < 99 else f"{low} and more"
      left.plot(
        *(lengths, curve),
        color=shades(0.15 + 0.85 * min(np.log(period / 2) / np.log(10), 1)),
        ls=dashes,
        lw=1.1,
        label=None if low in named else f"concepts of {ends} flips",
      )
      named.add(low)
    left.set_title("Repeated concepts")
    left.set_ylabel("p(random)")
    for k, curve in enumerate(fair):
      right.plot(
        *(lengths, curve),
        color=curves.GREY,
        lw=0.5,
        alpha=0.5,
        label="one fair sequence" if k == 0 else None,
      )
    low, high = np.quantile(fair, (0.05, 0.95), axis=0)
    right.fill_between(
      lengths,
      low,
      high,
      color=curves.BLUE,
      alpha=0.15,
      lw=0,
      label="middle 90%",
    )
    right.plot(lengths, fair.mean(axis=0), color=curves.BLUE, label="mean")
    if exact is not None:
      right.plot(
        *(lengths, exact.mean(axis=0)),
        color=curves.AMBER,
        ls=curves.DASHES[1],
        label=f"mean {EXACT}",
      )
    right.set_title(f"{len(fair)} fair sequences")
    for axis in (left, right):
      flips_axis(axis, lengths)
      axis.axhline(0.5, color="#d1d5db", lw=0.7, zorder=0)
      axis.set_ylim(-0.02, 1.02)
    legend(figure, left, right)
    figures.write_png(figure, path, dpi=figures.DPI)


def transitions(
  path: pathlib.Path,
  periods: Int[np.ndarray, " concept"],
  found: judgments.Transitions,
  exact: judgments.Transitions | None,
) -> None:
  """n50, n90 and evidence slopes against the concepts' lengths.

  Args:
    path: of the PNG.
    periods: lengths of the concepts.
    found: of the model.
    exact: of the Bayesian predictor.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((9.4, 4.1), layout="constrained")
    left, right = figure.subplots(1, 2)
    shift = _spread(periods)
    for level, look, mark in (
      ("n50", intervals.LOOKS[0], "x"),
      ("n90", intervals.LOOKS[1], "+"),
    ):
      left.plot(
        *(periods + shift, getattr(found, level)),
        color=look.colour,
        marker=look.marker,
        mfc="none",
        ms=6.5,
        ls="",
        label=f"{level}, the model",
      )
      if exact is not None:
        left.plot(
          *(periods + shift, getattr(exact, level)),
          color=curves.INK,
          marker=mark,
          ms=5,
          ls="",
          label=f"{level}, exact",
        )
    left.plot(
      *(np.sort(periods), np.sort(periods)),
      color=curves.GREY,
      ls=curves.DASHES[2],
      label="one period",
    )
    never = int(np.isnan(found.n50).sum())
    left.set_title(
      "When a concept is judged non-random"
      + (f" ({never} never are)" if never else "")
    )
    left.set_xlabel("length of the concept (flips)")
    left.set_ylabel("flips needed")
    left.set_ylim(bottom=0)
    for one, look, label in (
      (found, intervals.LOOKS[0], "the model"),
      (exact, intervals.LOOKS[2], EXACT),
    ):
      if one is not None:
        right.plot(
          *(periods + shift, one.slope),
          color=look.colour,
          marker=look.marker,
          mfc="none",
          ms=5.5,
          ls="",
          label=f"slope, {label}",
        )
    right.axhline(
      thresholds.IDEAL_SLOPE,
      color=curves.AMBER,
      ls=curves.DASHES[1],
      label="ln 2 per flip, an ideal observer",
    )
    for axis in (left, right):
      axis.set_xticks(np.unique(periods))
    right.set_title("How fast evidence grows")
    right.set_xlabel("length of the concept (flips)")
    right.set_ylabel("slope of the log-odds (nats per flip)")
    right.set_ylim(0, max(1.1, 1.1 * np.nanmax([*found.slope, 0])))
    legend(figure, left, right)
    figures.write_png(figure, path, dpi=figures.DPI)


def evidence(
  path: pathlib.Path,
  lengths: Lengths,
  odds: Mapping[str, Float[np.ndarray, " n"]],
  exact: Mapping[str, Float[np.ndarray, " n"]] | None,
) -> None:
  """Log-odds relative to an empty list, a panel per concept.

  Args:
    path: of the PNG.
    lengths: numbers of flips.
    odds: concept to log-odds.
    exact: the same of the Bayesian predictor.
  """
  with matplotlib.rc_context(figures.STYLE):
    figure = mpl_figure.Figure((10, 5), layout="constrained")
    axes = figure.subplots(2, 3, sharex=True, sharey=True).ravel()
    shown = lengths <= 40
    for axis, (name, curve) in zip(axes, odds.items(), strict=True):
      axis.axhline(0, color="#d1d5db", lw=0.7, zorder=0)
      axis.plot(
        *(lengths[shown], np.clip(curve[shown], -_MOST, _MOST)),
        color=curves.BLUE,
        marker="o",
        ms=2.5,
        lw=1.1,
        label="the model",
      )
      if exact is not None:
        axis.plot(
          *(lengths[shown], np.clip(exact[name][shown], -_MOST, _MOST)),
          color=curves.AMBER,
          ls=curves.DASHES[1],
          label=EXACT,
        )
      ramp = lengths[shown][-8:]
      axis.plot(
        *(ramp, -_MOST + 1 + thresholds.IDEAL_SLOPE * (ramp - ramp[0])),
        color=curves.INK,
        ls=curves.DASHES[2],
        label="ln 2 per flip",
      )
      axis.set_title(f"({name}) repeated")
      axis.set_ylim(-_MOST - 0.5, _MOST + 0.5)
    for axis in axes[3:]:
      axis.set_xlabel("flips")
    for axis in axes[::3]:
      axis.set_ylabel("log-odds of non-random (nats)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    figure.suptitle(
      f"Evidence relative to an empty list (cut at {_MOST:.0f} nats)",
      x=0.01,
      ha="left",
    )
    figures.write_png(figure, path, dpi=figures.DPI)


def legend(figure: mpl_figure.Figure, *axes: mpl_axes.Axes) -> None:
  """One legend below all panels, where it covers nothing."""
  entries = [axis.get_legend_handles_labels() for axis in axes]
  handles, labels = (sum(part, []) for part in zip(*entries, strict=True))
  figure.legend(handles, labels, loc="outside lower center", ncols=4)


def _group(period: int):
  """Ends and dashes of the group of lengths that a concept belongs to."""
  for low, high, dashes in (*_PERIODS, _LONGER):
    if period <= high:
      return low, high, dashes
  return _LONGER


def _spread(periods: np.ndarray) -> np.ndarray:
  """Small shifts that keep concepts of equal length apart."""
  shift = np.zeros(len(periods))
  for period in np.unique(periods):
    rows = np.flatnonzero(periods == period)
    shift[rows] = np.linspace(-0.35, 0.35, len(rows) + 2)[1:-1]
  return shift


def flips_axis(axis: mpl_axes.Axes, lengths: Lengths) -> None:
  """Numbers of flips on a logarithmic scale."""
  axis.set_xscale("log")
  ticks = [tick for tick in _TICKS if tick <= lengths[-1]]
  axis.set_xticks(ticks, [str(tick) for tick in ticks])
  axis.minorticks_off()
  axis.set_xlim(lengths[0], lengths[-1])
  axis.set_xlabel("flips (log scale)")
