"""OLMo 2: norms after attention and MLP, and on whole queries and keys.

Source of the layout: Olmo2ForCausalLM of Hugging Face transformers.
"""

from icl_graphs.models import config as config_lib
from icl_graphs.models.families import fields as fields_lib
from icl_graphs.models.families import llama_layout, rope_fields, weights

BUFFERS = llama_layout.BUFFERS
RENAMES = llama_layout.RENAMES


def translate(fields: fields_lib.Fields) -> config_lib.DecoderConfig:
  """Reads the fields of an OLMo 2 `config.json`."""
  sizes = llama_layout.sizes(fields, max_position_embeddings=2048)
  attention_bias = fields.boolean("attention_bias", False)
  return config_lib.DecoderConfig(
    family="olmo2",
    **sizes,
    norm=config_lib.Norm(
      epsilon=fields.number("rms_norm_eps", 1e-5), order="weight_first"
    ),
    norm_placement="post",
    qk_norm="projection",
    rope=rope_fields.read(fields, sizes["max_positions"]),
    qkv_bias=attention_bias,
    attention_output_bias=attention_bias,
  )


# fmt: off
_NORMS = (
  ("model.layers.{layer}.post_attention_layernorm.weight", "D",
   "blocks/attention_post_norm/weight", "D"),
  ("model.layers.{layer}.post_feedforward_layernorm.weight", "D",
   "blocks/mlp_post_norm/weight", "D"),
  ("model.layers.{layer}.self_attn.q_norm.weight", "(N H)",
   "blocks/attention/query_norm/weight", "N H"),
  ("model.layers.{layer}.self_attn.k_norm.weight", "(K H)",
   "blocks/attention/key_norm/weight", "K H"),
)
# fmt: on


def table(config: config_lib.DecoderConfig) -> tuple[weights.Weight, ...]:
  """Every weight that a checkpoint of this configuration has."""
  return llama_layout.table(
    config, llama_layout.BODY, llama_layout.FINAL_NORM, _NORMS
  )
