import pytest
import transformers

from icl_graphs.models import config as config_lib
from icl_graphs.models import hub
from icl_graphs.tasks import coins
from icl_graphs.training import coin_tokenizer

FLIPS = coins.repeated("011", 100)
TEXTS = {
  "generation": (coins.generation(30).text, 32 + 2),
  "fair": (coins.generation(fair=True).text, 32 + 2),
  "tree": (coins.tree(()).text, 32),
  "a tree's context": (coins.tree(FLIPS[:40]).text, 32 + 80),
  "judgment": (coins.judgment(()).text, 30 + 11),
  "longest judgment": (coins.judgment(FLIPS).text, 240),
  "comma": (coins.judgment(FLIPS, trailing_comma=True).text, 241),
  "tulu": (coins.generation(1).tulu, None),
  "older": (coins.older_tree((0, 1)), None),
  "older weighted": (coins.older_tree((), 99), None),
  "system": (coins.SYSTEM, None),
  "answer": (" non-random", 3),
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
  folder = tmp_path_factory.mktemp("coins")
  coin_tokenizer.save(folder, 352)
  return hub.load_tokenizer(folder)


def test_the_vocabulary_is_the_one_described():
  pieces = coin_tokenizer.vocabulary()
  assert len(pieces) == len(set(pieces)) == 178
  assert pieces[0] == coin_tokenizer.BOS
  numbers = [piece for piece in pieces if piece.strip().isdigit()]
  assert numbers == [f" {n}" for n in (*range(1, 100), 1000)]


@pytest.mark.parametrize("name", TEXTS)
def test_every_prompt_survives(loaded, name):
  text, length = TEXTS[name]
  ids = loaded(text)["input_ids"]
  assert ids[0] == loaded.bos_token_id == 0
  assert loaded.decode(ids[1:]) == text
  assert len(ids) - 1 == (length or len(ids) - 1)


def test_every_stated_probability_is_in_the_vocabulary(loaded):
  for percent in range(1, 100):
    assert len(loaded(coins.generation(percent).text)["input_ids"]) == 35


@pytest.mark.parametrize(
  "text", ["the", " ", "A: ", "Heads  Tails", "\tA", "x1"]
)
def test_an_unknown_piece_is_an_error(loaded, text):
  with pytest.raises(Exception, match="Missing"):
    loaded(text)


def test_the_split_rule(loaded):
  text = " with 70% non-random: [Heads,\n"
  pieces = loaded.tokenize(text)
  assert pieces == [
    *(" with", " 70", "%", " non", "-", "random", ":", " [", "Heads", ",", "\n")
  ]


def test_loaded_as_any_model(loaded):
  assert isinstance(loaded, transformers.PreTrainedTokenizerBase)
  assert loaded.pad_token_id == 1 and loaded.eos_token_id == 2
  config = config_lib.DecoderConfig(
    family="llama",
    vocab_size=178,
    hidden_size=32,
    num_layers=1,
    num_heads=2,
    num_kv_heads=2,
    head_size=16,
    mlp_size=32,
    max_positions=352,
  )
  assert hub.bos_ids(loaded, config) == (0,)
