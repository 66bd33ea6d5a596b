"""Principal components against the graph's smoothest modes, as heat maps."""

from collections.abc import Mapping, Sequence
import dataclasses

from jaxtyping import Float
from matplotlib import figure as mpl_figure
import numpy as np

from icl_graphs.report import view
from icl_graphs.report.paper_one import emergence

SPACES = 7


@dataclasses.dataclass(frozen=True)
class Shares:
  """Share of components in eigenspaces, of one graph at the report layer.

  shares [K, S]; eigenvalues [S]; sizes [S], dimensions of the eigenspaces.
  """

  shares: Float[np.ndarray, "K S"]
  eigenvalues: Float[np.ndarray, " S"]
  sizes: np.ndarray


def by_layer(
  ones: Sequence[view.GraphView],
) -> mpl_figure.Figure | None:
  """Smaller principal cosine by graph and layer, model beside random weights.

  Bold: beyond the limit of relabelled words (one-sided 2.5%) and the interval
  beyond their mean.
  """
  if not ones:
    return None
  layers = ones[0].labels("layer")
  sides = (
    (ones, "the model"),
    ([one.control for one in ones], "random weights"),
  )
  width = 1.6 + 2 * (0.42 * len(layers) + 0.5)
  figure = mpl_figure.Figure(
    (min(max(width, 7.5), 15), 1.35 + 0.34 * len(ones)), layout="constrained"
  )
  panels = figure.subplots(1, 2, sharey=True)
  image = None
  for axis, (each, title) in zip(panels, sides, strict=True):
    values = np.stack(
      [
        one.stat("principal_cosine_2")[:, one.window, one.context]
        for one in each
      ]
    )
    image = axis.imshow(values, vmin=0, vmax=1, cmap="cividis", aspect="auto")
    for row, one in enumerate(each):
      alone = dataclasses.replace(one, control=None)
      state = emergence.judged(alone, "principal_cosine_2", 1)[:, one.context]
      for k, value in enumerate(values[row]):
        clear = state[k] == "present"
        axis.text(
          k,
          row,
          f"{value:.2f}".replace("0.", ".") if np.isfinite(value) else "–",
          ha="center",
          va="center",
          fontsize=7 if len(layers) <= 14 else 4.5,
          fontweight="bold" if clear else "normal",
          color="black" if value > 0.55 else "white",
          alpha=1 if clear else 0.75,
        )
    step = max(1, len(layers) // 12)
    axis.set_xticks(range(0, len(layers), step), layers[::step])
    axis.set_yticks(range(len(ones)), [one.spec for one in ones])
    axis.set_xlabel("hidden state (0 = embedding)")
    axis.set_title(title)
    axis.axvspan(
      ones[0].layer - 0.5, ones[0].layer + 0.5, fill=False, ec="white", lw=1.6
    )
    axis.spines[:].set_visible(False)
  bar = figure.colorbar(image, ax=panels, pad=0.01, fraction=0.04)
  bar.outline.set_linewidth(0)
  figure.suptitle(
    "How well the plane of components 1-2 lies in the graph's smoothest modes\n"
    "(smaller principal cosine, 1: fully; bold: beyond relabelled words; "
    "framed: report layer)",
    x=0.01,
    ha="left",
    fontsize=10,
  )
  return figure


def _picked(count: int) -> list[int]:
  """The smoothest eigenspaces and the roughest one."""
  if count <= SPACES:
    return list(range(count))
  return [*range(SPACES - 1), count - 1]


def by_space(
  shares: Mapping[str, Shares], layer: int
) -> mpl_figure.Figure | None:
  """Where each component lies: share in every eigenspace, per graph."""
  if not shares:
    return None
  columns = min(4, len(shares))
  rows = -(-len(shares) // columns)
  figure = mpl_figure.Figure(
    (2.9 * columns, 0.9 + 2.0 * rows), layout="constrained"
  )
  panels = figure.subplots(rows, columns, squeeze=False).ravel()
  for axis in panels[len(shares) :]:
    axis.axis("off")
  for axis, (spec, one) in zip(panels, shares.items(), strict=False):
    picked = _picked(len(one.eigenvalues))
    drawn = one.shares[:, picked]
    axis.imshow(drawn, vmin=0, vmax=1, cmap="cividis", aspect="auto")
    for k, s in np.ndindex(drawn.shape):
      axis.text(
        s,
        k,
        f"{drawn[k, s]:.2f}".replace("0.", "."),
        ha="center",
        va="center",
        fontsize=6.5,
        color="black" if drawn[k, s] > 0.55 else "white",
      )
    names = [
      f"{one.eigenvalues[s]:.2g}"
      + (f"\n×{one.sizes[s]}" if one.sizes[s] > 1 else "")
      for s in picked
    ]
    if len(picked) < len(one.eigenvalues):
      names[-1] = "… " + names[-1]
    axis.set_xticks(range(len(picked)), names, fontsize=6.5)
    rows = [f"PC{k + 1}" for k in range(len(drawn))]
    axis.set_yticks(range(len(drawn)), rows)
    axis.set_title(spec)
    axis.spines[:].set_visible(False)
  figure.supxlabel(
    "eigenvalue of the Laplacian, smoothest first, the roughest last (×k: "
    "eigenspace of dimension k)",
    fontsize=8,
  )
  figure.suptitle(
    f"In which modes of the graph each component lies (hidden state {layer}; "
    "a row sums to 1 over all modes)",
    x=0.01,
    ha="left",
    fontsize=10,
  )
  return figure
