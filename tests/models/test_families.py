"""config.json to DecoderConfig: what is read, and what is refused."""

import dataclasses
import json

import published
import pytest

from icl_graphs import errors
from icl_graphs.models import config as config_lib
from icl_graphs.models import families

# Small enough to change any field.
SMALL = {
  "model_type": "llama",
  "vocab_size": 11,
  "hidden_size": 8,
  "intermediate_size": 6,
  "num_hidden_layers": 2,
  "num_attention_heads": 4,
}


def _refusal(_raw=SMALL, **changes):
  with pytest.raises(errors.InputError) as caught:
    families.translate(_raw | changes)
  return str(caught.value)


def test_absent_fields_take_transformers_defaults():
  config = families.translate(SMALL)
  assert config.num_kv_heads == 4 and config.head_size == 2
  assert config.rope == config_lib.Rope() and not config.tied
  assert config.max_positions == 2048 and config.norm.epsilon == 1e-6


def test_unknown_fields_are_all_named():
  message = _refusal(attn_logit_softcapping=50.0, sliding_window=4096)
  assert "attn_logit_softcapping" in message and "sliding_window" in message


@pytest.mark.parametrize(
  "changes",
  [
    {"hidden_act": "quick_gelu"},
    {"hidden_act": 3},
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


@pytest.mark.parametrize(
  ("model", "changes"),
  [
    ("Mistral-7B-v0.1", {"layer_types": ["full_attention"] * 32}),
    ("Mistral-7B-v0.1", {"sliding_window": 0}),
    ("Qwen2.5-7B", {"use_mrope": True}),
    ("Qwen2.5-7B", {"layer_types": ["full_attention"] * 27}),
    ("Qwen2.5-7B", {"layer_types": ["chunked_attention"] * 28}),
    ("Qwen2.5-7B", {"layer_types": ["sliding_attention"] * 28}),
    ("gemma-2b", {"hidden_activation": "relu"}),
    ("gemma-2b", {"use_bidirectional_attention": True}),
    ("gemma-2-2b", {"use_bidirectional_attention": True}),
    ("gemma-2-2b", {"query_pre_attn_scalar": 0}),
    ("gemma-2-2b", {"final_logit_softcapping": 0.0}),
    ("gemma-2-2b", {"sliding_window": None}),
    ("gemma-3-1b-pt", {"use_bidirectional_attention": True}),
    ("gemma-3-1b-pt", {"attn_logit_softcapping": 50.0}),
    ("gemma-3-1b-pt", {"sliding_window_pattern": 0}),
    ("gemma-3-1b-pt", {"rope_parameters": {"rope_theta": 1e4}}),
    ("gemma-3-4b-pt", {"text_config": None}),
    ("gemma-3-4b-pt", {"text_config": {"model_type": "llama"}}),
    ("gemma-3-4b-pt", {"text_config": {"final_logit_softcapping": 9.0}}),
    ("gemma-3-4b-pt", {"text_config": {"odd_field": 9.0}}),
    ("gemma-3-4b-pt", {"tie_word_embeddings": False}),
    ("gpt2", {"scale_attn_by_inverse_layer_idx": True}),
    ("gpt2", {"add_cross_attention": True}),
    ("gpt2", {"n_head": 7}),
    ("pythia-70m", {"rotary_pct": 0.3}),
    ("pythia-70m", {"rope_theta": 500}),
    ("pythia-70m", {"partial_rotary_factor": 0.5}),
    ("OLMo-7B-hf", {"clip_qkv": -1.0}),
    ("OLMo-2-1124-7B", {"norm_after": True}),
    ("Phi-3-mini-4k-instruct", {"attention_bias": True}),
  ],
  ids=str,
)
def test_what_would_change_the_numbers_is_refused(model, changes):
  message = _refusal(published.MODELS[model], **changes)
  (name,) = changes
  nested = changes[name] if isinstance(changes[name], dict) else {}
  heads = ["head", "window", "layer types", "rotate", "sliding"]
  assert any(word in message for word in [name, *nested, *heads]), message


def test_qwen_windows_are_for_upper_layers():
  raw = published.MODELS["Qwen2.5-7B"] | {
    "sliding_window": 99,
    "max_window_layers": 20,
  }
  assert not any(families.translate(raw).sliding)
  config = families.translate(raw | {"use_sliding_window": True})
  assert config.window == 99
  assert config.sliding == (False,) * 20 + (True,) * 8
  config = families.translate(
    raw
    | {
      "use_sliding_window": True,
      "layer_types": ["sliding_attention"] + ["full_attention"] * 27,
    }
  )
  assert config.sliding == (True,) + (False,) * 27


ODD = (
  *(None, True, False, 0, 1, -1, 3, 2**31, 10**400, 0.0, -0.5, 0.3, 1e300),
  *(float("nan"), float("inf"), "", "odd", "gelu", [], [0], ["odd"], [[]]),
  *({}, {"odd": 1}, {"rope_type": "yarn", "factor": 1e-300}, {"": {}}),
)


def _mutants(raw):
  """This configuration with each of its fields odd, at any depth, or gone."""
  for name, value in raw.items():
    yield {other: raw[other] for other in raw if other != name}
    for odd in ODD:
      yield raw | {name: odd}
    if isinstance(value, dict):
      for mutant in _mutants(value):
        yield raw | {name: mutant}


@pytest.mark.parametrize("model", published.MODELS)
def test_odd_values_are_understood_or_refused(model):
  refused = total = 0
  for raw in _mutants(published.MODELS[model]):
    total += 1
    try:
      config = families.translate(raw)
    except errors.InputError:
      refused += 1
      continue
    assert isinstance(config, config_lib.DecoderConfig)
    hash(config)
    assert families.table(config)
  assert refused > total / 4 and total > 400


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
