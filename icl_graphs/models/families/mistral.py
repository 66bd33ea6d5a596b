"""Mistral: Llama's architecture, in the first versions with a sliding window.

Source of the layout: MistralForCausalLM of Hugging Face transformers.
"""

from icl_graphs.models import config as config_lib
from icl_graphs.models.families import fields as fields_lib
from icl_graphs.models.families import llama_layout, rope_fields, weights

BUFFERS = llama_layout.BUFFERS
RENAMES = llama_layout.RENAMES


def translate(fields: fields_lib.Fields) -> config_lib.DecoderConfig:
  """Reads the fields of a Mistral `config.json`; a window is for all layers."""
  sizes = llama_layout.sizes(
    fields, max_position_embeddings=131_072, num_key_value_heads=8
  )
  window = fields.nullable("sliding_window", fields.integer, 4096)
  return config_lib.DecoderConfig(
    family="mistral",
    **sizes,
    norm=config_lib.Norm(epsilon=fields.number("rms_norm_eps", 1e-6)),
    rope=rope_fields.read(fields, sizes["max_positions"]),
    window=window,
    sliding=() if window is None else (True,) * sizes["num_layers"],
  )


def table(config: config_lib.DecoderConfig) -> tuple[weights.Weight, ...]:
  """Every weight that a checkpoint of this configuration has."""
  return llama_layout.table(config, llama_layout.BODY, llama_layout.NORMS)
