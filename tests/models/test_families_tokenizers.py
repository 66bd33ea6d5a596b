"""What real tokenizers of the families put first, and do to concept words."""

import importlib.resources
import json

import published
import pytest

from icl_graphs import errors
from icl_graphs.models import families, hub
from icl_graphs.tasks import words

_WORDS = json.loads(
  (importlib.resources.files("icl_graphs.tasks") / "words.json").read_text()
)

# Folder: a model of its family, beginning of every text, name in the lists.
TOKENIZERS = {
  "gpt2": ("gpt2-xl", (), "gpt-2"),
  "neox": ("pythia-1b", (), "neox"),
  "olmo2": ("OLMo-2-1124-7B", (), "olmo-2"),
  "qwen3": ("Qwen3-8B", (), "qwen-3"),
  "mistral-v3": ("Mistral-7B-v0.3", (1,), "mistral-v3"),
}


@pytest.fixture(params=TOKENIZERS, scope="module")
def case(request, shared):
  model, bos, name = TOKENIZERS[request.param]
  tokenizer = hub.load_tokenizer(shared / "data/tokenizers" / request.param)
  return tokenizer, families.translate(published.MODELS[model]), bos, name


def test_beginning_of_every_text(case):
  tokenizer, config, bos, _ = case
  assert hub.bos_ids(tokenizer, config) == bos
  assert len(tokenizer) <= config.vocab_size


def test_words_of_the_paper(case):
  tokenizer, config, _, name = case
  concepts = words.concept_words("paper30")
  known_to_fail = _WORDS["paper30_failures"][name]
  if known_to_fail:
    with pytest.raises(errors.InputError) as caught:
      words.single_token_ids(tokenizer, concepts)
    message = str(caught.value)
    assert f"{len(known_to_fail)} of 30" in message
    assert all(repr(word) in message for word in known_to_fail)
  kept = [word for word in concepts if word not in known_to_fail]
  ids = words.single_token_ids(tokenizer, kept)
  assert len(set(ids.tolist())) == len(kept)
  assert ids.max() < config.vocab_size
  for word, id_ in zip(kept, ids, strict=True):
    assert tokenizer.decode([id_]).strip() == word
