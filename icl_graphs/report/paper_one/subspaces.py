"""Figures of the ablations of subspaces."""

import pathlib

from matplotlib import figure as mpl_figure
import numpy as np
import xarray as xr

from icl_graphs.analysis import walk_bootstrap
from icl_graphs.report import curves
from icl_graphs.report.paper_one import drawing, intervals

LOST, LAYERS, POWERS = (
  f"subspaces_{name}.png" for name in ("accuracy", "layers", "powers")
)
# Kinds of conditions, and where they are applied.
TAKEN, KEPT, CLEAN = "taken away", "all else taken away", "clean run"
INSIDE = "random, inside the class means"
ANYWHERE = "random, anywhere"
MATCHED = ", same removed norm"
EXTENTS = ("one hidden state", "from there on")
# Kinds beside a subspace, how they are drawn and where on its row.
_BESIDE = (
  (TAKEN, intervals.LOOKS[0], -0.2),
  (INSIDE, intervals.LOOKS[1], 0.0),
  (ANYWHERE, intervals.LOOKS[2], 0.12),
  (INSIDE + MATCHED, intervals.LOOKS[3], 0.24),
  (ANYWHERE + MATCHED, intervals.LOOKS[4], 0.36),
)
_CAPTIONS = {
  LOST: (
    "What taking a subspace out of the hidden states costs: accuracy of the "
    "clean run minus accuracy without the subspace. Beside each subspace stand "
    "random ones with as many directions, inside the span of the class means "
    "or anywhere, and, where drawn, random ones that remove as much of the "
    "hidden states. Whiskers: 95% bootstrap intervals over walks."
  ),
  LAYERS: (
    "The same for ablations that begin at other hidden states: there alone "
    "(left), or there and at all later ones (right)."
  ),
  POWERS: (
    "What is left of the graph at the last hidden state. Each row is an "
    "ablation at the report layer alone, each column a mode of the graph (all "
    "modes of one eigenvalue λ of its Laplacian), smooth modes on the left; "
    "numbers are the mode's share of the variance of the "
    "class means there, and the last row is the run without ablation. Without "
    "structure every share would be what stands under the mode's name."
  ),
}  # fmt: skip


def write(measured: xr.Dataset, folder: pathlib.Path) -> dict[str, str]:
  """Draws the figures.

  Args:
    measured: `per_walk` (condition, walk, readout), `power` (condition, space)
      and the coordinates of conditions.
    folder: for the PNGs.

  Returns:
    File name to caption.
  """
  for name, draw in (
    (LOST, accuracies),
    (LAYERS, layers),
    (POWERS, powers_map),
  ):
    drawing.write(folder / name, draw, measured)
  return _CAPTIONS


def find(measured: xr.Dataset, **which) -> np.ndarray:
  """Numbers of the conditions with these coordinates."""
  fits = np.ones(measured.sizes["condition"], bool)
  for name, value in which.items():
    fits &= measured[name].values == value
  return np.flatnonzero(fits)


def readout(measured: xr.Dataset, name: str, **which) -> np.ndarray:
  """Per walk, mean over the conditions (random draws); NaN if there is none."""
  at = find(measured, **which)
  values = measured["per_walk"].sel(readout=name).values
  if not len(at):
    return np.full(values.shape[1], np.nan)
  return values[at].mean(axis=0)


def lost(measured: xr.Dataset, name: str, **which) -> np.ndarray:
  """Readout of the clean run minus that of a condition, per walk."""
  clean = readout(measured, name, kind=CLEAN)
  return clean - readout(measured, name, **which)


def targets(measured: xr.Dataset) -> list[tuple[str, int]]:
  """Names and ranks of the subspaces, in their order."""
  at = find(measured, kind=TAKEN, start=measured.attrs["report_layer"])
  pairs = zip(
    measured["target"].values[at].tolist(),
    measured["rank"].values[at].tolist(),
    strict=True,
  )
  return list(dict.fromkeys(pairs))


def rows(measured: xr.Dataset) -> list[tuple[str, dict]]:
  """Label and coordinates of everything done at the report layer."""
  found = [
    (name, {"kind": TAKEN, "target": name}) for name, _ in targets(measured)
  ]
  kept = measured["target"].values[find(measured, kind=KEPT)].tolist()
  found += [
    (f"everything but {name}".replace("but all", "but the").replace(
      "but graph", "but the graph"
    ),
     {"kind": KEPT, "target": name})
    for name in dict.fromkeys(kept)
  ]  # fmt: skip
  for kind, _, _ in _BESIDE[1:]:
    at = find(measured, kind=kind)
    pairs = dict.fromkeys(
      zip(
        measured["target"].values[at].tolist(),
        measured["rank"].values[at].tolist(),
        strict=True,
      )
    )
    for target, rank in pairs:
      beside = f" as {target}" if target else f", {rank} of them"
      found.append(
        (kind + beside, {"kind": kind, "target": target, "rank": rank})
      )
  return found


def powers(measured: xr.Dataset) -> walk_bootstrap.Estimate:
  """Powers at the last hidden state with their intervals."""
  return walk_bootstrap.jackknife(
    measured["power"].values,
    measured["power_without_group"].values,
    bounds=(0.0, 1.0),
  )


def _estimate(measured, values) -> walk_bootstrap.Estimate:
  return walk_bootstrap.mean(values, seed=measured.attrs["seed"])


