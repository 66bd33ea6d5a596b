"""How every figure of the paper's experiments is put on disk."""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import pathlib
import warnings

import matplotlib
from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure

from icl_graphs.report import curves, figures

_ROUND = (1, 3, 10, 30, 100, 300, 1000, 3000, 10000)


def write(
  path: pathlib.Path,
  draw: Callable[..., mpl_figure.Figure | None],
  *arguments,
  fine: bool = True,
) -> bool:
  """Draws in the common style and writes the PNG.

  Args:
    path: of the PNG.
    draw: returns the figure, or None where there is nothing to draw.
    arguments: of `draw`.
    fine: False for large figures, which need fewer pixels per inch.

  Returns:
    Whether there was something to draw.
  """
  with styled():
    drawn = draw(*arguments)
    if drawn is None:
      return False
    figures.write_png(drawn, path, dpi=figures.DPI * (1 if fine else 0.7))
  return True


@contextlib.contextmanager
def styled() -> Iterator[None]:
  """The common style of figures."""
  with matplotlib.rc_context(figures.STYLE), warnings.catch_warnings():
    # A word in a script the font lacks is drawn as boxes, not an error.
    warnings.filterwarnings("ignore", message="Glyph .* missing from font")
    yield


def context_axis(axis: mpl_axes.Axes, contexts: Sequence[int]) -> None:
  """Context on a log axis with round numbers, ending at the last context."""
  first, last = contexts[0], contexts[-1]
  ticks = [t for t in _ROUND if first <= t < 0.7 * last]
  curves.log_axis(axis, [*ticks, last])
  if first < last:
    axis.set_xlim(first / 1.12, last * 1.12)
