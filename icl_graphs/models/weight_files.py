"""Safetensors files of a folder: what is in them, and what is wrong with them.

Only headers are read until a weight is asked for, and nothing is unpickled.
"""

import collections
import dataclasses
import json
import pathlib
import re

# Before safetensors: without it there is no numpy bfloat16 to read into.
import ml_dtypes  # noqa: F401
import numpy as np
import safetensors

from icl_graphs import errors

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")
# A thousand names help nobody.
_SHOWN = 8


@dataclasses.dataclass(frozen=True)
class Stored:
  """One weight in a file, by its header."""

  path: pathlib.Path
  shape: tuple[int, ...]
  dtype: str


def inventory(
  folder: pathlib.Path,
) -> tuple[dict[str, Stored], list[str]]:
  """All weights of a folder by name, and contradictions between its files.

  Raises:
    errors.InputError: no safetensors, or a file that is missing or damaged.
  """
  paths, index = _files(folder)
  stored: dict[str, Stored] = {}
  duplicates, strays = [], []
  for path in paths:
    header, repeated = _header(path)
    duplicates += [f"{name} (twice in {path.name})" for name in repeated]
    for name, entry in header.items():
      if name in stored:
        duplicates.append(f"{name} ({stored[name].path.name}, {path.name})")
      elif index is not None and index.get(name, path.name) != path.name:
        strays.append(f"{name} (in {path.name}, indexed in {index[name]})")
      stored.setdefault(name, entry)
  problems = []
  if duplicates:
    problems.append(f"stored more than once: {listed(duplicates)}")
  if strays:
    problems.append(f"not where the index says: {listed(strays)}")
  return stored, problems


def _files(
  folder: pathlib.Path,
) -> tuple[list[pathlib.Path], dict[str, str] | None]:
  """Safetensors files of a folder and, for shards, weight name to file."""
  if (folder / SINGLE).exists():
    return [folder / SINGLE], None
  if (folder / INDEX).exists():
    index = _index(folder / INDEX)
    return [folder / name for name in sorted(set(index.values()))], index
  others = sorted(folder.glob("*.safetensors"))
  if len(others) == 1:
    return others, None
  if others:
    raise errors.InputError(
      f"{folder} has several safetensors files but neither {SINGLE} nor"
      f" {INDEX}; download the index too"
    )
  pickles = sorted(p.name for glob in _PICKLES for p in folder.glob(glob))
  if pickles:
    raise errors.InputError(
      f"{folder} has no safetensors, only {listed(pickles)}: pickle files can"
      " run code and are not read; convert them (in transformers:"
      " from_pretrained, then save_pretrained)"
    )
  raise errors.InputError(
    f"{folder} has no *.safetensors file; a model folder holds config.json,"
    " *.safetensors and tokenizer.json"
  )


def _index(path: pathlib.Path) -> dict[str, str]:
  """The index's weight map, with plain file names in the same folder only."""
  try:
    weight_map = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
  except OSError as error:
    raise errors.InputError(f"{path} cannot be read: {error}") from error
  except (ValueError, RecursionError, KeyError, TypeError) as error:
    raise errors.InputError(
      f"{path} is damaged: it has no valid weight_map; download it again"
    ) from error
  if not isinstance(weight_map, dict) or not weight_map:
    raise errors.InputError(f"{path} is damaged: its weight_map is no object")
  for file in weight_map.values():
    if not isinstance(file, str) or not re.fullmatch(
      r"[\w.-]+\.safetensors", file
    ):
      raise errors.InputError(
        f"{path} names the file {file!r}; only *.safetensors files in the same"
        " folder are read"
      )
  return weight_map


def _header(path: pathlib.Path) -> tuple[dict[str, Stored], list[str]]:
  """A file's weights with their shapes and types, and names it repeats."""
  try:
    with safetensors.safe_open(path, framework="numpy") as file:
      entries = {}
      for name in file.keys():  # noqa: SIM118, not a dict
        view = file.get_slice(name)
        entries[name] = Stored(path, tuple(view.get_shape()), view.get_dtype())
    # safetensors has found the header sound, but keeps the last of equals.
    with path.open("rb") as file:
      size = int.from_bytes(file.read(8), "little")
      pairs = json.loads(file.read(size), object_pairs_hook=list)
    names = collections.Counter(name for name, _ in pairs)
    return entries, [name for name, times in names.items() if times > 1]
  except (safetensors.SafetensorError, OSError, ValueError) as error:
    raise errors.InputError(
      f"{path} is missing, truncated or damaged ({error}); download it again"
    ) from error


class Files:
  """Opens each file once, for as long as the loading takes."""

  def __enter__(self):
    self._open = {}
    return self

  def __exit__(self, *_):
    self._open.clear()

  def read(self, name: str, entry: Stored) -> np.ndarray:
    """One weight, in the shape and type it is stored in."""
    try:
      if entry.path not in self._open:
        self._open[entry.path] = safetensors.safe_open(
          entry.path, framework="numpy"
        )
      return self._open[entry.path].get_tensor(name)
    except (safetensors.SafetensorError, OSError) as error:
      raise errors.InputError(
        f"{entry.path} is damaged ({error}); download it again"
      ) from error


def listed(names: list[str]) -> str:
  """Names for a message, cut where there are too many."""
  shown = ", ".join(names[:_SHOWN])
  more = len(names) - _SHOWN
  return f"{shown} and {more} more" if more > 0 else shown
