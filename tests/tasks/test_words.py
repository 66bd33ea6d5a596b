"""Word lists, and the one-token rule under five real tokenizers."""

import importlib.resources
import json

import pytest
import transformers

from icl_graphs import errors
from icl_graphs.tasks import words
from icl_graphs.training import coin_tokenizer

PAPER_30 = (
  "apple bird car egg house milk plane opera box sand sun mango rock math code"
  " phone tree dog metal water fire boat mouse cup book paper key tea shoe ball"
)


def test_the_words_of_the_paper_in_their_order():
  assert words.concept_words("paper30") == tuple(PAPER_30.split())
  assert words.concept_words("paper30", 16)[-1] == "phone"
  both = words.concept_words("paper30+nouns")
  assert len(both) == 259 and both[:30] == words.concept_words("paper30")


def test_ordered_lists():
  assert words.concept_words("days")[0] == "Monday"
  assert words.concept_words("months", 2) == ("January", "February")
  sizes = {name: len(found) for name, found in words.packaged().items()}
  assert sizes == {
    "paper30": 30,
    "nouns": 229,
    "days": 7,
    "months": 12,
    "numbers": 12,
    "digits": 10,
    "letters": 26,
    "colours": 7,
  }


def test_words_can_be_left_out():
  found = words.concept_words("paper30-mango-egg+nouns", 30)
  assert found[:4] == ("apple", "bird", "car", "house")
  assert "mango" not in found and found[28] == words.packaged()["nouns"][0]


def test_a_seed_draws_words():
  drawn = words.concept_words("nouns", 16, seed=1)
  assert drawn == words.concept_words("nouns", 16, seed=1)
  assert drawn[:8] == words.concept_words("nouns", 8, seed=1)
  assert drawn != words.concept_words("nouns", 16, seed=2)
  assert len(set(drawn)) == 16 and drawn != words.concept_words("nouns", 16)
  assert set(drawn) <= set(words.packaged()["nouns"])


def test_a_file_of_words(tmp_path):
  path = tmp_path / "my-words+more.txt"
  path.write_text("\ufeff# fruit\n apple \n\npear\r\nplum\n", encoding="utf-8")
  assert words.concept_words(str(path)) == ("apple", "pear", "plum")
  assert words.concept_words(str(path), 2) == ("apple", "pear")


@pytest.mark.parametrize(
  "name, n, seed, fragments",
  [
    ("fruit", 4, None, ["'fruit'", "paper30, nouns, days", "text file"]),
    ("paper30+fruit", 4, None, ["'fruit'", "paper30+fruit"]),
    ("paper30-pear", 4, None, ["'pear'", "paper30"]),
    ("paper30", 36, None, ["36 nodes", "30 words", "'nouns' (229 words)"]),
    ("nouns", 240, None, ["240 nodes", "'paper30+nouns' (259 words)"]),
    ("days", 8, None, ["8 nodes", "7 words", "'paper30' (30 words)"]),
    ("paper30+nouns", 300, None, ["300 nodes", "at least 300 words"]),
    ("days+days", 4, None, ["'Monday'", "more than once"]),
    ("days", 4, -1, ["word seed -1"]),
  ],
)
def test_bad_lists(name, n, seed, fragments):
  with pytest.raises(errors.InputError) as caught:
    words.concept_words(name, n, seed=seed)
  for fragment in fragments:
    assert fragment in str(caught.value)


@pytest.mark.parametrize(
  "content, message",
  [
    (b"apple\npear tree\n", "line 2.*'pear tree'"),
    (b"apple\npear\napple\n", "'apple' more than once"),
    (b"\n# nothing\n", "has no words"),
    (b"\xff\xfe\xfa", "cannot read"),
  ],
)
def test_bad_files(tmp_path, content, message):
  path = tmp_path / "words.txt"
  path.write_bytes(content)
  with pytest.raises(errors.InputError, match=message):
    words.concept_words(str(path))


