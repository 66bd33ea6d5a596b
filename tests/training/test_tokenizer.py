import transformers

from icl_graphs.tasks import prompts, words
from icl_graphs.training import tokenizer

V = 128


def load(folder):
  tokenizer.save(folder, tokenizer.vocabulary(V), 257)
  return transformers.AutoTokenizer.from_pretrained(folder)


def test_every_word_is_one_token(tmp_path):
  known = tokenizer.vocabulary(V)
  ids = words.single_token_ids(load(tmp_path), known)
  first = tokenizer.first_word_id()
  assert ids.tolist() == list(range(first, first + len(known)))
  assert set(words.packaged()["paper30"]) <= set(known)
  assert len(set(known) - {*words.packaged()["days"]}) >= 100


def test_text_survives_and_starts_with_bos(tmp_path):
  loaded = load(tmp_path)
  text = " apple bird/ Monday apple/"
  ids = loaded(text).input_ids
  assert ids[0] == loaded.bos_token_id == tokenizer.bos_id()
  assert ids[3] == ids[-1] == tokenizer.separator_id()
  assert loaded.decode(ids, skip_special_tokens=True) == text
  assert len(loaded) == V


def test_unknown_words_are_told(tmp_path):
  loaded = load(tmp_path)
  assert loaded(" zebra").input_ids[1] == loaded.unk_token_id


def test_prompts_of_both_modes_are_accepted(tmp_path):
  loaded = load(tmp_path)
  for mode in prompts.MODES:
    layout = prompts.layout(
      loaded, ("apple", "bird", "car"), bos_ids=(0,), mode=mode
    )
    assert layout.offset == 1
