"""The finished model as a folder in Hugging Face's layout."""

import json
import pathlib
from typing import Any

from icl_graphs import atomic
from icl_graphs.models import checkpoint, decoder
from icl_graphs.training import recipe, tokenizer

RECORD = "training.json"
WEIGHTS = "model.safetensors"


def save(
  folder: pathlib.Path,
  described: recipe.Recipe,
  params: decoder.Params,
  record: dict[str, Any],
) -> None:
  """Writes weights, configuration, tokenizer and, last, `training.json`.

  Args:
    folder: created if absent.
    described: what was trained.
    params: the trained parameters.
    record: seed, losses and circumstances of the training.

  Raises:
    InputError: a folder that cannot be written.
  """
  words = tokenizer.vocabulary(described.vocab_size)
  tokenizer.save(folder, words, described.max_positions)
  checkpoint.save(folder, described.hf_config(), params)
  text = json.dumps(record, indent=1) + "\n"
  atomic.write_text(folder / RECORD, text)


def finished(
  folder: pathlib.Path, described: recipe.Recipe, seed: int
) -> dict[str, Any] | None:
  """The record of this very training if the folder holds its result."""
  path = folder / RECORD
  if not path.exists() or not (folder / WEIGHTS).exists():
    return None
  record = json.loads(path.read_text(encoding="utf-8"))
  same = record.get("fingerprint") == described.fingerprint(seed)
  return record if same else None