def test_paper_words_are_single_tokens_except_mango(tokenizer):
  paper = words.concept_words("paper30")
  if tokenizer.folder in ("neox", "mistral-v3"):
    with pytest.raises(errors.InputError) as caught:
      words.single_token_ids(tokenizer, paper)
    message = str(caught.value)
    assert "1 of 30 words" in message and "'mango' -> " in message
    assert "'ango'" in message
    # The offered word, in its place, is accepted; so is the suggested list.
    offered = message.partition("one token: '")[2].partition("'")[0]
    changed = [offered if word == "mango" else word for word in paper]
    assert len(words.single_token_ids(tokenizer, changed)) == 30
    assert "'paper30-mango+nouns'" in message
    paper = words.concept_words("paper30-mango+nouns", 30)
  ids = words.single_token_ids(tokenizer, paper)
  assert ids.dtype == "int32" and len(set(ids.tolist())) == 30
  for word, id_ in zip(paper, ids, strict=True):
    assert tokenizer.convert_ids_to_tokens(int(id_)) in ("Ġ" + word, "▁" + word)


def test_packaged_nouns_are_single_tokens(tokenizer):
  found = words.single_token_ids(tokenizer, words.concept_words("nouns"))
  assert len(found) == 229


def test_ordered_lists_agree_with_their_flags(tokenizer):
  """`words.json` says for each word and tokenizer whether it is one token."""
  name = {"gpt2": "gpt-2", "olmo2": "olmo-2", "qwen3": "qwen-3"}.get(
    tokenizer.folder, tokenizer.folder
  )
  folder = importlib.resources.files("icl_graphs.tasks")
  content = json.loads((folder / "words.json").read_text("utf-8"))
  for entry in content["ordered"].values():
    flags = entry["single_token"][name]
    failing = [w for w, ok in zip(entry["words"], flags, strict=True) if not ok]
    if not failing:
      words.single_token_ids(tokenizer, entry["words"])
      continue
    with pytest.raises(errors.InputError) as caught:
      words.single_token_ids(tokenizer, entry["words"])
    lines = str(caught.value).splitlines()
    offenders = [line.split("'")[1] for line in lines if " -> " in line]
    assert offenders == failing


def test_all_offenders_are_listed_with_replacements(tokenizer):
  with pytest.raises(errors.InputError) as caught:
    words.single_token_ids(tokenizer, ["apple", "xylocarp", "qwertzu", "bird"])
  message = str(caught.value)
  assert "2 of 4" in message and "'xylocarp'" in message
  assert "'qwertzu'" in message and "'cat', 'horse'" in message
  with pytest.raises(
    errors.InputError, match="'indigo'.*\n.*'violet'|'indigo'"
  ):
    words.single_token_ids(tokenizer, words.concept_words("colours"))


def test_special_and_shared_tokens_are_refused(tokenizer):
  special = tokenizer.eos_token
  with pytest.raises(errors.InputError, match="1 of 2"):
    words.single_token_ids(tokenizer, ["apple", special])
  with pytest.raises(errors.InputError, match="same token id"):
    words.single_token_ids(tokenizer, ["apple", "apple"])


def test_a_vocabulary_without_the_words_is_an_input_error(tmp_path):
  coin_tokenizer.save(tmp_path, 64)
  of_coins = transformers.AutoTokenizer.from_pretrained(tmp_path)
  with pytest.raises(errors.InputError, match="1 of 2.*\n.*not in the voc"):
    words.single_token_ids(of_coins, ["Heads", "xylocarp"])


def test_raw_sentencepiece_prefix_is_ignored(shared):
  folder = shared / "data" / "tokenizers" / "mistral-v3"
  fast = transformers.AutoTokenizer.from_pretrained(folder)

  class Raw:
    """Puts a bare marker before text that begins with a space."""

    all_special_ids = fast.all_special_ids
    decode = staticmethod(fast.decode)
    convert_ids_to_tokens = staticmethod(fast.convert_ids_to_tokens)

    def encode(self, text, add_special_tokens):
      assert not add_special_tokens
      marker = fast.convert_tokens_to_ids("▁")
      return [marker, *fast.encode(text, add_special_tokens=False)]

  some = words.concept_words("nouns", 40)
  assert (
    words.single_token_ids(Raw(), some) == words.single_token_ids(fast, some)
  ).all()
  with pytest.raises(errors.InputError, match="'mango'"):
    words.single_token_ids(Raw(), ["mango"])
