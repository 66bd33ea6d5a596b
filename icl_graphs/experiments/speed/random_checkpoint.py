"""Checkpoints of any size with random weights, written piece by piece.

Neither transformers nor the memory for a whole model is needed.
"""

import json
import math
import pathlib
import struct
from typing import Any

import ml_dtypes
import numpy as np

from icl_graphs import atomic, errors
from icl_graphs.models import config as config_lib
from icl_graphs.models import families, weight_files

_PIECE = 2**22


def write(folder: pathlib.Path, hf_config: dict[str, Any], seed: int = 0):
  """Writes config.json and bfloat16 weights: normal, norms 1, biases 0.

  Args:
    folder: created if absent.
    hf_config: content of config.json.
    seed: of the weights.

  Raises:
    InputError: the folder cannot be written, or a config that no model has.
  """
  config = families.translate(hf_config)
  try:
    folder.mkdir(parents=True, exist_ok=True)
    with atomic.replaced(folder / weight_files.SINGLE) as partial:
      _write_weights(partial, config, seed)
    atomic.write_text(folder / "config.json", json.dumps(hf_config, indent=2))
  except OSError as error:
    raise errors.InputError(f"{folder} cannot be written: {error}") from error


def _write_weights(path, config, seed) -> None:
  tensors = _tensors(config)
  header, end = {"__metadata__": {"format": "pt"}}, 0
  for name, (shape, _) in tensors.items():
    start, end = end, end + 2 * math.prod(shape)
    header[name] = {
      "dtype": "BF16",
      "shape": shape,
      "data_offsets": [start, end],
    }
  text = json.dumps(header).encode()
  text += b" " * (-len(text) % 8)
  rng = np.random.default_rng(seed)
  with path.open("wb") as file:
    file.write(struct.pack("<Q", len(text)) + text)
    for shape, constant in tensors.values():
      left = math.prod(shape)
      while left:
        count = min(left, _PIECE)
        if constant is None:
          piece = rng.standard_normal(count, np.float32)
          piece *= config.initializer_range
        else:
          piece = np.full(count, constant, np.float32)
        file.write(piece.astype(ml_dtypes.bfloat16).tobytes())
        left -= count


def _tensors(
  config: config_lib.DecoderConfig,
) -> dict[str, tuple[tuple[int, ...], float | None]]:
  """By stored name: shape, and its constant value or None where random."""
  tensors = {}
  for row in families.table(config):
    if row.copy_of is not None:
      continue
    constant = None
    if row.path.endswith("bias"):
      constant = 0.0
    elif "norm" in row.path:
      constant = 1.0
    for name in row.names(config.num_layers):
      tensors[name] = (row.stored_shape(config.axis_sizes), constant)
  return tensors
