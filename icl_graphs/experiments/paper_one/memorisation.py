"""Whether remembering the words seen so far explains the accuracy.

arXiv 2501.00070, figure 5: a ring of 50 and a grid of 25 nodes, beside readers
that remember words seen once or twice. Here also on the walks as they were, and
beside readers that count steps (section 2.9 of the project's specification).
"""

import dataclasses
import pathlib

from jaxtyping import Float
import numpy as np
import xarray as xr

from icl_graphs import errors
from icl_graphs.analysis import (
  accuracy,
  detection,
  memorisation,
  nulls,
  transitions,
)
from icl_graphs.experiments import graph_subject, recipe
from icl_graphs.experiments.paper_one import (
  counting,
  estimates,
  memorisation_claims,
  own_words,
)
from icl_graphs.report import wording
from icl_graphs.report.paper_one import drawing
from icl_graphs.report.paper_one import memorisation as figures
from icl_graphs.tasks import graphs

SPECS = ("ring:50", "grid:5x5")
RESAMPLES = 500
VISITS = (0, 1, 2, 3, 5, 10, 20, 30, 50)
# A visit count is reported from so many words on.
_FEWEST_WORDS = 20
# A curve is saturated where this share of its rise is behind.
SATURATED = 0.9


@dataclasses.dataclass(frozen=True, eq=False)
class Compared:
  """One graph: a model's accuracy and readers that remember or count.

  Attributes:
    spec, nodes, walks: of the graph and the run.
    curve: [3, T], mean accuracy with its interval over walks and words.
    readers: name to [T], what each baseline reaches or has seen.
    alphas: prior of each counting reader.
    visits, by_visits: earlier visits v, and accuracy after as many [3, V].
    readers_by_visits: the counting readers', [V].
    saturation: words at which the model and each memory have made 90% of their
      rise, with intervals.
    later: model over walk-exact memory of words seen twice.
    bend: of the model's accuracy.
    lead: model minus the closest counting reader, last fifth of the context.
    rising: accuracy over the last fifth minus that over the fifth before.
  """

  spec: str
  nodes: int
  walks: int
  curve: Float[np.ndarray, "3 T"]
  readers: dict[str, Float[np.ndarray, " T"]]
  alphas: dict[str, float]
  visits: tuple[int, ...]
  by_visits: Float[np.ndarray, "3 V"]
  readers_by_visits: dict[str, Float[np.ndarray, " V"]]
  saturation: dict[str, transitions.Estimate]
  later: transitions.Estimate
  bend: detection.Detection
  lead: Float[np.ndarray, " 3"]
  rising: Float[np.ndarray, " 3"]


def run(
  subject: graph_subject.GraphSubject, folder: pathlib.Path
) -> recipe.Outcome:
  """Reads walks over the two graphs and holds memory against the model."""
  pool = own_words.pool(subject)
  ones, notes = [], []
  for spec in SPECS:
    try:
      own_words.check(pool, spec)
    except errors.InputError as error:
      notes.append(f"{error}.")
      continue
    ones.append(measure(subject, pool, spec))
  if not ones:
    return recipe.cannot(notes[0], *memorisation_claims.TEXTS)
  return recipe.Outcome(
    memorisation_claims.claims(ones),
    _numbers(ones),
    _draw(folder, ones),
    (_times(ones), _by_visits(ones)),
    _measurements(ones),
    (*memorisation_claims.NOTES, *notes),
  )


def measure(
  subject: graph_subject.GraphSubject, pool: own_words.Pool, spec: str
) -> Compared:
  """Reads walks over one graph, each with its own words, and compares."""
  found = own_words.read(subject, pool, spec, count=subject.settings.walks)
  return compared(spec, found, subject.settings.seed)


def compared(spec: str, found: own_words.Read, seed: int) -> Compared:
  """What memory and counting reach on walks that a model has read."""
  graph = graphs.parse(spec)
  n, nodes = graph.n, found.nodes
  walks, length = nodes.shape
  ones = np.ones_like(found.accuracy)
  t = np.arange(1, length + 1)
  seen = memorisation.visits(nodes, graph.adjacency)
  counters = {
    "counts steps as taken": counting.fitted(
      nodes, graph.adjacency, found.accuracy, (False,)
    ),
    "counts steps both ways": counting.fitted(
      nodes, graph.adjacency, found.accuracy, (True,)
    ),
  }
  memory = {
    "seen once, on these walks": (seen.seen >= 1).astype(float),
    "seen twice, on these walks": (seen.seen >= 2).astype(float),
  }
  sums = {"model": found.accuracy} | memory
  saturation = {name: saturates(values, seed) for name, values in sums.items()}
  closest = min(counters.values(), key=lambda one: one.error)
  end = accuracy.last_fifth(length)
  lead = (found.accuracy - closest.accuracy)[:, end].mean(axis=1)
  before = slice(2 * end.start - end.stop, end.start)
  gain = found.accuracy[:, end].mean(axis=1)
  gain = gain - found.accuracy[:, before].mean(axis=1)
  kept = tuple(v for v in VISITS if (seen.seen == v).sum() >= _FEWEST_WORDS)
  return Compared(
    spec,
    n,
    walks,
    np.stack(
      accuracy.mean_with_interval(found.accuracy, ones, RESAMPLES, seed)
    ),
    {
      "seen once, if words were iid": memorisation.iid_one_shot(t, n),
      "seen twice, if words were iid": memorisation.iid_two_shot(t, n),
    }
    | {name: values.mean(axis=0) for name, values in memory.items()}
    | {name: one.accuracy.mean(axis=0) for name, one in counters.items()},
    {name: one.alpha for name, one in counters.items()},
    kept,
    np.stack(
      [_after(found.accuracy, seen.seen == v, seed) for v in kept], axis=1
    ),
    {
      name: np.array([one.accuracy[seen.seen == v].mean() for v in kept])
      for name, one in counters.items()
    },
    saturation,
    transitions.lag(
      saturation["seen twice, on these walks"], saturation["model"], walks
    ),
    detection.detect(found.accuracy, ones, RESAMPLES, seed),
    np.array(_mean(lead, seed)),
    np.array(_mean(gain, seed)),
  )


