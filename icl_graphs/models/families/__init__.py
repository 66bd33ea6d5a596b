"""Model families: how a Hugging Face folder becomes our decoder.

A family is a module with four things, registered here by the `model_type` of
its `config.json`: `translate` (fields to a `DecoderConfig`), `table` (its
weights), `RENAMES` (to the names of the table, where folders differ) and
`BUFFERS` (stored values that carry no weight of the decoder).
"""

import json
import pathlib
import re
from typing import Any

from icl_graphs import errors
from icl_graphs.models import config as config_lib
from icl_graphs.models.families import fields as fields_lib
from icl_graphs.models.families import (
  gemma,
  gemma2,
  gemma3,
  gpt2,
  gpt_neox,
  llama,
  mistral,
  olmo,
  olmo2,
  phi3,
  qwen2,
  qwen3,
  weights,
)

_FAMILIES = {
  "gemma": gemma,
  "gemma2": gemma2,
  "gemma3": gemma3,
  "gemma3_text": gemma3,
  "gpt2": gpt2,
  "gpt_neox": gpt_neox,
  "llama": llama,
  "mistral": mistral,
  "olmo": olmo,
  "olmo2": olmo2,
  "phi3": phi3,
  "qwen2": qwen2,
  "qwen3": qwen3,
}


def read_config(folder: pathlib.Path) -> config_lib.DecoderConfig:
  """Reads `config.json` of a model folder.

  Raises:
    errors.InputError: missing or broken file, unknown family or field, or a
      value that is impossible or not implemented; the message names it.
  """
  path = pathlib.Path(folder) / "config.json"
  try:
    raw = json.loads(path.read_text(encoding="utf-8"))
  except OSError as error:
    raise errors.InputError(
      f"{path} cannot be read ({error.strerror}); a model folder holds"
      " config.json, *.safetensors and tokenizer.json"
    ) from error
  except (ValueError, RecursionError) as error:
    raise errors.InputError(f"{path} is not valid JSON: {error}") from error
  try:
    return translate(raw)
  except errors.InputError as error:
    raise errors.InputError(f"{path.parent}: {error}") from error


def translate(raw: Any) -> config_lib.DecoderConfig:
  """The content of a `config.json` as a configuration of our decoder.

  Raises:
    errors.InputError: as `read_config`.
  """
  if not isinstance(raw, dict):
    raise errors.InputError("config.json must hold an object")
  family = raw.get("model_type")
  if not isinstance(family, str) or family not in _FAMILIES:
    raise errors.InputError(
      f"config.json: model_type {family!r} is not supported; supported:"
      f" {', '.join(_FAMILIES)}"
    )
  fields = fields_lib.Fields(raw)
  config = _FAMILIES[family].translate(fields)
  fields.finish_model()
  return config


def table(config: config_lib.DecoderConfig) -> tuple[weights.Weight, ...]:
  """Every weight of a checkpoint with this configuration."""
  return _FAMILIES[config.family].table(config)


def buffers(config: config_lib.DecoderConfig) -> tuple[str, ...]:
  """Regular expressions of canonical names that carry no weight."""
  return _FAMILIES[config.family].BUFFERS


def canonical(config: config_lib.DecoderConfig, name: str) -> str:
  """What the table and `buffers` call the weight that is stored as `name`."""
  for pattern, replacement in _FAMILIES[config.family].RENAMES:
    renamed, times = re.subn(rf"\A(?:{pattern})", replacement, name, count=1)
    if times:
      return renamed
  return name
