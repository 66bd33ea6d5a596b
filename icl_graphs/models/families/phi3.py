"""Phi-3 and Phi-4-mini: Llama's architecture with fused projections.

Source of the layout: Phi3ForCausalLM of Hugging Face transformers.
"""

from icl_graphs.models import config as config_lib
from icl_graphs.models.families import fields as fields_lib
from icl_graphs.models.families import llama_layout, rope_fields, weights

BUFFERS = llama_layout.BUFFERS
RENAMES = llama_layout.RENAMES

# What longrope was called in earlier versions.
_ALIASES = {"su": "longrope", "yarn": "longrope"}


def translate(fields: fields_lib.Fields) -> config_lib.DecoderConfig:
  """Reads the fields of a Phi-3 `config.json`; a window is for all layers."""
  # Names the classes that transformers has too; their code is never run.
  fields.get("auto_map")
  for name in ("attention_bias", "mlp_bias", "lm_head_bias"):
    fields.only(name, False, None)
  # Written into Phi-4-mini's; other values would be another model.
  for name in ("full_attn_mod", "interpolate_factor"):
    fields.only(name, 1, None)
  sizes = llama_layout.sizes(fields, max_position_embeddings=4096)
  window = fields.nullable("sliding_window", fields.integer)
  return config_lib.DecoderConfig(
    family="phi3",
    **sizes,
    norm=config_lib.Norm(epsilon=fields.number("rms_norm_eps", 1e-5)),
    rope=rope_fields.read(
      fields,
      sizes["max_positions"],
      rotated=fields.number("partial_rotary_factor", 1.0),
      original=fields.integer("original_max_position_embeddings", 4096),
      aliases=_ALIASES,
    ),
    window=window,
    sliding=() if window is None else (True,) * sizes["num_layers"],
  )


# fmt: off
_QKV = ("model.layers.{layer}.self_attn.qkv_proj.weight",
        "(N H + K H + K H) D")
_GATE_UP = ("model.layers.{layer}.mlp.gate_up_proj.weight", "(F + F) D")
_FUSED = (
  (*_QKV, "blocks/attention/query/kernel", "D N H", 0),
  (*_QKV, "blocks/attention/key/kernel", "D K H", 1),
  (*_QKV, "blocks/attention/value/kernel", "D K H", 2),
  (*_GATE_UP, "blocks/mlp/gate/kernel", "D F", 0),
  (*_GATE_UP, "blocks/mlp/up/kernel", "D F", 1),
)
# fmt: on


def table(config: config_lib.DecoderConfig) -> tuple[weights.Weight, ...]:
  """Every weight that a checkpoint of this configuration has."""
  return llama_layout.table(
    config,
    llama_layout.EMBEDDING,
    _FUSED,
    llama_layout.ATTENTION_OUTPUT,
    llama_layout.DOWN,
    llama_layout.NORMS,
  )
