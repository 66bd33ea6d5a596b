"""Energies of every kind beside accuracy, and the order of their events.

arXiv 2501.00070, figure 4: the energy "is minimized shortly before the rapid
increase in in-context task accuracy" (section 4.1).
"""

import pathlib

import numpy as np
import xarray as xr

from icl_graphs.analysis import accuracy, energy, events, transitions
from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_one import (
  energy_claims,
  energy_tables,
  paper_graphs,
)
from icl_graphs.report import view
from icl_graphs.report.paper_one import drawing, energy_variants
from icl_graphs.report.paper_one import energy_and_accuracy as figures

STATS = ("value", "low", "high")
ACCURACIES = ("restricted", "full")
RESAMPLES = 400
_GRAM = (*("layer", "window", "context", "group", "node", "group_", "node_"),)


def run(subject, folder: pathlib.Path) -> recipe.Outcome:
  """Observes the paper's graphs, times the events, draws and judges."""
  asked, notes = paper_graphs.possible(subject)
  ones = paper_graphs.observe(subject, asked)
  seed = subject.settings.seed
  curves = {spec: replicates(one, seed) for spec, one in ones.items()}
  found = {spec: timings(one, curves[spec]) for spec, one in ones.items()}
  return recipe.Outcome(
    claims=energy_claims.claims(ones, curves, found),
    numbers=energy_claims.numbers(ones, curves, found),
    figures=_draw(folder, ones, found),
    tables=energy_tables.tables(ones, found),
    measurements=xr.DataTree.from_dict(found),
    notes=(*notes, *energy_claims.NOTES),
  )


def replicates(one: view.GraphView, seed: int) -> xr.Dataset:
  """Curves over context with bootstrap replicates over groups of walks.

  Returns:
    every energy (replicate, layer, window, context), and
    `accuracy_restricted` and `accuracy_full` (replicate, window, context)
    over the same windows; replicate 0 is the estimate.
  """
  raw = one.dataset
  count = raw["count"].transpose("window", "context", "group", "node").values
  energies = events.energy_curves(
    raw["gram"].transpose(*_GRAM).values,
    count,
    one.adjacency,
    int(raw.attrs["hidden_size"]),
    RESAMPLES,
    seed,
  )
  full = raw["accuracy_full"].transpose("walk", "time").values.astype(float)
  mass = raw["node_mass"].transpose("walk", "time").values
  values = {"full": full, "restricted": accuracy.restricted(full, mass)}
  dims = ("replicate", "layer", "window", "context")
  made = {name: (dims, curve) for name, curve in energies.items()}
  for name, each in values.items():
    stacked = [
      events.accuracy_curve(
        each,
        raw["walk_group"].values,
        raw["context"].values,
        window,
        RESAMPLES,
        seed,
      )
      for window in one.labels("window")
    ]
    made[f"accuracy_{name}"] = (
      ("replicate", "window", "context"),
      np.stack(stacked, axis=1),
    )
  coords = {name: raw[name].values for name in ("layer", "window", "context")}
  return xr.Dataset(made, coords=coords)