def saturates(
  values: Float[np.ndarray, "B T"], seed: int
) -> transitions.Estimate:
  """Words at which 90% of a mean curve's rise from t = 5 is behind."""
  curves = transitions.resampled(values, np.ones_like(values), RESAMPLES, seed)
  first = min(detection.FIRST, values.shape[1])
  at = [transitions.plateau_start(one, first, SATURATED) for one in curves]
  return transitions.estimate(np.array(at, float), len(values))


def _after(values, holds, seed) -> np.ndarray:
  """Mean over the words that a condition holds at, with interval, [3]."""
  sums = np.where(holds, values, 0).sum(axis=1)[:, None]
  count = holds.sum(axis=1).astype(float)[:, None]
  found = accuracy.mean_with_interval(sums, count, RESAMPLES, seed)
  return np.stack(found)[:, 0]


def _mean(values: Float[np.ndarray, " B"], seed) -> tuple[float, float, float]:
  weights = nulls.bootstrap_weights(len(values), RESAMPLES, seed)
  replicates = weights @ values / len(values)
  low, high = nulls.interval(values.mean(), replicates, len(values))
  return float(values.mean()), float(low), float(high)


def _draw(folder, ones) -> tuple[recipe.Figure, ...]:
  file = "memorisation.png"
  drawing.write(folder / file, figures.memorisation, ones)
  return (
    recipe.Figure(
      file,
      "Left: the model's accuracy as it reads (band: 95% interval over walks "
      "and words), beside the share of words seen once or twice before: by the "
      "paper's formulas, as if words were drawn at random, and on the walks as "
      "they were. Two further readers count every step they saw (a Bayes "
      "bigram with a fitted prior); the second counts each step in both "
      "directions. Right: the same accuracy by how often the current word had "
      "been seen before.",
      "Accuracy against context and against earlier visits, beside baselines "
      "of memory that rise much earlier.",
    ),
  )


def _numbers(ones) -> dict:
  numbers = {}
  for one in ones:
    for name, found in one.saturation.items():
      numbers[f"{one.spec} saturation: {name}"] = estimates.entry(found[:3])
    numbers[f"{one.spec} model later than seen twice by"] = estimates.entry(
      one.later[:3]
    )
    numbers[f"{one.spec} breakpoint"] = estimates.entry(one.bend.bend[:3])
    numbers[f"{one.spec} lead over counting"] = estimates.entry(one.lead)
    for name, alpha in one.alphas.items():
      numbers[f"{one.spec} prior: {name}"] = alpha
  return numbers


def _times(ones) -> recipe.Table:
  rows = tuple(
    (one.spec, name, estimates.text(found[:3]))
    for one in ones
    for name, found in one.saturation.items()
  )
  return recipe.Table(
    "Words at which 90% of the rise is behind",
    ("graph", "reader", "words [95% interval]"),
    rows,
  )


def _by_visits(ones) -> recipe.Table:
  rows = []
  for one in ones:
    for k, visits in enumerate(one.visits):
      others = [wording.number(v[k]) for v in one.readers_by_visits.values()]
      rows.append(
        (
          one.spec,
          str(visits),
          estimates.text(one.by_visits[:, k]),
          *others,
        )
      )
  return recipe.Table(
    "Accuracy by earlier visits of the current word",
    ("graph", "earlier visits", "model", *ones[0].readers_by_visits),
    tuple(rows),
  )


def _measurements(ones) -> xr.DataTree:
  return xr.DataTree.from_dict(
    {
      one.spec: xr.Dataset(
        {
          "accuracy": (("stat", "time"), one.curve),
          "by_visits": (("stat", "visits"), one.by_visits),
          "readers": (
            ("reader", "time"),
            np.stack(list(one.readers.values())),
          ),
        },
        {
          "stat": list(estimates.STATS),
          "time": np.arange(1, one.curve.shape[1] + 1),
          "visits": list(one.visits),
          "reader": list(one.readers),
        },
      )
      for one in ones
    }
  )


RECIPE = recipe.Recipe(
  name="memorisation",
  title="Memory is not enough",
  question="Does remembering the words seen so far explain the accuracy?",
  source="arXiv 2501.00070, figure 5 and equations 4 and 5",
  run=run,
)
