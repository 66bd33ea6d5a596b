"""config.json to DecoderConfig: what is read, and what is refused."""

import dataclasses
import json

import pytest

from icl_graphs import errors
from icl_graphs.models import config as config_lib
from icl_graphs.models import families, rope

# The published config.json of Llama-3.2-1B and of Llama-2-7b.
LLAMA_3_2_1B = {
  "architectures": ["LlamaForCausalLM"],
  "attention_bias": False,
  "attention_dropout": 0.0,
  "bos_token_id": 128000,
  "eos_token_id": 128001,
  "head_dim": 64,
  "hidden_act": "silu",
  "hidden_size": 2048,
  "initializer_range": 0.02,
  "intermediate_size": 8192,
  "max_position_embeddings": 131072,
  "mlp_bias": False,
  "model_type": "llama",
  "num_attention_heads": 32,
  "num_hidden_layers": 16,
  "num_key_value_heads": 8,
  "pretraining_tp": 1,
  "rms_norm_eps": 1e-05,
  "rope_scaling": {
    "factor": 32.0,
    "high_freq_factor": 4.0,
    "low_freq_factor": 1.0,
    "original_max_position_embeddings": 8192,
    "rope_type": "llama3",
  },
  "rope_theta": 500000.0,
  "tie_word_embeddings": True,
  "torch_dtype": "bfloat16",
  "transformers_version": "4.45.0.dev0",
  "use_cache": True,
  "vocab_size": 128256,
}
LLAMA_2_7B = {
  "_name_or_path": "meta-llama/Llama-2-7b-hf",
  "architectures": ["LlamaForCausalLM"],
  "bos_token_id": 1,
  "eos_token_id": 2,
  "hidden_act": "silu",
  "hidden_size": 4096,
  "initializer_range": 0.02,
  "intermediate_size": 11008,
  "max_position_embeddings": 4096,
  "model_type": "llama",
  "num_attention_heads": 32,
  "num_hidden_layers": 32,
  "num_key_value_heads": 32,
  "pretraining_tp": 1,
  "rms_norm_eps": 1e-05,
  "rope_scaling": None,
  "tie_word_embeddings": False,
  "torch_dtype": "float16",
  "transformers_version": "4.31.0.dev0",
  "use_cache": True,
  "vocab_size": 32000,
}
SMALL = {
  "model_type": "llama",
  "vocab_size": 11,
  "hidden_size": 8,
  "intermediate_size": 6,
  "num_hidden_layers": 2,
  "num_attention_heads": 4,
}


def _refusal(**changes):
  with pytest.raises(errors.InputError) as caught:
    families.translate(SMALL | changes)
  return str(caught.value)


def _parameters(config):
  return sum(
    len(row.names(config.num_layers)) * _product(row.shape(config.axis_sizes))
    for row in families.table(config)
    if row.copy_of is None
  )


def _product(shape):
  size = 1
  for axis in shape:
    size *= axis
  return size


@pytest.mark.parametrize(
  ("raw", "parameters"),
  [(LLAMA_3_2_1B, 1_235_814_400), (LLAMA_2_7B, 6_738_415_616)],
  ids=["Llama-3.2-1B", "Llama-2-7b"],
)
def test_published_configurations(raw, parameters):
  config = families.translate(raw)
  assert _parameters(config) == parameters
  assert config.norm_epsilon == 1e-5
  hash(config)


def test_llama_3_2_in_detail():
  config = families.translate(LLAMA_3_2_1B)
  assert config.rope == config_lib.Rope(
    kind="llama3",
    theta=500000.0,
    factor=32.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_positions=8192,
  )
  assert (config.num_kv_heads, config.head_size, config.tied) == (8, 64, True)


def test_absent_fields_take_transformers_defaults():
  config = families.translate(SMALL)
  assert config.num_kv_heads == 4 and config.head_size == 2
  assert config.rope == config_lib.Rope() and not config.tied
  assert config.max_positions == 2048 and config.norm_epsilon == 1e-6


def test_unknown_fields_are_all_named():
  message = _refusal(attn_logit_softcapping=50.0, sliding_window=4096)
  assert "attn_logit_softcapping" in message and "sliding_window" in message


