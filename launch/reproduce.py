"""Runs the experiments of the papers on any model and says what holds.

python -m launch.reproduce --list
python -m launch.reproduce --figure=emergence --out=runs/paper
python -m launch.reproduce --all --out=runs/paper
python -m launch.reproduce --all --model=FOLDER,owner/name --out=runs/models
python -m launch.reproduce --golden --model=meta-llama/Llama-3.1-8B --out=DIR
"""

import dataclasses
import pathlib
import re

from absl import flags

from icl_graphs import errors
from icl_graphs.experiments import (
  catalogue,
  graph_subject,
  reproduction,
  tracing_settings,
)
from icl_graphs.report import reproduction as page
from icl_graphs.report import run_folder
from launch import program, settings_flags

# Half the walks of the main job: there are many experiments.
_DEFAULT = tracing_settings.Settings(walks=128)
# Decided by each experiment.
_OF_RECIPES = (
  *("graphs", "mode", "separator", "pair_role", "stay", "teleport", "hops"),
  *("non_backtracking", "contexts", "layers", "accuracy", "chat"),
  "random_weights_control",
)

settings_flags.define(_DEFAULT, _OF_RECIPES)
_LIST = flags.DEFINE_bool("list", False, "Print every experiment's name.")
_FIGURE = flags.DEFINE_list("figure", [], "Experiments, by name.")
_ALL = flags.DEFINE_bool("all", False, "Every experiment.")
_GOLDEN = flags.DEFINE_bool(
  "golden", False, "Compare with published numbers; Llama-3.1-8B only passes."
)
_OUT = flags.DEFINE_string("out", None, "Run folder; one per model if several.")
_CACHE_DIR = flags.DEFINE_string(
  "cache_dir", None, "Where hub models live; default the hub's usual cache."
)
_SAVE_SECONDS = flags.DEFINE_float(
  "save_seconds", 60.0, "Least time between saves of unfinished work."
)


def main(_):
  if _LIST.value:
    for one in catalogue.RECIPES.values():
      print(f"{one.name:24}{one.question}")
    return
  recipes = _asked()
  if not _OUT.value:
    raise errors.InputError("no folder given; try --out=runs/paper")
  out = pathlib.Path(_OUT.value)
  settings = settings_flags.read(_DEFAULT, _OF_RECIPES)
  models = settings.model.split(",")
  # All are checked before the first is run.
  subjects = [
    graph_subject.GraphSubject(
      dataclasses.replace(settings, model=model),
      out if len(models) == 1 else out / _slug(model),
      cache_dir=_CACHE_DIR.value,
      save_seconds=_SAVE_SECONDS.value,
    )
    for model in models
  ]
  for one in subjects:
    run_folder.open_folder(one.out)
  for one in subjects:
    _reproduce(one, recipes)


def _asked():
  known = catalogue.RECIPES
  if unknown := [name for name in _FIGURE.value if name not in known]:
    raise errors.InputError(
      f"no experiment {unknown[0]!r}; --list names all: {', '.join(known)}"
    )
  recipes = known.values() if _ALL.value else map(known.get, _FIGURE.value)
  recipes = list(recipes)
  if not recipes and not _GOLDEN.value:
    raise errors.InputError("nothing asked; try --all, --figure=NAME or --list")
  return recipes


def _slug(model: str) -> str:
  return re.sub(r"[^\w.-]+", "-", model).strip("-")


def _reproduce(one, recipes):
  settings = dataclasses.asdict(one.settings)
  described = run_folder.describe(settings)
  run_folder.write_json(one.out / run_folder.RUN, described)
  reproduction.perform(recipes, one)
  # What earlier runs left in this folder belongs on the page too.
  records = reproduction.finished(catalogue.RECIPES.values(), one)
  summary = reproduction.summary(records)
  run_folder.write_json(one.out / run_folder.SUMMARY, summary)
  path = page.write(records, described, one.out)
  print(f"\n{page.verdicts(records)}\n\nReport: {path}")


if __name__ == "__main__":
  program.run(main)
