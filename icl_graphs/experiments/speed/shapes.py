"""Shapes of published models, by name, as their config.json has them.

Bookkeeping that changes no number is left out. `config` cuts the depth or the
vocabulary, so that a shape fits the machine.
"""

from typing import Any

from icl_graphs import errors

_LLAMA_ROPE = {
  "low_freq_factor": 1.0,
  "high_freq_factor": 4.0,
  "original_max_position_embeddings": 8192,
  "rope_type": "llama3",
}
_LLAMA_3 = {
  "model_type": "llama",
  "architectures": ["LlamaForCausalLM"],
  "hidden_act": "silu",
  "initializer_range": 0.02,
  "max_position_embeddings": 131072,
  "num_key_value_heads": 8,
  "rms_norm_eps": 1e-5,
  "rope_scaling": _LLAMA_ROPE | {"factor": 8.0},
  "rope_theta": 500000.0,
  "tie_word_embeddings": False,
  "vocab_size": 128256,
}
_GEMMA_2 = {
  "model_type": "gemma2",
  "architectures": ["Gemma2ForCausalLM"],
  "attn_logit_softcapping": 50.0,
  "final_logit_softcapping": 30.0,
  "head_dim": 256,
  "hidden_act": "gelu_pytorch_tanh",
  "hidden_activation": "gelu_pytorch_tanh",
  "initializer_range": 0.02,
  "max_position_embeddings": 8192,
  "num_key_value_heads": 4,
  "query_pre_attn_scalar": 256,
  "rms_norm_eps": 1e-6,
  "rope_theta": 10000.0,
  "sliding_window": 4096,
  "vocab_size": 256000,
}

SHAPES: dict[str, dict[str, Any]] = {
  "llama-3.2-1b": _LLAMA_3
  | {
    "head_dim": 64,
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_attention_heads": 32,
    "num_hidden_layers": 16,
    "rope_scaling": _LLAMA_ROPE | {"factor": 32.0},
    "tie_word_embeddings": True,
  },
  "llama-3.1-8b": _LLAMA_3
  | {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
  },
  "llama-3.1-70b": _LLAMA_3
  | {
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_attention_heads": 64,
    "num_hidden_layers": 80,
  },
  "llama-3.1-405b": _LLAMA_3
  | {
    "hidden_size": 16384,
    "intermediate_size": 53248,
    "num_attention_heads": 128,
    "num_hidden_layers": 126,
  },
  "gemma-2-2b": _GEMMA_2
  | {
    "hidden_size": 2304,
    "intermediate_size": 9216,
    "num_attention_heads": 8,
    "num_hidden_layers": 26,
  },
  "gemma-2-9b": _GEMMA_2
  | {
    "hidden_size": 3584,
    "intermediate_size": 14336,
    "num_attention_heads": 16,
    "num_hidden_layers": 42,
    "num_key_value_heads": 8,
  },
  "gemma-3-1b": {
    "model_type": "gemma3_text",
    "architectures": ["Gemma3ForCausalLM"],
    "head_dim": 256,
    "hidden_activation": "gelu_pytorch_tanh",
    "hidden_size": 1152,
    "initializer_range": 0.02,
    "intermediate_size": 6912,
    "max_position_embeddings": 32768,
    "num_attention_heads": 4,
    "num_hidden_layers": 26,
    "num_key_value_heads": 1,
    "query_pre_attn_scalar": 256,
    "rms_norm_eps": 1e-6,
    "rope_local_base_freq": 10000,
    "rope_theta": 1000000,
    "sliding_window": 512,
    "sliding_window_pattern": 6,
    "vocab_size": 262144,
  },
  "qwen2.5-7b": {
    "model_type": "qwen2",
    "architectures": ["Qwen2ForCausalLM"],
    "hidden_act": "silu",
    "hidden_size": 3584,
    "initializer_range": 0.02,
    "intermediate_size": 18944,
    "max_position_embeddings": 131072,
    "num_attention_heads": 28,
    "num_hidden_layers": 28,
    "num_key_value_heads": 4,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000.0,
    "tie_word_embeddings": False,
    "use_sliding_window": False,
    "vocab_size": 152064,
  },
  "qwen3-8b": {
    "model_type": "qwen3",
    "architectures": ["Qwen3ForCausalLM"],
    "head_dim": 128,
    "hidden_act": "silu",
    "hidden_size": 4096,
    "initializer_range": 0.02,
    "intermediate_size": 12288,
    "max_position_embeddings": 40960,
    "num_attention_heads": 32,
    "num_hidden_layers": 36,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000,
    "tie_word_embeddings": False,
    "use_sliding_window": False,
    "vocab_size": 151936,
  },
  "mistral-7b": {
    "model_type": "mistral",
    "architectures": ["MistralForCausalLM"],
    "hidden_act": "silu",
    "hidden_size": 4096,
    "initializer_range": 0.02,
    "intermediate_size": 14336,
    "max_position_embeddings": 32768,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-5,
    "rope_theta": 1000000.0,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "vocab_size": 32768,
  },
  "olmo-2-7b": {
    "model_type": "olmo2",
    "architectures": ["Olmo2ForCausalLM"],
    "hidden_act": "silu",
    "hidden_size": 4096,
    "initializer_range": 0.02,
    "intermediate_size": 11008,
    "max_position_embeddings": 4096,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 32,
    "rms_norm_eps": 1e-6,
    "rope_theta": 500000,
    "tie_word_embeddings": False,
    "vocab_size": 100352,
  },
  "pythia-1b": {
    "model_type": "gpt_neox",
    "architectures": ["GPTNeoXForCausalLM"],
    "hidden_act": "gelu",
    "hidden_size": 2048,
    "initializer_range": 0.02,
    "intermediate_size": 8192,
    "layer_norm_eps": 1e-5,
    "max_position_embeddings": 2048,
    "num_attention_heads": 8,
    "num_hidden_layers": 16,
    "rotary_emb_base": 10000,
    "rotary_pct": 0.25,
    "tie_word_embeddings": False,
    "use_parallel_residual": True,
    "vocab_size": 50304,
  },
  "gpt2": {
    "model_type": "gpt2",
    "architectures": ["GPT2LMHeadModel"],
    "activation_function": "gelu_new",
    "initializer_range": 0.02,
    "layer_norm_epsilon": 1e-5,
    "n_ctx": 1024,
    "n_embd": 768,
    "n_head": 12,
    "n_layer": 12,
    "n_positions": 1024,
    "vocab_size": 50257,
  },
}


def config(
  name: str, layers: int | None = None, vocab: int | None = None
) -> dict[str, Any]:
  """Content of config.json of a shape.

  Args:
    name: of `SHAPES`.
    layers: number of blocks; default that of the published model.
    vocab: size of the vocabulary; default that of the published model.

  Raises:
    InputError: an unknown name.
  """
  if name not in SHAPES:
    raise errors.InputError(
      f"unknown shape {name!r}; known: {', '.join(SHAPES)}"
    )
  shape = dict(SHAPES[name])
  if layers is not None:
    shape["n_layer" if "n_layer" in shape else "num_hidden_layers"] = layers
  if vocab is not None:
    shape["vocab_size"] = vocab
  return shape
