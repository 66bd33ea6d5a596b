"""Names that Llama gave to fields and weights, and that most families share.

A family takes the groups of rows it has; see `qwen3.py` for a short example.
"""

from typing import Any

from icl_graphs import errors
from icl_graphs.models import config as config_lib
from icl_graphs.models.families import fields as fields_lib
from icl_graphs.models.families import weights

_LAYER_TYPES = ("full_attention", "sliding_attention")


def sizes(fields: fields_lib.Fields, **defaults: Any) -> dict[str, Any]:
  """What every family reads under the same names, for a `DecoderConfig`.

  Args:
    fields: of the configuration.
    **defaults: of this family in transformers, by field name; what has none is
      required.
  """

  def integer(name):
    return fields.integer(name, defaults.get(name))

  hidden_size, num_heads = (
    integer("hidden_size"),
    integer("num_attention_heads"),
  )
  shared = fields.nullable(
    "num_key_value_heads",
    fields.integer,
    defaults.get("num_key_value_heads"),
  )
  if "head_dim" in defaults or fields.get("head_dim") is not None:
    head_size = integer("head_dim")
  else:
    head_size = equal_heads(hidden_size, num_heads)
  return {
    "vocab_size": integer("vocab_size"),
    "hidden_size": hidden_size,
    "num_layers": fields.integer(
      "num_hidden_layers",
      defaults.get("num_hidden_layers"),
      # What is listed by layer stays small even for nonsense.
      most=config_lib.MAX_LAYERS,
    ),
    "num_heads": num_heads,
    # Null means as many as heads; absent, what the family says.
    "num_kv_heads": num_heads if shared is None else shared,
    "head_size": head_size,
    "mlp_size": integer("intermediate_size"),
    "max_positions": integer("max_position_embeddings"),
    "activation": fields.activation(
      "hidden_act", defaults.get("hidden_act", "silu")
    ),
    "tied": fields.boolean(
      "tie_word_embeddings", defaults.get("tie_word_embeddings", False)
    ),
    "initializer_range": fields.number("initializer_range", 0.02),
  }


def equal_heads(hidden_size: int, num_heads: int) -> int:
  """Size of a head where the heads share the width.

  Raises:
    errors.InputError: they cannot.
  """
  # An impossible number of heads is for the configuration to refuse.
  size, rest = divmod(hidden_size, max(num_heads, 1))
  if rest:
    raise errors.InputError(
      f"config.json: a width of {hidden_size} cannot be shared by {num_heads}"
      " heads; correct either, or give head_dim where the family has it"
    )
  return size


def sliding(fields: fields_lib.Fields, default: list[bool]) -> tuple[bool, ...]:
  """Per layer, whether it slides; empty where none does.

  Args:
    fields: of the configuration; its `layer_types` decide where given.
    default: by layer.
  """
  types = fields.choices("layer_types", _LAYER_TYPES)
  slides = default
  if types is not None:
    slides = [one == "sliding_attention" for one in types]
  # A wrong length is for the configuration to refuse.
  return tuple(slides) if any(slides) or len(slides) != len(default) else ()


# fmt: off
# Name in the checkpoint, its axes, our path, our axes, part of a fused array.
EMBEDDING = (
  ("model.embed_tokens.weight", "V D", "embedding", "V D"),
)
ATTENTION = (
  ("model.layers.{layer}.self_attn.q_proj.weight", "(N H) D",
   "blocks/attention/query/kernel", "D N H"),
  ("model.layers.{layer}.self_attn.k_proj.weight", "(K H) D",
   "blocks/attention/key/kernel", "D K H"),
  ("model.layers.{layer}.self_attn.v_proj.weight", "(K H) D",
   "blocks/attention/value/kernel", "D K H"),
)
ATTENTION_OUTPUT = (
  ("model.layers.{layer}.self_attn.o_proj.weight", "D (N H)",
   "blocks/attention/output/kernel", "N H D"),
)
QKV_BIAS = (
  ("model.layers.{layer}.self_attn.q_proj.bias", "(N H)",
   "blocks/attention/query/bias", "N H"),
  ("model.layers.{layer}.self_attn.k_proj.bias", "(K H)",
   "blocks/attention/key/bias", "K H"),
  ("model.layers.{layer}.self_attn.v_proj.bias", "(K H)",
   "blocks/attention/value/bias", "K H"),
)
ATTENTION_OUTPUT_BIAS = (
  ("model.layers.{layer}.self_attn.o_proj.bias", "D",
   "blocks/attention/output/bias", "D"),
)
# Queries and keys normalised per head (Qwen 3, Gemma 3).
HEAD_NORMS = (
  ("model.layers.{layer}.self_attn.q_norm.weight", "H",
   "blocks/attention/query_norm/weight", "H"),
  ("model.layers.{layer}.self_attn.k_norm.weight", "H",
   "blocks/attention/key_norm/weight", "H"),
)
GATE_AND_UP = (
  ("model.layers.{layer}.mlp.gate_proj.weight", "F D",
   "blocks/mlp/gate/kernel", "D F"),
  ("model.layers.{layer}.mlp.up_proj.weight", "F D",
   "blocks/mlp/up/kernel", "D F"),
)
DOWN = (
  ("model.layers.{layer}.mlp.down_proj.weight", "D F",
   "blocks/mlp/down/kernel", "F D"),
)
MLP_BIAS = (
  ("model.layers.{layer}.mlp.gate_proj.bias", "F", "blocks/mlp/gate/bias", "F"),
  ("model.layers.{layer}.mlp.up_proj.bias", "F", "blocks/mlp/up/bias", "F"),
  ("model.layers.{layer}.mlp.down_proj.bias", "D", "blocks/mlp/down/bias", "D"),
)
FINAL_NORM = (
  ("model.norm.weight", "D", "final_norm/weight", "D"),
)
NORMS = (
  *FINAL_NORM,
  ("model.layers.{layer}.input_layernorm.weight", "D",
   "blocks/attention_norm/weight", "D"),
  # After attention in the block, but in front of the MLP.
  ("model.layers.{layer}.post_attention_layernorm.weight", "D",
   "blocks/mlp_norm/weight", "D"),
)
# fmt: on

# All that is not a norm or a bias.
BODY = (*EMBEDDING, *ATTENTION, *ATTENTION_OUTPUT, *GATE_AND_UP, *DOWN)

# Stored by some checkpoints although it follows from the configuration.
BUFFERS = (r"model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq",)
RENAMES = ()


def table(
  config: config_lib.DecoderConfig, *groups: tuple
) -> tuple[weights.Weight, ...]:
  """The rows of these groups, of the biases that there are, and of the head."""
  rows = [row for group in groups for row in group]
  if config.qkv_bias:
    rows += QKV_BIAS
  if config.attention_output_bias:
    rows += ATTENTION_OUTPUT_BIAS
  if config.mlp_bias:
    rows += MLP_BIAS
  found = tuple(weights.Weight(*row) for row in rows)
  return (*found, head(config, found))


def head(
  config: config_lib.DecoderConfig,
  rows: tuple[weights.Weight, ...],
  name: str = "lm_head.weight",
) -> weights.Weight:
  """The output layer, which may repeat the embedding where it is tied."""
  embedding = next(row.name for row in rows if row.path == "embedding")
  return weights.Weight(
    name,
    "V D",
    "unembedding",
    "V D",
    copy_of=embedding if config.tied else None,
  )
