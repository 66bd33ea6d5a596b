"""The transition in context: where accuracy and geometry change, and how.

Fits of section 2.10 of the project's specification and the belief dynamics of
arXiv 2511.00617, on the paper's three graphs; the same detector on the energy
and on the power in the graph's smoothest modes.
"""

import dataclasses
import pathlib

from jaxtyping import Float
import numpy as np
import xarray as xr

from icl_graphs import errors
from icl_graphs.analysis import detection, kinks, transitions
from icl_graphs.experiments import graph_subject, recipe
from icl_graphs.experiments.paper_one import (
  estimates,
  own_words,
  paced,
  transition_claims,
)
from icl_graphs.report import wording
from icl_graphs.report.paper_one import drawing
from icl_graphs.report.paper_one import transition as figures

SPECS = ("grid:4x4", "ring:10", "hex:3x3")
RESAMPLES = 500
SPLITS = 200
_FEWEST_CONTEXTS = 8  # of a two-segment fit
_HEADER = (
  *("graph", "quantity", "range of t", "breakpoint", "bends up in"),
  *("slope before, after (per decade)", "three segments: both breakpoints"),
)
_BELIEFS = (
  *("graph", "midpoint t*", "rate at t*", "exponent 1 - alpha", "R2"),
  "two segments predict other walks better in",
)


@dataclasses.dataclass(frozen=True, eq=False)
class Settles:
  """A measure of geometry under the two-segment detector.

  curve: [3, C] with its interval; control: [C], untrained; level: without
  structure. at: where it levels off (its fall or rise slows down most).
  change: last minus first value.
  """

  contexts: Float[np.ndarray, " C"]
  curve: Float[np.ndarray, "3 C"]
  control: Float[np.ndarray, " C"]
  level: float
  at: transitions.Estimate
  change: detection.Interval


@dataclasses.dataclass(frozen=True, eq=False)
class Timed:
  """One graph.

  Attributes:
    spec, groups, walks: of the run; every group has words of its own.
    accuracy: mean by word, [T]; onward: without the way back.
    bend, onward_bend: of both curves.
    belief: log-odds fit to the second.
    kink: whether it has a kink rather than a smooth bend.
    settles: the energy and the power in the smoothest modes.
    lag: onset of accuracy over where the energy levels off.
  """

  spec: str
  groups: int
  walks: int
  accuracy: Float[np.ndarray, " T"]
  onward: Float[np.ndarray, " T"]
  bend: detection.Detection
  onward_bend: detection.Detection
  belief: detection.Belief
  kink: kinks.Kink
  settles: dict[str, Settles]
  lag: transitions.Estimate


def run(
  subject: graph_subject.GraphSubject, folder: pathlib.Path
) -> recipe.Outcome:
  """Reads walks by groups of words, and finds every transition."""
  pool = own_words.pool(subject)
  specs, notes = [], []
  for spec in SPECS:
    try:
      own_words.check(pool, spec)
      specs.append(spec)
    except errors.InputError as error:
      notes.append(f"{error}.")
  if not specs:
    return recipe.cannot(notes[0], *transition_claims.TEXTS)
  trained = [paced.read(subject, pool, spec) for spec in specs]
  # Afterwards: there may not be room for the weights of both.
  untrained = [paced.read(subject.untrained, pool, spec) for spec in specs]
  seed = subject.settings.seed
  ones = [
    timed(*each, seed) for each in zip(specs, trained, untrained, strict=True)
  ]
  return recipe.Outcome(
    transition_claims.claims(ones),
    _numbers(ones),
    _draw(folder, ones, subject),
    (_breakpoints(ones), _beliefs(ones)),
    _measurements(ones),
    (*transition_claims.NOTES, *notes),
  )


def timed(
  spec: str, own: paced.Paced, control: paced.Paced, seed: int
) -> Timed:
  """Every fit on one graph."""
  groups = len(own.accuracy)
  bend = detection.detect(own.accuracy, own.count, RESAMPLES, seed)
  onward = detection.detect(own.onward, own.rest, RESAMPLES, seed)
  settles = {
    name: _settles(name, own, control, seed) for name in paced.MEASURES
  }
  return Timed(
    spec,
    groups,
    int(own.count[:, 0].sum()),
    own.accuracy.sum(axis=0) / own.count.sum(axis=0),
    own.onward.sum(axis=0) / own.rest.sum(axis=0),
    bend,
    onward,
    detection.belief(own.onward, own.rest, RESAMPLES, seed),
    kinks.compare(own.onward, own.rest, onward.t, SPLITS, seed),
    settles,
    transitions.lag(settles["energy_relative"].at, bend.bend, groups),
  )


