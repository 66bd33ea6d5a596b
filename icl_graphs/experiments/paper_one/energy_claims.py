"""What energies and accuracies are held to, stated beforehand."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from icl_graphs.analysis import events
from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_one import (
  emergence_claims,
  energy_tables,
  paper_graphs,
)
from icl_graphs.report import view, wording
from icl_graphs.report.paper_one import emergence

NOTES = (
  "Event times depend on their definition, which is the same for every graph "
  "and model: a curve's change runs from the first context to its extreme "
  "value; half of it says when the curve moves, 90% when it is done.",
  "The paper names neither its accuracy nor whether accuracy was averaged like "
  "the energy. Judged: probability among the node words (as in the official "
  "notebooks), averaged over the same window; the other is in the table.",
  "Judged by the relative energy, which is not moved by the size or the common "
  "mean of the representations, and by the paper's sum, which is; tables give "
  "the order for every energy.",
  "Intervals are over groups of walks with one assignment of words; whether an "
  "energy fell at all is for the null and the random weights to say.",
)

_said = energy_tables.ratio


def claims(
  ones: Mapping[str, view.GraphView],
  curves: Mapping[str, xr.Dataset],
  found: Mapping[str, xr.Dataset],
) -> tuple[recipe.Claim, ...]:
  """The order of events on each graph; on the grid also where energy falls.

  Args:
    ones: graphs with their controls.
    curves, found: `replicates` and `timings` of each.
  """
  made = [_order(one, curves[spec], found[spec]) for spec, one in ones.items()]
  if paper_graphs.GRID in ones:
    grid = ones[paper_graphs.GRID]
    made += [
      _falls(grid, curves[paper_graphs.GRID]),
      _deeper(grid, curves[paper_graphs.GRID]),
      _neighbours(grid, curves[paper_graphs.GRID]),
    ]
  return tuple(made)


def _lowest(one, curves, found) -> tuple[bool, bool, str]:
  """Whether the report layer's minimum is below its null and its control."""
  here = one.layer, one.window
  place = int(found["lowest"].values[here])
  limit = float(one.null_band("energy_relative")[0][(*here, place)])
  replicates = curves["energy_relative"].values[:, *here, place]
  value, low, high = events.change(replicates, one.dataset.sizes["group"])
  control = float(np.nanmin(one.control.stat("energy_relative")[here]))
  text = (
    f"lowest energy {_said(np.array([value, low, high]))} (relabelled words: "
    f"limit {wording.number(limit)}; lowest with random weights "
    f"{wording.number(control)})"
  )
  return bool(value < limit), bool(high < control), text


def _order(one, curves, found) -> recipe.Claim:
  layer = one.labels("layer")[one.layer]
  window = one.labels("window")[one.window]
  here = found.isel(layer=one.layer, window=one.window)
  lag = here["lag"].sel(accuracy="restricted").values
  sums = here["lag_by_energy"].sel(accuracy="restricted", energy="energy_sum")
  sums = sums.values
  text = (
    f"On {one.spec} the energy reaches its minimum before the accuracy rises."
  )
  criterion = (
    f"At hidden state {layer}, window {window}: the context at which the "
    "accuracy (node words, same window) has made half of its rise, over that "
    "at which the relative energy has made 90% of its fall, has its 95% "
    "interval over walks above 1, and so has the same ratio for the paper's "
    "own energy_sum; and the relative energy at its lowest is below the limit "
    "of relabelled words and below the lowest of random weights, whose "
    "accuracy does not rise. Refuted where both intervals lie below 1."
  )
  if not np.isfinite(lag).all():
    return recipe.Claim(
      text,
      criterion,
      recipe.CANNOT_TELL,
      "The energy does not fall from its first value, the accuracy does not "
      "rise, or too few walks see every word.",
    )
  below, beyond, lowest = _lowest(one, curves, found)
  reason = (
    f"The ratio is {_said(lag)}, by energy_sum {_said(sums)} (all words: "
    f"{_said(here['lag'].sel(accuracy='full').values)}; with half of the fall "
    f"{_said(here['lag_half'].sel(accuracy='restricted').values)}): energy "
    f"settles at {_said(here['energy_settled'].values)}, accuracy is half up "
    f"at {_said(here['accuracy_half'].sel(accuracy='restricted').values)} "
    f"{one.unit}; {lowest}."
  )
  before = lag[1] > 1 and sums[1] > 1
  if lag[2] < 1 and sums[2] < 1:
    verdict = recipe.NOT_SHOWN
  elif before and below and beyond:
    verdict = recipe.SHOWN
  else:
    verdict = recipe.CANNOT_TELL
    if not before:
      reason += " Not both intervals lie on one side of 1."
    elif not below:
      reason += " The energy never leaves what relabelled words give."
    else:
      reason += " Random weights fall as far, so the fall needs no learning."
  return recipe.Claim(text, criterion, verdict, reason)


