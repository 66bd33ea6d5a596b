"""Reads a Hugging Face `config.json` field by field and forgets none."""

from collections.abc import Callable
import math
from typing import Any

from icl_graphs import errors

# Fields that say nothing about the numbers a decoder computes: bookkeeping of
# the libraries, defaults of text generation, special tokens (which the
# tokenizer knows better) and what only training uses.
HARMLESS = frozenset(
  """
  _attn_implementation_autoset _commit_hash _name_or_path _num_labels
  architectures attention_dropout attention_probs_dropout_prob attn_pdrop
  bos_token_id cache_implementation chunk_size_feed_forward classifier_dropout
  do_sample dtype embd_pdrop eos_token_id finetuning_task
  gradient_checkpointing hidden_dropout hidden_dropout_prob id2label
  is_decoder label2id max_length max_new_tokens model_type num_labels
  output_attentions output_hidden_states pad_token_id problem_type
  repetition_penalty resid_pdrop return_dict task_specific_params temperature
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


# Names of transformers; several mean the same.
_ACTIVATIONS = {
  "silu": "silu",
  "swish": "silu",
  "gelu": "gelu",
  "gelu_new": "gelu_tanh",
  "gelu_fast": "gelu_tanh",
  "gelu_pytorch_tanh": "gelu_tanh",
  "relu": "relu",
}

# Beyond any real model; keeps nonsense from overflowing what is computed.
_LARGEST = 2**31 - 1


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

  def integer(
    self,
    name: str,
    default: int | None = None,
    least: int = -_LARGEST,
    most: int = _LARGEST,
  ) -> int:
    value = self._required(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
      raise self._wrong(name, "an integer", value)
    if not least <= value <= most:
      raise self._wrong(name, f"between {least} and {most}", value)
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

  def positive(self, name: str, default: float | None = None) -> float:
    value = self.number(name, default)
    if value <= 0:
      raise self._wrong(name, "a positive number", value)
    return value

  def numbers(self, name: str) -> tuple[float, ...]:
    """A list of numbers."""
    values = self._required(name, None)
    if not isinstance(values, list):
      raise self._wrong(name, "a list of numbers", values)
    each = Fields(dict(enumerate(values)), f"{self._where}: {name}")
    return tuple(each.number(i) for i in range(len(values)))

  def nullable(
    self, name: str, read: Callable[..., Any], default: Any = None
  ) -> Any:
    """What `read`, a method of this, gives; None for null, where that counts.

    Elsewhere null is the same as absent.
    """
    self._read.add(name)
    if name not in self._raw:
      return default
    return None if self._raw[name] is None else read(name)

  def choices(self, name: str, known: tuple[str, ...]) -> list[str] | None:
    """A list of known words; None where absent or null."""
    values = self.get(name)
    if values is None:
      return None
    if not isinstance(values, list) or any(one not in known for one in values):
      raise self._wrong(name, f"a list of {' and '.join(known)} only", values)
    return values

  def activation(self, name: str, default: str | None = None) -> str:
    """A non-linearity, in the words of `config.ACTIVATIONS`."""
    value = self._required(name, default)
    if not isinstance(value, str) or value not in _ACTIVATIONS:
      raise self._wrong(name, f"one of {', '.join(_ACTIVATIONS)}", value)
    return _ACTIVATIONS[value]

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

  def finish_model(self) -> None:
    """Refuses what is left, of all fields of a model."""
    for name, value in FIXED.items():
      if name not in self._read:
        self.only(name, value, None)
    self.finish(HARMLESS)

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
