"""Text as token ids, or one clear error where a vocabulary has no words."""

from typing import Any

from icl_graphs import errors


def of_text(tokenizer: Any, text: str) -> list[int]:
  """Ids of text, without special tokens.

  Raises:
    InputError: a tokenizer that cannot write the text at all.
  """
  try:
    return list(tokenizer.encode(text, add_special_tokens=False))
  # Vocabularies without an unknown token raise; nothing narrower is raised.
  except Exception as error:
    raise errors.InputError(
      f"the tokenizer cannot write {text!r}: {error}"
    ) from error
