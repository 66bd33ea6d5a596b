"""Qwen 3: Llama's architecture with queries and keys normalised per head.

Source of the layout: Qwen3ForCausalLM of Hugging Face transformers.
"""

from icl_graphs.models import config as config_lib
from icl_graphs.models.families import fields as fields_lib
from icl_graphs.models.families import llama_layout, qwen2, rope_fields, weights

BUFFERS = llama_layout.BUFFERS
RENAMES = llama_layout.RENAMES


def translate(fields: fields_lib.Fields) -> config_lib.DecoderConfig:
  """Reads the fields of a Qwen 3 `config.json`."""
  sizes = llama_layout.sizes(
    fields,
    max_position_embeddings=32_768,
    num_key_value_heads=32,
    head_dim=128,
  )
  attention_bias = fields.boolean("attention_bias", False)
  return config_lib.DecoderConfig(
    family="qwen3",
    **sizes,
    **qwen2.windows(fields, sizes["num_layers"]),
    norm=config_lib.Norm(epsilon=fields.number("rms_norm_eps", 1e-6)),
    qk_norm="head",
    rope=rope_fields.read(fields, sizes["max_positions"]),
    qkv_bias=attention_bias,
    attention_output_bias=attention_bias,
  )


def table(config: config_lib.DecoderConfig) -> tuple[weights.Weight, ...]:
  """Every weight that a checkpoint of this configuration has."""
  return llama_layout.table(
    config, llama_layout.BODY, llama_layout.NORMS, llama_layout.HEAD_NORMS
  )
