"""How every figure of the paper's experiments is put on disk."""

from collections.abc import Callable
import pathlib
import warnings

import matplotlib
from matplotlib import figure as mpl_figure

from icl_graphs.report import figures


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
  with matplotlib.rc_context(figures.STYLE), warnings.catch_warnings():
    # A word in a script the font lacks is drawn as boxes, not an error.
    warnings.filterwarnings("ignore", message="Glyph .* missing from font")
    drawn = draw(*arguments)
    if drawn is None:
      return False
    figures.write_png(drawn, path, dpi=figures.DPI * (1 if fine else 0.7))
  return True