def _settles(name, own, control, seed) -> Settles:
  values = own.measures[name]
  groups = len(values)
  if not len(own.contexts):
    none = np.full(RESAMPLES + 1, np.nan)
    return Settles(
      own.contexts,
      np.zeros((3, 0)),
      np.zeros(0),
      own.level[name],
      transitions.estimate(none, groups),
      detection.interval(none, groups),
    )
  curves = transitions.resampled(values, np.ones_like(values), RESAMPLES, seed)
  low, high = detection.limits(curves, groups)
  at = np.full(len(curves), np.nan)
  if len(own.contexts) >= _FEWEST_CONTEXTS:
    # An energy levels off when its slope grows, a power when it shrinks.
    bend = 1 if name == "energy_relative" else -1
    at = transitions.two_segments(curves, own.contexts, bend).at[:, 0]
  change = curves[:, -1] - curves[:, 0]
  return Settles(
    own.contexts,
    np.stack([curves[0], low, high]),
    control.measures[name].mean(axis=0),
    own.level[name],
    transitions.estimate(at, groups),
    detection.interval(change, groups),
  )


def _draw(folder, ones, subject) -> tuple[recipe.Figure, ...]:
  file = "transition.png"
  drawing.write(folder / file, figures.transition, ones, subject.report_window)
  return (
    recipe.Figure(
      file,
      "Left: the model's accuracy (dots), two segments up to where the plateau "
      "starts, and three segments over the whole context; the shaded band is "
      "the 95% interval of the breakpoint at which accuracy takes off. Middle: "
      "without the way back (the word before is always a neighbour), with "
      "log-odds that grow smoothly with t. Right: the relative energy "
      f"of the words (hidden state {subject.report_layer}, last "
      f"{subject.report_window} words; 1 means no structure) with its interval "
      "over groups of words, the same with random weights, and where it levels "
      "off.",
      "Accuracy with piecewise-linear and smooth fits, and energy with its "
      "breakpoint, for three graphs.",
    ),
  )


def _numbers(ones) -> dict:
  numbers = {}
  for one in ones:
    for name, found in (
      ("", one.bend),
      (" without the way back", one.onward_bend),
    ):
      numbers[f"{one.spec} breakpoint{name}"] = estimates.entry(found.bend) | {
        "t_min": int(found.t[0]),
        "t_max": int(found.t[-1]),
        "determined": found.determined,
      }
      numbers[f"{one.spec} curvature{name}"] = estimates.entry(found.curvature)
    for k, found in enumerate(one.bend.three):
      numbers[f"{one.spec} three segments {k + 1}"] = estimates.entry(found)
    numbers[f"{one.spec} log-odds midpoint"] = estimates.entry(
      one.belief.midpoint
    )
    numbers[f"{one.spec} log-odds exponent"] = estimates.entry(
      one.belief.exponent
    )
    numbers[f"{one.spec} kink on held-out walks"] = one.kink.share
    for name, found in one.settles.items():
      numbers[f"{one.spec} {name} levels off"] = estimates.entry(found.at)
    numbers[f"{one.spec} accuracy after energy by"] = estimates.entry(one.lag)
  return numbers


def _breakpoints(ones) -> recipe.Table:
  rows = []
  for one in ones:
    for name, found in (
      ("accuracy", one.bend),
      ("without the way back", one.onward_bend),
    ):
      rows.append(
        (
          one.spec,
          name,
          f"{found.t[0]} to {found.t[-1]}",
          estimates.text(found.bend),
          f"{found.found:.0%}",
          f"{estimates.text(found.before)}, {estimates.text(found.after)}",
          ", ".join(estimates.text(each) for each in found.three),
        )
      )
    for name, found in one.settles.items():
      if not len(found.contexts):
        continue
      span = f"{found.contexts[0]} to {found.contexts[-1]}"
      change = f"{estimates.text(found.change)} in all"
      rows.append(
        (one.spec, name, span, estimates.text(found.at), "-", change, "-")
      )
  return recipe.Table("Breakpoints in words of context", _HEADER, tuple(rows))


def _beliefs(ones) -> recipe.Table:
  return recipe.Table(
    "Log-odds of the neighbours without the way back: b + g t^(1 - alpha)",
    _BELIEFS,
    tuple(
      (
        one.spec,
        estimates.text(one.belief.midpoint)
        + ("" if one.belief.crossed else ", extrapolated"),
        estimates.text(one.belief.rate),
        estimates.text(one.belief.exponent),
        wording.number(one.belief.r2),
        f"{one.kink.share:.0%} of {SPLITS} splits",
      )
      for one in ones
    ),
  )


def _measurements(ones) -> xr.DataTree:
  tree = {}
  for one in ones:
    tree[one.spec] = xr.Dataset(
      {
        name: (("stat", "context"), found.curve)
        for name, found in one.settles.items()
      }
      | {"accuracy": ("time", one.accuracy), "onward": ("time", one.onward)},
      {
        "time": np.arange(1, len(one.accuracy) + 1),
        "stat": list(estimates.STATS),
        "context": one.settles["energy_relative"].contexts,
      },
    )
  return xr.DataTree.from_dict(tree)


RECIPE = recipe.Recipe(
  name="transition",
  title="A transition in context",
  question="Does accuracy take off at one point of the context, or gradually?",
  source="arXiv 2501.00070, section 4; belief dynamics of arXiv 2511.00617",
  run=run,
)
