"""Random tiny models as transformers builds, saves and runs them."""

import copy
import json
import pathlib
from typing import Any

import numpy as np
import torch
import transformers

# A share of two; three layers, so that first, middle and last differ.
SHAPE = {
  "vocab_size": 101,
  "hidden_size": 48,
  "intermediate_size": 80,
  "num_hidden_layers": 3,
  "num_attention_heads": 4,
  "num_key_value_heads": 2,
  "max_position_embeddings": 4608,
  "tie_word_embeddings": False,
}
_GPT2_SHAPE = {
  "vocab_size": 101,
  "n_embd": 48,
  "n_inner": 80,
  "n_layer": 3,
  "n_head": 4,
  "n_positions": 2304,
  "layer_norm_epsilon": 0.01,
  "reorder_and_upcast_attn": True,
}
_WINDOW = {"sliding_window": 37}
# Far from any default, and large enough to be seen.
_RMS = {"rms_norm_eps": 0.01}
# Gemma's caps are reached by few scores; lower ones, by most.
_CAPS = {"attn_logit_softcapping": 3.0, "final_logit_softcapping": 4.0}
_VISION = {
  "model_type": "siglip_vision_model",
  "hidden_size": 16,
  "intermediate_size": 16,
  "num_hidden_layers": 1,
  "num_attention_heads": 2,
  "image_size": 28,
  "patch_size": 14,
}

_LLAMA3 = {
  "rope_type": "llama3",
  "rope_theta": 10_000.0,
  "factor": 8.0,
  "low_freq_factor": 1.0,
  "high_freq_factor": 4.0,
  # Short, so that all three regions of wavelengths occur in a small head.
  "original_max_position_embeddings": 256,
}
_YARN = {
  "rope_type": "yarn",
  "rope_theta": 10_000.0,
  "factor": 4.0,
  "original_max_position_embeddings": 512,
}
_LONGROPE = {
  "rope_type": "longrope",
  "short_factor": [1.0, 1.1, 1.2, 1.4, 1.7, 2.1],
  "long_factor": [1.0, 1.5, 2.5, 4.0, 7.0, 11.0],
}
_GEMMA3_ROPE = {
  "full_attention": {
    "rope_type": "linear",
    "rope_theta": 1_000_000.0,
    "factor": 8.0,
  },
  "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
}

_HEADS = {"head_dim": 16}
_TIED = {"tie_word_embeddings": True}

# One model per family, with the switches that its real models have.
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
  "llama": ("Llama", SHAPE | _RMS | _HEADS | {"rope_parameters": _LLAMA3}),
  "mistral": ("Mistral", SHAPE | _RMS | _HEADS | _WINDOW),
  "qwen2": (
    "Qwen2",
    SHAPE
    | _RMS
    | _WINDOW
    | {"use_sliding_window": True, "max_window_layers": 1},
  ),
  "qwen3": (
    "Qwen3",
    SHAPE | _RMS | _HEADS | _TIED | {"rope_parameters": _YARN},
  ),
  "gemma": (
    "Gemma",
    SHAPE
    | _RMS
    | _HEADS
    | _TIED
    | {"num_key_value_heads": 1, "hidden_act": "gelu"},
  ),
  "gemma2": (
    "Gemma2",
    SHAPE
    | _RMS
    | _HEADS
    | _TIED
    | _WINDOW
    | _CAPS
    | {"query_pre_attn_scalar": 10},
  ),
  "gemma3": (
    "Gemma3Text",
    SHAPE
    | _RMS
    | _HEADS
    | _TIED
    | _WINDOW
    | {
      "query_pre_attn_scalar": 10,
      "sliding_window_pattern": 2,
      "rope_parameters": _GEMMA3_ROPE,
    },
  ),
  "gpt2": ("GPT2", _GPT2_SHAPE),
  "gpt_neox": (
    "GPTNeoX",
    {name: SHAPE[name] for name in SHAPE if "key_value" not in name}
    | {"hidden_size": 64, "layer_norm_eps": 0.01},
  ),
  "olmo": ("Olmo", SHAPE | {"clip_qkv": 1.5}),
  "olmo2": ("Olmo2", SHAPE | _RMS),
  "phi3": (
    "Phi3",
    SHAPE
    | _RMS
    | {
      "hidden_size": 64,
      "pad_token_id": 0,
      "partial_rotary_factor": 0.75,
      # Beyond this length the long factors count.
      "original_max_position_embeddings": 1000,
      "rope_parameters": _LONGROPE,
    },
  ),
}


def build(family: str, **switches) -> transformers.PreTrainedModel:
  """A model of a family whose every parameter matters.

  Weights are large enough that attention is far from uniform, norms and biases
  away from their initial ones and zeros.
  """
  name, shape = FAMILIES[family]
  config = getattr(transformers, f"{name}Config")(
    # transformers writes into what it is given.
    **copy.deepcopy(shape | switches),
    attn_implementation="eager",
  )
  return randomised(transformers.AutoModelForCausalLM.from_config(config))


