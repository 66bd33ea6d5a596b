"""Safetensors to parameters and back, strictly.

Every weight that is missing, unknown, stored twice, misshapen or of the wrong
type is named in one error; nothing is skipped, guessed or unpickled.
"""

from collections.abc import Callable
import json
import os
import pathlib
import re
import tempfile
from typing import Any
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy

from icl_graphs import errors
from icl_graphs.models import config as config_lib
from icl_graphs.models import decoder, families, host_arrays, weight_files
from icl_graphs.models.families import weights

DTYPES = ("float32", "bfloat16", "float16")

# Path and shape of a parameter to where it will live.
Place = Callable[[str, tuple[int, ...]], jax.sharding.Sharding]

# Rows of a tied head that are compared at once.
_COMPARED = 4096


def load(
  folder: pathlib.Path,
  config: config_lib.DecoderConfig,
  dtype: str = "float32",
  place: Place | None = None,
  advance: Callable[[int], Any] | None = None,
) -> decoder.Params:
  """Reads a model folder (one safetensors file, or shards with an index).

  Layers are stacked on the host one parameter at a time: beside what the
  devices hold, the host holds one stacked parameter, and of that only what its
  own devices will hold. For a CPU, even that one already is the device's.

  Args:
    folder: as returned by `hub.resolve`.
    config: as returned by `families.read_config` for the same folder.
    dtype: of all parameters: float32, bfloat16 or float16. Stored weights of
      another type are rounded to it.
    place: called with a parameter's path in the result, joined by "/" (such as
      "blocks/attention/query/kernel"), and its shape; says how it is spread
      over devices, each of which receives its own part only. By default
      everything goes to the first local device.
    advance: told the number of bytes each time some have been read; together
      about `weight_files.total_bytes(folder)`.

  Returns:
    Nested parameters of `decoder.Decoder(config)`.

  Raises:
    errors.InputError: no safetensors, damaged files, or weights that are not
      exactly those of this configuration: all problems in one message.
  """
  folder = pathlib.Path(folder)
  if dtype not in DTYPES:
    raise errors.InputError(
      f"dtype {dtype!r} is not supported; supported: {', '.join(DTYPES)}"
    )
  if place is None:
    here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    place = lambda path, shape: here  # noqa: E731
  advance = advance or (lambda count: None)
  table = families.table(config)
  found, problems = weight_files.inventory(folder)
  stored, repeated = _canonical(found, config)
  problems += repeated + _differences(stored, table, config)
  if problems:
    raise errors.InputError(
      f"{folder} does not hold the weights that its config.json describes: "
      + "; ".join(problems)
    )
  params: decoder.Params = {}
  suspects = []
  with weight_files.Files() as files:
    for row in table:
      if row.copy_of is not None:
        _require_copy(row, stored, files, advance)
        continue
      parameter = _read(row, config, stored, files, dtype, place, advance)
      # Also the call in which jax lets go of memory that it has copied.
      if not _all_finite(parameter):
        suspects.append(row.name)
      _insert(params, row.path, parameter)
  if suspects:
    warnings.warn(
      f"{folder}: NaN or infinite numbers in"
      f" {weight_files.listed(list(dict.fromkeys(suspects)))} as {dtype}",
      stacklevel=2,
    )
  return params


def save(
  folder: pathlib.Path, hf_config: dict[str, Any], params: decoder.Params
) -> None:
  """Writes `config.json` and `model.safetensors` in Hugging Face's layout.

  Each file appears under its name only when complete.

  Args:
    folder: created if absent.
    hf_config: content of config.json; has to describe these parameters.
    params: parameters, on any device.

  Raises:
    errors.InputError: a config this package could not read back, or a folder
      that cannot be written.
    ValueError: parameters that are not those of the configuration.
  """
  config = families.translate(hf_config)
  sizes = config.axis_sizes
  tensors: dict[str, np.ndarray] = {}
  for row in families.table(config):
    if row.copy_of is not None:
      continue
    parameter = np.asarray(_find(params, row.path))
    layers = (config.num_layers,) if row.per_layer else ()
    if parameter.shape != layers + row.shape(sizes):
      raise ValueError(
        f"{row.path} has shape {parameter.shape}, the configuration says"
        f" {layers + row.shape(sizes)}"
      )
    per_name = parameter if row.per_layer else parameter[None]
    for name, array in zip(row.names(config.num_layers), per_name, strict=True):
      if name not in tensors:
        tensors[name] = np.empty(row.stored_shape(sizes), array.dtype)
      row.write(array, tensors[name], sizes)
  folder = pathlib.Path(folder)
  text = json.dumps(hf_config, indent=2, sort_keys=True) + "\n"
  try:
    folder.mkdir(parents=True, exist_ok=True)
    _write(
      folder / weight_files.SINGLE,
      lambda path: safetensors.numpy.save_file(
        tensors, path, metadata={"format": "pt"}
      ),
    )
    _write(
      folder / "config.json",
      lambda path: pathlib.Path(path).write_text(text, encoding="utf-8"),
    )
  except OSError as error:
    raise errors.InputError(f"{folder} cannot be written: {error}") from error