@pytest.mark.parametrize(
  "changes",
  [
    {"hidden_act": "gelu"},
    {"pretraining_tp": 2},
    {"quantization_config": {"bits": 4}},
    {"auto_map": {"AutoModel": "evil.Model"}},
    {"is_encoder_decoder": True},
    {"vocab_size": None},
    {"vocab_size": "11"},
    {"vocab_size": True},
    {"vocab_size": 0},
    {"vocab_size": 2**40},
    {"hidden_size": 8.0},
    {"num_hidden_layers": 10**6},
    {"num_attention_heads": 0},
    {"num_attention_heads": -4},
    {"num_key_value_heads": 3},
    {"head_dim": 3},
    {"rms_norm_eps": -1e-5},
    {"rms_norm_eps": float("nan")},
    {"rms_norm_eps": 10**400},
    {"tie_word_embeddings": "yes"},
    {"rope_theta": 0},
    {"rope_theta": "big"},
    {"rope_scaling": "linear"},
    {"rope_scaling": {"rope_type": "linear"}},
    {"rope_scaling": {"type": "linear", "factor": "x"}},
    {"rope_scaling": {"type": "linear", "factor": 2.0, "mscale": 1.0}},
    {"rope_scaling": {"type": "linear", "factor": 2.0, "top_k": 1}},
    {"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}},
  ],
  ids=str,
)
def test_refused_values_are_named(changes):
  message = _refusal(**changes)
  (name,) = changes
  spoken = {
    "num_hidden_layers": "num_layers",
    "num_attention_heads": "num_heads",
    "num_key_value_heads": "key/value heads",
    "head_dim": "head size",
    "rms_norm_eps": "eps",
    "rope_theta": "theta",
  }
  assert name in message or spoken[name] in message


@pytest.mark.parametrize("kind", ["yarn", "dynamic", "longrope", "", 3, ["x"]])
@pytest.mark.parametrize("key", ["rope_type", "type"])
def test_unknown_rope_type(kind, key):
  message = _refusal(rope_scaling={key: kind, "factor": 2.0})
  assert repr(kind) in message and "RoPE" in message


def test_rope_forms_must_not_contradict_each_other():
  linear = {"rope_type": "linear", "factor": 2.0}
  assert "contradict" in _refusal(
    rope_scaling=linear, rope_parameters=linear | {"factor": 3.0}
  )
  assert "rope_theta" in _refusal(
    rope_theta=1e4, rope_parameters={"rope_theta": 1e5}
  )
  assert families.translate(
    SMALL | {"rope_theta": 1e5, "rope_parameters": {"rope_theta": 1e5}}
  ).rope == config_lib.Rope(theta=1e5)


@pytest.mark.parametrize("family", [None, "bert", 3, ["llama"]])
def test_unknown_family(family):
  message = _refusal(model_type=family)
  assert "model_type" in message and "llama" in message


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "\x00", "[" * 100_000])
def test_broken_file(tmp_path, text):
  (tmp_path / "config.json").write_text(text)
  with pytest.raises(errors.InputError, match="config.json"):
    families.read_config(tmp_path)


def test_missing_file(tmp_path):
  with pytest.raises(errors.InputError, match="config.json"):
    families.read_config(tmp_path)


def test_message_names_the_folder(tmp_path):
  (tmp_path / "config.json").write_text(json.dumps(SMALL | {"odd": 1}))
  with pytest.raises(errors.InputError, match=str(tmp_path)):
    families.read_config(tmp_path)


def test_unknown_precision():
  with pytest.raises(errors.InputError, match="precision"):
    dataclasses.replace(families.translate(SMALL), precision="low")


def test_llama3_scaling_leaves_short_wavelengths_alone():
  plain = rope.frequencies(config_lib.Rope(theta=5e5), 64)
  scaled = rope.frequencies(families.translate(LLAMA_3_2_1B).rope, 64)
  ratio = plain / scaled
  assert (ratio[:10] == 1).all() and (abs(ratio[-8:] - 32) < 1e-4).all()
  assert ((ratio > 1.01) & (ratio < 31.9)).any()
  assert (ratio[1:] >= ratio[:-1] - 1e-4).all()
