"""An untrained model with real words, for tests of whole programs."""

import json
import pathlib

import pytest

from icl_graphs.models import checkpoint, decoder, families
from icl_graphs.tasks import words
from icl_graphs.training import tokenizer


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> pathlib.Path:
  """Folder of an untrained two-layer Llama that knows the packaged nouns."""
  folder = tmp_path_factory.mktemp("tiny")
  known = words.concept_words("paper30+nouns")
  positions = 129
  tokenizer.save(folder, known, positions)
  config = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": tokenizer.first_word_id() + len(known),
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": positions,
    "rms_norm_eps": 1e-5,
    "bos_token_id": tokenizer.bos_id(),
    "initializer_range": 0.3,
  }
  (folder / "config.json").write_text(json.dumps(config))
  params = decoder.init(families.read_config(folder), 0)
  checkpoint.save(folder, config, params)
  return folder
