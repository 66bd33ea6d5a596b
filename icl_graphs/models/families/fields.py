"""Reads a Hugging Face `config.json` field by field and forgets none."""

import math
from typing import Any

from icl_graphs import errors

# Fields that say nothing about the numbers a decoder computes: bookkeeping of
# the libraries, defaults of text generation, special tokens (which the
# tokenizer knows better) and what only training uses.
HARMLESS = frozenset(
  """
  _attn_implementation_autoset _commit_hash _name_or_path architectures
  attention_dropout bos_token_id chunk_size_feed_forward do_sample dtype
  eos_token_id finetuning_task id2label label2id max_length max_new_tokens
  model_type num_labels output_attentions output_hidden_states pad_token_id
  problem_type repetition_penalty return_dict task_specific_params temperature
  tokenizer_class top_k top_p torch_dtype transformers_version
  unsloth_fixed unsloth_version unk_token_id use_cache
  """.split()
)

# Fields that change the numbers; only the value given here is implemented.
FIXED = {
  "add_cross_attention": False,
  "auto_map": None,
  "is_encoder_decoder": False,
  "pruned_heads": {},
  "quantization_config": None,
  "tie_encoder_decoder": False,
  "torchscript": False,
  "use_bfloat16": False,
}


class Fields:
  """Fields of a configuration, each to be asked for by name and type.

  Every method raises errors.InputError for a value of another type.
  """

  def __init__(self, raw: dict[str, Any], where: str = "config.json"):
    self._raw = raw
    self._where = where
    self._read: set[str] = set()

  def get(self, name: str, default: Any = None) -> Any:
    """The value, whatever its type; `default` where absent or null."""
    self._read.add(name)
    value = self._raw.get(name)
    return default if value is None else value

  def integer(self, name: str, default: int | None = None) -> int:
    value = self._required(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
      raise self._wrong(name, "an integer", value)
    return value

  def number(self, name: str, default: float | None = None) -> float:
    value = self._required(name, default)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
      if not is_number or not math.isfinite(value):
        raise self._wrong(name, "a number", value)
      return float(value)
    except OverflowError as error:
      raise self._wrong(name, "a number", "an integer beyond 1e308") from error

  def boolean(self, name: str, default: bool | None = None) -> bool:
    value = self._required(name, default)
    if not isinstance(value, bool):
      raise self._wrong(name, "true or false", value)
    return value

  def table(self, name: str) -> dict[str, Any]:
    """A nested object; empty where absent or null."""
    value = self.get(name, {})
    if not isinstance(value, dict):
      raise self._wrong(name, "an object", value)
    return value

  def only(self, name: str, *supported: Any) -> None:
    """Refuses any value but these (null where None is among them)."""
    self._read.add(name)
    value = self._raw.get(name, supported[0])
    if not any(value == one and type(value) is type(one) for one in supported):
      choices = " or ".join(
        "absent" if one is None else repr(one) for one in supported
      )
      raise errors.InputError(
        f"{self._where}: {name} = {_short(value)} is not supported, only"
        f" {choices}"
      )

  def finish(self, harmless: frozenset[str] = frozenset()) -> None:
    """Refuses what nobody asked for: it might change the numbers."""
    unknown = sorted(set(self._raw) - self._read - harmless)
    if unknown:
      raise errors.InputError(
        f"{self._where}: unknown fields {', '.join(map(_short, unknown))}; a"
        " field that is not understood could change the model's numbers. Remove"
        " them if they do not"
      )

  def _required(self, name: str, default: Any) -> Any:
    value = self.get(name, default)
    if value is None:
      raise errors.InputError(f"{self._where}: {name} is missing")
    return value

  def _wrong(self, name: str, wanted: str, value: Any) -> errors.InputError:
    return errors.InputError(
      f"{self._where}: {name} must be {wanted}, not {_short(value)}"
    )


def _short(value: Any) -> str:
  text = repr(value)
  return text if len(text) <= 80 else text[:77] + "..."
