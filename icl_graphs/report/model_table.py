"""Several finished runs side by side: which claims hold on which model.

Reads the `summary.json` and `run.json` that the programs which run experiments
leave in the folder of every model. What counts as a headline, and what is
drawn, is for the caller to say: this module knows no experiment.
"""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import json
import math
import pathlib
from typing import Any

from icl_graphs import atomic, errors
from icl_graphs.report import templates, wording

SUMMARY, RUN = "summary.json", "run.json"
MARKDOWN, PAGE = "models.md", "models.html"
_STATES = {
  "shown": "present",
  "not shown": "reversed",
  "cannot tell": "unknown",
}
_NONE = "–"


@dataclasses.dataclass(frozen=True)
class Model:
  """A model, what was found of it (recipe name to its summary), and where."""

  name: str
  summary: Mapping[str, Mapping[str, Any]]
  folder: pathlib.Path


@dataclasses.dataclass(frozen=True)
class Headlines:
  """What stands in a model's row.

  Attributes:
    title: of the table.
    entries: (recipe, number, heading).
    note: how to read the numbers.
  """

  title: str
  entries: tuple[tuple[str, str, str], ...]
  note: str


# A figure in the folder of the page: "file", "caption", "alt".
Picture = Mapping[str, str]
Draw = Callable[[Sequence[Model], pathlib.Path], Sequence[Picture]]


@dataclasses.dataclass(frozen=True)
class Cell:
  """Text of a table.

  Attributes:
    text: what is read first.
    beside: smaller, below it.
    why: what explains it.
    state: of a verdict.
  """

  text: str
  beside: tuple[str, ...] = ()
  why: str = ""
  state: str = ""


@dataclasses.dataclass(frozen=True)
class Table:
  """Rows of cells below a header, and how to read them."""

  title: str
  header: tuple[str, ...]
  rows: tuple[tuple[Cell, ...], ...]
  note: str = ""


def read(folders: Sequence[pathlib.Path]) -> list[Model]:
  """Finished runs, one per folder.

  Raises:
    InputError: no folder, or one without a readable summary.
  """
  if not folders:
    raise errors.InputError("no folder of a finished run given")
  models = []
  for folder in map(pathlib.Path, folders):
    summary = _json(folder / SUMMARY)
    run = _json(folder / RUN) if (folder / RUN).exists() else {}
    name = run.get("model") or run.get("settings", {}).get("model")
    models.append(Model(_short(name or folder.name), summary, folder))
  return _distinct(models)


def _json(path: pathlib.Path) -> dict[str, Any]:
  try:
    return json.loads(path.read_text(encoding="utf-8"))
  except (OSError, ValueError) as error:
    raise errors.InputError(
      f"{path} cannot be read ({error}); finish a run there first"
    ) from error


def _short(name: str) -> str:
  """A model's name; of a path only the end, which tells models apart."""
  return pathlib.Path(name).name if pathlib.Path(name).is_absolute() else name


def _distinct(models: Sequence[Model]) -> list[Model]:
  """Models of one name, such as seeds, told apart by where their folders are.

  As few parts of the paths as it takes, from the end.
  """
  names = [model.name for model in models]
  parts = [model.folder.absolute().parts for model in models]
  deepest = max(map(len, parts))
  for depth in range(1, deepest + 1):
    marks = ["/".join(one[-depth:]) for one in parts]
    if len(set(zip(names, marks, strict=True))) == len(models):
      break
  return [
    dataclasses.replace(model, name=f"{model.name} ({mark})")
    if names.count(model.name) > 1
    else model
    for model, mark in zip(models, marks, strict=True)
  ]


def headlines(models: Sequence[Model], wanted: Headlines) -> Table | None:
  """One row per model: its headline numbers.

  Args:
    models: from `read`.
    wanted: those that no model has are left out.

  Returns:
    None where nothing is left.
  """
  entries = [
    [_entry(model, recipe, number) for recipe, number, _ in wanted.entries]
    for model in models
  ]
  kept = [
    place
    for place in range(len(wanted.entries))
    if any(row[place] is not None for row in entries)
  ]
  if not kept:
    return None
  return Table(
    wanted.title,
    ("model", *(wanted.entries[place][2] for place in kept)),
    tuple(
      (Cell(model.name), *(_number(row[place]) for place in kept))
      for model, row in zip(models, entries, strict=True)
    ),
    wanted.note,
  )


def _entry(model: Model, recipe: str, number: str) -> Mapping | None:
  entry = model.summary.get(recipe, {}).get("numbers", {}).get(number)
  entry = entry if isinstance(entry, Mapping) else {"value": entry}
  return entry if entry.get("value") is not None else None