def _falls(one, curves) -> recipe.Claim:
  here = one.layer, one.window
  energies = curves["energy_relative"].values[:, *here]
  first = int(np.flatnonzero(events.usable(energies))[0])
  fall = events.change(
    energies[:, first] - energies[:, -1], one.dataset.sizes["group"]
  )
  here = one.layer, one.context
  state = emergence.judged(one, "energy_relative", -1)[here]
  shown = state == "present" and fall[1] > 0
  return recipe.Claim(
    f"The energy of {one.spec} falls as the context grows.",
    "At the report layer the relative energy after the whole context is lower "
    "than at the first context with every word (95% interval over walks of the "
    "difference above 0), below the limit of relabelled words and below random "
    "weights.",
    recipe.SHOWN if shown else recipe.NOT_SHOWN,
    f"It falls by {_said(np.array(fall))} from "
    f"{one.context_text(first)} to {one.context_text(one.context)}; at the end "
    f"{emergence_claims.measured(one, 'energy_relative', *here)}.",
  )


def _deeper(one, curves) -> recipe.Claim:
  energies = curves["energy_relative"].values[:, :, one.window]
  first = int(np.flatnonzero(events.usable(energies).all(axis=0))[0])
  fall = energies[:, :, first] - energies[:, :, -1]
  parts = np.array_split(np.arange(fall.shape[1]), 3)
  early, late = fall[:, parts[0]].mean(axis=1), fall[:, parts[2]].mean(axis=1)
  groups = one.dataset.sizes["group"]
  more = events.change(late - early, groups)
  return recipe.Claim(
    f"The energy of {one.spec} falls in late layers, barely in the earliest.",
    "Mean fall of the relative energy over the whole context in the last third "
    "of hidden states minus that in the first third (embedding included): 95% "
    "interval over walks above 0, and the early fall below half of the late.",
    recipe.SHOWN
    if more[1] > 0 and early[0] < late[0] / 2
    else recipe.NOT_SHOWN,
    f"Late {_said(np.array(events.change(late, groups)))}, early "
    f"{_said(np.array(events.change(early, groups)))}, difference "
    f"{_said(np.array(more))}.",
  )


def common_mean_share(
  one: view.GraphView, curves: xr.Dataset
) -> tuple[float, float, float]:
  """Share of the fall of log `energy_frobenius` that is not geometry.

  energy_frobenius = energy_centred (1 - s) / D, s the share of the common
  mean: what of its fall in logarithms is due to 1 - s, from the first context
  to where it is lowest, at the report layer. NaN where it does not fall.
  """
  here = one.layer, one.window
  whole = np.log(curves["energy_frobenius"].values[:, *here])
  centred = np.log(curves["energy_centred"].values[:, *here])
  known = np.flatnonzero(events.usable(whole))
  groups = one.dataset.sizes["group"]
  if not known.size:
    return (np.nan,) * 3
  first, last = known[0], known[whole[0, known].argmin()]
  change = whole[:, last] - whole[:, first]
  if first == last or not events.change(change, groups)[2] < 0:
    return (np.nan,) * 3
  share = 1 - (centred[:, last] - centred[:, first]) / change
  return events.change(share, groups)


def _neighbours(one, curves) -> recipe.Claim:
  share = common_mean_share(one, curves)
  reason = f"Due to the common mean: {_said(np.array(share))} of the fall."
  if not np.isfinite(share).all():
    verdict = recipe.NOT_SHOWN
    reason = "At the report layer energy_frobenius does not fall at all."
  elif share[2] < 0.5:
    verdict = recipe.SHOWN
  else:
    verdict = recipe.NOT_SHOWN if share[1] > 0.5 else recipe.CANNOT_TELL
  return recipe.Claim(
    "The normalised energy of the official notebooks (energy_frobenius) falls "
    f"on {one.spec} because neighbours come closer, not because the common "
    "mean grows.",
    "At the report layer it falls (95% interval over walks), and of its fall "
    "in logarithms, from the first context to its lowest value, the share due "
    "to the common mean is below one half.",
    verdict,
    reason,
  )


def numbers(
  ones: Mapping[str, view.GraphView],
  curves: Mapping[str, xr.Dataset],
  found: Mapping[str, xr.Dataset],
) -> dict:
  """Lags and event times at the report layer and window."""
  made = {}
  for spec, one in ones.items():
    here = found[spec].isel(layer=one.layer, window=one.window)
    for kind in here["accuracy"].values:
      at = here.sel(accuracy=kind)
      made[f"{spec} lag {kind}"] = _entry(at["lag"].values) | {"null": 1.0}
      made[f"{spec} accuracy_half {kind}"] = _entry(at["accuracy_half"].values)
    for name in ("energy_half", "energy_settled"):
      made[f"{spec} {name}"] = _entry(here[name].values)
    share = common_mean_share(one, curves[spec])
    made[f"{spec} common mean share"] = _entry(np.array(share))
  return made


def _entry(stats: np.ndarray) -> dict[str, float]:
  return dict(
    zip(("value", "low", "high"), (float(each) for each in stats), strict=True)
  )
