"""The finished model as a folder in Hugging Face's layout."""

from collections.abc import Callable
import json
import pathlib
from typing import Any

from icl_graphs import atomic
from icl_graphs.models import checkpoint, decoder
from icl_graphs.training import recipe

RECORD = "training.json"
WEIGHTS = "model.safetensors"


def save(
  folder: pathlib.Path,
  described: recipe.Recipe,
  params: decoder.Params,
  record: dict[str, Any],
  save_tokenizer: Callable[[pathlib.Path, recipe.Recipe], None],
) -> None:
  """Writes weights, configuration, tokenizer and, last, `training.json`.

  Args:
    folder: created if absent.
    described: what was trained.
    params: the trained parameters.
    record: seed, losses and circumstances of the training.
    save_tokenizer: writes that of the recipe's task into a folder.

  Raises:
    InputError: a folder that cannot be written.
  """
  save_tokenizer(folder, described)
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
