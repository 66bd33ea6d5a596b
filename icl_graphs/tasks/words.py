"""Concept words: packaged lists, a user's file, and the one-token rule.

Node i of a graph gets word i. The packaged lists (`words.json`) are `paper30`,
the 30 words of arXiv 2501.00070 in their order; `nouns`, 229 further nouns that
are one token in nine tokenizers; and days, months, numbers, digits, letters,
colours in their usual order.
"""

from collections.abc import Iterator, Sequence
import functools
import importlib.resources
import json
import pathlib

from jaxtyping import Int
import numpy as np
import transformers

from icl_graphs import errors
from icl_graphs.tasks import token_ids

# Offered, shortest first, when a list is too short for a graph.
_LONGER = ("paper30", "nouns", "paper30+nouns")


@functools.cache
def packaged() -> dict[str, tuple[str, ...]]:
  """The packaged word lists by name, each in its order."""
  folder = importlib.resources.files("icl_graphs.tasks")
  content = json.loads((folder / "words.json").read_text("utf-8"))
  lists = {name: tuple(content[name]) for name in ("paper30", "nouns")}
  for name, entry in content["ordered"].items():
    lists[name] = tuple(entry["words"])
  return lists


def concept_words(
  name: str, n: int | None = None, *, seed: int | None = None
) -> tuple[str, ...]:
  """The first n words of a list, or n words drawn from it.

  Args:
    name: a packaged list; several joined by `+`, in that order; words left out
      by `-` (`paper30-mango+nouns`); or the path of a text file with one word
      per line (blank lines and lines that start with # are skipped).
    n: how many words; all when None.
    seed: draws n words without replacement, in random order, instead of taking
      the first: another assignment of words to nodes.

  Raises:
    InputError: unknown list, unreadable file, a word given twice or containing
      blanks, or fewer words than n.
  """
  words = _read(name)
  twice = sorted({word for word in words if words.count(word) > 1})
  if twice:
    raise errors.InputError(
      f"word list {name!r} has {_quoted(twice)} more than once; nodes need"
      " different words"
    )
  n = len(words) if n is None else n
  if n > len(words):
    longer = [
      f"{other!r} ({len(_read(other))} words)"
      for other in _LONGER
      if len(_read(other)) >= n
    ]
    remedy = (
      f"use {longer[0]}"
      if longer
      else f"give a text file with at least {n} words, one per line"
    )
    raise errors.InputError(
      f"the graph has {n} nodes but word list {name!r} has only"
      f" {len(words)} words; {remedy}"
    )
  return words[:n] if seed is None else drawn(words, n, seed)


def drawn(words: Sequence[str], n: int, seed: int) -> tuple[str, ...]:
  """n of the words without replacement, in random order.

  Raises:
    InputError: a seed out of range, or fewer words than n.
  """
  if n > len(words):
    raise errors.InputError(
      f"{n} words cannot be drawn from {len(words)}; give more words or a "
      "smaller graph"
    )
  if not 0 <= seed < 2**32:
    raise errors.InputError(f"word seed {seed} is outside 0 to 2^32 - 1")
  # The legacy generator: its stream is promised never to change.
  order = np.random.RandomState(seed).permutation(len(words))
  return tuple(words[i] for i in order[:n])


def single_token_ids(
  tokenizer: transformers.PreTrainedTokenizerBase, words: Sequence[str]
) -> Int[np.ndarray, " n"]:
  """Token ids int32 [n] of words written with a leading space.

  A word passes when " word word" gives the same id twice, " word" gives that id
  alone, the id is no special token and decodes to the word. A first piece that
  is only a space marker, which raw SentencePiece models put before text that
  starts with a space, is ignored: the prompt is made of ids, where it does not
  occur. All words written one after another must give exactly these ids.

  Raises:
    InputError: lists every word that is not one token with its pieces, and
      offers words of the same packaged lists that are; words that share an id
      or merge with their neighbours.
  """
  ids = [_single_id(tokenizer, word) for word in words]
  offenders = [
    word for word, id_ in zip(words, ids, strict=True) if id_ is None
  ]
  if offenders:
    raise errors.InputError(_offender_message(tokenizer, words, offenders))
  owner: dict[int, str] = {}
  for word, id_ in zip(words, ids, strict=True):
    if id_ in owner:
      raise errors.InputError(
        f"the words {owner[id_]!r} and {word!r} have the same token id {id_};"
        " nodes need different tokens"
      )
    owner[id_] = word
  check_literal(tokenizer, "".join(f" {word}" for word in words), ids)
  return np.array(ids, np.int32)


def usable(
  tokenizer: transformers.PreTrainedTokenizerBase, words: Sequence[str]
) -> tuple[str, ...]:
  """Those of the words that `single_token_ids` would take, in their order."""
  owners: dict[int, str] = {}
  for word in words:
    id_ = _single_id(tokenizer, word)
    if id_ is not None:
      owners.setdefault(id_, word)
  return tuple(owners.values())


