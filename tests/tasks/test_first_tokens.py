import numpy as np
import pytest
import transformers

from icl_graphs import errors
from icl_graphs.tasks import coins, first_tokens
from icl_graphs.training import coin_tokenizer

FLIP_PROMPT = coins.generation().text
JUDGMENT_PROMPT = coins.judgment(coins.repeated("01", 5)).text
NAMES = ("gpt2", "neox", "olmo2", "qwen3", "mistral-v3")


@pytest.fixture(scope="module")
def load(shared):
  made = {}

  def loaded(name):
    folder = shared / "data" / "tokenizers" / name
    if name not in made:
      made[name] = transformers.AutoTokenizer.from_pretrained(folder)
    return made[name]

  return loaded


def texts(tokenizer, ids):
  return {tokenizer.convert_ids_to_tokens(i).replace("▁", "Ġ") for i in ids}


# Of " Heads" and " Tails", from the project's specification.
FIRST = {
  "gpt2": ("ĠHeads", "ĠT"),
  "neox": ("ĠHe", "ĠT"),
  "olmo2": ("ĠHeads", "ĠT"),
  "qwen3": ("ĠHeads", "ĠT"),
  "mistral-v3": ("ĠHe", "ĠT"),
}


@pytest.mark.parametrize("name", NAMES)
def test_flips_of_real_tokenizers(load, name):
  tokenizer = load(name)
  found = first_tokens.answers(tokenizer, FLIP_PROMPT, first_tokens.FLIPS)
  for answer, wanted in zip(("heads", "tails"), FIRST[name], strict=True):
    assert wanted in texts(tokenizer, found[answer])
  assert not set(found["heads"]) & set(found["tails"])
  whole = first_tokens.words_whole(tokenizer, FLIP_PROMPT, first_tokens.FLIPS)
  for answer, written in whole.items():
    assert {ids[0] for ids in written} == set(found[answer])
    assert all(
      tokenizer.decode(ids).strip().lower() == answer for ids in written
    )


@pytest.mark.parametrize("name", NAMES)
def test_labels_of_real_tokenizers(load, name):
  tokenizer = load(name)
  found = first_tokens.answers(
    tokenizer, JUDGMENT_PROMPT, first_tokens.JUDGMENTS
  )
  # "random" right after "a" would change the prompt's own last token.
  assert texts(tokenizer, found["random"]) == {"Ġrandom", "ĠRandom", "Random"}
  assert texts(tokenizer, found["non"]) == {"Ġnon", "ĠNon", "Non"}
  assert first_tokens.pieces(tokenizer, JUDGMENT_PROMPT, "random") == ()
  whole = first_tokens.pieces(tokenizer, JUDGMENT_PROMPT, " non-random")
  assert whole[0] in found["non"] and len(whole) > 1


def test_an_ambiguous_token_is_named(load):
  words = {"tails": "tails", "other": "tarnhelm"}
  with pytest.raises(errors.InputError, match=r"' T' .*' Tails'.*' Tarnhelm'"):
    first_tokens.answers(load("gpt2"), FLIP_PROMPT, words)


def test_words_of_the_coin_vocabulary():
  tokenizer = transformers.PreTrainedTokenizerFast(
    tokenizer_object=coin_tokenizer.build()
  )
  found = first_tokens.answers(tokenizer, FLIP_PROMPT, first_tokens.FLIPS)
  known = coin_tokenizer.ids()
  assert found == {
    "heads": tuple(sorted((known["Heads"], known[" Heads"]))),
    "tails": tuple(sorted((known["Tails"], known[" Tails"]))),
  }
  with pytest.raises(errors.InputError, match="'zebra' .*another tokenizer"):
    first_tokens.answers(tokenizer, FLIP_PROMPT, {"z": "zebra"})


def test_the_first_letter_rule_counts_too_much(load):
  tokenizer = load("gpt2")
  found = first_tokens.first_letter(tokenizer, 50300, ("h", "t"))
  assert found.shape == (2, 50300) and not found[:, 50257:].any()
  the, heads = (tokenizer.encode(word)[0] for word in (" the", " Heads"))
  np.testing.assert_array_equal(found[:, the], [False, True])
  np.testing.assert_array_equal(found[:, heads], [True, False])
