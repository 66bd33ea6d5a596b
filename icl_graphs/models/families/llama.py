"""Llama 2, 3, 3.1, 3.2 and models that share their architecture.

Source of the layout: LlamaForCausalLM of Hugging Face transformers.
"""

from icl_graphs.models import config as config_lib
from icl_graphs.models.families import fields as fields_lib
from icl_graphs.models.families import llama_layout, rope_fields, weights

BUFFERS = llama_layout.BUFFERS
RENAMES = llama_layout.RENAMES


def translate(fields: fields_lib.Fields) -> config_lib.DecoderConfig:
  """Reads the fields of a Llama `config.json`; defaults are transformers'."""
  fields.only("pretraining_tp", 1, None)
  # Written by exporters of Llama-shaped models; other values are other models.
  fields.only("rope_interleaved", False, None)
  fields.only("is_llama_config", True, None)
  sizes = llama_layout.sizes(fields, max_position_embeddings=2048)
  attention_bias = fields.boolean("attention_bias", False)
  return config_lib.DecoderConfig(
    family="llama",
    **sizes,
    norm=config_lib.Norm(epsilon=fields.number("rms_norm_eps", 1e-6)),
    rope=rope_fields.read(fields, sizes["max_positions"]),
    qkv_bias=attention_bias,
    attention_output_bias=attention_bias,
    mlp_bias=fields.boolean("mlp_bias", False),
  )


def table(config: config_lib.DecoderConfig) -> tuple[weights.Weight, ...]:
  """Every weight that a checkpoint of this configuration has."""
  return llama_layout.table(config, llama_layout.BODY, llama_layout.NORMS)
