"""Checkpoints of any size with random weights, written piece by piece.

Neither transformers nor the memory for a whole model is needed.
"""

import json
import math
import pathlib
import struct
from typing import Any

import ml_dtypes
import numpy as np

from icl_graphs.models import config as config_lib
from icl_graphs.models import families
from icl_graphs.tasks import words
from icl_graphs.training import tokenizer

_PIECE = 2**22

# The published config.json of Llama-3.2-1B, bookkeeping left out.
LLAMA_3_2_1B = {
  "model_type": "llama",
  "architectures": ["LlamaForCausalLM"],
  "vocab_size": 128256,
  "hidden_size": 2048,
  "intermediate_size": 8192,
  "num_hidden_layers": 16,
  "num_attention_heads": 32,
  "num_key_value_heads": 8,
  "head_dim": 64,
  "hidden_act": "silu",
  "max_position_embeddings": 131072,
  "rms_norm_eps": 1e-5,
  "rope_theta": 500000.0,
  "rope_scaling": {
    "factor": 32.0,
    "high_freq_factor": 4.0,
    "low_freq_factor": 1.0,
    "original_max_position_embeddings": 8192,
    "rope_type": "llama3",
  },
  "initializer_range": 0.02,
  "tie_word_embeddings": True,
  "torch_dtype": "bfloat16",
}


def write(folder: pathlib.Path, hf_config: dict[str, Any], seed: int = 0):
  """Writes a bfloat16 model with a tokenizer that knows the packaged words.

  Args:
    folder: created if absent.
    hf_config: content of config.json.
    seed: of the weights.
  """
  folder = pathlib.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  config = families.translate(hf_config)
  (folder / "config.json").write_text(json.dumps(hf_config, indent=2))
  known = words.concept_words("paper30+nouns")
  tokenizer.save(folder, known, config.max_positions)
  shapes, is_norm = _tensors(config)
  header, end = {"__metadata__": {"format": "pt"}}, 0
  for name, shape in shapes.items():
    start, end = end, end + 2 * math.prod(shape)
    header[name] = {
      "dtype": "BF16",
      "shape": shape,
      "data_offsets": [start, end],
    }
  text = json.dumps(header).encode()
  text += b" " * (-len(text) % 8)
  rng = np.random.default_rng(seed)
  with (folder / "model.safetensors").open("wb") as file:
    file.write(struct.pack("<Q", len(text)) + text)
    for name, shape in shapes.items():
      left = math.prod(shape)
      while left:
        count = min(left, _PIECE)
        if is_norm[name]:
          piece = np.ones(count, np.float32)
        else:
          piece = rng.standard_normal(count, np.float32)
          piece *= config.initializer_range
        file.write(piece.astype(ml_dtypes.bfloat16).tobytes())
        left -= count


def _tensors(
  config: config_lib.DecoderConfig,
) -> tuple[dict[str, tuple[int, ...]], dict[str, bool]]:
  """By stored name: shape, and whether it is the weight of a norm."""
  shapes, is_norm = {}, {}
  for row in families.table(config):
    if row.copy_of is None:
      for name in row.names(config.num_layers):
        shapes[name] = row.stored_shape(config.axis_sizes)
        is_norm[name] = "norm" in row.path
  return shapes, is_norm
