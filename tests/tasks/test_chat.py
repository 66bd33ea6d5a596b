"""Words inside a chat template: exact ids, or a refusal."""

import pytest

from icl_graphs import errors
from icl_graphs.models import hub
from icl_graphs.tasks import chat, prompts, words

# Shaped like those of Qwen, of Mistral and Llama 2, of Gemma, and of Llama 3.
CHATML = (
  "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}"
  "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>"
  "assistant\n{% endif %}"
)
INST = (
  "{{ bos_token }}{% for m in messages %}[INST] {{ m['content'] | trim }}"
  " [/INST]{% endfor %}"
)
TURNS = (
  "{{ bos_token }}<start_of_turn>user\n{{ messages[0]['content'] | trim }}"
  "<end_of_turn>\n"
)
DATED = (
  "{{ bos_token }}<|start_header_id|>system<|end_header_id|>\n\nToday Date: "
  "{% if date_string is not defined %}{{ strftime_now('%d %b %Y') }}"
  "{% else %}{{ date_string }}{% endif %}<|eot_id|><|start_header_id|>user"
  "<|end_header_id|>\n\n{{ messages[0]['content'] | trim }}<|eot_id|>"
)
WORDS = ("apple", "bird", "sand", "box")


@pytest.fixture(scope="module")
def load(shared):
  loaded = {}

  def load(name):
    if name not in loaded:
      folder = shared / "data" / "tokenizers" / name
      loaded[name] = hub.load_tokenizer(folder)
    return loaded[name]

  return load


def _with(tokenizer, template):
  tokenizer.chat_template = template
  return tokenizer


def test_the_ids_of_a_conversation(load):
  """What the model reads begins a conversation as the tokenizer writes it."""
  tokenizer = _with(load("qwen3"), CHATML)
  opening = chat.opening(tokenizer, 200_000)
  assert opening.text == "<|im_start|>user\n"
  assert tokenizer.convert_ids_to_tokens(opening.ids) == [
    "<|im_start|>",
    "user",
    "Ċ",
  ]
  layout = prompts.layout(tokenizer, WORDS, bos_ids=opening.ids)
  chat.check(opening, tokenizer, layout)
  nodes = [0, 3, 1, 2, 1]
  batch = prompts.assemble(layout, [nodes])
  message = "".join(f" {WORDS[node]}" for node in nodes)
  whole = tokenizer.apply_chat_template(
    [{"role": "user", "content": message}], return_dict=False
  )
  assert batch.tokens[0].tolist() == whole[: 3 + len(nodes)]
  assert batch.nodes[0].tolist() == [-1, -1, -1, *nodes]
  assert prompts.text(layout, batch.nodes[0]) == message


@pytest.mark.parametrize("mode", prompts.MODES)
@pytest.mark.parametrize("template", [CHATML, INST, TURNS, DATED])
@pytest.mark.parametrize("name", ["qwen3", "mistral-v3", "gpt2", "olmo2"])
def test_every_word_stays_one_token(load, name, template, mode):
  tokenizer = _with(load(name), template)
  opening = chat.opening(tokenizer, 200_000)
  chosen = words.concept_words("numbers", 6)
  layout = prompts.layout(tokenizer, chosen, bos_ids=opening.ids, mode=mode)
  chat.check(opening, tokenizer, layout)
  assert layout.offset == len(opening.ids) > 1
  assert not opening.text.endswith(" ")


def test_special_tokens_of_the_template_are_special(load):
  tokenizer = _with(load("mistral-v3"), INST)
  opening = chat.opening(tokenizer, 200_000)
  tokens = tokenizer.convert_ids_to_tokens(opening.ids)
  assert tokens == ["<s>", "[INST]"] and opening.text == "<s>[INST]"


def test_the_day_of_the_run_does_not_matter(load):
  opening = chat.opening(_with(load("gpt2"), DATED), 200_000)
  assert "26 Jul 2024" in opening.text


def test_no_template(load):
  with pytest.raises(errors.InputError, match="no chat template"):
    chat.opening(_with(load("gpt2"), None), 200_000)


@pytest.mark.parametrize(
  ("template", "reason"),
  [
    ("{{ raise_exception('no system message') }}", "no system message"),
    ("{% for %}", "fails"),
    ("{{ messages[0]['content'].no.such }}", "fails"),
    ("{{ range(10**9) }}", "fails"),
    ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "fails"),
    ("nothing", "0 times"),
    ("{{ messages[0]['content'] * 2 }}", "2 times"),
    ("{{ messages[0]['content'] | upper }}", "0 times"),
  ],
)
def test_templates_that_do_not_work(load, template, reason):
  with pytest.raises(errors.InputError, match=reason):
    chat.opening(_with(load("gpt2"), template), 200_000)


def test_tokens_that_the_model_lacks(load):
  with pytest.raises(errors.InputError, match="belong together"):
    chat.opening(_with(load("qwen3"), CHATML), 1000)


def test_a_template_that_runs_into_the_words(load):
  tokenizer = _with(load("gpt2"), "user:\t\t {{ messages[0]['content'] }}")
  opening = chat.opening(tokenizer, 60_000)
  layout = prompts.layout(tokenizer, WORDS, bos_ids=opening.ids)
  chat.check(opening, tokenizer, layout)
  wrong = chat.Opening("user: a", opening.ids)
  with pytest.raises(errors.InputError, match="other tokens"):
    chat.check(wrong, tokenizer, layout)


def test_an_answer_that_the_assistant_has_begun(load):
  tokenizer = _with(load("qwen3"), CHATML)
  opening = chat.opening(tokenizer, 200_000, "assistant")
  assert opening.text == (
    "<|im_start|>user\nContinue the sequence of words.<|im_end|>\n"
    "<|im_start|>assistant\n"
  )
  layout = prompts.layout(tokenizer, WORDS, bos_ids=opening.ids)
  chat.check(opening, tokenizer, layout)
  with pytest.raises(errors.InputError, match="role 'system'"):
    chat.opening(tokenizer, 200_000, "system")


@pytest.mark.parametrize("name", ["mistral-v3", "gpt2", "olmo2"])
def test_words_of_the_assistant_stay_one_token(load, name):
  tokenizer = _with(load(name), CHATML)
  opening = chat.opening(tokenizer, 200_000, "assistant")
  chosen = words.concept_words("numbers", 6)
  layout = prompts.layout(tokenizer, chosen, bos_ids=opening.ids)
  chat.check(opening, tokenizer, layout)


def test_a_template_without_the_assistant(load):
  with pytest.raises(errors.InputError, match="assistant's message 0 times"):
    chat.opening(_with(load("gpt2"), TURNS), 200_000, "assistant")
