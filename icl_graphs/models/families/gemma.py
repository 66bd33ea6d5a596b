"""Gemma 1: Llama's architecture, a scaled embedding and norms of one plus w.

Source of the layout: GemmaForCausalLM of Hugging Face transformers.
"""

from icl_graphs.models import config as config_lib
from icl_graphs.models.families import fields as fields_lib
from icl_graphs.models.families import llama_layout, rope_fields, weights

BUFFERS = llama_layout.BUFFERS
RENAMES = llama_layout.RENAMES


def translate(fields: fields_lib.Fields) -> config_lib.DecoderConfig:
  """Reads the fields of a Gemma 1 `config.json`."""
  fields.only("use_bidirectional_attention", None, False)
  # The first releases said "gelu" and meant its approximation, with which the
  # models were trained; transformers computes the approximation too.
  fields.only("hidden_activation", None, "gelu_pytorch_tanh")
  sizes = llama_layout.sizes(
    fields,
    max_position_embeddings=8192,
    num_key_value_heads=16,
    head_dim=256,
    hidden_act="gelu_pytorch_tanh",
    tie_word_embeddings=True,
  )
  if sizes["activation"] == "gelu":
    sizes["activation"] = "gelu_tanh"
  attention_bias = fields.boolean("attention_bias", False)
  return config_lib.DecoderConfig(
    family="gemma",
    **sizes,
    norm=config_lib.Norm(
      epsilon=fields.number("rms_norm_eps", 1e-6), order="one_plus_weight"
    ),
    embedding_scale=sizes["hidden_size"] ** 0.5,
    rope=rope_fields.read(fields, sizes["max_positions"]),
    qkv_bias=attention_bias,
    attention_output_bias=attention_bias,
  )


def table(config: config_lib.DecoderConfig) -> tuple[weights.Weight, ...]:
  """Every weight that a checkpoint of this configuration has."""
  return llama_layout.table(config, llama_layout.BODY, llama_layout.NORMS)
