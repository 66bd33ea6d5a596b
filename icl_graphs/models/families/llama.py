"""Llama 2, 3, 3.1, 3.2 and models that share their architecture.

Source of the layout: LlamaForCausalLM of Hugging Face transformers.
"""

from icl_graphs.models import config as config_lib
from icl_graphs.models.families import fields as fields_lib
from icl_graphs.models.families import rope_fields, weights


def translate(fields: fields_lib.Fields) -> config_lib.DecoderConfig:
  """Reads the fields of a Llama `config.json`; defaults are transformers'."""
  fields.only("hidden_act", "silu")
  fields.only("pretraining_tp", 1, None)
  # Written by exporters of Llama-shaped models; other values are other models.
  fields.only("rope_interleaved", False, None)
  fields.only("is_llama_config", True, None)
  hidden_size = fields.integer("hidden_size")
  num_heads = fields.integer("num_attention_heads")
  attention_bias = fields.boolean("attention_bias", False)
  max_positions = fields.integer("max_position_embeddings", 2048)
  return config_lib.DecoderConfig(
    family="llama",
    vocab_size=fields.integer("vocab_size"),
    hidden_size=hidden_size,
    num_layers=fields.integer("num_hidden_layers"),
    num_heads=num_heads,
    num_kv_heads=fields.integer("num_key_value_heads", num_heads),
    head_size=fields.integer("head_dim", hidden_size // max(num_heads, 1)),
    mlp_size=fields.integer("intermediate_size"),
    max_positions=max_positions,
    norm=config_lib.Norm(epsilon=fields.number("rms_norm_eps", 1e-6)),
    activation="silu",
    rope=rope_fields.read(fields, max_positions),
    qkv_bias=attention_bias,
    attention_output_bias=attention_bias,
    mlp_bias=fields.boolean("mlp_bias", False),
    tied=fields.boolean("tie_word_embeddings", False),
    initializer_range=fields.number("initializer_range", 0.02),
  )


# Buffers that some checkpoints store although they follow from the config.
BUFFERS = (r"model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq",)

# fmt: off
_TABLE = (
  # name in the checkpoint, its axes, our path, our axes
  ("model.embed_tokens.weight", "V D", "embedding", "V D"),
  ("model.layers.{layer}.input_layernorm.weight", "D",
   "blocks/attention_norm/weight", "D"),
  ("model.layers.{layer}.self_attn.q_proj.weight", "(N H) D",
   "blocks/attention/query/kernel", "D N H"),
  ("model.layers.{layer}.self_attn.k_proj.weight", "(K H) D",
   "blocks/attention/key/kernel", "D K H"),
  ("model.layers.{layer}.self_attn.v_proj.weight", "(K H) D",
   "blocks/attention/value/kernel", "D K H"),
  ("model.layers.{layer}.self_attn.o_proj.weight", "D (N H)",
   "blocks/attention/output/kernel", "N H D"),
  ("model.layers.{layer}.post_attention_layernorm.weight", "D",
   "blocks/mlp_norm/weight", "D"),
  ("model.layers.{layer}.mlp.gate_proj.weight", "F D",
   "blocks/mlp/gate/kernel", "D F"),
  ("model.layers.{layer}.mlp.up_proj.weight", "F D",
   "blocks/mlp/up/kernel", "D F"),
  ("model.layers.{layer}.mlp.down_proj.weight", "D F",
   "blocks/mlp/down/kernel", "F D"),
  ("model.norm.weight", "D", "final_norm/weight", "D"),
)
_QKV_BIAS = (
  ("model.layers.{layer}.self_attn.q_proj.bias", "(N H)",
   "blocks/attention/query/bias", "N H"),
  ("model.layers.{layer}.self_attn.k_proj.bias", "(K H)",
   "blocks/attention/key/bias", "K H"),
  ("model.layers.{layer}.self_attn.v_proj.bias", "(K H)",
   "blocks/attention/value/bias", "K H"),
)
_OUTPUT_BIAS = (
  ("model.layers.{layer}.self_attn.o_proj.bias", "D",
   "blocks/attention/output/bias", "D"),
)
_MLP_BIAS = (
  ("model.layers.{layer}.mlp.gate_proj.bias", "F", "blocks/mlp/gate/bias", "F"),
  ("model.layers.{layer}.mlp.up_proj.bias", "F", "blocks/mlp/up/bias", "F"),
  ("model.layers.{layer}.mlp.down_proj.bias", "D", "blocks/mlp/down/bias", "D"),
)
_HEAD = ("lm_head.weight", "V D", "unembedding", "V D")
# fmt: on


def table(config: config_lib.DecoderConfig) -> tuple[weights.Weight, ...]:
  """Every weight that a checkpoint of this configuration has."""
  rows = list(_TABLE)
  if config.qkv_bias:
    rows += _QKV_BIAS
  if config.attention_output_bias:
    rows += _OUTPUT_BIAS
  if config.mlp_bias:
    rows += _MLP_BIAS
  copy_of = "model.embed_tokens.weight" if config.tied else None
  head = weights.Weight(*_HEAD, copy_of=copy_of)
  return (*(weights.Weight(*row) for row in rows), head)
