"""Damaged JSON and files, drawn from a seeded generator."""

import copy
import json
import random
from typing import Any

_DEEP: Any = []
for _ in range(200):
  _DEEP = [_DEEP]

# Every type, and numbers on both sides of every limit.
VALUES = (
  *(None, True, False, 0, -1, 1, 2, 3, 7, 64, 2**31 - 1, 2**31, 2**63, 2**64),
  *(10**40, -(10**40), 10**400, 0.0, -0.0, 0.5, 1.0, 1e-300, 1e308, -1e308),
  *(float("nan"), float("inf"), float("-inf")),
  *("", "x", "0", "default", "yarn", "longrope", "gelu", "F32", "I8", "\x00"),
  *("ü", "\ud800", "../../etc/passwd", "/etc/passwd", "a" * 5000, "{layer}"),
  *([], [[]], [0], [None], [1, 2, 3], ["full_attention"], [1e308] * 50, _DEEP),
  *({}, {"": {}}, {"rope_type": "llama3"}, {"a": {"b": {"c": []}}}),
)


def change(rng: random.Random, tree: Any) -> Any:
  """A copy of a JSON value with one to three things changed somewhere."""
  tree = copy.deepcopy(tree)
  for _ in range(rng.choice((1, 1, 1, 2, 3))):
    places = list(_places(tree))
    if not places:
      return copy.deepcopy(rng.choice(VALUES))
    parent, key = rng.choice(places)
    _change_one(rng, parent, key, places)
  return tree


def _change_one(rng, parent, key, places):
  kind = rng.randrange(8)
  if kind == 0:
    del parent[key]
  elif kind == 1 and isinstance(parent, dict):
    other = rng.choice(("", "unknown", f"{key}_", "auto_map", "ü", "\ud800"))
    parent[other] = parent.pop(key)
  elif kind == 2:
    elsewhere, other = rng.choice(places)
    parent[key] = copy.deepcopy(elsewhere[other])
  elif kind == 3 and isinstance(parent[key], int | float):
    parent[key] = rng.choice(
      (-parent[key], parent[key] + 1, parent[key] * 2, float(parent[key]))
    )
  elif kind == 4:
    parent[key] = [parent[key]] * rng.choice((1, 2, 100))
  else:
    parent[key] = copy.deepcopy(rng.choice(VALUES))


def _places(tree):
  """Every (container, key) in a JSON value."""
  items = ()
  if isinstance(tree, dict):
    items = tree.items()
  elif isinstance(tree, list):
    items = enumerate(tree[:50])
  for key, value in items:
    yield tree, key
    yield from _places(value)


def dump(rng: random.Random, tree: Any) -> bytes:
  """JSON text, in whichever way JSON may be written."""
  text = json.dumps(
    tree,
    ensure_ascii=rng.random() < 0.8,
    indent=rng.choice((None, None, 2)),
    separators=rng.choice((None, (",", ":"))),
  )
  return text.encode("utf-8", "surrogatepass")


def damage(rng: random.Random, content: bytes) -> bytes:
  """Bytes cut, flipped, repeated, inserted or replaced."""
  content = bytearray(content)
  at = rng.randrange(len(content) + 1)
  kind = rng.randrange(7)
  if kind == 0:
    del content[at:]
  elif kind == 1:
    del content[at : at + rng.randrange(1, 30)]
  elif kind == 2:
    for _ in range(rng.randrange(1, 20)):
      content[rng.randrange(len(content))] = rng.randrange(256)
  elif kind == 3:
    content[at:at] = content[at : at + rng.randrange(200)]
  elif kind == 4:
    content[at:at] = rng.choice((b"[" * 5000, b'{"a":' * 3000, b"9" * 5000))
  elif kind == 5:
    words = (b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b'"', b"}", b",", b"NaN")
    content[at:at] = rng.choice(words)
  else:
    return rng.choice((b"", b" ", b"null", b"[]", b"{}", b"\x80", b"1e999"))
  return bytes(content)
