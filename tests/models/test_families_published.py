"""Real models by their config.json: parameters, names of weights, meaning."""

import copy
import math
import re

import jax
import published
import pytest
import torch
import torch_models
import transformers

from icl_graphs import errors
from icl_graphs.models import decoder, families

# Without the vision tower and the projector of multimodal models.
PARAMETERS = {
  "Llama-2-7b": 6_738_415_616,
  "Llama-3.2-1B": 1_235_814_400,
  "Llama-3.1-8B": 8_030_261_248,
  "Llama-3.1-70B": 70_553_706_496,
  "Llama-3.1-405B": 405_853_388_800,
  "Mistral-7B-v0.1": 7_241_732_096,
  "Mistral-7B-v0.3": 7_248_023_552,
  "Mistral-Nemo-Base-2407": 12_247_782_400,
  "Qwen2.5-7B": 7_615_616_512,
  "Qwen3-8B": 8_190_735_360,
  "Qwen3-32B": 32_762_123_264,
  "gemma-2b": 2_506_172_416,
  "gemma-2-2b": 2_614_341_888,
  "gemma-2-9b": 9_241_705_984,
  "gemma-2-27b": 27_227_128_320,
  "gemma-3-1b-pt": 999_885_952,
  "gemma-3-4b-pt": 3_880_263_168,
  "gemma-3-27b-pt": 27_009_346_304,
  "gpt2": 124_439_808,
  "gpt2-medium": 354_823_168,
  "gpt2-large": 774_030_080,
  "gpt2-xl": 1_557_611_200,
  "pythia-70m": 70_426_624,
  "pythia-160m": 162_322_944,
  "pythia-410m": 405_334_016,
  "pythia-1b": 1_011_781_632,
  "pythia-1.4b": 1_414_647_808,
  "pythia-2.8b": 2_775_208_960,
  "pythia-6.9b": 6_857_302_016,
  "pythia-12b": 11_846_072_320,
  "OLMo-7B-hf": 6_888_095_744,
  "OLMo-2-1124-7B": 7_298_617_344,
  "Phi-3-mini-4k-instruct": 3_821_079_552,
  "Phi-3-mini-128k-instruct": 3_821_079_552,
}


def _shapes(config):
  """Shape of every parameter by its path, layers in front."""
  tree = jax.eval_shape(lambda: decoder.init(config, 0))
  return {
    "/".join(key.key for key in path): leaf.shape
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
  }


def _torch_config(raw):
  # from_dict writes into what it is given.
  kind = transformers.CONFIG_MAPPING[raw["model_type"]]
  return kind.from_dict(copy.deepcopy(raw))


def _torch_model(raw):
  """The model of transformers without memory for its weights."""
  kind = transformers.AutoModelForCausalLM
  if raw["model_type"] == "gemma3":
    kind = transformers.AutoModelForImageTextToText
  with torch.device("meta"):
    return kind.from_config(_torch_config(raw))


def test_every_fixture_is_counted():
  assert set(published.MODELS) == set(PARAMETERS)


@pytest.mark.parametrize("name", published.MODELS)
def test_table_covers_the_decoder(name):
  config = families.translate(published.MODELS[name])
  rows = [row for row in families.table(config) if row.copy_of is None]
  layers = {True: (config.num_layers,), False: ()}
  expected = {
    row.path: layers[row.per_layer] + row.shape(config.axis_sizes)
    for row in rows
  }
  assert len(expected) == len(rows)
  shapes = _shapes(config)
  assert shapes == expected
  assert sum(map(math.prod, shapes.values())) == PARAMETERS[name]
  # Parts of a fused weight fill it.
  stored = {
    name: math.prod(row.stored_shape(config.axis_sizes))
    for row in rows
    for name in row.names(config.num_layers)
  }
  assert sum(stored.values()) == PARAMETERS[name]
  hash(config)


