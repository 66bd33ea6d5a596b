"""Our decoder against transformers: torch, eager attention, every family."""

import dataclasses
import functools

import jax
import numpy as np
import pytest
import torch
import torch_models

from icl_graphs.models import checkpoint, decoder, families

# Missing position scaling hides in short prompts.
LENGTH = 2200
SHORT = 150
TOLERANCE = 1e-4

_SMALL = {"num_hidden_layers": 2}
_BIASES = {"attention_bias": True}
# Families in settings that `torch_models.FAMILIES` does not have.
SWITCHES = {
  "llama-mha-biases": (
    "llama",
    _SMALL
    | _BIASES
    | {
      "num_key_value_heads": 4,
      "mlp_bias": True,
      "head_dim": 20,
      "rope_parameters": {"rope_type": "default", "rope_theta": 5e5},
    },
  ),
  "llama-mqa-tied-linear": (
    "llama",
    _SMALL
    | {
      "num_key_value_heads": 1,
      "tie_word_embeddings": True,
      "rope_parameters": {
        "rope_type": "linear",
        "rope_theta": 1e4,
        "factor": 4.0,
      },
    },
  ),
  "qwen3-biases-yarn": (
    "qwen3",
    _SMALL
    | _BIASES
    | {
      "tie_word_embeddings": False,
      "rope_parameters": {
        "rope_type": "yarn",
        "rope_theta": 1e6,
        "factor": 8.0,
        "original_max_position_embeddings": 64,
        "beta_fast": 20.0,
        "beta_slow": 2.0,
        "mscale": 1.5,
        "mscale_all_dim": 0.5,
        "truncate": False,
      },
    },
  ),
  "gemma2-no-caps": (
    "gemma2",
    _SMALL | {"attn_logit_softcapping": None, "final_logit_softcapping": None},
  ),
  "gemma3-caps-biases": (
    "gemma3",
    _SMALL | _BIASES | {"final_logit_softcapping": 4.0},
  ),
  "gpt2-plain-scores-relu": (
    "gpt2",
    {"n_layer": 2, "scale_attn_weights": False, "activation_function": "relu"},
  ),
  "gpt_neox-sequential": (
    "gpt_neox",
    _SMALL
    | {
      "use_parallel_residual": False,
      "attention_bias": False,
      "rotary_pct": 0.5,
      "hidden_act": "gelu_new",
    },
  ),
  "olmo-biases-no-clip": ("olmo", _SMALL | _BIASES | {"clip_qkv": None}),
  # Shorter than the original length: the short factors.
  "phi3-short-window": ("phi3", _SMALL | {"sliding_window": 37}),
}


@functools.partial(jax.jit, static_argnums=0)
def _run(config, params, tokens):
  final, hidden = decoder.Decoder(config).apply(
    {"params": params}, tokens, lambda hidden: hidden
  )
  return hidden, final, decoder.logits(params, config, final)


def _flat(outputs):
  hidden, final, logits = outputs
  return [np.asarray(one, np.float32) for one in (*hidden, final, logits)]


def _relative(ours, theirs):
  """Largest error of each array, in units of its root mean square."""
  return [
    float(np.abs(a - b).max() / np.sqrt(np.square(b).mean()))
    for a, b in zip(_flat(ours), _flat(theirs), strict=True)
  ]


def _tokens(length):
  return np.random.default_rng(1).integers(0, 101, (1, length), np.int32)


def _errors(model, folder, length, backends=("reference",), **save_options):
  torch_models.save(model, folder, **save_options)
  config = families.read_config(folder)
  params = checkpoint.load(folder, config)
  tokens = _tokens(length)
  theirs = torch_models.run(model, tokens)
  worst = []
  for backend in backends:
    config = dataclasses.replace(config, backend=backend)
    measured = _relative(_run(config, params, tokens), theirs)
    assert len(measured) == config.num_layers + 1 + 2
    print(f"{backend}: hidden {max(measured[:-2]):.1e}", end=" ")
    print("final {:.1e} logits {:.1e}".format(*measured[-2:]))
    worst.append(max(measured))
  return max(worst)


@pytest.mark.parametrize("family", torch_models.FAMILIES)
def test_every_family(family, tmp_path):
  model = torch_models.build(family)
  worst = _errors(model, tmp_path, LENGTH, ("reference", "cpu"))
  assert worst <= TOLERANCE


@pytest.mark.parametrize("case", SWITCHES)
def test_switches(case, tmp_path):
  family, switches = SWITCHES[case]
  model = torch_models.build(family, **switches)
  assert _errors(model, tmp_path, SHORT, old_form=True) <= TOLERANCE


def test_long_window(tmp_path):
  model = torch_models.build(
    "mistral",
    sliding_window=4096,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
  )
  assert _errors(model, tmp_path, 4300) <= TOLERANCE


def test_multimodal_gemma3(tmp_path):
  model = torch_models.multimodal_gemma3()
  assert _errors(model, tmp_path, SHORT) <= TOLERANCE


def test_the_comparison_sees_a_wrong_rotation(tmp_path):
  model = torch_models.llama()
  folder = torch_models.save(model, tmp_path)
  config = families.read_config(folder)
  params = checkpoint.load(folder, config)
  wrong = dataclasses.replace(
    config, rope=dataclasses.replace(config.rope, factor=8.02)
  )
  measured = _relative(
    _run(wrong, params, _tokens(300)), torch_models.run(model, _tokens(300))
  )
  assert max(measured) > 10 * TOLERANCE


@pytest.mark.parametrize("family", torch_models.FAMILIES)
def test_bfloat16_is_as_close_as_torch(family, tmp_path):
  model = torch_models.build(family).to(torch.bfloat16)
  folder = torch_models.save(model, tmp_path)
  # Loaded anew: the conversion above has rounded the frequencies too.
  rounded, exact = (
    torch_models.run(torch_models.load(folder, dtype), _tokens(SHORT))
    for dtype in (torch.bfloat16, torch.float32)
  )
  config = families.read_config(folder)
  params = checkpoint.load(folder, config, "bfloat16")
  ours = _run(config, params, _tokens(SHORT))

  def errors(outputs):
    return np.array(
      [
        np.sqrt(np.square(a - b).mean())
        for a, b in zip(_flat(outputs), _flat(exact), strict=True)
      ]
    )

  print("bfloat16", errors(ours), errors(rounded))
  assert (errors(ours)[1:] > 0).all()
  assert (errors(ours) <= 1.5 * errors(rounded)).all()


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
