"""The mesh forming while a model reads: one measured picture per frame.

Nothing is interpolated. Frames are turned as wholes onto one another
(Procrustes), for the eye only.
"""

import io
import pathlib

from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure
from matplotlib.backends import backend_agg
import numpy as np
import PIL.Image

from icl_graphs import atomic
from icl_graphs.report import view
from icl_graphs.report.paper_one import drawing, emergence

# Milliseconds per frame, and how long the last one stays.
STEP, REST = 420, 2600
DPI, SHADES = 88, 224
_WHITISH = 10
STYLES = ((0, (1, 1)), "-", (0, (5, 1.5)))
MARKERS = ("s", "o", "^")


def write(one: view.GraphView, path: pathlib.Path) -> bool:
  """Writes a GIF of an early, the report and the last layer over contexts.

  Below them, relative energy by context with a line at the frame's context.

  Returns:
    Whether there was anything to draw.
  """
  points = emergence.turned(one)
  if points is None:
    return False
  layers = sorted({max(1, one.layer // 3), one.layer, one.size("layer") - 1})
  layers = [k for k in layers if k < one.size("layer")]
  drawn = np.isfinite(points[one.layer]).all(axis=(-2, -1))
  states = emergence.states(one)
  with drawing.styled():
    frames = [
      _image(_frame(one, points, states, layers, c))
      for c in np.flatnonzero(drawn)
    ]
  if not frames:
    return False
  shades = _palette(frames[-1])
  frames = [
    image.quantize(palette=shades, dither=PIL.Image.Dither.NONE)
    for image in frames
  ]
  content = io.BytesIO()
  frames[0].save(
    content,
    format="GIF",
    save_all=True,
    append_images=frames[1:],
    duration=[*[STEP] * (len(frames) - 1), REST],
    loop=0,
    optimize=False,
  )
  with atomic.replaced(path) as partial:
    partial.write_bytes(content.getvalue())
  return True


def _palette(frame: PIL.Image.Image) -> PIL.Image.Image:
  """Shades of one frame, for all frames so that nothing flickers."""
  shades = frame.quantize(SHADES, PIL.Image.Quantize.MAXCOVERAGE)
  colours = np.array(shades.getpalette()).reshape(-1, 3)
  # The background stays white.
  colours[(colours > 255 - _WHITISH).all(axis=1)] = 255
  shades.putpalette(colours.ravel().tolist())
  return shades


def _frame(
  one: view.GraphView,
  points: np.ndarray,
  states: np.ndarray,
  layers: list[int],
  context: int,
) -> mpl_figure.Figure:
  panels = len(layers) + 1
  width, height = 2.1 * panels + 0.2, 4.15
  figure = mpl_figure.Figure((width, height))
  sides = {"left": 0.1 / width, "right": 1 - 0.1 / width, "wspace": 0.05}
  top = figure.add_gridspec(1, panels, top=0.86, bottom=0.42, **sides)
  emergence.the_graph(figure.add_subplot(top[0]), one)
  for column, k in enumerate(layers, start=1):
    axis = figure.add_subplot(top[column])
    state = states[k, context]
    emergence.cell(axis, one, points[k, context], state, k, context)
    axis.set_title(
      emergence.layer_name(one, k).replace("\n", " "),
      fontweight="bold" if k == one.layer else "normal",
    )
  below = figure.add_axes((0.75 / width, 0.12, 1 - 2.35 / width, 0.22))
  _energies(below, one, layers, context)
  figure.text(
    0.1 / width,
    0.985,
    f"{one.spec} after {one.context_text(context)} of context",
    va="top",
    fontsize=12,
    fontweight="bold",
    color=emergence.INK,
  )
  return figure


def _energies(
  axis: mpl_axes.Axes, one: view.GraphView, layers: list[int], context: int
) -> None:
  energy = one.stat("energy_relative")
  contexts = np.array(one.labels("context"))
  assert energy is not None
  for k, style, marker in zip(layers, STYLES, MARKERS, strict=False):
    label = emergence.layer_name(one, k).split("\n")[0]
    line = energy[k, one.window]
    colour = emergence.INK if k == one.layer else "#1f4e8c"
    axis.plot(contexts, line, color=colour, ls=style, lw=1.3, label=label)
    axis.plot(contexts[context], line[context], marker, color=colour, ms=5)
  if one.control is not None:
    untrained = one.control.stat("energy_relative")
    axis.plot(
      contexts,
      untrained[one.layer, one.window],
      color="#9ca3af",
      lw=1.2,
      ls=(0, (3, 1, 1, 1)),
      label=f"layer {one.labels('layer')[one.layer]}, random weights",
    )
  axis.axvline(contexts[context], color=emergence.INK, lw=0.7)
  axis.axhline(1, color=emergence.SOFT, lw=0.7, ls=":")
  drawing.context_axis(axis, contexts.tolist())
  axis.set_xlabel(f"context ({one.unit}, log scale)", labelpad=1)
  axis.set_ylabel("relative\nenergy")
  axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=6.5)


def _image(figure: mpl_figure.Figure) -> PIL.Image.Image:
  figure.set_dpi(DPI)
  canvas = backend_agg.FigureCanvasAgg(figure)
  canvas.draw()
  return PIL.Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
