"""Two hypotheses about flips, and how a next flip follows from them."""

from collections.abc import Mapping
import pathlib

from jaxtyping import Float, Int
from matplotlib import figure as mpl_figure
import numpy as np

Curve = Float[np.ndarray, " m"]
_COLOURS = ("#1f4e8c", "#b45309", "#5b6575", "#0f766e")
_STYLES = ("-", "--", ":", "-.")


def hypotheses(
  path: pathlib.Path,
  flips: Int[np.ndarray, " m"],
  posteriors: Mapping[str, Curve],
  published: Mapping[str, Curve],
  corrected: Mapping[str, Curve],
) -> None:
  """The paper's figure: posterior of the concept, and predictions from it.

  Args:
    path: of the PNG.
    flips: numbers of flips seen.
    posteriors: of the concept, by name of the likelihood.
    published: predictions under the published weights, by name.
    corrected: likewise under likelihoods of sequences.
  """
  figure = mpl_figure.Figure(figsize=(10.5, 3.5), layout="constrained")
  axes = figure.subplots(1, 3)
  panels = (
    (axes[0], posteriors, "Posterior of the concept", "Probability"),
    (axes[1], published, "Next flip, published weights", "P(concept's flip)"),
    (axes[2], corrected, "Next flip, corrected weights", "P(concept's flip)"),
  )
  for axis, curves, title, label in panels:
    _lines(axis, flips, curves)
    axis.set(title=title, xlabel="Flips seen of (01) repeated", ylabel=label)
    axis.legend(frameon=False, fontsize=8)
  axes[2].set_xlim(0, 20)
  figure.savefig(path, dpi=150)


def observed(
  path: pathlib.Path,
  flips: Int[np.ndarray, " m"],
  model: Curve,
  others: Mapping[str, Curve],
  slopes: Mapping[str, float],
  ideal: float,
) -> None:
  """What the model predicts, and how fast its evidence grows per concept.

  Args:
    path: of the PNG.
    flips: numbers of flips seen.
    model: its probability of the concept's next flip.
    others: predictions of averaging and selection, by name.
    slopes: nats per flip, by concept.
    ideal: of an observer who averages.
  """
  figure = mpl_figure.Figure(figsize=(9, 3.5), layout="constrained")
  left, right = figure.subplots(1, 2)
  left.plot(
    *(flips, model),
    *("o-",),
    color=_COLOURS[0],
    markersize=3.5,
    label="the model",
  )
  _lines(left, flips, others, start=1)
  left.set(
    title="After (01) repeated",
    xlabel="Flips seen",
    ylabel="P(concept's next flip)",
    ylim=(0.3, 1.03),
  )
  left.legend(frameon=False, fontsize=8, loc="lower right")
  names = list(slopes)
  right.plot(list(slopes.values()), range(len(names)), "o", color=_COLOURS[0])
  right.axvline(ideal, color=_COLOURS[1], linestyle="--", label="averaging")
  right.set(
    title="Evidence per flip, by concept",
    xlabel="Slope of the log-odds (nats per flip)",
    yticks=range(len(names)),
    yticklabels=names,
  )
  right.tick_params(axis="y", labelsize=8)
  right.legend(frameon=False, fontsize=8)
  figure.savefig(path, dpi=150)


def _lines(axis, flips, curves, start=0):
  for number, (name, curve) in enumerate(curves.items(), start):
    axis.plot(
      *(flips, curve),
      color=_COLOURS[number % len(_COLOURS)],
      linestyle=_STYLES[number % len(_STYLES)],
      label=name,
    )
