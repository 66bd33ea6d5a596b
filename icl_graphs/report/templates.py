"""What every page is made of: templates with all they need inlined."""

import base64
from collections.abc import Mapping
import importlib.resources
import json
import pathlib
from typing import Any

import jinja2
import markupsafe

from icl_graphs.report import payload, wording

_TYPES = {".png": "image/png", ".gif": "image/gif"}


def inlined(path: pathlib.Path) -> str:
  """A picture as the address of itself."""
  data = base64.b64encode(path.read_bytes()).decode("ascii")
  return f"data:{_TYPES[path.suffix]};base64,{data}"


def environment() -> jinja2.Environment:
  """Templates of this package; everything they print is escaped."""
  environment = jinja2.Environment(
    loader=jinja2.FunctionLoader(_text),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  environment.filters |= {
    "number": wording.number,
    "state": wording.STATES.get,
  }
  return environment


def _text(name: str) -> str:
  folder = importlib.resources.files("icl_graphs.report") / "page"
  return (folder / name).read_text(encoding="utf-8")


def asset(name: str) -> markupsafe.Markup:
  """Our own styles and scripts: the only text not escaped."""
  return markupsafe.Markup(_text(name))


def script_json(data: Any) -> markupsafe.Markup:
  """JSON that stays inside its script element whatever the words are."""
  text = json.dumps(data, allow_nan=False, separators=(",", ":"))
  for character in "<>&":
    text = text.replace(character, f"\\u{ord(character):04x}")
  return markupsafe.Markup(text)


def described(run: Mapping[str, Any]) -> list[tuple[str, str]]:
  """The configuration as name and text; nested parts as indented JSON."""
  rows = []
  for name, value in payload.plain(run).items():
    text = value if isinstance(value, str) else json.dumps(value, indent=2)
    rows.append((name, text))
  return rows
