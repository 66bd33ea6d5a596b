"""Figures of the re-encoding experiment."""

import pathlib

import matplotlib
from matplotlib import figure as mpl_figure
import numpy as np
import xarray as xr

from icl_graphs.report import curves, figures
from icl_graphs.report.paper_one import intervals

CONDITIONS, SCANS = "reencoding_conditions.png", "reencoding_scans.png"
_SHOWN = (
  ("hit_1", "Hit@1: likeliest node word is a\nneighbour of the target"),
  ("new_hit_1", "Hit@1 on the target's neighbours\nthat the word itself lacks"),
  ("new_mass", "Probability of these neighbours\n(whole vocabulary)"),
)  # fmt: skip
FEWEST = 10  # walks of a distance that is drawn
# Kinds of conditions.
CLEAN, RECIPE, BARE = "clean run", "the paper's recipe", "no unembedding term"
WORD_ONLY, RANDOM = "unembedding term only", "random, same length"
BARE_RANDOM = "random, length without the term"
_SERIES = (RECIPE, BARE, RANDOM)


def find(
  measured: xr.Dataset,
  kind: str,
  components: int | None = None,
  layers: str | None = None,
) -> int | None:
  """Number of a condition; None where it was not run.

  Args:
    measured: of the experiment.
    kind: of the condition.
    components: the last one; default any.
    layers: hidden states, as text; default those of the recipe, where the
      condition changes any.
  """
  for index, (is_kind, last, where) in enumerate(
    zip(
      measured["kind"].values,
      measured["components"].values,
      measured["layers"].values,
      strict=True,
    )
  ):
    fits = where == layers if layers else where in (measured.attrs["late"], "")
    if is_kind == kind and components in (None, last) and fits:
      return index
  return None


def main(measured: xr.Dataset) -> list[tuple[str, int]]:
  """Name and number of the conditions with the recipe's N = 2, in order."""
  kinds = list(dict.fromkeys(measured["kind"].values))
  first, last = (RECIPE, BARE, WORD_ONLY), (RANDOM, BARE_RANDOM, CLEAN)
  others = [kind for kind in kinds if kind not in (*first, *last)]
  found = []
  for kind in (*first, *others, *last):
    two = kind in (*_SERIES, BARE_RANDOM)
    index = find(measured, kind, 2 if two else None)
    if index is not None:
      found.append((kind, index))
  return found


def write(measured: xr.Dataset, folder: pathlib.Path) -> dict[str, str]:
  """Draws both figures.

  Args:
    measured: `mean` (stat, condition, metric), `per_walk` (walk, condition,
      metric), `distance` (walk) and the coordinates of conditions.
    folder: for the PNGs.

  Returns:
    File name to caption.
  """
  captions = {}
  with matplotlib.rc_context(figures.STYLE):
    for name, draw, caption in (
      (CONDITIONS, conditions, _CONDITIONS),
      (SCANS, scans, _SCANS),
    ):
      figures.write_png(draw(measured), folder / name, dpi=figures.DPI)
      captions[name] = caption
  return captions


_CONDITIONS = (
  "How often the model goes on from the target instead of the word it has just "
  "read. Each row is one way to change the last position; whiskers are 95% "
  "bootstrap intervals over walks. The recipe moves the word to the target's "
  "mean along the first two principal components and takes the target's own "
  "word away; rows below take parts of it alone, other components, another "
  "node's mean, or a random direction of the same length. The dotted line is a "
  "guess among the node words."
)
_SCANS = (
  "Left: more principal components. Middle: the recipe's two components at one "
  "hidden state alone. Right: walks by the graph distance between the current "
  "word and the target; at even distances the target's neighbours lie on the "
  "same side of a chessboard as the current word's; distances with fewer than "
  f"{FEWEST} walks are left out. Bands: 95% bootstrap "
  "intervals over walks."
)


