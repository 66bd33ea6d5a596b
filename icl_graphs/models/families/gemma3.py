"""Gemma 3, its text part: Gemma 2 with normalised queries and keys.

One layer in six sees everything, with a RoPE of its own. Multimodal folders
keep the text settings in `text_config` and the text weights under a prefix.

Source of the layout: Gemma3ForCausalLM and Gemma3ForConditionalGeneration of
Hugging Face transformers.
"""

from icl_graphs import errors
from icl_graphs.models import config as config_lib
from icl_graphs.models.families import fields as fields_lib
from icl_graphs.models.families import (
  gemma2,
  llama_layout,
  rope_fields,
  weights,
)

# What sees images, and what brings it into the text.
BUFFERS = (
  *llama_layout.BUFFERS,
  r"(model\.)?(vision_tower|multi_modal_projector)\..*",
)
RENAMES = (
  # Multimodal, as transformers names it from version 4.52 on, and before.
  (r"model\.language_model\.", "model."),
  (r"language_model\.", ""),
)


def translate(fields: fields_lib.Fields) -> config_lib.DecoderConfig:
  """Reads the fields of a Gemma 3 `config.json`, text only or multimodal."""
  if fields.get("model_type") == "gemma3_text":
    return _text(fields)
  for name in (
    "vision_config",
    "mm_tokens_per_image",
    "boi_token_index",
    "eoi_token_index",
    "image_token_index",
    "initializer_range",
  ):
    fields.get(name)
  fields.only("tie_word_embeddings", True, None)
  text = fields_lib.Fields(
    fields.table("text_config"), "config.json: text_config"
  )
  if text.get("model_type") is None:
    raise errors.InputError(
      "config.json: model_type gemma3 needs a text_config with model_type"
      " gemma3_text"
    )
  text.only("model_type", "gemma3_text")
  text.only("tie_word_embeddings", True, None)
  # transformers caps logits of the text-only class alone.
  text.only("final_logit_softcapping", None)
  config = _text(text)
  text.finish_model()
  return config


def _text(fields: fields_lib.Fields) -> config_lib.DecoderConfig:
  # The pattern is kept beside layer_types, which say the same.
  fields.get("_sliding_window_pattern")
  # Ignored by transformers, so that nobody knows what it would mean.
  fields.only("attn_logit_softcapping", None)
  # Multimodal folders leave out what has its default.
  shared = gemma2.switches(
    fields,
    period=fields.integer("sliding_window_pattern", 6, least=1),
    vocab_size=262_208,
    hidden_size=2304,
    num_hidden_layers=26,
    num_attention_heads=8,
    num_key_value_heads=4,
    head_dim=256,
    intermediate_size=9216,
    max_position_embeddings=131_072,
  )
  rope, local_rope = _ropes(fields, shared["max_positions"])
  return config_lib.DecoderConfig(
    family="gemma3",
    **shared,
    qk_norm="head",
    rope=rope,
    local_rope=None if local_rope == rope else local_rope,
    logit_softcap=fields.nullable("final_logit_softcapping", fields.positive),
  )


def _ropes(
  fields: fields_lib.Fields, max_positions: int
) -> tuple[config_lib.Rope, config_lib.Rope]:
  """RoPE of layers that see everything, and of those that slide."""
  old = fields.table("rope_scaling")
  new = fields_lib.Fields(
    fields.table("rope_parameters"), "config.json: rope_parameters"
  )
  full, local = new.table("full_attention"), new.table("sliding_attention")
  new.finish()
  if old and full and old != full:
    raise errors.InputError(
      "config.json: rope_scaling and rope_parameters contradict each other;"
      " keep one"
    )
  return (
    rope_fields.parse(
      fields_lib.Fields(full or old, "config.json: RoPE of full attention"),
      fields,
      max_positions,
      theta=1_000_000.0,
    ),
    rope_fields.parse(
      fields_lib.Fields(local, "config.json: RoPE of sliding attention"),
      fields,
      max_positions,
      theta_name="rope_local_base_freq",
      theta=10_000.0,
    ),
  )


def table(config: config_lib.DecoderConfig) -> tuple[weights.Weight, ...]:
  """Every weight that the text part of a checkpoint has."""
  return llama_layout.table(
    config, llama_layout.BODY, gemma2.NORMS, llama_layout.HEAD_NORMS
  )
