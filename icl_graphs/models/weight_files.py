"""Safetensors files of a folder: what is in them, and what is wrong with them.

Only headers are read until a weight is asked for, and nothing is unpickled.
Weights are views of mapped files, so that reading one costs no memory of the
process: what is allocated is the caller's choice.
"""

import collections
import dataclasses
import json
import mmap
import pathlib
import re
from typing import Any

import ml_dtypes
import numpy as np
import safetensors

from icl_graphs import errors

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")
_DTYPES = {
  "F64": np.dtype("<f8"),
  "F32": np.dtype("<f4"),
  "F16": np.dtype("<f2"),
  "BF16": np.dtype(ml_dtypes.bfloat16),
}
# A hundred times what the largest decoders need; parsed JSON takes some twenty
# times its length in memory.
_LONGEST_JSON = 16 * 2**20
# A thousand names help nobody, and a name can be as long as a file.
_SHOWN = 8
_LONGEST_NAME = 120
_LONGEST_REASON = 300


@dataclasses.dataclass(frozen=True)
class Stored:
  """One weight in a file, by its header.

  Attributes:
    name: in the file.
    path: of the file.
    shape: of the weight.
    dtype: of the weight, as safetensors calls it.
    start: first byte in the file.
    size: bytes.
  """

  name: str
  path: pathlib.Path
  shape: tuple[int, ...]
  dtype: str
  start: int
  size: int

  @property
  def readable(self) -> bool:
    """Whether `Files.read` knows the type."""
    return self.dtype in _DTYPES


def inventory(
  folder: pathlib.Path,
) -> tuple[dict[str, Stored], list[str]]:
  """All weights of a folder by name, and contradictions between its files.

  Raises:
    errors.InputError: no safetensors, or a file that is missing or damaged.
  """
  paths, index, repeated = _files(folder)
  duplicates = [f"{printable(name)} (twice in {INDEX})" for name in repeated]
  stored: dict[str, Stored] = {}
  strays = []
  for path in paths:
    header, repeated = _header(path)
    duplicates += [
      f"{printable(name)} (twice in {path.name})" for name in repeated
    ]
    for name, entry in header.items():
      shown = printable(name)
      if name in stored:
        duplicates.append(f"{shown} ({stored[name].path.name}, {path.name})")
      elif index is not None and index.get(name, path.name) != path.name:
        strays.append(f"{shown} (in {path.name}, indexed in {index[name]})")
      stored.setdefault(name, entry)
  absent = [
    f"{printable(name)} (indexed in {file})"
    for name, file in (index or {}).items()
    if name not in stored
  ]
  kinds = (
    ("stored more than once", duplicates),
    ("not where the index says", strays),
    ("in no file", absent),
  )
  return stored, [f"{kind}: {listed(names)}" for kind, names in kinds if names]


def total_bytes(folder: pathlib.Path) -> int:
  """Size of the files that hold a folder's weights.

  Raises:
    errors.InputError: as `inventory`.
  """
  paths, _, _ = _files(folder)
  try:
    return sum(path.stat().st_size for path in paths)
  except OSError as error:
    raise _damaged(paths[0].parent, error) from error


def _files(
  folder: pathlib.Path,
) -> tuple[list[pathlib.Path], dict[str, str] | None, list[str]]:
  """Files of a folder and, of shards, weight name to file and names twice."""
  try:
    # Not `exists`: opening a pipe would wait for ever.
    if (folder / SINGLE).is_file():
      return [folder / SINGLE], None, []
    if (folder / INDEX).is_file():
      index, repeated = _index(folder / INDEX)
      paths = [folder / name for name in sorted(set(index.values()))]
      return paths, index, repeated
    others = sorted(folder.glob("*.safetensors"))
    if len(others) == 1:
      return others, None, []
    pickles = sorted(p.name for glob in _PICKLES for p in folder.glob(glob))
  except OSError as error:
    raise errors.InputError(f"{folder} cannot be read: {error}") from error
  if others:
    raise errors.InputError(
      f"{folder} has several safetensors files but neither {SINGLE} nor"
      f" {INDEX}; download the index too"
    )
  if pickles:
    raise errors.InputError(
      f"{folder} has no safetensors, only {listed(pickles)}: pickle files can"
      " run code and are not read; convert them (in transformers:"
      " from_pretrained, then save_pretrained)"
    )
  raise errors.InputError(
    f"{folder} has no *.safetensors file; a model folder holds config.json,"
    f" {SINGLE} (or shards with {INDEX}) and tokenizer.json, and nothing else"
    " is downloaded from the hub, pickle files (*.bin) least of all"
  )


