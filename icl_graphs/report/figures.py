"""Static figures of a run: five PNGs per graph, readable in greyscale.

Drawn on the Agg canvas without pyplot, so nothing global changes and the same
measurements give the same bytes.
"""

import pathlib
import warnings

import matplotlib
from matplotlib import figure as mpl_figure
import numpy as np
import xarray as xr

from icl_graphs import atomic
from icl_graphs.report import curves, gallery, view, wording

DPI = 150
STYLE = {
  "font.family": "DejaVu Sans",
  "font.size": 8.5,
  "axes.titlesize": 9,
  "axes.titlelocation": "left",
  "axes.spines.top": False,
  "axes.spines.right": False,
  "axes.edgecolor": "#6b7280",
  "axes.labelcolor": "#374151",
  "axes.linewidth": 0.7,
  "xtick.color": "#6b7280",
  "ytick.color": "#6b7280",
  "xtick.labelcolor": "#374151",
  "ytick.labelcolor": "#374151",
  "xtick.labelsize": 7.5,
  "ytick.labelsize": 7.5,
  "legend.frameon": False,
  "legend.fontsize": 7.5,
  "legend.handlelength": 2.6,
  "figure.facecolor": "white",
  "figure.titlesize": 11,
  "image.cmap": "cividis",
  # A word may hold a dollar sign, which must not start a formula.
  "text.parse_math": False,
}
# (variable, title, lower end of the colour scale unless the data go further)
MAPS = (
  ("energy_relative", "Relative energy (1 = no structure, low = graph)", 0.6),
  ("distance_correlation", "Distance correlation (0 = no structure)", 0),
  ("principal_cosine_2", "Principal cosine, smaller (1 = perfect)", 0),
)


def write(tree: xr.DataTree, out: pathlib.Path) -> list[pathlib.Path]:
  """Draw every figure the measurements allow.

  Args:
    tree: measurements of a run, one group per graph.
    out: folder for the PNGs; made when it does not exist.

  Returns:
    The files written, per graph in the order emergence, energy and accuracy,
    layer maps, accuracy with baselines, Laplacian spectrum. A figure whose
    variables are absent is left out.
  """
  out.mkdir(parents=True, exist_ok=True)
  written = []
  used: set[str] = set()
  with matplotlib.rc_context(STYLE), warnings.catch_warnings():
    # A word in a script the font lacks is drawn as boxes, not an error.
    warnings.filterwarnings("ignore", message="Glyph .* missing from font")
    for one in view.views(tree):
      slug = one.slug
      while slug in used:
        slug += "_"
      used.add(slug)
      for name, draw in (
        ("emergence", gallery.emergence),
        ("energy", curves.energy_and_accuracy),
        ("layers", layer_maps),
        ("accuracy", curves.accuracy),
        ("spectrum", spectrum),
      ):
        drawn = draw(one)
        if drawn is None:
          continue
        path = out / f"{slug}_{name}.png"
        write_png(drawn, path, dpi=DPI)
        written.append(path)
  return written


def write_png(
  drawn: mpl_figure.Figure, path: pathlib.Path, dpi: int | None = None
) -> None:
  """Writes a figure whole; the same figure always gives the same bytes."""
  with atomic.replaced(path) as partial:
    # Naming the software would put its version into the bytes.
    drawn.savefig(
      partial, dpi=dpi or "figure", format="png", metadata={"Software": None}
    )


