"""Our decoder against transformers: torch, float32, eager attention."""

import dataclasses
import functools

import jax
import numpy as np
import pytest
import torch
import torch_models
import transformers

from icl_graphs.models import checkpoint, decoder, families

# Missing position scaling hides in short prompts.
LENGTH = 2200
TOLERANCE = 1e-4

_LINEAR = {"rope_type": "linear", "rope_theta": 10_000.0, "factor": 4.0}
_LLAMA3 = {
  "rope_type": "llama3",
  "rope_theta": 10_000.0,
  "factor": 8.0,
  "low_freq_factor": 1.0,
  "high_freq_factor": 4.0,
  # Short, so that all three regions of wavelengths occur in a small head.
  "original_max_position_embeddings": 256,
}
CASES = {
  "gqa": {},
  "mha": {"num_key_value_heads": 4},
  "mqa-tied": {"num_key_value_heads": 1, "tie_word_embeddings": True},
  "attention_bias": {"attention_bias": True},
  "mlp_bias": {"mlp_bias": True},
  "head_dim": {"head_dim": 20, "attention_bias": True, "mlp_bias": True},
  "theta": {
    "rope_parameters": {"rope_type": "default", "rope_theta": 500_000.0}
  },
  "linear": {"rope_parameters": _LINEAR},
  "llama3": {"rope_parameters": _LLAMA3, "head_dim": 16},
}


@functools.partial(jax.jit, static_argnums=0)
def _run(config, params, tokens):
  final, hidden = decoder.Decoder(config).apply(
    {"params": params}, tokens, lambda hidden: hidden
  )
  return hidden, final, decoder.logits(params, config, final)


def _relative(ours, theirs):
  """Largest error of each array, in units of its root mean square."""
  return [
    float(np.abs(np.asarray(a, np.float32) - b).max() / np.sqrt((b**2).mean()))
    for a, b in zip(ours, theirs, strict=True)
  ]


def _errors(ours, theirs):
  hidden, final, logits = ours
  expected_hidden, expected_final, expected_logits = theirs
  return [
    *_relative(hidden, expected_hidden),
    *_relative([final, logits], [expected_final, expected_logits]),
  ]


def _tokens(length):
  return np.random.default_rng(1).integers(0, 101, (1, length), np.int32)


@pytest.mark.parametrize("case", CASES)
def test_hidden_states_and_logits(case, tmp_path):
  model = torch_models.llama(**CASES[case])
  folder = torch_models.save(model, tmp_path)
  config = families.read_config(folder)
  params = checkpoint.load(folder, config)
  tokens = _tokens(LENGTH)
  measured = _errors(
    _run(config, params, tokens), torch_models.run(model, tokens)
  )
  print(case, " ".join(f"{error:.1e}" for error in measured))
  assert len(measured) == config.num_layers + 1 + 2
  assert max(measured) <= TOLERANCE


@pytest.mark.parametrize("case", ["theta", "linear", "llama3"])
def test_old_and_new_rope_fields_mean_the_same(case, tmp_path):
  model = torch_models.llama(**CASES[case])
  new = torch_models.save(model, tmp_path / "new")
  old = torch_models.save(model, tmp_path / "old", old_rope_form=True)
  assert "rope_parameters" not in (old / "config.json").read_text()
  assert families.read_config(old) == families.read_config(new)
  # transformers reads the old form too, and has to agree on the meaning.
  theirs = transformers.AutoConfig.from_pretrained(old).rope_parameters
  assert families.read_config(old).rope.theta == theirs["rope_theta"]
  assert families.read_config(old).rope.kind == theirs["rope_type"]


def test_the_comparison_sees_a_wrong_rotation(tmp_path):
  model = torch_models.llama(**CASES["linear"])
  folder = torch_models.save(model, tmp_path)
  config = families.read_config(folder)
  params = checkpoint.load(folder, config)
  wrong = dataclasses.replace(
    config, rope=dataclasses.replace(config.rope, factor=4.01)
  )
  tokens = _tokens(300)
  measured = _errors(
    _run(wrong, params, tokens), torch_models.run(model, tokens)
  )
  assert max(measured) > 10 * TOLERANCE


def test_bfloat16_is_as_close_as_torch(tmp_path):
  model = torch_models.llama().to(torch.bfloat16)
  folder = torch_models.save(model, tmp_path)
  # Loaded anew: the conversion above has rounded the frequencies too.
  rounded, exact = (
    torch_models.run(torch_models.load(folder, dtype), _tokens(200))
    for dtype in (torch.bfloat16, torch.float32)
  )
  config = families.read_config(folder)
  params = checkpoint.load(folder, config, "bfloat16")
  ours = _run(config, params, _tokens(200))

  def errors(arrays):
    return [
      float(np.sqrt(np.square(np.asarray(a, np.float32) - b).mean()))
      for a, b in zip(arrays, exact, strict=True)
    ]

  print("bfloat16", errors(ours), errors(rounded))
  for mine, theirs in zip(errors(ours), errors(rounded), strict=True):
    assert 0 < mine <= 1.5 * theirs


@pytest.mark.parametrize("key", ["a", "b"])
def test_trained_checkpoint(stories, key):
  expected = np.load(stories / "expected.npz")
  config = families.read_config(stories)
  params = checkpoint.load(stories, config)
  hidden, final, logits = _run(config, params, expected[f"tokens_{key}"][None])
  states = expected[f"hidden_states_{key}"]
  pairs = {
    "blocks": (hidden[:-1, 0], states[:-1]),
    "last block": (hidden[-1, 0], expected[f"last_block_{key}"]),
    "final": (final[0], states[-1]),
    "logits": (logits[0], expected[f"logits_{key}"]),
  }
  for name, (ours, theirs) in pairs.items():
    error = float(np.abs(np.asarray(ours) - theirs).max())
    print(key, name, f"{error:.1e}")
    assert error <= 1e-4, name
