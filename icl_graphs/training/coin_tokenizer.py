"""A word-level tokenizer of the coin prompts: lossless, and loud.

Text is split, in this order, into `<|name|>`; newline; optional space and
letters; optional space and digits; optional space and one other character. A
piece keeps its leading space, so decoding is joining. A piece that is not in
the vocabulary, such as a lone space, is an error, never an unknown token.
"""

import json
import pathlib

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, processors

BOS, PAD, END = "<|bos|>", "<|pad|>", "<|end|>"
_CONTROL = (BOS, PAD, END)
# Underscores stand for leading spaces.
_CORE = (
  "_Generate _Heads _Is _Tails _The _[ _a _algorithm _and _are _be _by _coin"
  " _correlation _fair _flips _following _from _generated _may _no _non _of _or"
  " _pattern _probability _process _random _samples _sequence _some _that _the"
  " _they _was _weighted _with % , - . : ? A Heads Q Tails ] random \n"
)
_NUMBERS = " ".join(f"_{number}" for number in (*range(1, 100), 1000))
_VARIANTS = (
  '_" _algorithmic _comma _consist _in _messages _not _only _repeat _responses'
  " _user _will _your \" ' <|assistant|> <|user|> Do Generate Is The Your [ s"
  " separated"
)
_SPLIT = (
  r"<\|[A-Za-z]+\|>|\n| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]| "  # In order.
)
_FILE = "tokenizer.json"
_CONFIG_FILE = "tokenizer_config.json"


def vocabulary() -> tuple[str, ...]:
  """All 178 pieces in the order of their ids; BOS is 0."""
  pieces = " ".join((_CORE, _NUMBERS, _VARIANTS)).split(" ")
  return (*_CONTROL, *(piece.replace("_", " ") for piece in pieces))


def ids() -> dict[str, int]:
  """Piece to id."""
  return {piece: i for i, piece in enumerate(vocabulary())}


def build() -> tokenizers.Tokenizer:
  """The tokenizer; BOS is put before every text."""
  known = ids()
  # Without an unknown token an unknown piece raises.
  tokenizer = tokenizers.Tokenizer(models.WordLevel(known))
  tokenizer.pre_tokenizer = pre_tokenizers.Split(
    tokenizers.Regex(_SPLIT), "isolated"
  )
  tokenizer.decoder = decoders.Fuse()
  tokenizer.post_processor = processors.TemplateProcessing(
    single=f"{BOS} $A",
    pair=f"{BOS} $A {BOS} $B",
    special_tokens=[(BOS, known[BOS])],
  )
  tokenizer.add_special_tokens(list(_CONTROL))
  return tokenizer


def save(folder: pathlib.Path, max_length: int) -> None:
  """Writes `tokenizer.json` and `tokenizer_config.json` for transformers."""
  folder.mkdir(parents=True, exist_ok=True)
  build().save(str(folder / _FILE))
  settings = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": BOS,
    "pad_token": PAD,
    "eos_token": END,
    "model_max_length": max_length,
    "clean_up_tokenization_spaces": False,
  }
  text = json.dumps(settings, indent=2) + "\n"
  (folder / _CONFIG_FILE).write_text(text, encoding="utf-8")
