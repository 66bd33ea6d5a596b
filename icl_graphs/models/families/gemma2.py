"""Gemma 2: norms before and after, softcaps, every other layer slides.

Source of the layout: Gemma2ForCausalLM of Hugging Face transformers.
"""

from typing import Any

from icl_graphs.models import config as config_lib
from icl_graphs.models.families import fields as fields_lib
from icl_graphs.models.families import llama_layout, rope_fields, weights

BUFFERS = llama_layout.BUFFERS
RENAMES = llama_layout.RENAMES


def translate(fields: fields_lib.Fields) -> config_lib.DecoderConfig:
  """Reads the fields of a Gemma 2 `config.json`."""
  # An earlier name of sliding_window, which stands beside it.
  fields.get("sliding_window_size")
  shared = switches(
    fields,
    period=2,
    max_position_embeddings=8192,
    num_key_value_heads=4,
    head_dim=256,
  )
  return config_lib.DecoderConfig(
    family="gemma2",
    **shared,
    rope=rope_fields.read(fields, shared["max_positions"]),
    attention_softcap=fields.nullable(
      "attn_logit_softcapping", fields.positive, 50.0
    ),
    logit_softcap=fields.nullable(
      "final_logit_softcapping", fields.positive, 30.0
    ),
  )


def switches(
  fields: fields_lib.Fields, period: int, **defaults: Any
) -> dict[str, Any]:
  """What Gemma 2 and 3 share, for a `DecoderConfig`.

  Args:
    fields: of the configuration.
    period: layers of which the last one does not slide, where layer_types does
      not say.
    **defaults: see `llama_layout.sizes`.
  """
  fields.only("use_bidirectional_attention", None, False)
  sizes = llama_layout.sizes(fields, tie_word_embeddings=True, **defaults)
  attention_bias = fields.boolean("attention_bias", False)
  slides = [bool((i + 1) % period) for i in range(sizes["num_layers"])]
  return sizes | {
    # hidden_act may stand beside it and is not what transformers computes.
    "activation": fields.activation("hidden_activation", "gelu_pytorch_tanh"),
    "norm": config_lib.Norm(
      epsilon=fields.number("rms_norm_eps", 1e-6), order="one_plus_weight"
    ),
    "norm_placement": "both",
    "embedding_scale": sizes["hidden_size"] ** 0.5,
    "scale": fields.positive("query_pre_attn_scalar", 256.0) ** -0.5,
    "window": fields.nullable("sliding_window", fields.integer, 4096),
    "sliding": llama_layout.sliding(fields, slides),
    "qkv_bias": attention_bias,
    "attention_output_bias": attention_bias,
  }


# fmt: off
NORMS = (
  ("model.layers.{layer}.input_layernorm.weight", "D",
   "blocks/attention_norm/weight", "D"),
  ("model.layers.{layer}.post_attention_layernorm.weight", "D",
   "blocks/attention_post_norm/weight", "D"),
  ("model.layers.{layer}.pre_feedforward_layernorm.weight", "D",
   "blocks/mlp_norm/weight", "D"),
  ("model.layers.{layer}.post_feedforward_layernorm.weight", "D",
   "blocks/mlp_post_norm/weight", "D"),
  *llama_layout.FINAL_NORM,
)
# fmt: on


def table(config: config_lib.DecoderConfig) -> tuple[weights.Weight, ...]:
  """Every weight that a checkpoint of this configuration has."""
  return llama_layout.table(config, llama_layout.BODY, NORMS)
