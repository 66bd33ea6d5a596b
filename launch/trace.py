"""Watches a model rewire its concepts on graphs: the main job.

python -m launch.trace --out=runs/first
"""

import dataclasses
import pathlib

from absl import flags

from icl_graphs.engine import hosts
from icl_graphs.experiments import graph_tracing, tracing_settings
from icl_graphs.probes import class_sums
from icl_graphs.report import run_folder
from icl_graphs.tasks import graphs
from launch import program

_DEFAULT = tracing_settings.Settings()
_LISTS_OF_NUMBERS = ("contexts", "windows", "layers")
_HELP = {
  "model": "Folder, hub id, or bundled:NAME.",
  "revision": "Branch, tag or commit of a hub model.",
  "chat": "Words as the user's message in the tokenizer's chat template.",
  "graphs": "Graph specs, e.g. grid:4x4,ring:10,hex:3x3,file:PATH.",
  "words": "Concept list (paper30, nouns, paper30+nouns, days, ...) or a file.",
  "word_seed": "Draw words at random with this seed, not in the list's order.",
  "mode": "walk, or pairs for independent neighbour pairs.",
  "separator": "Between pairs; empty for none.",
  "pair_role": "In pair mode: both, first or second words enter the means.",
  "stay": "Probability of staying at each step (lazy walk).",
  "teleport": "Probability of jumping to a uniform node at each step.",
  "hops": "Edges crossed per step.",
  "non_backtracking": "Never return along the edge just crossed.",
  "context": "Words per sequence; default 1400 or what the model holds.",
  "contexts": "Context lengths to measure at; default 12, log-spaced.",
  "windows": "Windows for class means; default 50,200 (published, in code).",
  "walks": "Number of walks.",
  "groups": "Groups of walks, for bootstrap intervals.",
  "layers": "Hidden states to keep, 0 = embedding; default all.",
  "report_layer": "Hidden state of the headline numbers; default 4/5 of depth.",
  "report_window": "Window of the headline numbers; default the smallest.",
  "accuracy": "Score next words; without, only the blocks below --layers run.",
  "dtype": "float32, bfloat16 or float16; default by device.",
  "attention": "reference, cpu, cudnn or tokamax (extra); default by device.",
  "seed": "Seed of walks and resampling.",
  "batch_size": "Walks per device (or row of --mesh) and step; default: fits.",
  "devices": "Number of devices of a host; default all.",
  "mesh": "Cut the parameters, e.g. data:2,model:4 or model:8.",
  "count_floor": "Nodes with fewer occurrences in a window are flagged.",
  "resamples": "Bootstrap resamples and label permutations per cell.",
  "random_weights_control": "Run the same with random weights.",
}


def _define_flags():
  for field in dataclasses.fields(tracing_settings.Settings):
    default, text = getattr(_DEFAULT, field.name), _HELP[field.name]
    if field.name == "graphs":
      flags.DEFINE_string("graphs", ",".join(default), text)
    elif field.name in _LISTS_OF_NUMBERS:
      flags.DEFINE_list(field.name, None, text)
    elif field.type is bool:
      flags.DEFINE_bool(field.name, default, text)
    elif field.type in (int, int | None):
      flags.DEFINE_integer(field.name, default, text)
    elif field.type is float:
      flags.DEFINE_float(field.name, default, text)
    else:
      flags.DEFINE_string(field.name, default, text)


_define_flags()
_OUT = flags.DEFINE_string("out", None, "Run folder.", required=True)
_CACHE_DIR = flags.DEFINE_string(
  "cache_dir", None, "Where hub models live; default the hub's usual cache."
)
_SAVE_SECONDS = flags.DEFINE_float(
  "save_seconds", 60.0, "Least time between saves of unfinished work."
)
_DISTRIBUTED = flags.DEFINE_bool(
  "distributed", False, "Run on several hosts, started with the same flags."
)
_COORDINATOR = flags.DEFINE_string(
  "coordinator", None, "ADDRESS:PORT of host 0; default: the cluster tells."
)
_NUM_HOSTS = flags.DEFINE_integer(
  "num_hosts", None, "How many; default: the cluster tells."
)
_HOST = flags.DEFINE_integer(
  "host", None, "Which this is, from 0; default: the cluster tells."
)
_LOST_SECONDS = flags.DEFINE_integer(
  "lost_seconds", 60, "Silence after which a host counts as lost."
)


def settings_from_flags() -> tracing_settings.Settings:
  """Reads flags into the recipe's settings."""
  values = {
    field.name: flags.FLAGS[field.name].value
    for field in dataclasses.fields(tracing_settings.Settings)
  }
  values["graphs"] = graphs.split_specs(values["graphs"])
  for name in _LISTS_OF_NUMBERS:
    if values[name] is not None:
      values[name] = class_sums.as_lengths(values[name])
  values["separator"] = values["separator"] or None
  return tracing_settings.Settings(**values)


def main(_):
  if _DISTRIBUTED.value:
    hosts.join(
      _COORDINATOR.value, _NUM_HOSTS.value, _HOST.value, _LOST_SECONDS.value
    )
  settings = settings_from_flags()
  out = pathlib.Path(_OUT.value)
  if hosts.first():
    run_folder.open_folder(out)
  prepared = tracing_settings.prepare(settings, _CACHE_DIR.value)
  if hosts.first():
    for spec in prepared.graphs:
      print(f"{spec}:{graph_tracing.example_prompt(prepared, spec)} ...")
    settings = dataclasses.asdict(prepared.settings)
    run_folder.write_json(out / "run.json", run_folder.describe(settings))
  tree = graph_tracing.observe(prepared, out, _SAVE_SECONDS.value)
  if hosts.first():
    summary = graph_tracing.summarise(prepared, tree)
    run_folder.write_results(out, tree, summary)
    graph_tracing.forget_state(out)


if __name__ == "__main__":
  program.run(main)