def conditions(measured: xr.Dataset) -> mpl_figure.Figure:
  """Every condition with N = 2, three measures side by side."""
  # The two lengths differ by little: one random direction is enough to see.
  rows = [row for row in main(measured) if row[0] != BARE_RANDOM]
  looks = [_look(kind) for kind, _ in rows]
  height = 1.4 + 0.27 * len(rows)
  figure = mpl_figure.Figure((9.6, height), layout="constrained")
  axes = figure.subplots(1, len(_SHOWN), sharey=True)
  for axis, (metric, title) in zip(axes, _SHOWN, strict=True):
    estimate = measured["mean"].sel(metric=metric).values
    estimate = estimate[:, [index for _, index in rows]]
    intervals.dots(axis, [kind for kind, _ in rows], estimate, looks)
    chance = measured.attrs.get(f"chance_{metric}")
    if chance is not None:
      axis.axvline(chance, color=curves.GREY, ls=":", lw=1)
    axis.set_xlim(left=0)
    axis.set_title(title, fontsize=8)
    axis.set_xlabel("share of walks" if "hit" in metric else "probability")
  figure.suptitle(
    f"{measured.attrs['graph']}: re-encoding the last word as another node "
    f"(hidden states {measured.attrs['late']}, {measured.sizes['walk']} walks)",
    x=0.01,
    ha="left",
  )
  return figure


def scans(measured: xr.Dataset) -> mpl_figure.Figure:
  """Hit@1 on new neighbours against N, hidden state and graph distance."""
  figure = mpl_figure.Figure((9.6, 3.3), layout="constrained")
  left, middle, right = figure.subplots(1, 3, sharey=True)
  estimate = measured["mean"].sel(metric="new_hit_1").values
  counts = sorted(set(measured["components"].values[_of(measured, RECIPE)]))
  layers = [
    k
    for k in measured["layer"].values.tolist()
    if find(measured, RECIPE, 2, str(k)) is not None
  ]
  for series, look in zip(_SERIES, intervals.LOOKS, strict=False):
    of_n = [find(measured, series, n) for n in counts]
    intervals.line(left, counts, estimate[:, of_n], look, series)
    alone = [find(measured, series, 2, str(layer)) for layer in layers]
    intervals.line(middle, layers, estimate[:, alone], look, series)
  clean = find(measured, CLEAN)
  look = intervals.LOOKS[5]
  for axis, x in ((left, counts), (middle, layers)):
    flat = np.repeat(estimate[:, [clean]], len(x), axis=1)
    intervals.line(axis, x, flat, look, CLEAN)
  by_distance(right, measured)
  left.set_xlabel("principal components N")
  left.set_xticks(counts)
  middle.set_xlabel("hidden state that is changed")
  middle.set_xticks(layers)
  left.set_ylabel("Hit@1 on new neighbours")
  left.set_ylim(bottom=0)
  figure.legend(
    *left.get_legend_handles_labels(), loc="outside lower center", ncols=4
  )
  figure.suptitle(
    f"{measured.attrs['graph']}: how many components, where, and how far",
    x=0.01,
    ha="left",
  )
  return figure


def by_distance(axis, measured: xr.Dataset) -> None:
  """Hit@1 on new neighbours for targets at every distance."""
  stratum = measured["stratum"].values
  shown = [
    k
    for k, name in enumerate(stratum)
    if name.startswith("distance") and measured["walks"].values[k] >= FEWEST
  ]
  x = [int(stratum[k].split()[-1]) for k in shown]
  values = measured["by_stratum"].sel(metric="new_hit_1").values
  for series, look in zip(_SERIES, intervals.LOOKS, strict=False):
    at = find(measured, series, 2)
    intervals.line(axis, x, values[:, shown, at], look, series)
  at = find(measured, CLEAN)
  intervals.line(axis, x, values[:, shown, at], intervals.LOOKS[5], CLEAN)
  axis.set_xlabel("graph distance to the target (edges)")
  axis.set_xticks(x)


def _of(measured: xr.Dataset, kind: str) -> np.ndarray:
  late = measured["layers"].values == measured.attrs["late"]
  return np.flatnonzero((measured["kind"].values == kind) & late)


def _look(kind: str) -> intervals.Look:
  looks = intervals.LOOKS
  if kind in _SERIES[:2]:
    return looks[0]
  if kind == RANDOM:
    return looks[2]
  return looks[5] if kind == CLEAN else looks[1]