def check_literal(
  tokenizer: transformers.PreTrainedTokenizerBase,
  text: str,
  ids: Sequence[int],
) -> None:
  """Checks that text encodes to exactly these ids, BOS aside.

  Raises:
    InputError: names the first place where it does not.
  """
  ids = [int(id_) for id_ in ids]
  found = encode(tokenizer, text)
  if found == ids:
    return
  place = next(
    (k for k, (a, b) in enumerate(zip(found, ids, strict=False)) if a != b),
    min(len(found), len(ids)),
  )
  window = slice(max(0, place - 2), place + 3)
  raise errors.InputError(
    f"the text {text[:60]!r}... encodes to {len(found)} tokens where"
    f" {len(ids)} are expected; around token {place} it gives"
    f" {tokenizer.convert_ids_to_tokens(found[window])} instead of"
    f" {tokenizer.convert_ids_to_tokens(ids[window])}"
  )


def encode(
  tokenizer: transformers.PreTrainedTokenizerBase, text: str
) -> list[int]:
  """Ids of text that starts with a space: no special tokens, no bare marker.

  Raises:
    InputError: as `token_ids.of_text`.
  """
  ids = token_ids.of_text(tokenizer, text)
  if len(ids) > 1 and not tokenizer.decode(ids[:1]).strip():
    return ids[1:]
  return ids


def _single_id(
  tokenizer: transformers.PreTrainedTokenizerBase, word: str
) -> int | None:
  try:
    ids = encode(tokenizer, f" {word} {word}")
  except errors.InputError:
    return None
  if len(ids) != 2 or ids[0] != ids[1]:
    return None
  if encode(tokenizer, f" {word}") != ids[:1]:
    return None
  # An unknown word of a word-level vocabulary is one id as well: <unk>.
  if ids[0] in tokenizer.all_special_ids:
    return None
  return ids[0] if tokenizer.decode(ids[:1]).strip() == word else None


def _offender_message(
  tokenizer: transformers.PreTrainedTokenizerBase,
  words: Sequence[str],
  offenders: Sequence[str],
) -> str:
  lines = [
    f"{len(offenders)} of {len(words)} words are not one token with a leading"
    " space for this tokenizer:"
  ]
  for word in offenders:
    lines.append(f"  {word!r} -> {_pieces(tokenizer, word)}")
  offered = _replacements(tokenizer, words, offenders)
  if not offered:
    lines.append("No packaged word list has an unused word that is.")
    return "\n".join(lines)
  lines.append(f"Replacements that are one token: {_quoted(offered)}.")
  lines.append(
    "Leave words out with a minus sign, for instance"
    f" 'paper30-{offenders[0]}+nouns', or give your own text file."
    if offenders[0] in packaged()["paper30"]
    else "Give your own text file, one word per line."
  )
  return "\n".join(lines)


def _pieces(tokenizer: transformers.PreTrainedTokenizerBase, word: str) -> str:
  try:
    ids = encode(tokenizer, f" {word}")
  except errors.InputError:
    return "not in the vocabulary"
  return " + ".join(map(repr, tokenizer.convert_ids_to_tokens(ids)))


def _replacements(
  tokenizer: transformers.PreTrainedTokenizerBase,
  words: Sequence[str],
  offenders: Sequence[str],
) -> list[str]:
  """One unused single-token word per offender, from its own list first."""
  offered: list[str] = []
  used_ids = {_single_id(tokenizer, word) for word in words}
  for offender in offenders:
    for word in _alternatives(offender):
      if word in words or word in offered:
        continue
      id_ = _single_id(tokenizer, word)
      if id_ is not None and id_ not in used_ids:
        offered.append(word)
        used_ids.add(id_)
        break
  return offered


def _alternatives(word: str) -> Iterator[str]:
  lists = packaged()
  for members in lists.values():
    if word in members:
      yield from members
  yield from lists["nouns"]
  yield from lists["paper30"]


def _read(name: str) -> tuple[str, ...]:
  if pathlib.Path(name).is_file():
    return _read_file(name)
  words: list[str] = []
  for part in name.split("+"):
    list_name, *left_out = part.strip().split("-")
    if list_name not in packaged():
      raise errors.InputError(
        f"there is no word list or file {list_name!r} (in {name!r}); the lists"
        f" are {', '.join(packaged())}, joined by + as in 'paper30+nouns', or"
        " give the path of a text file with one word per line"
      )
    members = packaged()[list_name]
    absent = [word for word in left_out if word not in members]
    if absent:
      raise errors.InputError(
        f"{_quoted(absent)} cannot be left out: not in word list {list_name!r}"
      )
    words += [word for word in members if word not in left_out]
  return tuple(words)


def _read_file(path: str) -> tuple[str, ...]:
  try:
    text = pathlib.Path(path).read_text(encoding="utf-8-sig")
  except (OSError, UnicodeDecodeError) as error:
    raise errors.InputError(
      f"cannot read word file {path!r}: {error}"
    ) from error
  words = []
  for number, line in enumerate(text.splitlines(), start=1):
    word = line.strip()
    if not word or word.startswith("#"):
      continue
    if len(word.split()) > 1:
      raise errors.InputError(
        f"line {number} of word file {path!r} has several words: {word!r}; put"
        " one word on each line"
      )
    words.append(word)
  if not words:
    raise errors.InputError(f"word file {path!r} has no words")
  return tuple(words)


def _quoted(words: Sequence[str]) -> str:
  return ", ".join(repr(word) for word in words)