def accuracies(measured: xr.Dataset) -> mpl_figure.Figure:
  """accuracy_full lost at the report layer, every subspace and its controls."""
  names = targets(measured)
  figure = mpl_figure.Figure(
    (9.6, 1.8 + 0.42 * len(names)), layout="constrained"
  )
  axes = figure.subplots(1, 2, sharey=True)
  for axis, extent in zip(axes, EXTENTS, strict=True):
    at = {"start": measured.attrs["report_layer"], "extent": extent}
    for kind, look, shift in _BESIDE:
      label = kind
      for row, (name, rank) in enumerate(names):
        own = kind == TAKEN or kind.endswith(MATCHED)
        which = {"kind": kind, **at}
        which |= {"target": name} if own else {"rank": rank}
        found = _estimate(measured, lost(measured, "accuracy_full", **which))
        y = row + shift
        axis.plot([found.low, found.high], [y, y], color=look.colour, lw=1.3)
        axis.plot(
          found.value, y, color=look.colour, marker=look.marker, ms=5, ls="",
          label=label,
        )  # fmt: skip
        label = None
    axis.axvline(0, color=curves.GREY, lw=0.8, ls=":")
    axis.set_title(
      f"at hidden state {at['start']} alone"
      if extent == EXTENTS[0]
      else f"from hidden state {at['start']} on"
    )
    axis.set_xlabel("accuracy lost (probability of a neighbour)")
    axis.grid(axis="y", color="#e5e7eb", lw=0.6)
  axes[0].set_yticks(
    range(len(names)), [f"{name} ({rank})" for name, rank in names]
  )
  axes[0].set_ylim(len(names) - 0.4, -0.6)
  figure.legend(
    *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2
  )
  figure.suptitle(
    f"{measured.attrs['graph']}: accuracy lost without a subspace (number of "
    f"directions in brackets; {measured.sizes['walk']} walks)",
    x=0.01,
    ha="left",
  )
  return figure


def layers(measured: xr.Dataset) -> mpl_figure.Figure:
  """accuracy_full lost against the hidden state where the ablation begins."""
  starts = sorted(set(measured["start"].values.tolist()) - {0})
  swept = [
    (name, rank)
    for name, rank in targets(measured)
    if len(find(measured, kind=TAKEN, target=name, start=starts[0]))
  ]
  series = [
    (name, {"kind": TAKEN, "target": name}) for name, _ in swept
  ] + [
    (f"{kind}, {rank} directions", {"kind": kind, "rank": rank})
    for (_, rank), kind in zip(swept, (INSIDE, ANYWHERE), strict=False)
  ]  # fmt: skip
  figure = mpl_figure.Figure((9.6, 3.6), layout="constrained")
  axes = figure.subplots(1, 2, sharey=True)
  for axis, extent in zip(axes, EXTENTS, strict=True):
    for (label, which), look in zip(series, intervals.LOOKS, strict=False):
      estimates = [
        _estimate(
          measured,
          lost(measured, "accuracy_full", start=s, extent=extent, **which),
        )
        for s in starts
      ]
      intervals.line(axis, starts, np.transpose(estimates), look, label)
    axis.axhline(0, color=curves.GREY, lw=0.8, ls=":")
    axis.set_xticks(starts)
    axis.set_title(extent)
    axis.set_xlabel("hidden state where the ablation begins")
  axes[0].set_ylabel("accuracy lost")
  figure.legend(
    *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2
  )
  figure.suptitle(
    f"{measured.attrs['graph']}: accuracy lost, by where a subspace is taken "
    "away",
    x=0.01,
    ha="left",
  )
  return figure


def powers_map(measured: xr.Dataset) -> mpl_figure.Figure:
  """Power of every mode at the last hidden state, ablation by ablation."""
  # Modes that are taken away at the last hidden state too cannot come back.
  at = {"start": measured.attrs["report_layer"], "extent": EXTENTS[0]}
  shown = [
    (label, find(measured, **which, **at))
    for label, which in rows(measured)
    if which["kind"] in (TAKEN, KEPT)
  ] + [("nothing: the clean run", find(measured, kind=CLEAN))]
  values = np.stack(
    [measured["power"].values[index].mean(axis=0) for _, index in shown]
  )
  figure = mpl_figure.Figure(
    (9.6, 1.5 + 0.3 * len(shown)), layout="constrained"
  )
  axis = figure.subplots()
  image = axis.imshow(values, aspect="auto", vmin=0)
  for place, value in np.ndenumerate(values):
    # Dark cells need light figures.
    shade = "white" if value < 0.55 * np.nanmax(values) else "black"
    axis.text(
      *place[::-1], f"{value:.2f}", ha="center", va="center", color=shade,
      fontsize=7,
    )  # fmt: skip
  axis.set_yticks(range(len(shown)), [label for label, _ in shown])
  axis.set_xticks(
    range(values.shape[1]),
    [
      f"{name.replace('eigenvalue', 'λ =')}\nflat {flat:.2f}"
      for name, flat in zip(
        measured["space"].values, measured["flat"].values, strict=True
      )
    ],
  )
  axis.spines[:].set_visible(False)
  figure.colorbar(image, ax=axis, pad=0.01, label="share of variance")
  axis.set_ylabel("taken away")
  figure.suptitle(
    f"{measured.attrs['graph']}: the graph's modes at the last hidden state, "
    f"after ablation at hidden state {at['start']} alone",
    x=0.01,
    ha="left",
  )
  return figure
