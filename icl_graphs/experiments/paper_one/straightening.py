"""Does the way of hidden states from word to word straighten with context?"""

import functools
import pathlib

import numpy as np
import xarray as xr

from icl_graphs.analysis import walk_bootstrap
from icl_graphs.engine import forward
from icl_graphs.experiments import graph_subject, recipe
from icl_graphs.probes import class_sums, trajectory
from icl_graphs.report.paper_one import straightening as figure
from icl_graphs.tasks import prompts, walks

SPEC = "grid:4x4"
WINDOW, SHORTEST, CONTEXTS = 50, 20, 6
# (weights, order of words): what is measured, and its two nulls.
CONDITIONS = ("walk", "shuffled", "untrained")

_CLAIM = (
  "The way of hidden states straightens as the context grows.",
  "at the report layer, the mean angle between successive displacements,"
  " relative to hidden state 0, falls from the shortest to the longest context:"
  " the change lies below 0, and below the change when the same words are"
  " shuffled and with untrained weights (intervals of paired differences)",
)


def measure(subject: graph_subject.GraphSubject) -> xr.Dataset:
  """`angle`, `forward` and `participation` of every walk.

  Returns:
    Dimensions (condition, walk, layer, context); angles in degrees.
  """
  settings, length = subject.settings, subject.context
  contexts = class_sums.log_spaced_contexts(length, CONTEXTS, SHORTEST)
  windows = tuple((max(0, t - WINDOW), t) for t in contexts)
  plan, graph = subject.plan(SPEC)
  work = forward.task(graph, settings.seed)
  nodes = np.asarray(
    walks.sample_walks(
      work.table, settings.seed, np.arange(settings.walks), length=length
    )
  )
  rng = np.random.default_rng(settings.seed)
  both = np.concatenate([nodes, rng.permuted(nodes, axis=1)])
  rows = {
    "tokens": np.asarray(prompts.assemble(plan.layout, both).tokens),
    "nodes": both,
  }
  step = functools.partial(
    trajectory.step, subject.decoder, plan.layout.offset, windows
  )
  _, trained = subject.evaluate("straightening", step, rows, words=length)
  _, untrained = subject.untrained.evaluate(
    "straightening",
    step,
    {name: rows_[: len(nodes)] for name, rows_ in rows.items()},
    words=length,
  )
  count = len(nodes)
  parts = {
    name: np.stack([one[:count], one[count:], other])
    for name, one, other in zip(
      trajectory.Ways._fields, trained, untrained, strict=True
    )
  }
  return xr.Dataset(
    {
      name: (("condition", "walk", "layer", "context"), values)
      for name, values in parts.items()
    },
    coords={
      "condition": list(CONDITIONS),
      "layer": np.arange(subject.decoder.num_layers + 1),
      "context": list(contexts),
    },
    attrs={"graph": SPEC, "window": WINDOW, "unit": "degrees"},
  )


def run(
  subject: graph_subject.GraphSubject, folder: pathlib.Path
) -> recipe.Outcome:
  """See `recipe.Recipe`."""
  ds = measure(subject)
  layer, seed = subject.report_layer, subject.settings.seed
  estimates = {
    name: {
      condition: walk_bootstrap.mean(values, seed=seed)
      for condition, values in zip(CONDITIONS, one, strict=True)
    }
    for name, one in {
      "angle": relative(ds.angle.values),
      "forward": relative(ds.forward.values),
      "participation": ds.participation.values,
    }.items()
  }
  figure.draw(
    folder / "straightening.png",
    {
      name: {one: np.stack(part) for one, part in by_condition.items()}
      for name, by_condition in estimates.items()
    },
    ds.layer.values.tolist(),
    ds.context.values.tolist(),
    layer,
    f"{SPEC}: angles of the way from word to word",
  )
  numbers = _numbers(ds, estimates, layer, seed)
  return recipe.Outcome(
    claims=(_claim(numbers, ds, layer),),
    numbers=numbers,
    figures=(
      recipe.Figure(
        "straightening.png",
        "Hidden states take a step with every word. Left and middle: the mean"
        " angle between successive steps, minus the same angle of the word"
        " embeddings (hidden state 0); below zero the way is straighter than"
        " that of the words themselves. Right: how many dimensions the last"
        f" {WINDOW} hidden states fill. Each with two nulls: the same words in"
        " shuffled order, and untrained weights. Bands: 95% intervals over"
        " walks.",
        "Relative angle against context and against hidden state, and"
        " participation ratio, for walks, shuffled words and untrained"
        " weights.",
      ),
    ),
    tables=(_table(estimates, ds, layer),),
    measurements=ds,
    notes=(
      "A step back to the word before makes an angle of 180 degrees in hidden"
      " state 0; taking hidden state 0 away accounts for it only there, so"
      " angles at words that step on are given as well.",
      "The first words of a walk have little to attend to, whatever they are:"
      " untrained weights show how much of a change with context that makes.",
      "The published effect is that of Gemma-2 on several tasks; its values are"
      " not compared here, because the definition of the angle is ours.",
    ),
  )


