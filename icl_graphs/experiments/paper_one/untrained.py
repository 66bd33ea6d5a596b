"""The control: the same architecture with random weights, norms left at one.

The random-weights option of the paper's code also redraws the weights of the
norms, which shrinks every layer's input; here they stay at one.
"""

from collections.abc import Mapping
import dataclasses
import pathlib

import numpy as np
import xarray as xr

from icl_graphs.analysis import accuracy, nulls
from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_one import emergence_claims, paper_graphs
from icl_graphs.report import view, wording
from icl_graphs.report.paper_one import drawing, emergence
from icl_graphs.report.paper_one import untrained as figures

# Of what the trained model gains over guessing, the most that random weights
# may gain to be called at chance.
NEGLIGIBLE = 0.05
RESAMPLES = 1000
NOTES = (
  "One draw of random weights; its accuracy differs a little from even "
  "guessing because its fixed preferences for some words hit some nodes.",
  "Even guessing is scored on the same positions of the same walks.",
)


def run(subject, folder: pathlib.Path) -> recipe.Outcome:
  """Reads the paper's graphs with and without training."""
  asked, notes = paper_graphs.possible(subject)
  ones = paper_graphs.observe(subject, asked)
  seed = subject.settings.seed
  gains = {spec: gain(one, seed) for spec, one in ones.items()}
  file = "untrained.png"
  made = ()
  chance = [_by_time(guessing(one)) for one in ones.values()]
  if drawing.write(folder / file, figures.beside, list(ones.values()), chance):
    made = (
      recipe.Figure(
        file,
        "Left: the words after the whole context, in the trained model and in "
        "the same architecture with random weights. Right: how close "
        "neighbours lie, and how well neighbours are predicted, as the context "
        "grows. At short contexts random attention alone brings neighbours "
        "together, because each word is mixed with the words just read.",
        "Pictures, energies and accuracies of trained and random weights.",
      ),
    )
  return recipe.Outcome(
    claims=claims(ones, gains),
    numbers=numbers(ones, gains),
    figures=made,
    tables=(_table(ones),),
    measurements=_measurements(ones),
    notes=(*notes, *NOTES),
  )


def guessing(one: view.GraphView) -> np.ndarray:
  """Accuracy of even guessing among the n words, [walk, T]; NaN: not scored."""
  raw = one.dataset
  nodes = raw["nodes"].transpose("walk", "time").values.astype(int)
  scored = np.isfinite(raw["accuracy_full"].transpose("walk", "time").values)
  degree = (one.adjacency > 0).sum(axis=1)
  return np.where(scored & (nodes >= 0), degree[nodes] / len(degree), np.nan)


def _by_time(values: np.ndarray) -> np.ndarray:
  known = np.isfinite(values)
  count = known.sum(axis=0)
  total = np.where(known, values, 0).sum(axis=0)
  return total / np.where(count > 0, count, np.nan)


def gain(one: view.GraphView, seed: int) -> dict[str, np.ndarray]:
  """Accuracy among node words over guessing, over the last fifth.

  Returns:
    `trained`, `untrained` and `share`, the second over the first; each (value,
    low, high) with 95% intervals over the same groups of walks.
  """
  guess = guessing(one)
  replicates = []
  for each in (one, one.control):
    raw = each.dataset
    full = raw["accuracy_full"].transpose("walk", "time").values
    mass = raw["node_mass"].transpose("walk", "time").values
    over = accuracy.restricted(full, mass) - guess
    sums, count = accuracy.group_totals(
      over[:, accuracy.last_fifth(over.shape[1])], raw["walk_group"].values
    )
    groups = len(sums)
    weights = np.concatenate(
      [
        np.ones((1, groups)),
        nulls.bootstrap_weights(groups, RESAMPLES, seed),
      ]
    )
    replicates.append(
      (weights @ sums.sum(axis=1)) / (weights @ count.sum(axis=1))
    )
  trained, untrained = replicates
  parts = {
    "trained": trained,
    "untrained": untrained,
    "share": untrained / np.where(trained > 0, trained, np.nan),
  }
  return {
    name: np.array([values[0], *nulls.interval(values[0], values[1:], groups)])
    for name, values in parts.items()
  }


def _ratio(stats: np.ndarray) -> str:
  value, low, high = map(float, stats)
  return f"{wording.number(value)} {wording.interval(low, high)}".strip()


def _alone(one: view.GraphView) -> view.GraphView:
  return dataclasses.replace(one, control=None)


def early(one: view.GraphView) -> int:
  """Position of the context that is nearest to as many words as nodes."""
  contexts = np.array(one.labels("context"))
  return int(np.abs(np.log(contexts / one.size("node"))).argmin())


