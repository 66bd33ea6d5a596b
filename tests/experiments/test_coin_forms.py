"""Forms of the coin prompts, on chat templates of several kinds."""

import pytest
import transformers

from icl_graphs import errors
from icl_graphs.experiments import coin_forms
from icl_graphs.tasks import coins
from icl_graphs.training import coin_tokenizer

LOOP = (
  "{% for m in messages %}{% if m.role != 'system' %}<|{{ m.role }}|>\n{{"
  " m.content }}\n{% else %}SYSTEM{% endif %}{% endfor %}"
)
TEMPLATES = {
  "told": LOOP.replace("SYSTEM", "{{ m.content }}\n"),
  "refused": LOOP.replace("SYSTEM", "{{ raise_exception('no system') }}"),
  "forgotten": LOOP.replace("SYSTEM", ""),
}


def encode(template, prompt, form="chat"):
  tokenizer = transformers.PreTrainedTokenizerFast(
    tokenizer_object=coin_tokenizer.build()
  )
  tokenizer.chat_template = template
  ids = coin_forms.encode(tokenizer, prompt, form, (0,))
  return tokenizer.decode(ids)


@pytest.mark.parametrize("name", TEMPLATES)
def test_chat_models_are_told_what_the_authors_told_them(name):
  prompt = coins.generation(30)
  between = "" if name == "told" else "\n"
  begin, end = ("", "<|user|>\n") if name == "told" else ("<|user|>\n", "")
  assert encode(TEMPLATES[name], prompt) == (
    f"{begin}{coins.SYSTEM}\n{between}{end}{prompt.question}\n"
    "<|assistant|>\n[Heads,"
  )
  asked = coins.judgment([0, 1])
  assert encode(TEMPLATES[name], asked) == (
    f"<|user|>\n{asked.question}\n<|assistant|>\n{asked.opening}"
  )


@pytest.mark.parametrize("template", [None, "{{ messages[-1].content }}"])
def test_templates_that_do_not_ask_are_refused(template):
  with pytest.raises(errors.InputError, match="chat template .* --form=raw"):
    encode(template, coins.generation(30))


def test_raw_and_tulu_forms():
  prompt = coins.tree([0, 1])
  assert encode(None, prompt, "raw") == f"<|bos|>{prompt.text}"
  assert encode(None, prompt, "tulu") == f"<|bos|>{prompt.tulu}"
