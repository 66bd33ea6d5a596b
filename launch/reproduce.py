"""Runs the experiments of paper one on any model and says what holds.

python -m launch.reproduce --list
python -m launch.reproduce --figure=emergence --out=runs/paper
python -m launch.reproduce --all --out=runs/paper
python -m launch.reproduce --all --model=FOLDER,owner/name --out=runs/models
python -m launch.reproduce --compare=runs/a,runs/b --out=runs/both
python -m launch.reproduce --golden --model=meta-llama/Llama-3.1-8B --out=DIR
"""

import pathlib

from absl import flags

from icl_graphs import errors
from icl_graphs.experiments import (
  catalogue,
  golden,
  graph_subject,
  tracing_settings,
)
from icl_graphs.report import model_table, run_folder
from launch import experiments, program, settings_flags

# Half the walks of the main job: there are many experiments.
_DEFAULT = tracing_settings.Settings(walks=128)
# Decided by each experiment.
_OF_RECIPES = (
  *("graphs", "mode", "separator", "pair_role", "stay", "teleport", "hops"),
  *("non_backtracking", "contexts", "layers", "accuracy", "chat", "chat_role"),
  "random_weights_control",
)

settings_flags.define(_DEFAULT, _OF_RECIPES)
_ALL = flags.DEFINE_bool("all", False, "Every experiment.")
_GOLDEN = flags.DEFINE_bool(
  "golden", False, "Hold a run of Llama-3.1-8B against published numbers."
)
_COMPARE = flags.DEFINE_list(
  "compare", [], "Folders of finished reproductions, to put into one table."
)


def main(_):
  known = catalogue.PAPER_ONE
  if experiments.LIST.value:
    print(experiments.listed(known))
    return
  asked = experiments.named(known, experiments.FIGURE.value)
  if _ALL.value:
    asked = list(known.values())
  if not (asked or _GOLDEN.value or _COMPARE.value):
    raise errors.InputError("nothing asked; try --all, --figure=NAME or --list")
  if not experiments.OUT.value:
    raise errors.InputError("no folder given; try --out=runs/paper")
  out = pathlib.Path(experiments.OUT.value)
  if _COMPARE.value:
    run_folder.open_folder(out)
    _compare([pathlib.Path(folder) for folder in _COMPARE.value], out)
    return
  settings = settings_flags.read(_DEFAULT, _OF_RECIPES)
  subjects = experiments.subjects(graph_subject.GraphSubject, settings)
  for one in subjects:
    if asked:
      experiments.perform(one, asked, known)
    if _GOLDEN.value:
      golden.run(one, one.out)
      print((one.out / golden.MARKDOWN).read_text(encoding="utf-8"))
  if asked and len(subjects) > 1:
    _compare([one.out for one in subjects], out)


def _compare(folders, out):
  table, page = model_table.write(folders, out)
  print(f"\nEvery model and claim: {table}\nReport: {page}")


if __name__ == "__main__":
  program.run(main)