def _number(entry: Mapping[str, Any] | None) -> Cell:
  """Value, [interval], (null, or what it ranges over)."""
  if entry is None:
    return Cell(_NONE)
  keys = ("value", "low", "high", "null", "null_low", "null_high")
  value, low, high, null, *limits = (
    wording.as_float(entry.get(key)) for key in keys
  )
  beside = [wording.interval(low, high)]
  if all(map(math.isfinite, limits)):
    beside.append("({} to {})".format(*map(wording.number, limits)))
  elif math.isfinite(null):
    beside.append(f"({wording.number(null, value) if null else 0})")
  return Cell(wording.number(value), tuple(filter(None, beside)))


def verdicts(models: Sequence[Model]) -> Table:
  """One row per claim: its verdict on every model, and how often it holds."""
  found = _claims(models)
  titles = {
    name: one["title"]
    for model in models
    for name, one in model.summary.items()
  }
  rows = []
  for (name, text), by_model in found.items():
    cells = [
      Cell(
        by_model[place]["verdict"],
        why=by_model[place]["reason"],
        state=_STATES.get(by_model[place]["verdict"], ""),
      )
      if place in by_model
      else Cell(_NONE)
      for place in range(len(models))
    ]
    held = sum(cell.text == "shown" for cell in cells)
    rows.append(
      (
        Cell(titles[name]),
        Cell(text),
        *cells,
        Cell(f"{held} of {len(by_model)}"),
      )
    )
  names = (model.name for model in models)
  return Table(
    "Verdicts",
    ("experiment", "claim", *names, "shown on"),
    tuple(rows),
  )


def markdown(table: Table) -> str:
  """A table in Markdown, with its title."""
  lines = [f"### {table.title}", ""]
  lines.append(_line(table.header))
  lines.append(_line(["---"] * len(table.header)))
  lines += [
    _line([" ".join((cell.text, *cell.beside)) for cell in row])
    for row in table.rows
  ]
  if table.note:
    lines += ["", table.note]
  return "\n".join(lines) + "\n"


def _pictures(pictures: Sequence[Picture]) -> str:
  return "".join(
    f"![{one['alt']}]({one['file']})\n\n{one['caption']}\n\n"
    for one in pictures
  )


def _line(cells: Sequence[str]) -> str:
  escaped = (cell.replace("|", "\\|").replace("\n", " ") for cell in cells)
  return f"| {' | '.join(escaped)} |"


def reasons(models: Sequence[Model]) -> str:
  """Criterion of every claim and what was found on every model, in Markdown."""
  lines = ["### Reasons", ""]
  for (name, text), by_model in _claims(models).items():
    first = next(iter(by_model.values()))
    title = next(m.summary[name]["title"] for m in models if name in m.summary)
    lines += [f"**{title}: {text}**", "", f"Criterion: {first['criterion']}."]
    lines += [
      f"- {models[place].name}: *{claim['verdict']}.* {claim['reason']}"
      for place, claim in by_model.items()
    ]
    lines.append("")
  return "\n".join(lines)


def _claims(
  models: Sequence[Model],
) -> dict[tuple[str, str], dict[int, Mapping[str, str]]]:
  """(recipe, text of a claim) to the claim by place of the model."""
  found: dict[tuple[str, str], dict[int, Mapping[str, str]]] = {}
  for place, model in enumerate(models):
    for name, one in model.summary.items():
      for claim in one["claims"]:
        found.setdefault((name, claim["text"]), {})[place] = claim
  return found


def write(
  folders: Sequence[pathlib.Path],
  out: pathlib.Path,
  wanted: Sequence[Headlines] = (),
  draw: Draw | None = None,
) -> tuple[pathlib.Path, pathlib.Path]:
  """Writes several models side by side, as Markdown and as a page.

  Args:
    folders: of finished runs, one per model.
    out: folder of `models.md`, `models.html` and the pictures.
    wanted: a table of numbers each.
    draw: told the models and `out`; which pictures it wrote there.

  Returns:
    Paths of the two files.

  Raises:
    InputError: as `read`.
  """
  models = read(folders)
  tables = [found for one in wanted if (found := headlines(models, one))]
  pictures = draw(models, out) if draw else ()
  plain, marked = out / MARKDOWN, out / PAGE
  parts = [*map(markdown, tables), _pictures(pictures)]
  parts += [markdown(verdicts(models)), reasons(models)]
  atomic.write_text(plain, "\n".join(filter(None, parts)))
  page = templates.environment().get_template("models.html")
  rendered = page.render(
    headlines=tables,
    verdicts=verdicts(models),
    pictures=[
      {**one, "source": templates.inlined(out / one["file"])}
      for one in pictures
    ],
    style=templates.asset("page.css"),
    own_style=templates.asset("reproduction.css"),
  )
  atomic.write_text(marked, rendered)
  return plain, marked
