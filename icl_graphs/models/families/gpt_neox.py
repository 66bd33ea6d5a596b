"""GPT-NeoX and Pythia: parallel attention and MLP, part of a head rotates.

Source of the layout: GPTNeoXForCausalLM of Hugging Face transformers.
"""

from icl_graphs.models import config as config_lib
from icl_graphs.models.families import fields as fields_lib
from icl_graphs.models.families import llama_layout, rope_fields, weights

# Masks and frequencies that early versions of transformers stored.
BUFFERS = (
  r"gpt_neox\.layers\.\d+\.attention\.(masked_)?bias",
  r"gpt_neox\.layers\.\d+\.attention\.rotary_emb\.inv_freq",
)
# The name that transformers has given it since version 5.
RENAMES = ((r"lm_head\.", "embed_out."),)


def translate(fields: fields_lib.Fields) -> config_lib.DecoderConfig:
  """Reads the fields of a GPT-NeoX `config.json`."""
  # Fields of other families that transformers does not ask for here.
  for name in ("head_dim", "num_key_value_heads"):
    fields.only(name, None)
  sizes = llama_layout.sizes(
    fields, max_position_embeddings=2048, hidden_act="gelu"
  )
  attention_bias = fields.boolean("attention_bias", True)
  rotated = fields.number("rotary_pct", 0.25)
  # Versions 4.4x of transformers wrote both under two names each.
  for name, value in (
    ("rope_theta", fields.get("rotary_emb_base")),
    ("partial_rotary_factor", fields.get("rotary_pct")),
  ):
    fields.only(name, value, None)
  return config_lib.DecoderConfig(
    family="gpt_neox",
    **sizes,
    norm=config_lib.Norm(
      kind="layer",
      epsilon=fields.number("layer_norm_eps", 1e-5),
      bias=True,
      order="weight_first",
    ),
    parallel=fields.boolean("use_parallel_residual", True),
    gated=False,
    rope=rope_fields.read(
      fields,
      sizes["max_positions"],
      theta_name="rotary_emb_base",
      rotated=rotated,
    ),
    qkv_bias=attention_bias,
    attention_output_bias=attention_bias,
    mlp_bias=True,
  )


# fmt: off
_QKV = ("gpt_neox.layers.{layer}.attention.query_key_value.weight",
        "(N 3 H) D")
_QKV_BIAS = ("gpt_neox.layers.{layer}.attention.query_key_value.bias",
             "(N 3 H)")
_ROWS = (
  ("gpt_neox.embed_in.weight", "V D", "embedding", "V D"),
  ("gpt_neox.layers.{layer}.input_layernorm.weight", "D",
   "blocks/attention_norm/weight", "D"),
  ("gpt_neox.layers.{layer}.input_layernorm.bias", "D",
   "blocks/attention_norm/bias", "D"),
  (*_QKV, "blocks/attention/query/kernel", "D N H", 0),
  (*_QKV, "blocks/attention/key/kernel", "D N H", 1),
  (*_QKV, "blocks/attention/value/kernel", "D N H", 2),
  ("gpt_neox.layers.{layer}.attention.dense.weight", "D (N H)",
   "blocks/attention/output/kernel", "N H D"),
  ("gpt_neox.layers.{layer}.post_attention_layernorm.weight", "D",
   "blocks/mlp_norm/weight", "D"),
  ("gpt_neox.layers.{layer}.post_attention_layernorm.bias", "D",
   "blocks/mlp_norm/bias", "D"),
  ("gpt_neox.layers.{layer}.mlp.dense_h_to_4h.weight", "F D",
   "blocks/mlp/up/kernel", "D F"),
  ("gpt_neox.layers.{layer}.mlp.dense_h_to_4h.bias", "F",
   "blocks/mlp/up/bias", "F"),
  ("gpt_neox.layers.{layer}.mlp.dense_4h_to_h.weight", "D F",
   "blocks/mlp/down/kernel", "F D"),
  ("gpt_neox.layers.{layer}.mlp.dense_4h_to_h.bias", "D",
   "blocks/mlp/down/bias", "D"),
  ("gpt_neox.final_layer_norm.weight", "D", "final_norm/weight", "D"),
  ("gpt_neox.final_layer_norm.bias", "D", "final_norm/bias", "D"),
)
_ATTENTION_BIAS = (
  (*_QKV_BIAS, "blocks/attention/query/bias", "N H", 0),
  (*_QKV_BIAS, "blocks/attention/key/bias", "N H", 1),
  (*_QKV_BIAS, "blocks/attention/value/bias", "N H", 2),
  ("gpt_neox.layers.{layer}.attention.dense.bias", "D",
   "blocks/attention/output/bias", "D"),
)
# fmt: on


def table(config: config_lib.DecoderConfig) -> tuple[weights.Weight, ...]:
  """Every weight that a checkpoint of this configuration has."""
  named = (*_ROWS, *(_ATTENTION_BIAS if config.qkv_bias else ()))
  rows = tuple(weights.Weight(*row) for row in named)
  return (*rows, llama_layout.head(config, rows, "embed_out.weight"))
