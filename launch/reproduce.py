"""Runs the experiments of both papers on any model and says what holds.

python -m launch.reproduce --list
python -m launch.reproduce --figure=emergence,judgment --out=runs/papers
python -m launch.reproduce --all --out=runs/papers
python -m launch.reproduce --all --paper=one --out=runs/papers
python -m launch.reproduce --all --model=FOLDER,owner/name --out=runs/models
python -m launch.reproduce --compare=runs/a,runs/b --out=runs/both
python -m launch.reproduce --golden --model=meta-llama/Llama-3.1-8B --out=DIR

Those of paper two have a page of their own, in the folder `coins`; their other
settings are flags of `launch.coins`.
"""

import dataclasses

from absl import flags

from icl_graphs import errors
from icl_graphs.experiments import (
  catalogue,
  coin_subject,
  golden,
  tracing_settings,
)
from launch import experiments, program, settings_flags

# Half the walks of the main job: there are many experiments.
_DEFAULT = tracing_settings.Settings(walks=128)
# Decided by each experiment.
_OF_RECIPES = (
  *("graphs", "mode", "separator", "pair_role", "stay", "teleport", "hops"),
  *("non_backtracking", "contexts", "layers", "accuracy", "chat", "chat_role"),
  "random_weights_control",
)

_PAPERS = {"one": catalogue.PAPER_ONE, "two": catalogue.PAPER_TWO}
# Where in --out their pages are.
_FOLDERS = {"one": "", "two": "coins"}

settings_flags.define(_DEFAULT, _OF_RECIPES)
_ALL = flags.DEFINE_bool("all", False, "Every experiment.")
_PAPER = flags.DEFINE_multi_enum(
  "paper", list(_PAPERS), list(_PAPERS), "With --all: of which papers."
)
_GOLDEN = flags.DEFINE_bool(
  "golden", False, "Hold a run of Llama-3.1-8B against published numbers."
)
_COMPARE = flags.DEFINE_list(
  "compare", [], "Folders of finished reproductions, to put into one table."
)


def _coin_settings(settings) -> coin_subject.Settings:
  """What both kinds of settings share, as asked for paper one."""
  default = coin_subject.Settings()
  names = {field.name for field in dataclasses.fields(settings)}
  changes = {
    field.name: getattr(settings, field.name)
    for field in dataclasses.fields(default)
    if field.name in names
  }
  if not flags.FLAGS["model"].present:
    changes["model"] = default.model
  return dataclasses.replace(default, **changes)


def main(_):
  every = {k: v for paper in _PAPERS.values() for k, v in paper.recipes.items()}
  if experiments.LIST.value:
    print(experiments.listed(every))
    return
  asked = experiments.named(every, experiments.FIGURE.value)
  if _ALL.value:
    asked = [
      one for name in _PAPER.value for one in _PAPERS[name].recipes.values()
    ]
  if not (asked or _GOLDEN.value or _COMPARE.value):
    raise errors.InputError("nothing asked; try --all, --figure=NAME or --list")
  out = experiments.out_folder()
  if _COMPARE.value:
    experiments.compare(_COMPARE.value, out)
    return
  _run(asked, out)


def _run(asked, out):
  settings = settings_flags.read(_DEFAULT, _OF_RECIPES)
  of = {}
  for name, paper in _PAPERS.items():
    mine = [one for one in asked if one.name in paper.recipes]
    if mine or (name == "one" and _GOLDEN.value):
      of[name] = mine
  wanted = {"one": settings, "two": _coin_settings(settings)}
  subjects = experiments.subjects(
    *((_PAPERS[name].kind, wanted[name], _FOLDERS[name]) for name in of)
  )
  for name, some in zip(of, subjects, strict=True):
    for one in some:
      if of[name]:
        experiments.perform(one, of[name], _PAPERS[name])
      if name == "one" and _GOLDEN.value:
        golden.run(one, one.out)
        print((one.out / golden.MARKDOWN).read_text(encoding="utf-8"))
    if of[name] and len(some) > 1:
      folder = out / _FOLDERS[name]
      experiments.compare([one.out for one in some], folder)


if __name__ == "__main__":
  program.run(main)
