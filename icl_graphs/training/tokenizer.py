"""A word-level tokenizer: every word with its leading space is one token."""

from collections.abc import Sequence
import json
import pathlib

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, processors

from icl_graphs.tasks import words as words_lib

BOS = "<s>"
UNKNOWN = "<unk>"
SEPARATOR = "/"
_SPECIAL = (BOS, UNKNOWN, SEPARATOR)
# Walked in their own order in a share of the sequences.
CALENDARS = ("days", "months")
_FILE = "tokenizer.json"
_CONFIG_FILE = "tokenizer_config.json"


def vocabulary(size: int) -> tuple[str, ...]:
  """Words in the order of their token ids, which start after the specials.

  Days and months first, then the paper's 30 words, then further nouns.

  Args:
    size: V, of the whole vocabulary with its three special tokens.

  Raises:
    ValueError: more tokens than there are packaged words.
  """
  lists = words_lib.packaged()
  known = [word for name in CALENDARS for word in lists[name]]
  known += [*lists["paper30"], *lists["nouns"]]
  count = size - len(_SPECIAL)
  if not len(known) - len(lists["nouns"]) <= count <= len(known):
    raise ValueError(f"no vocabulary of {size} tokens can be made")
  return tuple(known[:count])


def first_word_id() -> int:
  """Id of the first word of `vocabulary`."""
  return len(_SPECIAL)


def bos_id() -> int:
  """Id of the token every sequence starts with."""
  return _SPECIAL.index(BOS)


def separator_id() -> int:
  """Id of the token after each neighbour pair."""
  return _SPECIAL.index(SEPARATOR)


def build(words: Sequence[str]) -> tokenizers.Tokenizer:
  """A tokenizer whose token i + 3 is " " + words[i].

  BOS is put before every text. The separator of the pair mode is a token of
  its own wherever it stands.
  """
  tokens = [*_SPECIAL, *(" " + word for word in words)]
  ids = {token: i for i, token in enumerate(tokens)}
  tokenizer = tokenizers.Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
  tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
    [
      pre_tokenizers.Split(" ", "merged_with_next"),
      pre_tokenizers.Split(SEPARATOR, "isolated"),
    ]
  )
  # Tokens carry their spaces, so that decoding is joining.
  tokenizer.decoder = decoders.Fuse()
  tokenizer.post_processor = processors.TemplateProcessing(
    single=f"{BOS} $A",
    pair=f"{BOS} $A {BOS} $B",
    special_tokens=[(BOS, ids[BOS])],
  )
  tokenizer.add_special_tokens([BOS, UNKNOWN])
  return tokenizer


def save(folder: pathlib.Path, words: Sequence[str], max_length: int) -> None:
  """Writes `tokenizer.json` and `tokenizer_config.json` for transformers."""
  folder.mkdir(parents=True, exist_ok=True)
  build(words).save(str(folder / _FILE))
  settings = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": BOS,
    "unk_token": UNKNOWN,
    "model_max_length": max_length,
    "clean_up_tokenization_spaces": False,
  }
  text = json.dumps(settings, indent=2) + "\n"
  (folder / _CONFIG_FILE).write_text(text, encoding="utf-8")
