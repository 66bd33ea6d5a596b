"""Geometry and accuracy as a model reads, on the same walks, words by group.

Walks of a group share their words, groups do not: class means are taken within
groups, so a bootstrap over groups is one over walks and words at once, for the
energies and for the accuracy together. Letters: G groups, C contexts, T words,
n nodes.
"""

import functools
from typing import NamedTuple

from jaxtyping import Float
import numpy as np

from icl_graphs.analysis import accuracy, geometry
from icl_graphs.analysis import gram as gram_lib
from icl_graphs.experiments import graph_subject
from icl_graphs.experiments.paper_one import own_words
from icl_graphs.models import decoder
from icl_graphs.probes import class_sums

GROUPS = 16
# Walks per group at least: a single walk sees too few words.
FEWEST = 2
CONTEXTS = 24
MEASURES = ("energy_relative", "fiedler_power")
# Apart from the words of `own_words.read`.
_WORD_STREAM = 0x67726F75


class Paced(NamedTuple):
  """What groups of walks show.

  onward, rest: sums over each group's walks of the accuracy without the way
  back, and of one minus the way back, [G, T]; their ratio is the share of the
  rest that goes to neighbours. accuracy, count: sums and numbers, [G, T].
  contexts: [C] at which every group has seen every node. measures: name to
  [G, C]. level: what `measures` are on average over relabellings, by name.
  """

  onward: Float[np.ndarray, "G T"]
  rest: Float[np.ndarray, "G T"]
  accuracy: Float[np.ndarray, "G T"]
  count: Float[np.ndarray, "G T"]
  contexts: Float[np.ndarray, " C"]
  measures: dict[str, Float[np.ndarray, "G C"]]
  level: dict[str, float]


def _step(config, offset, layer, spec, params, ids, row, valid):
  """Class sums of one layer by group, and masses of every walk."""
  members = class_sums.one_hot_nodes(
    spec, row["nodes"], decoder.unembedding(params, config).dtype
  )
  groups = class_sums.one_hot_groups(spec, row["group"], valid)

  def reduce(hidden):
    return class_sums.segment_sums(spec, hidden, members, groups)

  model = decoder.Decoder(config, (layer,))
  final, sums = model.apply({"params": params}, row["tokens"], reduce)
  counts = class_sums.segment_counts(spec, members, groups)
  found = own_words.masses(config, offset, params, ids, row, final)
  return (sums[0], counts), found


def read(
  subject: graph_subject.GraphSubject, pool: own_words.Pool, spec: str
) -> Paced:
  """Reads walks over one graph at the report layer and window.

  Args:
    subject: the model, or its untrained control.
    pool: of its words.
    spec: of the graph.

  Raises:
    InputError: too few words for the graph.
  """
  graph = own_words.check(pool, spec)
  settings, length = subject.settings, subject.context
  per_group = max(FEWEST, round(0.75 * settings.walks / GROUPS))
  nodes = own_words.sample(graph, GROUPS * per_group, length, settings.seed)
  # Group g has walks g, g + G, ... Their starts spread over the graph.
  group = np.arange(len(nodes)) // per_group
  rng = np.random.default_rng((_WORD_STREAM, settings.seed))
  slots = rng.permuted(
    np.tile(np.arange(len(pool.words)), (GROUPS, 1)), axis=1
  )[group, : graph.n]
  offset = len(subject.bos_ids)
  sums = class_sums.ClassSums(
    graph.n,
    GROUPS,
    class_sums.log_spaced_contexts(length, CONTEXTS, min(3, length)),
    (min(subject.report_window, length),),
    offset,
  )
  row = own_words.rows(pool, subject.bos_ids, nodes, slots, graph.adjacency) | {
    "nodes": np.pad(nodes, [(0, 0), (offset, 0)], constant_values=-1),
    "group": group.astype(np.int32),
  }
  step = functools.partial(
    _step, subject.decoder, offset, subject.report_layer, sums
  )
  (hidden, count), (full, back, _) = subject.evaluate(
    f"{spec} by group", step, row, pool.ids, words=length
  )
  hidden = class_sums.windowed(sums, hidden, 0)[0]
  count = class_sums.windowed(sums, count, 0)[0]
  return _paced(graph, sums, group, (full, back), hidden, count)


def _paced(graph, spec, group, masses, hidden, count) -> Paced:
  full, back = (part.astype(np.float64) for part in masses)
  onward, _ = accuracy.group_totals(full - back, group)
  rest, _ = accuracy.group_totals(1 - back, group)
  sums, number = accuracy.group_totals(full, group)
  complete = (count > 0).all(axis=(1, 2))
  means = hidden[complete] / count[complete][..., None]
  frame = geometry.frame(graph.adjacency)
  found = {name: np.zeros((0, GROUPS)) for name in MEASURES}
  if len(means):
    gram = gram_lib.from_rows(means)
    found = geometry.measure(gram, frame, means.shape[-1])
  n = graph.n
  return Paced(
    onward,
    rest,
    sums,
    number,
    np.array(spec.context_lengths)[complete],
    {name: found[name].T for name in MEASURES},
    {"energy_relative": 1.0, "fiedler_power": 2 / (n - 1)},
  )
