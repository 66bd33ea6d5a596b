"""Minimises the Dirichlet energy on graphs, beside its closed form.

  python -m launch.minimize --graph=grid:4x4 --out=DIR

Writes run.json, trajectory.nc, summary.json (the worst restart's final energy,
the closed form, principal cosines with the spectral embedding) and a figure per
graph. Several graphs go together: --graph=grid:4x4,ring:10.

  python -m launch.minimize --compare=RUN_FOLDER_OR_NPZ --out=DIR

compares observed class means with every rival account of how they came to
mirror the graph, and accuracies with what readers of the same walks would
reach: comparison.nc, summary.json with an entry per account, figures, and the
report page with the theory beside the observation. An npz of activations needs
--graph, and is read as by launch.analyze.
"""

import dataclasses

from absl import flags

from icl_graphs import errors
from icl_graphs.experiments import comparison, energy_minimization
from icl_graphs.report import run_folder
from icl_graphs.tasks import graphs
from launch import program

_DEFAULT = energy_minimization.Settings(graphs=())
_GRAPH = flags.DEFINE_string(
  "graph", None, "Graph specs, e.g. grid:4x4,ring:10."
)
_OUT = flags.DEFINE_string("out", None, "Run folder.", required=True)
_EPS = flags.DEFINE_list(
  "eps",
  [f"{eps:g}" for eps in _DEFAULT.eps],
  "Floors of the singular values, strictly decreasing.",
)
_WIDTH = flags.DEFINE_integer(
  "width", _DEFAULT.width, "Dimensions of Gaussian starts.", lower_bound=1
)
_STEPS = flags.DEFINE_integer(
  "steps", _DEFAULT.steps, "Steps of descent.", lower_bound=1
)
_RECORDS = flags.DEFINE_integer(
  "records", _DEFAULT.records, "Steps to keep, log-spaced.", lower_bound=2
)
_RESTARTS = flags.DEFINE_integer(
  "restarts", _DEFAULT.restarts, "Gaussian starts per graph.", lower_bound=1
)
_START = flags.DEFINE_string(
  "start",
  _DEFAULT.start,
  "gaussian; or the folder of a launch.trace run, for the model's class means "
  "at its first complete context; or an npz with class_means [n, d] or "
  "activations [T, d].",
)
_START_NODES = flags.DEFINE_string(
  "start_nodes", None, "File with the node of every position of activations."
)
_START_LAYER = flags.DEFINE_integer(
  "start_layer",
  None,
  "Hidden state of a run folder (0 = token embeddings); default the report "
  "layer.",
)
_LAPLACIAN = flags.DEFINE_string(
  "laplacian",
  _DEFAULT.laplacian,
  "combinatorial, normalised, or shown:T[:binary], of the edges that a random "
  "walk of T words (with a run folder as start, its own walks) shows.",
)
_RATE = flags.DEFINE_float(
  "rate", None, "Step size; default 1 / the largest eigenvalue."
)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of starts and walk.", 0)
_DTYPE = flags.DEFINE_enum(
  "dtype", _DEFAULT.dtype, ["float32", "float64"], "Precision."
)
_DEVICES = flags.DEFINE_integer(
  "devices", None, "Number of devices; default all."
)
_COMPARE = flags.DEFINE_string(
  "compare", None, "Run folder, or npz as launch.analyze reads, to compare."
)
_NODES = flags.DEFINE_string(
  "nodes", None, "With --compare: file with the node of every position."
)
_WORDS = flags.DEFINE_string(
  "words", None, "With --compare: words of the nodes, or a concept list."
)
_LAST = flags.DEFINE_integer(
  "last", None, "With --compare: use the last N positions only.", lower_bound=1
)
_LAYER = flags.DEFINE_integer(
  "layer", 0, "With --compare: hidden state of an npz; a label.", lower_bound=0
)
_GROUPS = flags.DEFINE_integer(
  "groups", 20, "With --compare: blocks of time of an npz.", lower_bound=1
)
_RESAMPLES = flags.DEFINE_integer(
  "resamples", 200, "With --compare: draws for intervals.", lower_bound=2
)
_PERMUTATIONS = flags.DEFINE_integer(
  "permutations", 400, "With --compare: relabellings for nulls.", lower_bound=99
)


def settings_from_flags() -> energy_minimization.Settings:
  """Reads flags into the recipe's settings."""
  try:
    eps = tuple(float(value) for value in _EPS.value)
  except ValueError as error:
    raise errors.InputError(f"--eps: {error}") from error
  values = {
    field.name: flags.FLAGS[field.name].value
    for field in dataclasses.fields(energy_minimization.Settings)
    if field.name not in ("graphs", "eps")
  }
  specs = tuple(dict.fromkeys(graphs.split_specs(_GRAPH.value)))
  return energy_minimization.Settings(graphs=specs, eps=eps, **values)


def compare():
  """The other mode: observations against the accounts."""
  settings = comparison.Settings(
    source=_COMPARE.value,
    graph=_GRAPH.value,
    **{
      flag.name: flag.value
      for flag in (_NODES, _WORDS, _LAST, _LAYER, _GROUPS)
      + (_RESAMPLES, _PERMUTATIONS, _SEED)
    },
  )
  out = run_folder.open_folder(_OUT.value)
  observed = comparison.load(settings)
  compared = comparison.compare(settings, observed)
  summary = comparison.summarise(compared)
  run_folder.write_json(
    out / run_folder.RUN, run_folder.describe(dataclasses.asdict(settings))
  )
  comparison.write(out, observed, compared, summary)
  print(comparison.table(summary))
  print(f"\nReport: {out / 'report.html'}")


def main(_):
  if _COMPARE.value is not None:
    return compare()
  if _GRAPH.value is None:
    raise errors.InputError(
      "nothing to do; give --graph to minimise on, or --compare"
    )
  settings = settings_from_flags()
  out = run_folder.open_folder(_OUT.value)
  measured = energy_minimization.run(settings)
  summary = energy_minimization.summarise(measured)
  run_folder.write_json(
    out / run_folder.RUN, run_folder.describe(dataclasses.asdict(settings))
  )
  energy_minimization.write(out, measured, summary)
  print(energy_minimization.table(summary))
  print(f"\nWritten to {out}")


if __name__ == "__main__":
  program.run(main)
