"""The page of a reproduction: which claims hold on this model, and the proof.

Everything is inlined (styles, scripts, pictures); nothing is loaded from
anywhere. A record is what a recipe left in its outcome.json.
"""

from collections.abc import Mapping
import math
import pathlib
from typing import Any, NamedTuple

from icl_graphs import atomic
from icl_graphs.report import templates, wording

# Marks of the verdicts, as those of findings.
_STATES = {
  "shown": "present",
  "not shown": "reversed",
  "cannot tell": "unknown",
}


class About(NamedTuple):
  """What a page says of all its sections.

  Attributes:
    question: that they ask together, the heading.
    shown: what the model did; goes on after its name.
    terms: that need to be known.
  """

  question: str
  shown: str
  terms: str


def write(
  records: Mapping[str, Mapping[str, Any]],
  run: Mapping[str, Any],
  out: pathlib.Path,
  about: About,
) -> pathlib.Path:
  """Writes report.html.

  Args:
    records: recipe name to record, in the order of the page.
    run: the run's configuration (run.json).
    out: folder of the run; a recipe's figures are in a folder of its name.
    about: heading and terms.

  Returns:
    Path of the page.
  """
  sections = [_section(name, one, out) for name, one in records.items()]
  scenes = {name: one["scene"] for name, one in records.items() if one["scene"]}
  counts = _counts(records)
  text = (
    templates.environment()
    .get_template("reproduction.html")
    .render(
      model=str(run.get("model") or "A language model"),
      about=about,
      sections=sections,
      counts=counts,
      minutes=sum(one["seconds"] for one in records.values()) / 60,
      run=templates.described(run),
      scenes=templates.script_json(scenes) if scenes else None,
      style=templates.asset("page.css"),
      own_style=templates.asset("reproduction.css"),
      script=templates.asset("scene.js"),
    )
  )
  path = out / "report.html"
  atomic.write_text(path, text)
  return path


def _counts(records) -> list[tuple[str, str, int]]:
  verdicts = [
    claim["verdict"] for one in records.values() for claim in one["claims"]
  ]
  return [
    (verdict, state, verdicts.count(verdict))
    for verdict, state in _STATES.items()
  ]


def _section(name, record, out) -> dict[str, Any]:
  return {
    "name": name,
    **{key: record[key] for key in ("title", "question", "source", "notes")},
    "claims": [
      claim | {"state": _STATES[claim["verdict"]]} for claim in record["claims"]
    ],
    "figures": [
      {
        "caption": one["caption"],
        "alt": one["alt"],
        "source": templates.inlined(out / name / one["file"]),
      }
      for one in record["figures"]
    ],
    "tables": record["tables"],
    "scene": bool(record["scene"]),
    "numbers": [
      row
      for key, entry in record["numbers"].items()
      if (row := _number(key, entry))
    ],
    "seconds": record["seconds"],
  }


def _number(name, entry) -> tuple[str, ...] | None:
  """A number as a row, with dashes for what is unknown; None for no number."""
  if not isinstance(entry, Mapping):
    entry = {"value": entry}
  if "value" not in entry or isinstance(entry["value"], str | list | Mapping):
    return None
  value, low, high, null = (
    wording.as_float(entry.get(key)) for key in ("value", "low", "high", "null")
  )
  return (
    name.replace("_", " "),
    wording.number(value) if math.isfinite(value) else "-",
    wording.interval(low, high),
    wording.number(null, value) if math.isfinite(null) else "-",
  )


def verdicts(records: Mapping[str, Mapping[str, Any]]) -> str:
  """A line per claim, for a terminal."""
  lines = []
  for record in records.values():
    lines.append(record["title"])
    lines += [
      f"  {claim['verdict']:12}{claim['text']}" for claim in record["claims"]
    ]
  return "\n".join(lines)