def layer_maps(one: view.GraphView) -> mpl_figure.Figure | None:
  """Layers against context: three measures of structure as heat maps.

  A single layer at a single context is no map and gives no figure.
  """
  if one.size("layer") * one.size("context") == 1:
    return None
  maps = [
    (title, least, values[:, one.window])
    for name, title, least in MAPS
    if (values := one.stat(name)) is not None
  ]
  if not maps:
    return None
  layers, contexts = one.labels("layer"), one.labels("context")
  height = 1.9 + 0.16 * min(len(layers), 40)
  figure = mpl_figure.Figure((3.7 * len(maps), height), layout="constrained")
  axes = figure.subplots(1, len(maps), squeeze=False)[0]
  for axis, (title, least, values) in zip(axes, maps, strict=True):
    finite = values[np.isfinite(values)]
    axis.set_facecolor("white")
    image = axis.imshow(
      np.ma.masked_invalid(values),
      origin="lower",
      aspect="auto",
      vmin=min([least, *finite]),
      vmax=max([1, *finite]),
      # Bright always means more of the graph.
      cmap="cividis_r" if title.startswith("Relative") else "cividis",
    )
    for k, c in np.argwhere(~np.isfinite(values)):
      axis.text(c, k, "·", ha="center", va="center", color="#6b7280")
    axis.set_title(title, fontsize=8)
    step = max(1, -(-len(contexts) // 8))
    axis.set_xticks(range(0, len(contexts), step), contexts[::step])
    step = max(1, -(-len(layers) // 12))
    axis.set_yticks(range(0, len(layers), step), layers[::step])
    axis.set_xlabel(f"context length ({one.unit})")
    axis.spines[:].set_visible(False)
    # The report layer, chosen before looking.
    axis.axhspan(
      one.layer - 0.5, one.layer + 0.5, fill=False, ec="white", lw=2.2
    )
    axis.axhspan(
      one.layer - 0.5, one.layer + 0.5, fill=False, ec="black", lw=0.9
    )
    figure.colorbar(image, ax=axis, pad=0.02, fraction=0.06).outline.set_lw(0)
  axes[0].set_ylabel("hidden state (0 = embedding)")
  figure.suptitle(
    f"{one.spec}: where and when structure appears (framed: report layer; "
    f"{one.where})",
    x=0.01,
    ha="left",
  )
  return figure


def spectrum(one: view.GraphView) -> mpl_figure.Figure | None:
  """Power per Laplacian mode at the report layer, early and at the end."""
  modes = one.modes
  if modes is None or not modes.eigenvalues.size:
    return None
  now = modes.power[one.layer, one.window]
  usable = np.flatnonzero(np.isfinite(now).all(axis=-1))
  if not usable.size:
    return None
  first, last = usable[0], usable[-1]
  figure = mpl_figure.Figure((6.4, 3.6), layout="constrained")
  axis = figure.subplots()
  axis.vlines(modes.eigenvalues, 0, now[last], color="#1f4e8c", lw=5)
  axis.plot(
    [], [], color="#1f4e8c", lw=5, label=one.context_text(last) or "measured"
  )
  if first != last:
    axis.plot(
      modes.eigenvalues,
      now[first],
      ls="",
      marker="D",
      ms=5,
      mfc="white",
      mec="#b45309",
      label=f"{one.context_text(first)} (earliest)",
    )
  axis.axhline(modes.flat, color="black", ls="--", lw=1, label="flat: 1/(n-1)")
  top = max(now[last].max(), now[first].max(), modes.flat)
  for x, power, count in zip(
    modes.eigenvalues,
    np.maximum(now[last], now[first]),
    modes.multiplicity,
    strict=True,
  ):
    if count > 1:
      axis.text(
        x,
        power + 0.03 * top,
        f"×{count}",
        ha="center",
        va="bottom",
        fontsize=7,
        color="#374151",
      )
  axis.set_ylim(0, 1.12 * top)
  axis.set_xlabel("Laplacian eigenvalue (left: smooth over the graph)")
  axis.set_ylabel("share of variance per mode")
  axis.legend(loc="upper right")
  axis.set_title("×k: mean over k modes with one eigenvalue", color="#6b7280")
  value = wording.number(float(now[last][0] / modes.flat))
  figure.suptitle(
    f"{one.spec}: power on the smoothest modes is {value} times flat "
    f"(layer {one.labels('layer')[one.layer]})",
    x=0.01,
    ha="left",
  )
  return figure
