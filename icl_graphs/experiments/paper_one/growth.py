"""Transitions on graphs of growing size, with everything they are held against.

Every walk has words of its own (`own_words`), so an interval over walks speaks
of other words too.
"""

import dataclasses

from jaxtyping import Float
import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import detection, scaling, transitions
from icl_graphs.experiments import graph_subject
from icl_graphs.experiments.paper_one import counting, own_words
from icl_graphs.tasks import graphs

# Share of a run's walks that one graph gets.
SHARE = 0.5
FEWEST_WALKS = 8
RESAMPLES = 300
FAMILIES = {
  "grid": tuple(f"grid:{m}x{m}" for m in range(3, 11)),
  "ring": tuple(f"ring:{n}" for n in (6, 10, 20, 30, 50)),
  "hex": ("hex:2x2", "hex:3x3", "hex:4x4", "hex:5x5"),
  # Mean degrees of the grids run from 2.7 to 3.6.
  "regular": tuple(f"regular:{n}:3:0" for n in (16, 36, 64)),
}
# Long walks, apart from those that are read, tell how long coverage takes.
LONG_WALKS, LONG_LENGTH, LONG_SEED = 128, 4096, 1


@dataclasses.dataclass(frozen=True, eq=False)
class Growth:
  """One graph.

  Attributes:
    spec, family, nodes: of the graph.
    walks: read.
    curve: mean accuracy, and what it would be without the way back: the share
      of the rest that goes to neighbours. [T] each.
    bend: `detection.Detection` of the accuracy.
    belief: log-odds fit to the curve without the way back.
    counted: breakpoint of the counting reader under the same detector.
    counter: that reader.
    edges, cover: words until half of the edges are crossed, until every node is
      seen; mean and interval, NaN where walks were too short.
  """

  spec: str
  family: str
  nodes: int
  walks: int
  curve: Float[np.ndarray, " T"]
  beyond: Float[np.ndarray, " T"]
  bend: detection.Detection
  belief: detection.Belief
  counted: transitions.Estimate
  counter: counting.Counter
  edges: tuple[float, float, float]
  cover: tuple[float, float, float]


def possible(
  subject: graph_subject.GraphSubject, pool: own_words.Pool
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
  """Graphs by family for which the model knows words enough.

  Returns:
    (family to specs, a note on each family that is cut short).
  """
  kept, notes = {}, []
  for family, specs in FAMILIES.items():
    kept[family] = ()
    for spec in specs:
      try:
        own_words.check(pool, spec)
        kept[family] += (spec,)
      except errors.InputError:
        notes.append(
          f"{spec} is left out: the model knows {len(pool.words)} single-token "
          "concept words."
        )
  return kept, tuple(notes)


def measure(
  subject: graph_subject.GraphSubject,
  pool: own_words.Pool,
  spec: str,
  family: str,
) -> Growth:
  """Reads walks over one graph and finds its transition."""
  count = max(FEWEST_WALKS, round(SHARE * subject.settings.walks))
  found = own_words.read(subject, pool, spec, count=count)
  graph = graphs.parse(spec)
  seed = subject.settings.seed
  # The way back is no knowledge of the graph: what is left over is shared.
  onward, rest = found.accuracy - found.back, 1 - found.back
  counter = counting.fitted(found.nodes, graph.adjacency, found.accuracy)
  edges, cover = coverage(graph)
  return Growth(
    spec,
    family,
    graph.n,
    count,
    found.accuracy.mean(axis=0),
    onward.sum(axis=0) / rest.sum(axis=0),
    detection.detect(found.accuracy, np.ones_like(rest), RESAMPLES, seed),
    detection.belief(onward, rest, RESAMPLES, seed),
    counting.breakpoint_of(counter.accuracy, RESAMPLES, seed),
    counter,
    edges,
    cover,
  )


def coverage(
  graph: graphs.Graph,
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
  """Words to half of the edges and to all nodes, mean with interval."""
  walks = own_words.sample(graph, LONG_WALKS, LONG_LENGTH, LONG_SEED)
  # Cover times stay below n^2 / 2 on average on these families.
  walks = walks[:, : 4 * graph.n**2 + 200]
  return (
    scaling.mean_with_interval(
      scaling.edge_coverage_time(walks, graph.edge_count)
    ),
    scaling.mean_with_interval(scaling.cover_time(walks, graph.n)),
  )
