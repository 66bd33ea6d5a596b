"""Theory beside observation: rankings, spectra and accuracy as figures."""

from collections.abc import Mapping
import pathlib
import re
from typing import Any

import matplotlib
from matplotlib import figure as mpl_figure
import numpy as np
import xarray as xr

from icl_graphs.report import curves, figures

UNSUPPORTED = "unsupported"
# Lines stay apart in greyscale by their dashes and markers.
STYLES = (
  ("#b45309", "-", "o"),
  ("#0f766e", (0, (5, 1.5)), "s"),
  ("#7c3aed", (0, (1, 1)), "^"),
  ("#9ca3af", (0, (5, 1.5, 1, 1.5)), "D"),
)
# Shown beside the best: energy minimisation and one-space smoothing.
ALWAYS = ("heat_flow_floor", "shared_mixing")
# In a legend beside a curve; further ones would hide it.
MOST_PREDICTORS = 5


def write(
  data: xr.Dataset, summary: Mapping[str, Any], spec: str, out: pathlib.Path
) -> list[dict[str, Any]]:
  """Draws the figures of one graph.

  Args:
    data: from `experiments.comparison.compare`.
    summary: its entry of the summary.
    spec: the graph.
    out: folder for the PNGs.

  Returns:
    Per figure `path`, and `caption` for the page.
  """
  slug = re.sub(r"[^A-Za-z0-9]+", "_", spec).strip("_") or "graph"
  written = []
  with matplotlib.rc_context(figures.STYLE):
    for name, draw, caption in (
      (
        "spectrum",
        spectrum,
        "Power per walk-matrix mode, observed and under fitted accounts.",
      ),
      (
        "accounts",
        accounts,
        "Held-out score of every account as the context grows.",
      ),
      (
        "predictors",
        accuracy,
        "Accuracy and what readers of the same walks would reach.",
      ),
    ):
      drawn = draw(data, summary, spec)
      if drawn is not None:
        path = out / f"{slug}_theory_{name}.png"
        figures.write_png(drawn, path, dpi=figures.DPI)
        written.append({"path": path, "caption": caption})
  return written


def spectrum(
  data: xr.Dataset, summary: Mapping[str, Any], spec: str
) -> mpl_figure.Figure | None:
  """Signed spectrum with intervals, and the best and the classic accounts."""
  cell = _report(data).isel(context=-1)
  seen = cell["power"].sel(stat=["value", "low", "high"]).values
  if not np.isfinite(seen[:, 0]).all():
    return None
  mu, flat = data["mu"].values, 1 / float(data["multiplicity"].sum())
  figure = mpl_figure.Figure((6.8, 4.0), layout="constrained")
  axis = figure.subplots()
  axis.axhline(flat, color="#6b7280", lw=0.9, ls=":")
  axis.text(mu.min(), flat, " flat", fontsize=7, va="bottom", color="#6b7280")
  for name, (colour, dash, marker) in zip(
    _shown(summary), STYLES, strict=False
  ):
    line = summary["accounts"][name]
    axis.plot(
      mu,
      cell["predicted_power"].sel(account=name).values,
      color=colour,
      ls=dash,
      marker=marker,
      ms=3.5,
      mfc="white",
      lw=1.3,
      label=f"{line['title']} (R² {line['score']:.2f})",
    )
  bars = np.abs(seen[:, 1:] - seen[:, :1]).T
  axis.errorbar(
    mu,
    seen[:, 0],
    yerr=np.where(np.isfinite(bars), bars, 0),
    ls="",
    marker="o",
    ms=6,
    color="black",
    capsize=3,
    lw=1.2,
    label="observed, 95% over groups of walks",
    zorder=5,
  )
  for x, y, count in zip(
    mu, seen[:, 0], data["multiplicity"].values, strict=True
  ):
    if count > 1:
      axis.annotate(
        f"×{count}", (x, y), (5, 5), textcoords="offset points", fontsize=7
      )
  axis.set_xlim(1.08 * mu.max() + 0.05, mu.min() - 0.1)
  axis.set_ylim(0, None)
  axis.set_xlabel("walk-matrix eigenvalue μ (left: smooth, right: alternating)")
  axis.set_ylabel("share of variance per mode")
  axis.legend(loc="upper center")
  figure.suptitle(f"{spec}: signed spectrum, {_where(data)}", x=0.01, ha="left")
  return figure