def _index(path: pathlib.Path) -> tuple[dict[str, str], list[str]]:
  """The index's weight map, with plain file names in the same folder only."""
  repeated = []

  def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    repeated.extend(_repeated(pairs))
    return dict(pairs)

  try:
    with path.open("rb") as file:
      text = file.read(_LONGEST_JSON + 1)
    if len(text) > _LONGEST_JSON:
      raise ValueError("too long")
    weight_map = json.loads(text, object_pairs_hook=unique)["weight_map"]
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
      r"[\w.-]{1,200}\.safetensors", file
    ):
      raise errors.InputError(
        f"{path} names the file {printable(repr(file))}; only *.safetensors"
        " files in the same folder are read"
      )
  return weight_map, repeated


def _header(path: pathlib.Path) -> tuple[dict[str, Stored], list[str]]:
  """A file's weights with their shapes and types, and names it repeats."""
  try:
    if not path.is_file():
      raise FileNotFoundError("no such file")
    with path.open("rb") as file:
      size = int.from_bytes(file.read(8), "little")
      if size > _LONGEST_JSON:
        raise ValueError(f"a header of {size} bytes")
      # Checks all of it: types, and that the offsets cover the file exactly.
      with safetensors.safe_open(path, framework="numpy"):
        pass
      pairs = json.loads(file.read(size), object_pairs_hook=list)
  except (
    safetensors.SafetensorError,
    OSError,
    ValueError,
    RecursionError,
  ) as error:
    raise _damaged(path, error) from error
  entries = {}
  for name, fields in pairs:
    if name == "__metadata__":
      continue
    entry = dict(fields)
    start, stop = entry["data_offsets"]
    entries[name] = Stored(
      name,
      path,
      tuple(entry["shape"]),
      entry["dtype"],
      8 + size + start,
      stop - start,
    )
  # safetensors keeps the last of equals and says nothing.
  return entries, _repeated(pairs)


def _repeated(pairs: list[tuple[str, Any]]) -> list[str]:
  names = collections.Counter(name for name, _ in pairs)
  return [name for name, times in names.items() if times > 1]


def _damaged(path: pathlib.Path, reason: object) -> errors.InputError:
  # It may quote the file.
  reason = str(reason)[:_LONGEST_REASON]
  return errors.InputError(
    f"{path} is missing, truncated or damaged ({reason}); download it again"
  )


class Files:
  """Maps each file once, for as long as the loading takes."""

  def __enter__(self):
    self._maps: dict[pathlib.Path, mmap.mmap] = {}
    return self

  def __exit__(self, *_):
    # Not closed: whoever still has a view keeps its file mapped.
    self._maps.clear()

  def read(self, entry: Stored) -> np.ndarray:
    """One weight as a read-only view, in its stored shape and type."""
    dtype = _DTYPES[entry.dtype]
    if not entry.size:
      return np.empty(entry.shape, dtype)
    try:
      whole = self._map(entry.path)
    except (OSError, ValueError) as error:
      raise _damaged(entry.path, error) from error
    if entry.start + entry.size > len(whole):
      raise _damaged(entry.path, "it has become shorter")
    self._advise(entry, "MADV_WILLNEED")
    return np.frombuffer(
      whole, dtype, entry.size // dtype.itemsize, entry.start
    ).reshape(entry.shape)

  def release(self, entry: Stored) -> None:
    """Gives back the memory of pages that were read; views stay valid."""
    if entry.path in self._maps:
      self._advise(entry, "MADV_DONTNEED")

  def _map(self, path: pathlib.Path) -> mmap.mmap:
    if path not in self._maps:
      with path.open("rb") as file:
        self._maps[path] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return self._maps[path]

  def _advise(self, entry: Stored, advice: str) -> None:
    # Not every system has every advice.
    if hasattr(mmap, advice):
      first = entry.start // mmap.PAGESIZE * mmap.PAGESIZE
      length = entry.start + entry.size - first
      self._maps[entry.path].madvise(getattr(mmap, advice), first, length)


def printable(name: str) -> str:
  """A name from a file as a message can show it."""
  if not name.isprintable() or not name:
    name = repr(name)
  if len(name) <= _LONGEST_NAME:
    return name
  return name[: _LONGEST_NAME - 3] + "..."


def listed(names: list[str]) -> str:
  """Names for a message, cut where there are too many."""
  shown = ", ".join(names[:_SHOWN])
  more = len(names) - _SHOWN
  return f"{shown} and {more} more" if more > 0 else shown
