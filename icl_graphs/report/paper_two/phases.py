"""The phases of a repeated concept, drawn as the words of a graph are.

Legend: P phases, K hidden states, J contexts.
"""

from collections.abc import Mapping, Sequence
import pathlib

from jaxtyping import Float, Int
from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure
import numpy as np

from icl_graphs.analysis import pca
from icl_graphs.analysis import phases as phases_lib
from icl_graphs.report import alignment, gallery, palette, placement
from icl_graphs.report import figures as common
from icl_graphs.report.paper_one import drawing, intervals

# Measures whose curves are drawn.
CURVES = ("energy_beyond", "flip_share", "flip_distance")
_LOOKS = {
  "concept": intervals.LOOKS[0],
  "fair flips": intervals.LOOKS[1],
  "random weights": intervals.LOOKS[2],
}
_NAMES = {
  "concept": "concept",
  "fair flips": "fair flips",
  "random weights": "concept, random weights",
}
_SIDE, _SIZE = 1.75, 6.5  # of a picture in inches, of its labels in points


def pictures(
  path: pathlib.Path,
  gram: Float[np.ndarray, "K J P P"],
  energy: Float[np.ndarray, "K J"],
  word: str,
  contexts: Sequence[int],
  layer: int,
) -> None:
  """Layers (deepest first) by contexts, beside the ring itself.

  Args:
    path: of the PNG.
    gram: inner products of the centred class means.
    energy: relative energy; NaN where there is no picture.
    word: the concept.
    contexts: which of J, in flips after the first period.
    layer: the report layer.
  """
  layout = phases_lib.layout(len(word))
  known = np.isfinite(energy)[..., None, None]
  scores = pca.scores(pca.axes(np.where(known, gram, 0)), 2)
  scores = np.where(known, scores, np.nan)
  turned = scores @ alignment.rotations(scores, layout, layer)
  last = len(gram) - 1
  layers = sorted({last, layer, max(1, layer // 2), 1}, reverse=True)
  with drawing.styled():
    figure = mpl_figure.Figure(
      (_SIDE * (len(contexts) + 1), (_SIDE + 0.25) * len(layers) + 0.5),
      layout="constrained",
    )
    cells = figure.subplots(len(layers), len(contexts) + 1, squeeze=False)
    for row, k in zip(cells, layers, strict=True):
      gallery.frame(row[0])
      if k == layers[0]:
        row[0].spines[:].set_visible(False)
        row[0].set_title("the ring itself")
        picture(row[0], layout, word)
      else:
        row[0].axis("off")
      name = "embedding" if k == 0 else f"layer {k}"
      row[1].set_ylabel(f"{name}\n(report)" if k == layer else name)
      for axis, j in zip(row[1:], contexts, strict=True):
        gallery.frame(axis)
        if k == layers[0]:
          axis.set_title(f"{len(word) + j} flips")
        if np.isfinite(energy[k, j]):
          picture(axis, turned[k, j], word)
          axis.set_xlabel(f"energy {energy[k, j]:.2f}", fontsize=7, labelpad=2)
        else:
          axis.text(0, 0, "all alike", ha="center", color="#6b7280")
    figure.suptitle(
      f"Phases of {word} as it is repeated (PC 1-2; lines: the ring)",
      x=0.01,
      ha="left",
    )
    common.write_png(figure, path, dpi=common.DPI)


def picture(
  axis: mpl_axes.Axes, points: Float[np.ndarray, "P 2"], word: str
) -> None:
  """Phases as numbered dots, filled for Tails, and the ring's edges."""
  low, high = points.min(axis=0), points.max(axis=0)
  points = (points - (low + high) / 2) / ((high - low).max() / 2 or 1.0)
  closed = np.concatenate([points, points[:1]])
  axis.plot(*closed.T, color="#9ca3af", lw=0.9, zorder=1)
  colours = palette.by_place(phases_lib.layout(len(word)))
  for phase, (point, colour) in enumerate(zip(points, colours, strict=True)):
    axis.plot(
      *point,
      "o",
      markersize=6,
      markeredgewidth=1.6,
      color=colour,
      markerfacecolor=colour if word[phase] == "1" else "white",
      zorder=2,
    )
  unit = 2 * gallery.REACH / (72 * _SIDE)
  names = [str(phase + 1) for phase in range(len(word))]
  widths = np.array([0.6 * _SIZE * unit * len(name) for name in names])
  centres = placement.label_centres(
    points, widths, 1.1 * _SIZE * unit, 4.5 * unit, gallery.REACH
  )
  for centre, name in zip(centres, names, strict=True):
    axis.text(
      *(*centre, name),
      ha="center",
      va="center",
      fontsize=_SIZE,
      color=gallery.INK,
      zorder=3,
    )


def curves(
  path: pathlib.Path,
  after: Int[np.ndarray, " J"],
  probability: Mapping[str, Float[np.ndarray, "3 J"]],
  chance: float,
  measures: Mapping[str, Mapping[str, Float[np.ndarray, "3 J"]]],
  orders: Float[np.ndarray, "2 J"],
  n50: Float[np.ndarray, " R"],
) -> None:
  """Concept probability above the geometry, at the same contexts.

  Args:
    path: of the PNG.
    after: flips after the first period.
    probability: of the concept: mean, low and high over concepts, by
      predictor.
    chance: the same of fair flips.
    measures: likewise `CURVES`, by condition.
    orders: energy in random orders of the phases, low and high.
    n50: of every concept, in flips after the first period; NaN for never.
  """
  reached = n50[np.isfinite(n50)]
  with drawing.styled():
    figure = mpl_figure.Figure((7.2, 9.2), layout="constrained")
    top, middle, share, distance = figure.subplots(4, 1, sharex=True)
    for (name, values), look in zip(
      probability.items(),
      (intervals.LOOKS[0], intervals.LOOKS[3]),
      strict=False,
    ):
      intervals.line(top, after, values, look, name)
    top.axhline(chance, color="#6b7280", lw=0.8, ls=":", label="fair flips")
    top.set(
      ylabel="Probability",
      ylim=(-0.03, 1.03),
      title="Generation: probability that the concept goes on (d = 6)",
    )
    middle.fill_between(
      after, *orders, color="#d1d5db", alpha=0.7, lw=0, label="random orders"
    )
    middle.axhline(1, color="#6b7280", lw=0.8, ls=":")
    for axis, key in zip((middle, share, distance), CURVES, strict=True):
      for name, values in measures.items():
        intervals.line(axis, after, values[key], _LOOKS[name], _NAMES[name])
    middle.set(
      ylabel="Ring energy",
      title="Ring of phases beyond the flip just read (1 = no ring)",
    )
    share.set(
      ylabel="Share of variance",
      title="Heads or Tails: how much of what differs between flips it is",
      ylim=(-0.03, 1.03),
    )
    distance.set(
      ylabel="Distance / RMS length",
      title="Distance between the means of Heads and Tails",
      xlabel="Flips after the first period",
    )
    distance.set_ylim(bottom=0)
    for axis in (top, middle, share, distance):
      if len(reached):
        axis.axvline(
          reached.mean(),
          color="#111827",
          lw=1,
          ls=(0, (4, 2)),
          label=f"mean n50 ({len(reached)} of {len(n50)})",
        )
      axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    common.write_png(figure, path, dpi=common.DPI)


def spectra(
  path: pathlib.Path,
  flips: Int[np.ndarray, " J"],
  power: Mapping[str, Float[np.ndarray, "J waves"]],
  flat: Float[np.ndarray, " waves"],
  word: str,
  layer: int,
  switch: float,
) -> None:
  """The spectrum round the ring as the context grows, a panel by condition.

  Args:
    path: of the PNG.
    flips: that were read.
    power: share of variance by waves round the ring, by condition; NaN where
      all class means coincide.
    flat: the same without structure.
    word: the concept.
    layer: the hidden state.
    switch: n50 of this concept; NaN for never.
  """
  with drawing.styled():
    figure = mpl_figure.Figure((9.6, 3.6), layout="constrained")
    cells = figure.subplots(1, len(power), sharey=True, squeeze=False)[0]
    for axis, (name, shares) in zip(cells, power.items(), strict=True):
      for wave, curve in enumerate(shares.T):
        look = intervals.look(wave)
        axis.plot(
          flips, curve, color=look.colour, ls=look.dashes, marker=look.marker,
          ms=3.5, lw=1.4, markevery=3, label=f"{wave + 1}",
        )  # fmt: skip
      for level in np.unique(flat):
        axis.axhline(level, color="#6b7280", lw=0.8, ls=":")
      if np.isfinite(switch):
        axis.axvline(switch, color="#111827", lw=1, ls=(0, (4, 2)))
      axis.set(title=_NAMES[name], xlabel="Flips read", ylim=(-0.03, 1.03))
    cells[0].set_ylabel("Share of variance")
    figure.legend(
      *cells[0].get_legend_handles_labels(),
      title="waves",
      loc="outside right center",
    )
    figure.suptitle(
      f"Spectrum of the phases of {word} round the ring, hidden state {layer}",
      x=0.01,
      ha="left",
    )
    common.write_png(figure, path, dpi=common.DPI)


def layers(
  path: pathlib.Path,
  energy: Mapping[str, Float[np.ndarray, "3 K"]],
  recent: float,
  power: Mapping[str, Float[np.ndarray, " waves"]],
  flat: Float[np.ndarray, " waves"],
  word: str,
  layer: int,
) -> None:
  """Energy by layer, and the spectrum round the ring.

  Args:
    path: of the PNG.
    energy: ring energy: mean, low and high over concepts, by condition.
    recent: of the last three flips alone.
    power: share of variance by waves round the ring, by condition.
    flat: the same without structure.
    word: the concept of the spectrum.
    layer: the report layer.
  """
  with drawing.styled():
    figure = mpl_figure.Figure((9.6, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, values in energy.items():
      depth = np.arange(values.shape[1])
      intervals.line(left, depth, values, _LOOKS[name], _NAMES[name])
    left.axhline(recent, color="#111827", lw=1, ls="--", label="last 3 flips")
    left.axhline(1, color="#6b7280", lw=0.8, ls=":", label="no structure")
    left.set(
      title="Ring energy at the longest context",
      xlabel="Hidden state (0: embedding)",
      ylabel="Ring energy beyond the flip",
      xticks=np.unique(
        np.linspace(0, depth[-1], min(9, len(depth)), dtype=int)
      ),
    )
    left.legend(loc="best")
    waves = np.arange(1, len(flat) + 1)
    width = 0.8 / len(power)
    for step, (name, values) in enumerate(power.items()):
      right.bar(
        waves + (step - (len(power) - 1) / 2) * width,
        values,
        width,
        color=_LOOKS[name].colour,
        hatch=("", "///", "...")[step % 3],
        edgecolor="white",
        label=_NAMES[name],
      )
    right.plot(waves, flat, "o", color="#111827", ms=4, label="no structure")
    right.set(
      title=f"Spectrum of {word}, hidden state {layer}",
      xlabel="Waves round the ring",
      ylabel="Share of variance",
      xticks=waves,
    )
    right.legend(loc="best")
    common.write_png(figure, path, dpi=common.DPI)