def llama(**switches) -> transformers.PreTrainedModel:
  """A Llama; see `build`."""
  return build("llama", **switches)


def multimodal_gemma3() -> transformers.PreTrainedModel:
  """A Gemma 3 that sees images too."""
  _, shape = FAMILIES["gemma3"]
  config = transformers.Gemma3Config(
    text_config=copy.deepcopy(shape),
    vision_config=copy.deepcopy(_VISION),
    mm_tokens_per_image=4,
    attn_implementation="eager",
  )
  return randomised(transformers.Gemma3ForConditionalGeneration(config))


def randomised(model):
  torch.manual_seed(0)
  decoder = model.get_decoder()
  # Embeddings are multiplied by it later.
  scale = getattr(model.get_input_embeddings(), "scalar_embed_scale", 1.0)
  if isinstance(decoder, transformers.OlmoModel):
    # Hardly larger than the epsilon of OLMo 1, which no configuration sets.
    scale = 100.0
  # Gemma multiplies by one plus the weight.
  plus = "Gemma" in type(decoder).__name__
  with torch.no_grad():
    for name, parameter in model.named_parameters():
      if name.endswith("bias"):
        parameter.normal_(std=0.5)
      elif parameter.ndim == 1:
        parameter.uniform_(-0.5, 0.5).add_(0 if plus else 1)
      elif any(word in name for word in ("embed", "wte", "wpe")):
        parameter.normal_(std=1 / scale)
      elif parameter.ndim == 2:
        conv = any(word in name for word in ("c_attn", "c_proj", "c_fc"))
        parameter.normal_(std=1.5 * parameter.shape[0 if conv else 1] ** -0.5)
  return model.eval()


def save(
  model, folder: pathlib.Path, old_form: bool = False, **save_options
) -> pathlib.Path:
  """Lets transformers write a model folder; returns it."""
  model.save_pretrained(folder, **save_options)
  if old_form:
    path = folder / "config.json"
    path.write_text(json.dumps(as_hub(json.loads(path.read_text()))))
  return folder


def as_hub(config: dict[str, Any]) -> dict[str, Any]:
  """A config.json of transformers 5 in the form that earlier versions wrote."""
  config = dict(config)
  if "text_config" in config:
    return config | {"text_config": as_hub(config["text_config"])}
  config.pop("layer_types", None)
  scaling = config.pop("rope_parameters", None)
  family = config["model_type"]
  if scaling is None:
    return config
  if family == "gemma3_text":
    config["sliding_window_pattern"] = config.pop("_sliding_window_pattern")
    local = scaling["sliding_attention"]
    config["rope_local_base_freq"] = local["rope_theta"]
    scaling = dict(scaling["full_attention"])
  theta = scaling.pop("rope_theta")
  config["rotary_emb_base" if family == "gpt_neox" else "rope_theta"] = theta
  if "partial_rotary_factor" in scaling:
    name = "rotary_pct" if family == "gpt_neox" else "partial_rotary_factor"
    config[name] = scaling.pop("partial_rotary_factor")
  if family == "phi3":
    scaling.pop("original_max_position_embeddings", None)
  if scaling["rope_type"] == "default":
    scaling = None
  elif family != "gemma3_text":
    # Its oldest name, which Gemma 3 never had.
    scaling["type"] = scaling.pop("rope_type")
  config["rope_scaling"] = scaling
  return config


def load(folder: pathlib.Path, dtype: torch.dtype):
  """A saved model as transformers runs it in this dtype."""
  return transformers.AutoModelForCausalLM.from_pretrained(
    folder, dtype=dtype, attn_implementation="eager"
  ).eval()


def run(model, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Hidden states [L + 1, B, T, D] before the final norm, final, logits."""
  decoder = model.get_decoder()
  layers = decoder.h if hasattr(decoder, "h") else decoder.layers
  norm = next(
    getattr(decoder, name)
    for name in ("norm", "ln_f", "final_layer_norm")
    if hasattr(decoder, name)
  )
  hidden, final = [], []
  hooks = [
    # Layers may be given their input by position or by name.
    layers[0].register_forward_pre_hook(
      lambda _, args, names: hidden.append(
        args[0] if args else names["hidden_states"]
      ),
      with_kwargs=True,
    ),
    norm.register_forward_hook(lambda _, __, output: final.append(output)),
    *(
      layer.register_forward_hook(
        lambda _, __, output: hidden.append(
          output[0] if isinstance(output, tuple) else output
        )
      )
      for layer in layers
    ),
  ]
  with torch.no_grad():
    logits = model(torch.from_numpy(tokens).long(), use_cache=False).logits
  for hook in hooks:
    hook.remove()
  return (
    torch.stack(hidden).float().numpy(),
    final[0].float().numpy(),
    logits.float().numpy(),
  )
