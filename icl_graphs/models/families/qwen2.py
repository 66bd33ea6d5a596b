"""Qwen 2 and 2.5: Llama's architecture with biases on queries, keys, values.

Source of the layout: Qwen2ForCausalLM of Hugging Face transformers.
"""

from typing import Any

from icl_graphs.models import config as config_lib
from icl_graphs.models.families import fields as fields_lib
from icl_graphs.models.families import llama_layout, rope_fields, weights

BUFFERS = llama_layout.BUFFERS
RENAMES = llama_layout.RENAMES


def translate(fields: fields_lib.Fields) -> config_lib.DecoderConfig:
  """Reads the fields of a Qwen 2 or 2.5 `config.json`."""
  # Positions in images and videos, for the models that see them.
  fields.only("use_mrope", False, None)
  sizes = llama_layout.sizes(
    fields, max_position_embeddings=32_768, num_key_value_heads=32
  )
  return config_lib.DecoderConfig(
    family="qwen2",
    **sizes,
    **windows(fields, sizes["num_layers"]),
    norm=config_lib.Norm(epsilon=fields.number("rms_norm_eps", 1e-6)),
    rope=rope_fields.read(fields, sizes["max_positions"]),
    qkv_bias=True,
  )


def windows(fields: fields_lib.Fields, num_layers: int) -> dict[str, Any]:
  """Sliding windows in the upper layers, where they are switched on."""
  used = fields.boolean("use_sliding_window", False)
  window = fields.nullable("sliding_window", fields.integer, 4096)
  first = fields.integer("max_window_layers", 28)
  window = window if used else None
  slides = [window is not None and i >= first for i in range(num_layers)]
  return {"window": window, "sliding": llama_layout.sliding(fields, slides)}


def table(config: config_lib.DecoderConfig) -> tuple[weights.Weight, ...]:
  """Every weight that a checkpoint of this configuration has."""
  return llama_layout.table(config, llama_layout.BODY, llama_layout.NORMS)
