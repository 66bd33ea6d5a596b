"""An untrained model with real words, for tests of whole programs."""

import json
import pathlib

import pytest
import tokenizers
from tokenizers import models, pre_tokenizers, processors

from icl_graphs.models import checkpoint, decoder, families
from icl_graphs.tasks import words


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> pathlib.Path:
  """Folder of an untrained two-layer Llama that knows the packaged nouns."""
  folder = tmp_path_factory.mktemp("tiny")
  vocabulary = ["<s>", "<unk>", "/", *words.concept_words("paper30+nouns")]
  tokenizer = tokenizers.Tokenizer(
    models.WordLevel(
      {word: i for i, word in enumerate(vocabulary)}, unk_token="<unk>"
    )
  )
  tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
    [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()]
  )
  tokenizer.post_processor = processors.TemplateProcessing(
    single="<s> $A", special_tokens=[("<s>", 0)]
  )
  tokenizer.add_special_tokens(["<s>", "<unk>"])
  tokenizer.save(str(folder / "tokenizer.json"))
  (folder / "tokenizer_config.json").write_text(
    json.dumps(
      {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "unk_token": "<unk>",
      }
    )
  )
  config = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": len(vocabulary),
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 129,
    "rms_norm_eps": 1e-5,
    "bos_token_id": 0,
    "initializer_range": 0.3,
  }
  (folder / "config.json").write_text(json.dumps(config))
  params = decoder.init(families.read_config(folder), 0)
  checkpoint.save(folder, config, params)
  return folder
