"""Watches a model rewire its concepts on graphs: the main job.

python -m launch.trace --out=runs/first
"""

import dataclasses
import pathlib

from absl import flags

from icl_graphs.engine import hosts
from icl_graphs.experiments import graph_tracing, tracing_settings
from icl_graphs.report import run_folder
from launch import cores, program, settings_flags

_DEFAULT = tracing_settings.Settings()
settings_flags.define(_DEFAULT)
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


def main(_):
  if _DISTRIBUTED.value:
    hosts.join(
      _COORDINATOR.value, _NUM_HOSTS.value, _HOST.value, _LOST_SECONDS.value
    )
  settings = settings_flags.read(_DEFAULT)
  if not _DISTRIBUTED.value:
    cores.share([settings.model], settings.revision, _CACHE_DIR.value)
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
