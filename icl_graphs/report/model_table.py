"""Several finished reproductions as one table: which claims hold on which one.

Reads the `summary.json` and `run.json` that `launch.reproduce` leaves in the
folder of every model.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import json
import pathlib
from typing import Any

from icl_graphs import atomic, errors
from icl_graphs.report import templates, wording

SUMMARY, RUN = "summary.json", "run.json"
MARKDOWN, PAGE = "models.md", "models.html"
# (recipe, number, heading): what stands in a model's row, where measured.
HEADLINES = (
  ("emergence", "grid:4x4 energy_relative", "relative energy, grid"),
  ("emergence", "grid:4x4 principal_cosine_2", "smaller cosine, grid"),
  ("emergence", "grid:4x4 accuracy_full", "accuracy, grid"),
  ("emergence", "ring:10 energy_relative", "relative energy, ring"),
  ("emergence", "ring:10 principal_cosine_2", "smaller cosine, ring"),
  ("emergence", "ring:10 accuracy_full", "accuracy, ring"),
  ("emergence", "hex:3x3 energy_relative", "relative energy, hexagonal"),
  ("emergence", "hex:3x3 principal_cosine_2", "smaller cosine, hexagonal"),
  ("emergence", "hex:3x3 accuracy_full", "accuracy, hexagonal"),
  (
    "energy_and_accuracy",
    "grid:4x4 lag restricted",
    "accuracy half up over energy settled, grid",
  ),
)
NOTE = (
  "Numbers with their 95% intervals over walks; in brackets the value with "
  "relabelled words. A dash: not measured."
)
_STATES = {
  "shown": "present",
  "not shown": "reversed",
  "cannot tell": "unknown",
}
_NONE = "–"


@dataclasses.dataclass(frozen=True)
class Model:
  """A model and what was found of it: recipe name to its summary."""

  name: str
  summary: Mapping[str, Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class Cell:
  """Text of a table, with what explains it and the state of a verdict."""

  text: str
  why: str = ""
  state: str = ""


@dataclasses.dataclass(frozen=True)
class Table:
  """Rows of cells below a header."""

  title: str
  header: tuple[str, ...]
  rows: tuple[tuple[Cell, ...], ...]


def read(folders: Sequence[pathlib.Path]) -> list[Model]:
  """Finished reproductions, one per folder.

  Raises:
    InputError: no folder, or one without a readable summary.
  """
  if not folders:
    raise errors.InputError("no folder of a finished reproduction given")
  models = []
  for folder in map(pathlib.Path, folders):
    summary = _json(folder / SUMMARY)
    run = _json(folder / RUN) if (folder / RUN).exists() else {}
    name = run.get("model") or run.get("settings", {}).get("model")
    models.append(Model(str(name or folder.name), summary))
  return _distinct(models, folders)


def _json(path: pathlib.Path) -> dict[str, Any]:
  try:
    return json.loads(path.read_text(encoding="utf-8"))
  except (OSError, ValueError) as error:
    raise errors.InputError(
      f"{path} cannot be read ({error}); finish launch.reproduce there first"
    ) from error


def _distinct(models, folders) -> list[Model]:
  """Models of one name, such as seeds of one path, told apart by folder."""
  names = [model.name for model in models]
  return [
    dataclasses.replace(
      model, name=f"{model.name} ({pathlib.Path(folder).name})"
    )
    if names.count(model.name) > 1
    else model
    for model, folder in zip(models, folders, strict=True)
  ]


def headlines(
  models: Sequence[Model],
  wanted: Sequence[tuple[str, str, str]] = HEADLINES,
) -> Table:
  """One row per model: its headline numbers.

  Args:
    models: from `read`.
    wanted: (recipe, number, heading); those that no model has are left out.
  """
  entries = [
    [_entry(model, recipe, number) for recipe, number, _ in wanted]
    for model in models
  ]
  kept = [
    place
    for place in range(len(wanted))
    if any(row[place] is not None for row in entries)
  ]
  return Table(
    "Headline numbers",
    ("model", *(wanted[place][2] for place in kept)),
    tuple(
      (Cell(model.name), *(_number(row[place]) for place in kept))
      for model, row in zip(models, entries, strict=True)
    ),
  )


def _entry(model: Model, recipe: str, number: str) -> Mapping | None:
  entry = model.summary.get(recipe, {}).get("numbers", {}).get(number)
  if entry is None:
    return None
  return entry if isinstance(entry, Mapping) else {"value": entry}


def _number(entry: Mapping[str, Any] | None) -> Cell:
  if entry is None or entry.get("value") is None:
    return Cell(_NONE)
  value, low, high, null = (
    wording.as_float(entry.get(key)) for key in ("value", "low", "high", "null")
  )
  text = f"{wording.number(value)} {wording.interval(low, high)}".strip()
  if entry.get("null") is not None:
    text += f" ({wording.number(null, value)})"
  return Cell(text)


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
        by_model[place]["reason"],
        _STATES.get(by_model[place]["verdict"], ""),
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
  lines += [_line([cell.text for cell in row]) for row in table.rows]
  return "\n".join(lines) + "\n"


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
  folders: Sequence[pathlib.Path], out: pathlib.Path
) -> tuple[pathlib.Path, pathlib.Path]:
  """Writes both tables of several models as Markdown and as a page.

  Args:
    folders: of finished reproductions, one per model.
    out: folder of `models.md` and `models.html`.

  Returns:
    Paths of the two files.

  Raises:
    InputError: as `read`.
  """
  models = read(folders)
  tables = headlines(models), verdicts(models)
  plain, marked = out / MARKDOWN, out / PAGE
  text = "\n".join(map(markdown, tables))
  atomic.write_text(plain, f"{text}\n{NOTE}\n\n{reasons(models)}")
  page = templates.environment().get_template("models.html")
  rendered = page.render(
    tables=tables,
    note=NOTE,
    style=templates.asset("page.css"),
    own_style=templates.asset("reproduction.css"),
  )
  atomic.write_text(marked, rendered)
  return plain, marked
