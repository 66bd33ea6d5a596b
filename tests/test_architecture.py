"""Imports point one way: only along the table of rooms."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = "icl_graphs"

# Single files under the rooms, which every room may import.
FOUNDATION = {"errors", "atomic", "unfinished"}

# Room: rooms it may import beside the foundation and itself.
ROOMS = {
  "tasks": set(),
  "models": set(),
  "probes": {"models"},
  "engine": {"tasks", "models", "probes"},
  "analysis": set(),
  "theory": {"analysis"},
  "training": {"tasks", "models"},
  "report": {"analysis"},
  "experiments": {
    "tasks",
    "models",
    "probes",
    "engine",
    "analysis",
    "theory",
    "report",
    "training",
  },
  # Files of finished models, no code.
  "bundled": set(),
}

# Only the doors know flags, and only tests know torch.
FORBIDDEN = {"torch", "launch", "tests"}


def _imports(source: str, package: tuple[str, ...]) -> set[str]:
  """Absolute dotted names of all modules that a source file may import."""
  names = set()
  for node in ast.walk(ast.parse(source)):
    if isinstance(node, ast.Import):
      names |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      parent = package[: len(package) - node.level + 1] if node.level else ()
      module = ".".join([*parent, *([node.module] if node.module else [])])
      names |= {f"{module}.{alias.name}" for alias in node.names}
  return names


def _violations(path: pathlib.Path, source: str) -> list[str]:
  package = path.with_suffix("").parts[:-1]
  room = path.parts[1] if len(path.parts) > 2 else None
  found = []
  for name in sorted(_imports(source, package)):
    parts = name.split(".")
    if parts[0] in FORBIDDEN or (parts[0] == "absl" and "flags" in parts):
      found.append(f"{path}: {name}")
    if parts[0] != PACKAGE or len(parts) < 2 or parts[1] == "__version__":
      continue
    allowed = FOUNDATION | {room} | ROOMS.get(room, set())
    if parts[1] not in allowed:
      found.append(f"{path}: {name}")
  return found


def _files():
  return sorted((ROOT / PACKAGE).rglob("*.py"))


def test_imports_point_along_the_table():
  found = []
  for path in _files():
    found += _violations(path.relative_to(ROOT), path.read_text("utf-8"))
  assert not found, "\n".join(found)


def test_every_room_is_in_the_table():
  rooms = {
    path.relative_to(ROOT / PACKAGE).parts[0]
    for path in _files()
    if path.parent != ROOT / PACKAGE
  }
  assert rooms <= set(ROOMS)


def test_the_table_has_no_circle():
  settled = set()
  while len(settled) < len(ROOMS):
    ready = {r for r in set(ROOMS) - settled if ROOMS[r] <= settled}
    assert ready, set(ROOMS) - settled
    settled |= ready


@pytest.mark.parametrize(
  ("path", "source", "bad"),
  [
    ("icl_graphs/models/a.py", "from icl_graphs.engine import run", True),
    ("icl_graphs/models/a.py", "import icl_graphs.engine.run", True),
    ("icl_graphs/models/a.py", "from icl_graphs import engine", True),
    ("icl_graphs/models/a.py", "from ..engine import run", True),
    ("icl_graphs/models/families/a.py", "from ... import engine", True),
    ("icl_graphs/models/a.py", "def f():\n  import torch", True),
    ("icl_graphs/models/a.py", "from icl_graphs import errors", False),
    ("icl_graphs/models/a.py", "from icl_graphs.models import rope", False),
    ("icl_graphs/models/families/a.py", "from .. import rope", False),
    ("icl_graphs/engine/a.py", "from icl_graphs.models import rope", False),
    ("icl_graphs/errors.py", "from icl_graphs.models import rope", True),
    ("icl_graphs/engine/a.py", "from absl import flags", True),
  ],
)
def test_the_check_itself(path, source, bad):
  assert bool(_violations(pathlib.Path(path), source)) == bad