@pytest.mark.parametrize("name", published.MODELS)
def test_every_name_and_shape_is_that_of_transformers(name):
  raw = published.MODELS[name]
  config = families.translate(raw)
  model = _torch_model(raw)
  ignored = re.compile("|".join(families.buffers(config)))
  theirs = {}
  for stored, array in model.state_dict().items():
    stored = families.canonical(config, stored)
    if not ignored.fullmatch(stored):
      assert stored not in theirs
      theirs[stored] = tuple(array.shape)
  ours = {
    stored: row.stored_shape(config.axis_sizes)
    for row in families.table(config)
    for stored in row.names(config.num_layers)
  }
  assert ours == theirs
  count = sum(one.numel() for one in model.get_decoder().parameters())
  if not config.tied:
    count += model.lm_head.weight.numel()
  assert count == PARAMETERS[name]


@pytest.mark.parametrize("name", published.MODELS)
def test_transformers_reads_the_same_into_it(name):
  raw = published.MODELS[name]
  # It writes today's form of what it has read.
  assert families.translate(_torch_config(raw).to_dict()) == (
    families.translate(raw)
  )


@pytest.mark.parametrize("family", torch_models.FAMILIES)
def test_absent_fields_have_the_defaults_of_transformers(family):
  name = next(
    n
    for n in published.MODELS
    if families.translate(published.MODELS[n]).family == family
  )
  whole = published.MODELS[name]
  compared = 0
  for field in whole:
    raw = {other: whole[other] for other in whole if other != field}
    try:
      config = families.translate(raw)
    except errors.InputError as error:
      # What has no sensible default is asked for.
      spoken = field.replace("num_key_value_heads", "key/value heads")
      assert spoken in str(error)
      continue
    assert families.translate(_torch_config(raw).to_dict()) == config, field
    compared += 1
  assert compared > 10


@pytest.mark.parametrize("family", torch_models.FAMILIES)
def test_old_and_new_form_mean_the_same(family, tmp_path):
  model = torch_models.build(family)
  new = torch_models.save(model, tmp_path / "new")
  old = torch_models.save(model, tmp_path / "old", old_form=True)
  if family != "gpt2":
    assert "rope_parameters" not in (old / "config.json").read_text()
  assert families.read_config(old) == families.read_config(new)
  again = transformers.AutoConfig.from_pretrained(old)
  assert families.translate(again.to_dict()) == families.read_config(new)


def test_details():
  def read(name):
    return families.translate(published.MODELS[name])

  llama = read("Llama-3.2-1B")
  assert llama.rope.kind == "llama3" and llama.rope.factor == 32
  assert (llama.num_kv_heads, llama.head_size, llama.tied) == (8, 64, True)
  mistral = read("Mistral-7B-v0.1")
  assert mistral.window == 4096 and all(mistral.sliding)
  assert not any(read("Mistral-7B-v0.3").sliding)
  assert read("Mistral-Nemo-Base-2407").head_size == 128
  assert not any(read("Qwen2.5-7B").sliding)
  assert read("gemma-2b").activation == "gelu_tanh"
  gemma2 = read("gemma-2-27b")
  assert gemma2.sliding[:3] == (True, False, True)
  assert gemma2.attention_scale == 144**-0.5
  assert (gemma2.attention_softcap, gemma2.logit_softcap) == (50, 30)
  gemma3 = read("gemma-3-27b-pt")
  assert gemma3.sliding[:7] == (True,) * 5 + (False, True)
  assert gemma3.window == 1024 and gemma3.attention_scale == 168**-0.5
  assert (gemma3.rope.kind, gemma3.rope.factor) == ("linear", 8)
  assert (gemma3.rope.theta, gemma3.local_rope.theta) == (1e6, 1e4)
  assert gemma3.local_rope.kind == "default"
  pythia = read("pythia-70m")
  assert pythia.parallel and pythia.rope.rotated_size(64) == 16
  assert read("OLMo-7B-hf").norm.epsilon == 1e-5
  phi = read("Phi-3-mini-128k-instruct")
  assert phi.rope.kind == "longrope" and phi.rope.original_positions == 4096
  # sqrt(1 + ln(32) / ln(4096))
  assert math.isclose(phi.rope.attention_factor, 1.190238, rel_tol=1e-6)
