"""OLMo 1: Llama's architecture with layer norms that have no weights.

Source of the layout: OlmoForCausalLM of Hugging Face transformers.
"""

from icl_graphs.models import config as config_lib
from icl_graphs.models.families import fields as fields_lib
from icl_graphs.models.families import llama_layout, rope_fields, weights

BUFFERS = llama_layout.BUFFERS
RENAMES = llama_layout.RENAMES


def translate(fields: fields_lib.Fields) -> config_lib.DecoderConfig:
  """Reads the fields of an OLMo 1 `config.json`, in its "hf" form."""
  sizes = llama_layout.sizes(fields, max_position_embeddings=2048)
  attention_bias = fields.boolean("attention_bias", False)
  return config_lib.DecoderConfig(
    family="olmo",
    **sizes,
    # The epsilon is not in the configuration.
    norm=config_lib.Norm(kind="layer", epsilon=1e-5, weight=False),
    rope=rope_fields.read(fields, sizes["max_positions"]),
    qkv_clip=fields.nullable("clip_qkv", fields.positive),
    qkv_bias=attention_bias,
    attention_output_bias=attention_bias,
  )


def table(config: config_lib.DecoderConfig) -> tuple[weights.Weight, ...]:
  """Every weight that a checkpoint of this configuration has."""
  return llama_layout.table(config, llama_layout.BODY)
