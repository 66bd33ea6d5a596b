"""GPT-2: learned positions, layer norms, biases everywhere.

Source of the layout: GPT2LMHeadModel of Hugging Face transformers, whose Conv1D
weights are stored [in, out].
"""

from icl_graphs.models import config as config_lib
from icl_graphs.models.families import fields as fields_lib
from icl_graphs.models.families import llama_layout, weights

# Masks that early versions of transformers stored.
BUFFERS = (r"transformer\.h\.\d+\.attn\.(masked_)?bias",)
# Saved from the model without its output layer, as on the hub.
RENAMES = ((r"(?=(wte|wpe|h|ln_f)\.)", "transformer."),)


def translate(fields: fields_lib.Fields) -> config_lib.DecoderConfig:
  """Reads the fields of a GPT-2 `config.json`."""
  fields.only("scale_attn_by_inverse_layer_idx", False, None)
  # Scores are float32 here in any case.
  fields.boolean("reorder_and_upcast_attn", False)
  # Of classification heads, and of earlier versions of transformers.
  for name in (
    *("summary_activation", "summary_first_dropout", "summary_type"),
    *("summary_proj_to_labels", "summary_use_proj"),
    *("n_ctx", "n_special", "output_past", "predict_special_tokens"),
  ):
    fields.get(name)
  hidden_size = fields.integer("n_embd")
  num_heads = fields.integer("n_head")
  scaled = fields.boolean("scale_attn_weights", True)
  return config_lib.DecoderConfig(
    family="gpt2",
    vocab_size=fields.integer("vocab_size"),
    hidden_size=hidden_size,
    num_layers=fields.integer("n_layer"),
    num_heads=num_heads,
    num_kv_heads=num_heads,
    head_size=llama_layout.equal_heads(hidden_size, num_heads),
    mlp_size=fields.integer("n_inner", 4 * hidden_size),
    max_positions=fields.integer("n_positions", 1024),
    norm=config_lib.Norm(
      kind="layer",
      epsilon=fields.number("layer_norm_epsilon", 1e-5),
      bias=True,
      order="weight_first",
    ),
    activation=fields.activation("activation_function", "gelu_new"),
    gated=False,
    rope=None,
    learned_positions=True,
    scale=None if scaled else 1.0,
    qkv_bias=True,
    attention_output_bias=True,
    mlp_bias=True,
    tied=fields.boolean("tie_word_embeddings", True),
    initializer_range=fields.number("initializer_range", 0.02),
  )


# fmt: off
_QKV = ("transformer.h.{layer}.attn.c_attn.weight", "D (3 N H)")
_QKV_BIAS = ("transformer.h.{layer}.attn.c_attn.bias", "(3 N H)")
_ROWS = (
  ("transformer.wte.weight", "V D", "embedding", "V D"),
  ("transformer.wpe.weight", "P D", "positions", "P D"),
  ("transformer.h.{layer}.ln_1.weight", "D",
   "blocks/attention_norm/weight", "D"),
  ("transformer.h.{layer}.ln_1.bias", "D", "blocks/attention_norm/bias", "D"),
  (*_QKV, "blocks/attention/query/kernel", "D N H", 0),
  (*_QKV, "blocks/attention/key/kernel", "D N H", 1),
  (*_QKV, "blocks/attention/value/kernel", "D N H", 2),
  (*_QKV_BIAS, "blocks/attention/query/bias", "N H", 0),
  (*_QKV_BIAS, "blocks/attention/key/bias", "N H", 1),
  (*_QKV_BIAS, "blocks/attention/value/bias", "N H", 2),
  ("transformer.h.{layer}.attn.c_proj.weight", "(N H) D",
   "blocks/attention/output/kernel", "N H D"),
  ("transformer.h.{layer}.attn.c_proj.bias", "D",
   "blocks/attention/output/bias", "D"),
  ("transformer.h.{layer}.ln_2.weight", "D", "blocks/mlp_norm/weight", "D"),
  ("transformer.h.{layer}.ln_2.bias", "D", "blocks/mlp_norm/bias", "D"),
  ("transformer.h.{layer}.mlp.c_fc.weight", "D F",
   "blocks/mlp/up/kernel", "D F"),
  ("transformer.h.{layer}.mlp.c_fc.bias", "F", "blocks/mlp/up/bias", "F"),
  ("transformer.h.{layer}.mlp.c_proj.weight", "F D",
   "blocks/mlp/down/kernel", "F D"),
  ("transformer.h.{layer}.mlp.c_proj.bias", "D", "blocks/mlp/down/bias", "D"),
  ("transformer.ln_f.weight", "D", "final_norm/weight", "D"),
  ("transformer.ln_f.bias", "D", "final_norm/bias", "D"),
)
# fmt: on


def table(config: config_lib.DecoderConfig) -> tuple[weights.Weight, ...]:
  """Every weight that a checkpoint of this configuration has."""
  rows = tuple(weights.Weight(*row) for row in _ROWS)
  return (*rows, llama_layout.head(config, rows))
