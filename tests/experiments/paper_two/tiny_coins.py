"""A tiny model of random weights that reads coin flips."""

import json
import pathlib

from icl_graphs.experiments import coin_subject
from icl_graphs.models import checkpoint, decoder, families
from icl_graphs.training import coin_tokenizer


def save(folder: pathlib.Path, positions: int = 96) -> pathlib.Path:
  """Writes the model, with the coin vocabulary; returns its folder."""
  coin_tokenizer.save(folder, positions)
  config = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": len(coin_tokenizer.vocabulary()),
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": positions,
    "rms_norm_eps": 1e-5,
    "bos_token_id": 0,
    "initializer_range": 0.5,
  }
  (folder / "config.json").write_text(json.dumps(config))
  params = decoder.init(families.read_config(folder), 0)
  checkpoint.save(folder, config, params)
  return folder


def subject(folder: pathlib.Path, **settings) -> coin_subject.CoinSubject:
  """The model, ready to be asked."""
  settings = coin_subject.Settings(model=str(save(folder)), **settings)
  return coin_subject.CoinSubject(settings, folder / "out")
