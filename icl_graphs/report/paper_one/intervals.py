"""Numbers with their intervals, as dots and as lines, readable in greyscale."""

from collections.abc import Sequence
import dataclasses

from jaxtyping import Float
from matplotlib import axes as mpl_axes
import numpy as np

from icl_graphs.analysis import nulls
from icl_graphs.report import curves


@dataclasses.dataclass(frozen=True)
class Look:
  """How a series is drawn: colour, dashes and marker all differ."""

  colour: str
  dashes: object
  marker: str


LOOKS = (
  Look(curves.BLUE, "-", "o"),
  Look(curves.AMBER, (0, (5, 1.5)), "s"),
  Look(curves.GREY, (0, (1, 1)), "x"),
  Look("#0f766e", (0, (5, 1.5, 1, 1.5)), "^"),
  Look("#7c3aed", (0, (8, 2)), "D"),
  Look(curves.INK, (0, (2, 3)), "v"),
)
_MORE_MARKERS = ("P", "*", "<", ">", "p", "h", "d", "+")
_RESAMPLES = 1000


def look(place: int) -> Look:
  """The look of one of many series; colours and dashes come again.

  Markers do not, up to fourteen series, so that greyscale tells them apart.
  """
  if place < len(LOOKS):
    return LOOKS[place]
  turn, rest = divmod(place, len(LOOKS))
  more = _MORE_MARKERS[(place - len(LOOKS)) % len(_MORE_MARKERS)]
  return Look(
    LOOKS[rest].colour, LOOKS[(rest + turn) % len(LOOKS)].dashes, more
  )


def mean(values: Float[np.ndarray, "rows X"]) -> Float[np.ndarray, "3 X"]:
  """Mean over rows with its 95% bootstrap interval: value, low, high."""
  weights = nulls.bootstrap_weights(len(values), _RESAMPLES, 0) / len(values)
  middle = values.mean(axis=0)
  ends = nulls.interval(middle, weights @ values, len(values))
  return np.stack([middle, *ends])


def line(
  axis: mpl_axes.Axes,
  x: Sequence[float],
  estimate: Float[np.ndarray, "3 X"],
  look: Look,
  label: str,
) -> None:
  """A line with its interval as a band; estimate holds value, low, high."""
  value, low, high = estimate
  axis.plot(
    x, value, color=look.colour, ls=look.dashes, marker=look.marker, ms=4.5,
    lw=1.6, label=label,
  )  # fmt: skip
  axis.fill_between(x, low, high, color=look.colour, alpha=0.15, lw=0)


def dots(
  axis: mpl_axes.Axes,
  names: Sequence[str],
  estimate: Float[np.ndarray, "3 X"],
  looks: Sequence[Look],
) -> None:
  """A dot with a whisker per row, the first on top; see `line`."""
  for row, (value, low, high) in enumerate(np.transpose(estimate)):
    look = looks[row]
    axis.plot([low, high], [row, row], color=look.colour, lw=1.6)
    axis.plot(value, row, color=look.colour, marker=look.marker, ms=6, ls="")
  axis.set_yticks(range(len(names)), names)
  axis.set_ylim(len(names) - 0.5, -0.5)
  axis.grid(axis="y", color="#e5e7eb", lw=0.6)
  axis.set_axisbelow(True)
