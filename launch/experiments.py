"""What programs that run experiments by name have in common."""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import itertools
import pathlib
import re
from typing import Any

from absl import flags

from icl_graphs import errors
from icl_graphs.experiments import catalogue, recipe, reproduction, subject
from icl_graphs.experiments.paper_one import many_models as paper_one
from icl_graphs.experiments.paper_two import many_models as paper_two
from icl_graphs.report import model_table, run_folder
from icl_graphs.report import reproduction as page
from launch import cores

FIGURE = flags.DEFINE_list("figure", [], "Experiments, by name; see --list.")
LIST = flags.DEFINE_bool("list", False, "Print every experiment's name.")
OUT = flags.DEFINE_string("out", None, "Run folder; one per model if several.")
CACHE_DIR = flags.DEFINE_string(
  "cache_dir", None, "Where hub models live; default the hub's usual cache."
)
SAVE_SECONDS = flags.DEFINE_float(
  "save_seconds", 60.0, "Least time between saves of unfinished work."
)

Recipes = Mapping[str, recipe.Recipe]


def listed(recipes: Recipes) -> str:
  """A line per experiment."""
  wide = max(map(len, recipes)) + 2
  return "\n".join(
    f"{one.name:{wide}}{one.question}" for one in recipes.values()
  )


def named(recipes: Recipes, names: Sequence[str]) -> list[recipe.Recipe]:
  """Experiments by name.

  Raises:
    InputError: an unknown name.
  """
  if unknown := [name for name in names if name not in recipes]:
    raise errors.InputError(
      f"no experiment {unknown[0]!r}; --list explains them: "
      f"{', '.join(recipes)}"
    )
  return [recipes[name] for name in names]


def folder_of(model: str) -> str:
  """A folder's name for a model, where there are several."""
  return re.sub(r"[^\w.-]+", "-", model).strip("-")


def out_folder() -> pathlib.Path:
  """Of --out.

  Raises:
    InputError: none was given.
  """
  if not OUT.value:
    raise errors.InputError("no folder given; try --out=runs/mine")
  return pathlib.Path(OUT.value)


def subjects(
  *kinds: tuple[Callable[..., subject.Subject], Any, str],
) -> list[list[subject.Subject]]:
  """The models of every kind of subject, all checked before the first is run.

  Args:
    kinds: (made from settings and a folder; settings, whose `model` may name
      several with commas; folder within that of a model, or "").

  Returns:
    One list per kind.

  Raises:
    InputError: no --out, or as the kinds.
  """
  out = out_folder()
  models = [settings.model.split(",") for _, settings, _ in kinds]
  every = [model for some in models for model in some]
  cores.share(every, kinds[0][1].revision, CACHE_DIR.value)
  made = [
    [
      kind(
        dataclasses.replace(settings, model=model),
        (out if len(some) == 1 else out / folder_of(model)) / folder,
        cache_dir=CACHE_DIR.value,
        save_seconds=SAVE_SECONDS.value,
      )
      for model in some
    ]
    for (kind, settings, folder), some in zip(kinds, models, strict=True)
  ]
  for one in itertools.chain.from_iterable(made):
    run_folder.open_folder(one.out)
  return made


def perform(
  one: subject.Subject, asked: Sequence[recipe.Recipe], paper: catalogue.Paper
) -> dict[str, Any]:
  """Runs experiments on a model and writes its page.

  What earlier runs with the same settings left in the folder is on the page
  too.

  Returns:
    What summary.json holds.
  """
  described = run_folder.describe(dataclasses.asdict(one.settings))
  run_folder.write_json(one.out / run_folder.RUN, described)
  reproduction.perform(asked, one)
  records = reproduction.finished(paper.recipes.values(), one)
  summary = reproduction.summary(records)
  run_folder.write_json(one.out / run_folder.SUMMARY, summary)
  path = page.write(records, described, one.out, paper.about)
  print(f"\n{page.verdicts(records)}\n\nReport: {path}")
  return summary


def compare(folders: Sequence[str | pathlib.Path], out: pathlib.Path) -> None:
  """Puts the finished runs of several models side by side.

  Args:
    folders: of the runs, about either paper.
    out: folder of the page.

  Raises:
    InputError: a folder without a finished run, or `out` cannot be written to.
  """
  run_folder.open_folder(out)
  table, path = model_table.write(
    [pathlib.Path(folder) for folder in folders],
    out,
    (*paper_one.HEADLINES, *paper_two.HEADLINES),
    paper_two.draw,
  )
  print(f"\nEvery model and claim: {table}\nReport: {path}")