def relative(angles: np.ndarray) -> np.ndarray:
  """Angles [..., layer, context] minus those of hidden state 0."""
  return angles - angles[..., :1, :]


def _change(values, layer):
  """Last context minus first, per walk [condition, walk]."""
  return values[:, :, layer, -1] - values[:, :, layer, 0]


def _numbers(ds, estimates, layer, seed):
  numbers = {}
  for name in ("angle", "forward"):
    walk, *nulls = _change(relative(ds[name].values), layer)
    numbers[f"{name}_change"] = walk_bootstrap.mean(walk, seed=seed).at()
    for null, other in zip(CONDITIONS[1:], nulls, strict=True):
      numbers[f"{name}_change_{null}"] = walk_bootstrap.mean(
        other, seed=seed
      ).at()
      numbers[f"{name}_change_beyond_{null}"] = walk_bootstrap.mean(
        walk - other, seed=seed
      ).at()
  for name, by_condition in estimates.items():
    for condition, found in by_condition.items():
      numbers[f"{name}_{condition}"] = found.at(layer, -1)
  return numbers


def _claim(numbers, ds, layer):
  change = numbers["angle_change"]
  beyond = [numbers[f"angle_change_beyond_{null}"] for null in CONDITIONS[1:]]
  shown = all(one["high"] < 0 for one in (change, *beyond))
  known = all(np.isfinite(one["high"]) for one in (change, *beyond))
  verdict = recipe.SHOWN if shown else recipe.NOT_SHOWN
  first, last = ds.context.values[[0, -1]]
  return recipe.Claim(
    *_CLAIM,
    verdict if known else recipe.CANNOT_TELL,
    f"hidden state {layer}, {first} to {last} words: {_degrees(change)};"
    f" beyond shuffled words {_degrees(beyond[0])}, beyond untrained weights"
    f" {_degrees(beyond[1])}; where the walk steps on"
    f" {_degrees(numbers['forward_change'])}.",
  )


def _degrees(entry):
  return "{value:+.1f}° [{low:+.1f}, {high:+.1f}]".format(**entry)


def _table(estimates, ds, layer):
  names = {
    "angle": "relative angle, degrees",
    "forward": "the same where the walk steps on",
    "participation": "participation ratio",
  }
  rows = []
  for name, title in names.items():
    for condition, found in estimates[name].items():
      cells = [found.at(layer, c) for c in (0, -1)]
      rows.append(
        (
          title,
          condition,
          *("{value:.2f} [{low:.2f}, {high:.2f}]".format(**x) for x in cells),
        )
      )
  contexts = ds.context.values
  return recipe.Table(
    f"Hidden state {layer}",
    ("measure", "condition", *(f"{t} words" for t in contexts[[0, -1]])),
    tuple(rows),
  )


RECIPE = recipe.Recipe(
  name="straightening",
  title="Straightening of trajectories",
  question="Does the way of hidden states straighten as the context grows?",
  source="Hosseini et al., arXiv 2601.22364; definition of the angle ours",
  run=run,
)
