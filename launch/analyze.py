"""Measures anyone's activations against a graph.

  python -m launch.analyze --activations=F.npz --graph=grid:4x4 --out=DIR

F holds `class_means` [n, D], one row per node in the graph's node order, or
`activations` [T, D] with the node of every position: in the same file as
`nodes` (ids) or `words`, or in --nodes (npz, npy, json or a text file). Where a
file has both, activations are used if nodes are given. Intervals need
activations: they come from contiguous blocks of time, which is optimistic when
neighbouring positions share much of their context.
"""

from absl import flags

from icl_graphs.analysis import measurements, recordings
from icl_graphs.report import run_folder
from icl_graphs.tasks import graphs, words
from launch import program

_ACTIVATIONS = flags.DEFINE_string(
  "activations", None, "npz with class_means or activations.", required=True
)
_NODES = flags.DEFINE_string(
  "nodes", None, "File with the node id or word of every position."
)
_GRAPH = flags.DEFINE_string(
  "graph", None, "Graph spec, e.g. grid:4x4.", required=True
)
_WORDS = flags.DEFINE_string(
  "words",
  None,
  "Words of the nodes in node order: a comma-separated list, a file, or a "
  "concept list such as paper30. Default: `node_words` of the npz, else the "
  "graph's own node names.",
)
_LAST = flags.DEFINE_integer(
  "last", None, "Use the last N positions only (the window).", lower_bound=1
)
_LAYER = flags.DEFINE_integer(
  "layer", 0, "Hidden state the activations come from; a label.", lower_bound=0
)
_GROUPS = flags.DEFINE_integer(
  "groups", 8, "Blocks of time to resample for intervals.", lower_bound=1
)
_COUNT_FLOOR = flags.DEFINE_integer(
  "count_floor", 5, "Nodes with fewer occurrences are flagged.", lower_bound=1
)
_DRAWS = flags.DEFINE_integer(
  "resamples", 2000, "Bootstrap resamples and relabellings.", lower_bound=2
)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of both.")
_OUT = flags.DEFINE_string("out", None, "Run folder.", required=True)
_SETTINGS = (
  *(_ACTIVATIONS, _NODES, _GRAPH, _WORDS, _LAST),
  *(_LAYER, _GROUPS, _COUNT_FLOOR, _DRAWS, _SEED),
)


def main(_):
  out = run_folder.open_folder(_OUT.value)
  graph = graphs.parse(_GRAPH.value)
  recording = recordings.read(
    _ACTIVATIONS.value,
    _NODES.value,
    _node_words(graph.n),
    graph.node_names,
    last=_LAST.value,
    groups=_GROUPS.value,
  )
  raw = recordings.to_raw(
    recording,
    graph=graph.spec,
    adjacency=graph.adjacency,
    positions=graph.positions,
    directed=graph.directed,
    layer=_LAYER.value,
  )
  measured = measurements.derive(
    raw,
    report_layer=_LAYER.value,
    count_floor=_COUNT_FLOOR.value if recording.counts_known else 1,
    resamples=_DRAWS.value,
    permutations=_DRAWS.value,
    seed=_SEED.value,
  )
  headline = measurements.headline(measured, _LAYER.value, recording.window)
  settings = {flag.name: flag.value for flag in _SETTINGS}
  run_folder.write_json(out / run_folder.RUN, run_folder.describe(settings))
  run_folder.write_results(out, {graph.spec: measured}, {graph.spec: headline})


def _node_words(n: int) -> tuple[str, ...] | None:
  if _WORDS.value is None:
    return None
  if "," in _WORDS.value:
    return tuple(word.strip() for word in _WORDS.value.split(","))
  return words.concept_words(_WORDS.value, n)


if __name__ == "__main__":
  program.run(main)
