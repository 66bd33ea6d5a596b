"""Two graphs over the same words: a graph, and its copy on other nodes.

The copy shares no edge with the graph, so that nothing but the walk tells them
apart: degrees, spectrum and chance are the same. Every group of walks gets
another assignment of words to nodes, for which averages over groups therefore
speak too.
"""

from collections.abc import Sequence
import functools
from typing import NamedTuple

import jax
from jaxtyping import Float
import numpy as np

from icl_graphs.engine import forward
from icl_graphs.experiments.paper_one import readings
from icl_graphs.tasks import graph_edits, graphs, mixed_walks, transitions

GROUPS = 8


class Rivals(NamedTuple):
  """What walks over two graphs need.

  Attributes:
    plan: of a pass.
    adjacency: [G, 2, n, n] of each group's two graphs.
    table: [G, 2, n, K], the same for the sampler.
    walks: rows of a pass, a multiple of the groups.
  """

  plan: forward.Plan
  adjacency: Float[np.ndarray, "G 2 n n"]
  table: transitions.TransitionTable
  walks: int


def make(
  subject,
  spec: str,
  *,
  contexts: Sequence[int],
  window: int,
  walks: int,
) -> Rivals:
  """Draws graphs and checks words and lengths.

  Args:
    subject: the model.
    spec: of the graph.
    contexts: at which class means are taken.
    window: of the class means, in words.
    walks: rows at least.

  Raises:
    InputError: as `GraphSubject.plan`.
  """
  plan, graph = subject.plan(
    spec,
    contexts=tuple(contexts),
    windows=(window,),
    groups=GROUPS,
    walks=max(walks, GROUPS),
    mode="walk",
    layers=None,
    report_layer=None,
    report_window=None,
    accuracy=True,
  )
  seed = subject.settings.seed
  rng = np.random.default_rng(seed)
  pairs = [
    _renamed(
      graph, graph_edits.rival(graph, seed + g), rng.permutation(graph.n)
    )
    for g in range(GROUPS)
  ]
  tables = [mixed_walks.pair_of_tables(*pair) for pair in pairs]
  table = jax.tree.map(lambda *leaves: np.stack(leaves), *tables)
  adjacency = np.array([[one.adjacency for one in pair] for pair in pairs])
  return Rivals(plan, adjacency, table, -(-walks // GROUPS) * GROUPS)


def _renamed(graph: graphs.Graph, other, places):
  first = graph_edits.relabelled(graph, places)
  return first, graph_edits.relabelled(graph, places[other])


def read(
  subject, name: str, rivals: Rivals, second: Float[np.ndarray, " T"]
) -> tuple[forward.Sums, readings.Scores]:
  """Walks of all groups whose steps follow the second graph as told."""
  fixed = readings.Mixed(
    rivals.table,
    rivals.adjacency > 0,
    np.uint32(subject.settings.seed),
    np.asarray(second, np.float32),
  )
  return subject.evaluate(
    name,
    functools.partial(readings.read_mixed, rivals.plan),
    np.arange(rivals.walks, dtype=np.int32),
    fixed,
    words=rivals.plan.words,
  )
