"""Energies, events and lags as text."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from icl_graphs.analysis import energy
from icl_graphs.experiments import recipe
from icl_graphs.report import view, wording


def ratio(stats: np.ndarray) -> str:
  """Value and interval out of (value, low, high)."""
  value, low, high = (float(each) for each in stats)
  return f"{wording.number(value)} {wording.interval(low, high)}".strip()


def tables(
  ones: Mapping[str, view.GraphView], found: Mapping[str, xr.Dataset]
) -> tuple[recipe.Table, ...]:
  """Events by layer, and every energy at the end."""
  made = []
  for spec, one in ones.items():
    made.append(_events(spec, one, found[spec]))
    made.append(_by_energy(spec, one, found[spec]))
    made.append(_energies(spec, one))
  return tuple(made)


def _events(spec, one, found) -> recipe.Table:
  rows = []
  for w, window in enumerate(one.labels("window")):
    for k, layer in enumerate(one.labels("layer")):
      here = found.isel(layer=k, window=w)
      report = (k, w) == (one.layer, one.window)
      rows.append(
        (
          f"{layer}" + (" (report)" if report else ""),
          str(window),
          ratio(here["energy_half"].values),
          ratio(here["energy_settled"].values),
          ratio(here["lag"].sel(accuracy="restricted").values),
          ratio(here["lag"].sel(accuracy="full").values),
          wording.number(float(here["untrained_settled"])),
        )
      )
  return recipe.Table(
    f"{spec}: when the energy falls ({one.unit}), and how much later the "
    "accuracy has half risen",
    (
      *("hidden state", "window", "half of the fall", "90% of the fall"),
      "accuracy over energy, node words",
      "accuracy over energy, all words",
      "90% of the fall, random weights",
    ),
    tuple(rows),
  )


def _by_energy(spec, one, found) -> recipe.Table:
  rows = []
  for name in found["energy"].values:
    for w, window in enumerate(one.labels("window")):
      here = found.sel(energy=name).isel(window=w)
      rows.append(
        (
          str(name),
          str(window),
          ratio(here["settled_by_energy"].values),
          *(
            ratio(here["lag_by_energy"].sel(accuracy=kind).values)
            for kind in ("restricted", "full")
          ),
        )
      )
  layer = one.labels("layer")[one.layer]
  return recipe.Table(
    f"{spec}: the order of events by every energy, hidden state {layer}",
    (
      *("energy", "window", f"90% of the fall ({one.unit})"),
      "accuracy over energy, node words",
      "accuracy over energy, all words",
    ),
    tuple(rows),
  )


def _energies(spec, one) -> recipe.Table:
  rows = []
  for name in energy.NAMES:
    if one.stat(name) is None:
      continue
    for w, window in enumerate(one.labels("window")):
      here = one.layer, w, one.context
      stats = [
        float(one.stat(name, which)[here]) for which in ("value", "low", "high")
      ]
      band = [float(end[here]) for end in one.null_band(name)]
      untrained = float(one.control.stat(name)[here])
      rows.append(
        (
          name,
          str(window),
          ratio(np.array(stats)),
          wording.interval(*band),
          wording.number(untrained),
        )
      )
  layer = one.labels("layer")[one.layer]
  return recipe.Table(
    f"{spec}: every energy at hidden state {layer} after "
    f"{one.context_text(one.context)}",
    ("energy", "window", "value", "95% of relabellings", "random weights"),
    tuple(rows),
  )