def accounts(
  data: xr.Dataset, summary: Mapping[str, Any], spec: str
) -> mpl_figure.Figure | None:
  """Accounts by context at the report layer and window; one context is none."""
  order = [name for name in summary["accounts"] if name != "flat"]
  values = _report(data)["score"].sel(stat="value", account=order).values
  if values.shape[1] < 2 or not np.isfinite(values).any():
    return None
  contexts = data["context"].values
  figure = mpl_figure.Figure(
    (2.9 + 0.52 * len(contexts), 1.3 + 0.29 * len(order)), layout="constrained"
  )
  axis = figure.subplots()
  image = axis.imshow(
    np.ma.masked_invalid(values), aspect="auto", vmin=0, vmax=1
  )
  for (row, column), value in np.ndenumerate(values):
    known = np.isfinite(value)
    text = f"{value:.2f}".replace("0.", ".") if known else "·"
    if known and value < -0.995:
      text = "<-1"
    axis.text(
      column,
      row,
      text,
      ha="center",
      va="center",
      fontsize=6.5,
      color="black" if not known or value > 0.6 else "white",
    )
  titles = [summary["accounts"][name] for name in order]
  axis.set_yticks(
    range(len(order)),
    [
      f"{one['title']}{' *' if one['verdict'] == UNSUPPORTED else ''}"
      for one in titles
    ],
  )
  axis.set_xticks(range(len(contexts)), contexts)
  axis.set_xlabel("context length (·: some words too rare)")
  axis.spines[:].set_visible(False)
  figure.colorbar(image, ax=axis, pad=0.02, fraction=0.05).outline.set_lw(0)
  figure.suptitle(
    f"{spec}: held-out R² of each account, {_where(data)}\n"
    "(* unsupported at the last context)",
    x=0.01,
    ha="left",
    fontsize=9.5,
  )
  return figure


def accuracy(
  data: xr.Dataset, summary: Mapping[str, Any], spec: str
) -> mpl_figure.Figure | None:
  """Measured accuracy and the best predictors against context."""
  if "predictor" not in data.dims:
    return None
  time = data["time"].values.astype(float)
  edges = np.unique(np.geomspace(1, time.max() + 1, 70).round())
  bins = np.digitize(time, edges)

  def binned(values):
    inside = [values[bins == b] for b in at]
    known = [part[np.isfinite(part)] for part in inside]
    return np.array([part.mean() if part.size else np.nan for part in known])

  measured = data["accuracy_measured"].values
  at = [
    b
    for b in range(1, len(edges) + 1)
    if np.isfinite(measured[bins == b]).any()
  ]
  centres = binned(time)
  figure = mpl_figure.Figure((6.8, 3.8), layout="constrained")
  axis = figure.subplots()
  axis.plot(centres, binned(measured), color="black", lw=2.4, label="model")
  names = [str(name) for name in data["predictor"].values[:MOST_PREDICTORS]]
  shades = (*STYLES, ("#1f4e8c", (0, (3, 1, 1, 1, 1, 1)), "v"))
  for name, (colour, dash, _) in zip(names, shades, strict=False):
    score = float(data["accuracy_r2"].sel(predictor=name, stat="value"))
    axis.plot(
      centres,
      binned(data["accuracy_curve"].sel(predictor=name).values),
      color=colour,
      ls=dash,
      lw=1.3,
      label=f"{name.replace('_', ' ')} (R² {score:.2f})",
    )
  curves.log_axis(axis, [1, 3, 10, 30, 100, 300, 1000])
  axis.set_xlim(1, time.max())
  axis.set_ylim(0, 1.02)
  axis.set_xlabel("context length (log scale)")
  axis.set_ylabel("probability on true neighbours")
  axis.legend(loc="lower right")
  figure.suptitle(
    f"{spec}: accuracy and its best predictors (held-out R²)",
    x=0.01,
    ha="left",
  )
  return figure


def _shown(summary: Mapping[str, Any]) -> list[str]:
  best = [name for name in summary["accounts"] if name != "flat"][:2]
  return best + [name for name in ALWAYS if name not in best]


def _report(data: xr.Dataset) -> xr.Dataset:
  return data.sel(
    layer=data.attrs["report_layer"], window=data.attrs["report_window"]
  )


def _where(data: xr.Dataset) -> str:
  layer = f"hidden state {data.attrs['report_layer']}"
  if not data.attrs.get("counts_known", 1):
    return layer
  return f"{layer}, window {data.attrs['report_window']}"
