"""Which tokens count as the beginning of an answer word, in context.

A model's probability of "Heads" is read at one position. The id that follows
the prompt when a word is appended to it depends on the prompt, and a vocabulary
may break the word, so the tokens are looked up in context. The released code of
arXiv 2310.17639 instead sums every returned token with the right first letter
(`first_letter`), which over a whole vocabulary would count " the" as Tails.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Bool
import numpy as np

from icl_graphs import errors
from icl_graphs.tasks import coins, token_ids

# Name of an answer to the word that begins it.
FLIPS = {"heads": "heads", "tails": "tails"}
JUDGMENTS = {"random": coins.RANDOM, "non": coins.NOT_RANDOM}


def forms(word: str) -> tuple[str, ...]:
  """`heads` to " Heads", "Heads", " heads" and "heads"."""
  return tuple(
    space + form for form in (word.capitalize(), word) for space in (" ", "")
  )


def pieces(tokenizer: Any, prompt: str, form: str) -> tuple[int, ...]:
  """Ids that follow the prompt's own when a word is appended to it.

  Args:
    tokenizer: of the model in use.
    prompt: text before the word.
    form: the word as it is written, with its space if it has one.

  Returns:
    None at all where the word cannot be written so: a vocabulary without it,
    or ids of the prompt that change.
  """
  before = token_ids.of_text(tokenizer, prompt)
  try:
    after = token_ids.of_text(tokenizer, prompt + form)
  except errors.InputError:
    return ()
  if after[: len(before)] != before:
    return ()
  found = tuple(after[len(before) :])
  unknown = getattr(tokenizer, "unk_token_id", None)
  return () if unknown is not None and unknown in found else found


def answers(
  tokenizer: Any, prompt: str, words: Mapping[str, str]
) -> dict[str, tuple[int, ...]]:
  """The first ids of every answer.

  Args:
    tokenizer: of the model in use.
    prompt: text before the answer; all prompts of a run should end alike.
    words: name of an answer to its word, such as `FLIPS`.

  Returns:
    Name to its ids, ascending.

  Raises:
    InputError: a token that begins two answers, or an answer that no token
      begins.
  """
  found: dict[str, tuple[int, ...]] = {}
  owner: dict[int, tuple[str, str]] = {}
  for name, word in words.items():
    firsts = set()
    for form in forms(word):
      ids = pieces(tokenizer, prompt, form)
      if not ids:
        continue
      other, written = owner.setdefault(ids[0], (name, form))
      if other != name:
        raise errors.InputError(
          f"the token {_shown(tokenizer, ids[0])} begins both {written!r}"
          f" ({other}) and {form!r} ({name}) after {prompt[-30:]!r}, so that"
          " its probability tells nothing; use a model with another tokenizer"
        )
      firsts.add(ids[0])
    if not firsts:
      raise errors.InputError(
        f"no token begins {word!r} ({name}) after {prompt[-30:]!r}: this"
        " tokenizer changes the prompt or does not know the word; use a model"
        " with another tokenizer"
      )
    found[name] = tuple(sorted(firsts))
  return found


def words_whole(
  tokenizer: Any, prompt: str, words: Mapping[str, str]
) -> dict[str, tuple[tuple[int, ...], ...]]:
  """All pieces of every form of every answer, for full-word probabilities.

  A first piece may begin other words too (" T" of " Tails"), so that its
  probability overstates the answer's.

  Args:
    tokenizer: of the model in use.
    prompt: text before the answer.
    words: name of an answer to its word.
  """
  return {
    name: tuple(
      dict.fromkeys(
        ids for form in forms(word) if (ids := pieces(tokenizer, prompt, form))
      )
    )
    for name, word in words.items()
  }


def first_letter(
  tokenizer: Any, vocab_size: int, letters: Sequence[str]
) -> Bool[np.ndarray, "letters V"]:
  """The authors' rule: tokens whose stripped text begins with a letter.

  To be used with the 100 most likely tokens only.

  Args:
    tokenizer: of the model in use.
    vocab_size: V, of the model, which may exceed the tokenizer's.
    letters: lower-case letters, one per answer.
  """
  count = min(len(tokenizer), vocab_size)
  texts = [tokenizer.decode([id_]).strip().lower() for id_ in range(count)]
  found = np.zeros((len(letters), vocab_size), bool)
  for row, letter in zip(found, letters, strict=True):
    row[:count] = [text.startswith(letter) for text in texts]
  return found


def _shown(tokenizer: Any, id_: int) -> str:
  return f"{tokenizer.decode([id_])!r} (id {id_})"
