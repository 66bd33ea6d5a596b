"""Chat templates: the words of a prompt as the message of a user.

Instruct models were trained on conversations. The paper (arXiv 2501.00070)
gives them raw words all the same, and so does this package unless asked: then
the words follow what the tokenizer's own chat template puts before a message,
the user's or one that the assistant has begun. What it would put after the
message is never read.
"""

import dataclasses

import numpy as np
import transformers

from icl_graphs import errors
from icl_graphs.tasks import prompts

# Stands for the words while the template is rendered.
_MESSAGE = "the-words-of-the-walk"
# What the user asks for where the words are the assistant's.
INSTRUCTION = "Continue the sequence of words."
ROLES = ("user", "assistant")
# Templates of Llama 3 tell the model the date; a run must not depend on it.
_DATE = "26 Jul 2024"


@dataclasses.dataclass(frozen=True)
class Opening:
  """What stands before the first word.

  Attributes:
    text: literal, special tokens included. A space at its end is left out: the
      first word brings its own.
    ids: of its tokens; the `bos_ids` of `prompts.layout`.
  """

  text: str
  ids: tuple[int, ...]


def opening(
  tokenizer: transformers.PreTrainedTokenizerBase,
  vocab_size: int,
  role: str = "user",
) -> Opening:
  """Renders the tokenizer's chat template up to a message.

  Args:
    tokenizer: of an instruct model.
    vocab_size: V of the model.
    role: whose message: the "user"'s, or the "assistant"'s answer to
      `INSTRUCTION`.

  Raises:
    InputError: no chat template, one that fails or changes the message, or
      tokens that the model does not have.
  """
  if role not in ROLES:
    raise errors.InputError(
      f"chat role {role!r} is not one of {', '.join(ROLES)}"
    )
  if not getattr(tokenizer, "chat_template", None):
    raise errors.InputError(
      "the tokenizer has no chat template, so this is not an instruct model;"
      " leave --chat out"
    )
  messages = [{"role": role, "content": _MESSAGE}]
  if role == "assistant":
    messages.insert(0, {"role": "user", "content": INSTRUCTION})
  try:
    text = tokenizer.apply_chat_template(
      messages,
      tokenize=False,
      date_string=_DATE,
    )
  # A template is a program: whatever it raises is its fault.
  except Exception as error:
    raise errors.InputError(
      f"the tokenizer's chat template fails ({error}); leave --chat out or"
      " correct the template"
    ) from error
  before, *after = text.split(_MESSAGE)
  if len(after) != 1:
    raise errors.InputError(
      f"the tokenizer's chat template shows the {role}'s message {len(after)}"
      " times instead of once; leave --chat out or correct the template"
    )
  before = before.removesuffix(" ")
  ids = tuple(tokenizer.encode(before, add_special_tokens=False))
  if any(token >= vocab_size for token in ids):
    raise errors.InputError(
      f"the chat template gives the tokens {list(ids)}, but the model has"
      f" {vocab_size}: tokenizer and model do not belong together"
    )
  return Opening(before, ids)


def check(
  opening: Opening,
  tokenizer: transformers.PreTrainedTokenizerBase,
  layout: prompts.Layout,
) -> None:
  """Checks that every word after the opening still is its one token.

  Args:
    opening: of the same tokenizer.
    tokenizer: of the model in use.
    layout: made with `bos_ids=opening.ids`.

  Raises:
    InputError: names the first place where the text's tokens differ.
  """
  nodes = np.arange(len(layout.words))
  if layout.mode == "pairs":
    nodes = np.stack([nodes, np.roll(nodes, -1)], axis=1)
  batch = prompts.assemble(layout, nodes[None])
  expected = np.asarray(batch.tokens)[0].tolist()
  literal = opening.text + prompts.text(layout, nodes)
  found = tokenizer.encode(literal, add_special_tokens=False)
  if found == expected:
    return
  pairs = zip(found, expected, strict=False)
  shorter = min(len(found), len(expected))
  place = next((k for k, (a, b) in enumerate(pairs) if a != b), shorter)
  window = slice(max(0, place - 2), place + 3)
  raise errors.InputError(
    f"after the chat template's {opening.text[-40:]!r} the words are other"
    f" tokens: {tokenizer.convert_ids_to_tokens(found[window])} instead of"
    f" {tokenizer.convert_ids_to_tokens(expected[window])}; leave --chat out"
  )