def _canonical(
  found: dict[str, weight_files.Stored], config: config_lib.DecoderConfig
) -> tuple[dict[str, weight_files.Stored], list[str]]:
  """Stored weights by the names of the table, and names that fall together."""
  stored: dict[str, weight_files.Stored] = {}
  duplicates = []
  for entry in found.values():
    name = families.canonical(config, entry.name)
    if name in stored:
      both = stored[name].name, entry.name
      duplicates.append(" = ".join(map(weight_files.printable, both)))
    stored.setdefault(name, entry)
  if not duplicates:
    return stored, []
  return stored, [
    f"the same weight under two names: {weight_files.listed(duplicates)}"
  ]


def _differences(
  stored: dict[str, weight_files.Stored],
  table: tuple[weights.Weight, ...],
  config: config_lib.DecoderConfig,
) -> list[str]:
  """What distinguishes the stored weights from the expected ones."""
  expected, optional = {}, set()
  for row in table:
    shape = row.stored_shape(config.axis_sizes)
    for name in row.names(config.num_layers):
      expected[name] = shape
      if row.copy_of is not None:
        optional.add(name)
  buffer = re.compile("|".join(families.buffers(config)) or r"(?!)")
  unknown = [
    weight_files.printable(entry.name)
    for name, entry in sorted(stored.items())
    if name not in expected and not buffer.fullmatch(name)
  ]
  missing = [
    name for name in expected if name not in stored and name not in optional
  ]
  found = [(name, stored[name]) for name in expected if name in stored]
  misshapen = [
    f"{entry.name} (is {entry.shape}, should be {expected[name]})"
    for name, entry in found
    if entry.shape != expected[name]
  ]
  unreadable = [
    f"{entry.name} ({entry.dtype})" for _, entry in found if not entry.readable
  ]
  kinds = (
    ("missing", missing),
    ("unknown", unknown),
    ("misshapen", misshapen),
    ("of an unsupported type", unreadable),
  )
  return [
    f"{kind}: {weight_files.listed(names)}" for kind, names in kinds if names
  ]


def _read(
  row: weights.Weight,
  config: config_lib.DecoderConfig,
  stored: dict[str, weight_files.Stored],
  files: weight_files.Files,
  dtype: str,
  place: Place,
  advance: Callable[[int], Any],
) -> jax.Array:
  """One parameter on its devices, layers in front."""
  sizes = config.axis_sizes
  names = row.names(config.num_layers)
  layers = (len(names),) if row.per_layer else ()
  shape = layers + row.shape(sizes)
  pieces = host_arrays.Pieces(shape, dtype, place(row.path, shape))
  for layer, name in enumerate(names):
    array = row.read(files.read(stored[name]), sizes)
    pieces.write(array, layer if row.per_layer else None)
    files.release(stored[name])
    advance(array.nbytes)
  return pieces.finish()


def _require_copy(
  row: weights.Weight,
  stored: dict[str, weight_files.Stored],
  files: weight_files.Files,
  advance: Callable[[int], Any],
) -> None:
  if row.name not in stored:
    return
  copy, original = stored[row.name], stored[row.copy_of]
  ours, theirs = files.read(copy), files.read(original)
  # In pieces: comparing makes arrays of the size of what is compared.
  for first in range(0, len(ours), _COMPARED):
    a, b = ours[first : first + _COMPARED], theirs[first : first + _COMPARED]
    if not ((a == b) | ((a != a) & (b != b))).all():
      raise errors.InputError(
        f"{copy.path.parent}: config.json ties {copy.name} to {original.name},"
        " but the two differ; set tie_word_embeddings to false if the stored"
        " head is meant"
      )
  files.release(copy)
  files.release(original)
  advance(copy.size)


@jax.jit
def _all_finite(parameter: jax.Array) -> jax.Array:
  # So written, it makes no array of the parameter's size even on a CPU. The
  # greatest of numbers among which one is NaN is NaN.
  return jnp.isfinite(jnp.abs(parameter).max())


def _insert(params: decoder.Params, path: str, parameter: jax.Array) -> None:
  *parents, last = path.split("/")
  for parent in parents:
    params = params.setdefault(parent, {})
  params[last] = parameter


def _find(params: decoder.Params, path: str) -> jax.Array:
  for part in path.split("/"):
    params = params[part]
  return params


def _write(path: pathlib.Path, write: Callable[[str], Any]) -> None:
  """Lets `write` fill a temporary neighbour and renames it to `path`."""
  handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
  os.close(handle)
  try:
    write(temporary)
    # mkstemp's files are private; a model is for whoever may read the folder.
    umask = os.umask(0)
    os.umask(umask)
    os.chmod(temporary, 0o666 & ~umask)
    os.replace(temporary, path)
  except BaseException:
    os.unlink(temporary)
    raise
