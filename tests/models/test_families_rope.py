"""RoPE in config.json: old and new form, every type, what is refused."""

import math

import published
import pytest

from icl_graphs import errors
from icl_graphs.models import config as config_lib
from icl_graphs.models import families, rope

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


@pytest.mark.parametrize("kind", ["proportional", "", 3, ["x"]])
@pytest.mark.parametrize("key", ["rope_type", "type"])
def test_unknown_rope_type(kind, key):
  message = _refusal(rope_scaling={key: kind, "factor": 2.0})
  assert repr(kind) in message and "RoPE" in message


def test_dynamic_rope_is_refused_for_a_reason():
  message = _refusal(rope_scaling={"type": "dynamic", "factor": 2.0})
  assert "'dynamic'" in message and "whole prompt" in message


YARN = {"rope_type": "yarn", "factor": 4.0}


@pytest.mark.parametrize(
  ("changes", "expected"),
  [
    ({}, {"attention_factor": 0.1 * math.log(4) + 1}),
    ({"attention_factor": 1.25}, {"attention_factor": 1.25}),
    ({"factor": 0.5}, {"attention_factor": 1.0, "factor": 0.5}),
    (
      {"mscale": 2.0, "mscale_all_dim": 1.0},
      {
        "attention_factor": (0.2 * math.log(4) + 1) / (0.1 * math.log(4) + 1),
      },
    ),
    # Both are needed, and zero counts as absent.
    ({"mscale": 2.0}, {"attention_factor": 0.1 * math.log(4) + 1}),
    ({"beta_fast": 0, "beta_slow": None}, {"beta_fast": 32, "beta_slow": 1}),
    ({"beta_fast": 16, "truncate": False}, {"beta_fast": 16, "truncate": 0}),
    ({}, {"original_positions": 2048}),
    ({"original_max_position_embeddings": 99}, {"original_positions": 99}),
  ],
  ids=str,
)
def test_yarn(changes, expected):
  rope_read = families.translate(SMALL | {"rope_scaling": YARN | changes}).rope
  assert rope_read.kind == "yarn"
  for name, value in expected.items():
    assert math.isclose(getattr(rope_read, name), value), name


@pytest.mark.parametrize(
  "changes",
  [
    {"factor": None},
    {"factor": -1.0},
    {"mscale": -3.0, "mscale_all_dim": 1.0},
    {"attention_factor": 0.0},
    {"truncate": 1},
    {"original_max_position_embeddings": 1},
    {"finetuned": True},
  ],
  ids=str,
)
def test_impossible_yarn(changes):
  assert _refusal(rope_scaling=YARN | changes)


PHI = published.MODELS["Phi-3-mini-128k-instruct"]
LONGROPE = PHI["rope_scaling"]


@pytest.mark.parametrize("kind", ["su", "longrope", "yarn"])
def test_longrope_under_all_its_names(kind):
  raw = PHI | {"rope_scaling": LONGROPE | {"type": kind}}
  assert families.translate(raw) == families.translate(PHI)


@pytest.mark.parametrize(
  ("changes", "named"),
  [
    ({"long_factor": None}, "long_factor"),
    ({"long_factor": 2.0}, "long_factor"),
    ({"long_factor": ["x"] * 48}, "long_factor"),
    ({"short_factor": [1.0] * 47}, "short_factor"),
    ({"short_factor": [0.0] * 48}, "short_factor"),
    ({"original_max_position_embeddings": 8192}, "beside them"),
  ],
  ids=str,
)
def test_impossible_longrope(changes, named):
  assert named in _refusal(PHI, rope_scaling=LONGROPE | changes)


def test_gemma3_in_the_new_form():
  old = published.MODELS["gemma-3-1b-pt"]
  gone = ("rope_theta", "rope_local_base_freq", "sliding_window_pattern")
  new = {name: old[name] for name in old if name not in gone}
  new |= {
    "layer_types": (["sliding_attention"] * 5 + ["full_attention"]) * 4
    + ["sliding_attention"] * 2,
    "rope_parameters": {
      "full_attention": {"rope_type": "default", "rope_theta": 1e6},
      "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
    },
  }
  assert families.translate(new) == families.translate(old)


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


def test_llama3_scaling_leaves_short_wavelengths_alone():
  plain = rope.frequencies(config_lib.Rope(theta=5e5), 64)
  scaled = rope.frequencies(
    families.translate(published.MODELS["Llama-3.2-1B"]).rope, 64
  )
  ratio = plain / scaled
  assert (ratio[:10] == 1).all() and (abs(ratio[-8:] - 32) < 1e-4).all()
  assert ((ratio > 1.01) & (ratio < 31.9)).any()
  assert (ratio[1:] >= ratio[:-1] - 1e-4).all()
