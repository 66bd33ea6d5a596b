"""Token ids of the coin prompts as base and as instruct models read them."""

from collections.abc import Sequence
from typing import Any

from icl_graphs import errors
from icl_graphs.tasks import coins, token_ids

FORMS = ("raw", "chat", "tulu")


def encode(
  tokenizer: Any, prompt: coins.Prompt, form: str, bos_ids: Sequence[int]
) -> list[int]:
  """Ids of a prompt whose answer is opened and not closed.

  Args:
    tokenizer: of the model in use.
    prompt: question and beginning of the answer.
    form: one of `FORMS`; "chat" is the tokenizer's own template.
    bos_ids: what stands before the other forms.

  Raises:
    InputError: chat, without a template that shows what is asked.
  """
  if form == "chat":
    return _chat(tokenizer, prompt)
  text = prompt.tulu if form == "tulu" else prompt.text
  return [*bos_ids, *token_ids.of_text(tokenizer, text)]


def _chat(tokenizer, prompt: coins.Prompt) -> list[int]:
  """Ids of the opened answer in the tokenizer's own chat form."""
  if not getattr(tokenizer, "chat_template", None):
    raise errors.InputError(
      "this tokenizer's chat template is missing; ask with --form=raw"
    )
  failure = "it leaves out a part"
  # Some templates refuse, or forget, what the system says.
  for system_role in (True, False):
    try:
      text = tokenizer.apply_chat_template(
        prompt.messages(system_role=system_role),
        tokenize=False,
        continue_final_message=True,
      )
    # Templates are programs, which fail in their own ways.
    except Exception as error:
      failure = str(error)
      continue
    if prompt.system in text and prompt.question in text:
      return token_ids.of_text(tokenizer, text)
  raise errors.InputError(
    f"this tokenizer's chat template cannot be used ({failure}); ask with"
    " --form=raw"
  )
