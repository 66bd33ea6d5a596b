"""What each token of a vocabulary can be within a list of coin flips."""

from typing import Any, NamedTuple

from icl_graphs import errors


class Marks(NamedTuple):
  """Token ids by what they do to a list of flips.

  Attributes:
    separators: with a comma, which ends an item.
    closers: with a bracket, which ends the list.
    ends: of the text.
    blanks: white space only, which may stand before an item.
  """

  separators: tuple[int, ...]
  closers: tuple[int, ...]
  ends: tuple[int, ...]
  blanks: tuple[int, ...]


def marks(tokenizer: Any, vocab_size: int) -> Marks:
  """Reads the whole vocabulary once.

  Args:
    tokenizer: of the model in use.
    vocab_size: V, of the model, which may exceed the tokenizer's.

  Raises:
    InputError: no token holds a comma.
  """
  special = set(tokenizer.all_special_ids)
  count = min(len(tokenizer), vocab_size)
  texts = {
    id_: tokenizer.decode([id_]) for id_ in range(count) if id_ not in special
  }

  def having(character):
    return tuple(id_ for id_, text in texts.items() if character in text)

  if not (separators := having(",")):
    raise errors.InputError(
      "no token of this tokenizer holds a comma, which separates coin flips;"
      " use a model with another tokenizer"
    )
  end = tokenizer.eos_token_id
  return Marks(
    separators,
    having("]"),
    () if end is None or end >= vocab_size else (end,),
    tuple(id_ for id_, text in texts.items() if text and not text.strip()),
  )