def timings(one: view.GraphView, curves: xr.Dataset) -> xr.Dataset:
  """When each layer's energy and the accuracy move; see `figures.order`.

  Also `lag` (accuracy, layer, window, stat), context at which the accuracy has
  made half of its rise over that at which the energy has made 90% of its fall,
  `lag_half`, the same with half of the fall, `lowest` (layer, window), the
  position of the context at which the energy is lowest (-1: unknown), and at
  the report layer `settled_by_energy` (energy, window, stat) and
  `lag_by_energy` (energy, accuracy, window, stat) of every energy.
  """
  contexts, groups = curves["context"].values, one.dataset.sizes["group"]
  shape = curves.sizes["layer"], curves.sizes["window"]
  rises = {
    (kind, w): events.timed(
      curves[f"accuracy_{kind}"].isel(window=w).values,
      contexts,
      events.HALF,
      groups,
      rising=True,
    )
    for kind in ACCURACIES
    for w in range(shape[1])
  }
  half, settled = (np.full((*shape, 3), np.nan) for _ in range(2))
  lag, lag_half = (
    np.full((len(ACCURACIES), *shape, 3), np.nan) for _ in range(2)
  )
  untrained = np.full(shape, np.nan)
  control = one.control.stat("energy_relative")
  values = curves["energy_relative"].values
  for k, w in np.ndindex(shape):
    fall = values[:, k, w]
    both = [
      events.timed(fall, contexts, share, groups, rising=False)
      for share in (events.HALF, events.SETTLED)
    ]
    half[k, w], settled[k, w] = both[0][:3], both[1][:3]
    for a, kind in enumerate(ACCURACIES):
      rise = rises[kind, w]
      lag_half[a, k, w] = transitions.lag(both[0], rise, groups)[:3]
      lag[a, k, w] = transitions.lag(both[1], rise, groups)[:3]
    untrained[k, w] = events.reached(
      control[k, w][None], contexts, events.SETTLED, rising=False
    )[0]
  settled_by, lag_by = _by_energy(one, curves, rises)
  risen = [[rises[kind, w][:3] for w in range(shape[1])] for kind in ACCURACIES]
  known = np.where(np.isfinite(values[0]), values[0], np.inf)
  lowest = np.where(np.isfinite(known).any(axis=-1), known.argmin(axis=-1), -1)
  cell = ("layer", "window")
  return xr.Dataset(
    {
      "energy_half": ((*cell, "stat"), half),
      "energy_settled": ((*cell, "stat"), settled),
      "untrained_settled": (cell, untrained),
      "accuracy_half": (("accuracy", "window", "stat"), np.array(risen)),
      "lag": (("accuracy", *cell, "stat"), lag),
      "lag_half": (("accuracy", *cell, "stat"), lag_half),
      "lowest": (cell, lowest),
      "settled_by_energy": (("energy", "window", "stat"), settled_by),
      "lag_by_energy": (("energy", "accuracy", "window", "stat"), lag_by),
      "accuracy_curve": (
        ("accuracy", "window", "context"),
        np.stack([curves[f"accuracy_{kind}"].values[0] for kind in ACCURACIES]),
      ),
    },
    coords={
      "layer": curves["layer"].values,
      "window": curves["window"].values,
      "context": contexts,
      "stat": list(STATS),
      "accuracy": list(ACCURACIES),
      "energy": list(energy.NAMES),
    },
    attrs={
      "unit": one.unit,
      "report_layer": one.labels("layer")[one.layer],
      "report_window": one.labels("window")[one.window],
    },
  )


def _by_energy(one, curves, rises) -> tuple[np.ndarray, np.ndarray]:
  """When each energy of the report layer settles, and the lags behind it."""
  contexts, groups = curves["context"].values, one.dataset.sizes["group"]
  windows = range(curves.sizes["window"])
  settled = np.full((len(energy.NAMES), len(windows), 3), np.nan)
  lag = np.full((len(energy.NAMES), len(ACCURACIES), len(windows), 3), np.nan)
  for e, name in enumerate(energy.NAMES):
    for w in windows:
      fall = curves[name].values[:, one.layer, w]
      found = events.timed(fall, contexts, events.SETTLED, groups, rising=False)
      settled[e, w] = found[:3]
      for a, kind in enumerate(ACCURACIES):
        lag[e, a, w] = transitions.lag(found, rises[kind, w], groups)[:3]
  return settled, lag


def _draw(folder, ones, found) -> tuple[recipe.Figure, ...]:
  made = []
  for spec, one in ones.items():
    file = f"energy_{one.slug}.png"
    if drawing.write(folder / file, figures.by_depth, one, found[spec]):
      made.append(
        recipe.Figure(
          file,
          f"{spec}: how close neighbours lie in the model (lines; low: close) "
          "while it reads, in early, middle and late layers, over the "
          "probability that it puts on true neighbours (grey). Where the line "
          "of random weights falls just as far, reading alone explains the "
          "fall: attention mixes a word with the words before it.",
          f"Energy of {spec} by layer and accuracy, against context length.",
        )
      )
  file = "order_of_events.png"
  if drawing.write(folder / file, figures.order, found):
    made.append(
      recipe.Figure(
        file,
        "When each layer's energy moves (circles: half of its fall, diamonds: "
        "90%) and when the accuracy has made half of its rise (bands), with "
        "95% intervals over walks. Accuracy and energy are averaged over the "
        "same window of words, so that neither is delayed against the other. "
        "Crosses: the energy of random weights, for which no accuracy rises.",
        "Contexts of energy and accuracy events by layer for each graph.",
      )
    )
  for spec, one in ones.items():
    file = f"energies_{one.slug}.png"
    if drawing.write(folder / file, energy_variants.variants, one, fine=False):
      made.append(
        recipe.Figure(
          file,
          f"{spec}: every energy in use, each under its own name. Those that "
          "are not divided by the variance between words (energy_sum, "
          "energy_edge) also follow the size of the representations, and "
          "energy_frobenius follows their common mean.",
          f"Seven energies of {spec} at three depths and three accuracies.",
        )
      )
  return tuple(made)


RECIPE = recipe.Recipe(
  name="energy_and_accuracy",
  title="Energy and accuracy",
  question="Does the energy reach its minimum before the accuracy rises?",
  source="arXiv 2501.00070, figure 4",
  run=run,
)