def claims(
  ones: Mapping[str, view.GraphView], gains: Mapping[str, dict]
) -> tuple[recipe.Claim, ...]:
  """Accuracy and geometry come from training; short contexts mix without."""
  listed = ", ".join(ones)
  shares = [each["share"] for each in gains.values()]
  if not np.isfinite(shares).all():
    verdict = recipe.CANNOT_TELL
  elif all(share[2] < NEGLIGIBLE for share in shares):
    verdict = recipe.SHOWN
  else:
    inside = any(share[1] < NEGLIGIBLE for share in shares)
    verdict = recipe.CANNOT_TELL if inside else recipe.NOT_SHOWN
  said = "; ".join(
    f"{spec} {_ratio(each['share'])} of the trained gain "
    f"{_ratio(each['trained'])}"
    for spec, each in gains.items()
  )
  states = {
    spec: emergence.states(one.control)[one.layer] for spec, one in ones.items()
  }
  short = {spec: early(one) for spec, one in ones.items()}
  at_first = (
    "At the report layer, at the context nearest to as many words as there are "
    "nodes, the pictures of random weights are clear of relabelled words in"
  )
  return (
    recipe.Claim(
      "With random weights neighbours are predicted no better than by chance.",
      f"On each of {listed}, over the last fifth of the context, accuracy "
      "among node words exceeds even guessing on the same positions by less "
      f"than {NEGLIGIBLE:.0%} of what the trained model gains (upper end of "
      "the 95% interval over walks).",
      verdict,
      f"Random weights gain {said}.",
    ),
    _geometry(
      "With random weights there is no mesh at the end of the context.",
      "At the report layer and the last context the pictures of random weights "
      "are not clear of relabelled words in both relative energy and smaller "
      "principal cosine, on each graph.",
      ones,
      states,
      {spec: one.context for spec, one in ones.items()},
      wanted=("absent",),
    ),
    _geometry(
      "At short contexts random attention alone brings neighbours together.",
      f"{at_first} relative energy, on each graph.",
      ones,
      {
        spec: emergence.judged(_alone(one.control), *emergence.MEASURES[0])[
          one.layer
        ]
        for spec, one in ones.items()
      },
      short,
      wanted=("present",),
    ),
    _geometry(
      "At short contexts random attention alone draws the mesh.",
      f"{at_first} relative energy and smaller principal cosine, on each "
      "graph.",
      ones,
      states,
      short,
      wanted=("present",),
    ),
  )


def _geometry(text, criterion, ones, states, at, wanted) -> recipe.Claim:
  found = {spec: states[spec][at[spec]] for spec in ones}
  if "unknown" in found.values():
    verdict = recipe.CANNOT_TELL
  else:
    met = all(state in wanted for state in found.values())
    verdict = recipe.SHOWN if met else recipe.NOT_SHOWN
  said = []
  for spec, one in ones.items():
    here = one.layer, at[spec]
    measured = ", ".join(
      emergence_claims.measured(one.control, name, *here)
      for name, _ in emergence.MEASURES
    )
    said.append(f"{spec} after {one.context_text(at[spec])}: {measured}")
  return recipe.Claim(text, criterion, verdict, "; ".join(said) + ".")


def numbers(ones, gains) -> dict:
  """Gains over guessing, and the geometry of random weights at the end."""
  made = {}
  for spec, one in ones.items():
    for name, stats in gains[spec].items():
      made[f"{spec} gain {name}"] = dict(
        zip(("value", "low", "high"), map(float, stats), strict=True)
      )
    here = one.layer, one.window, one.context
    for name, _ in emergence.MEASURES:
      made[f"{spec} {name} random weights"] = {
        which: float(one.control.stat(name, which)[here])
        for which in ("value", "low", "high", "null")
      }
  return made


def _table(ones) -> recipe.Table:
  rows = []
  for spec, one in ones.items():
    for place in (early(one), one.context):
      here = one.layer, place
      for each, label in ((one, "trained"), (one.control, "random weights")):
        alone = _alone(each)
        energy, cosine = (
          emergence_claims.measured(alone, name, *here)
          for name, _ in emergence.MEASURES
        )
        rows.append(
          (
            spec,
            one.context_text(place),
            label,
            energy.removeprefix("relative energy "),
            cosine.removeprefix("smaller principal cosine "),
          )
        )
  return recipe.Table(
    "Trained and random weights at the report layer",
    (
      *("graph", "context", "weights", "relative energy"),
      "smaller principal cosine",
    ),
    tuple(rows),
  )


def _measurements(ones) -> xr.DataTree:
  kept = ["energy_relative", "principal_cosine_2", "accuracy_restricted_mean"]
  tree = {}
  for spec, one in ones.items():
    tree[spec] = one.dataset[kept]
    tree[f"{spec}/random_weights"] = one.control.dataset[kept]
  return xr.DataTree.from_dict(tree)


RECIPE = recipe.Recipe(
  name="untrained",
  title="Random weights",
  question="How much of all this does the architecture do without training?",
  source="control of arXiv 2501.00070, with the norms left alone",
  run=run,
)
