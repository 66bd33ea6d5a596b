"""Strict loading: everything that can be wrong with a folder, by name."""

import dataclasses
import json
import pickle
import struct

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
import torch
import torch_models
import transformers

from icl_graphs import errors
from icl_graphs.models import checkpoint, decoder, families

HF_CONFIG = {
  "model_type": "llama",
  "vocab_size": 11,
  "hidden_size": 8,
  "intermediate_size": 6,
  "num_hidden_layers": 2,
  "num_attention_heads": 4,
  "num_key_value_heads": 2,
  "head_dim": 2,
  "attention_bias": True,
  "mlp_bias": True,
  "tie_word_embeddings": False,
}
CONFIG = families.translate(HF_CONFIG)
GATE = "model.layers.1.mlp.gate_proj.weight"


def _random_params(config=CONFIG):
  rng = np.random.default_rng(0)
  shapes = jax.eval_shape(lambda: decoder.init(config, 0))
  return jax.tree.map(
    lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), shapes
  )


@pytest.fixture
def folder(tmp_path):
  checkpoint.save(tmp_path / "model", HF_CONFIG, _random_params())
  return tmp_path / "model"


def _tensors(folder):
  return safetensors.numpy.load_file(folder / "model.safetensors")


def _rewrite(folder, tensors):
  safetensors.numpy.save_file(tensors, folder / "model.safetensors")


def _shard(folder, parts, weight_map=None):
  """Replaces the single file by shards, with an index."""
  (folder / "model.safetensors").unlink()
  if weight_map is None:
    weight_map = {name: file for file, part in parts.items() for name in part}
  for file, part in parts.items():
    safetensors.numpy.save_file(part, folder / file)
  (folder / "model.safetensors.index.json").write_text(
    json.dumps({"metadata": {}, "weight_map": weight_map})
  )


def _message(folder, config=CONFIG, **options):
  with pytest.raises(errors.InputError) as caught:
    checkpoint.load(folder, config, **options)
  return str(caught.value)


def _assert_equal(ours, theirs):
  assert jax.tree.structure(ours) == jax.tree.structure(theirs)
  jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_saved_parameters_come_back(folder):
  _assert_equal(checkpoint.load(folder, CONFIG), _random_params())
  assert families.read_config(folder) == CONFIG
  # No temporary file stays behind.
  assert sorted(path.name for path in folder.iterdir()) == [
    "config.json",
    "model.safetensors",
  ]


def test_transformers_reads_what_we_write(folder):
  model, report = transformers.LlamaForCausalLM.from_pretrained(
    folder, output_loading_info=True, attn_implementation="eager"
  )
  assert not any(report[key] for key in ("missing_keys", "unexpected_keys"))
  tokens = np.arange(11)[None]
  _, final, logits = torch_models.run(model.eval(), tokens)
  ours, _ = decoder.Decoder(CONFIG).apply(
    {"params": _random_params()}, jnp.asarray(tokens, jnp.int32)
  )
  np.testing.assert_allclose(ours, final, atol=1e-4)
  np.testing.assert_allclose(
    decoder.logits(_random_params(), CONFIG, ours), logits, atol=1e-4
  )


def test_shards_of_transformers(tmp_path):
  model = torch_models.llama()
  single = torch_models.save(model, tmp_path / "single")
  shards = torch_models.save(model, tmp_path / "shards", max_shard_size="20KB")
  assert len(list(shards.glob("*.safetensors"))) > 2
  config = families.read_config(single)
  _assert_equal(
    checkpoint.load(shards, config), checkpoint.load(single, config)
  )


@pytest.mark.parametrize("stored", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("wanted", ["float32", "bfloat16", "float16"])
def test_dtypes(folder, stored, wanted):
  tensors = _tensors(folder)
  # Mixed types in one file are usual: norms often stay in float32.
  mixed = {
    name: array if "norm" in name else array.astype(stored)
    for name, array in tensors.items()
  }
  _rewrite(folder, mixed)
  params = checkpoint.load(folder, CONFIG, wanted)
  assert {leaf.dtype.name for leaf in jax.tree.leaves(params)} == {wanted}
  np.testing.assert_array_equal(
    params["embedding"],
    tensors["model.embed_tokens.weight"].astype(stored).astype(wanted),
  )


def test_bfloat16_of_transformers(tmp_path):
  model = torch_models.llama().to(torch.bfloat16)
  folder = torch_models.save(model, tmp_path)
  params = checkpoint.load(folder, families.read_config(folder), "bfloat16")
  theirs = model.model.embed_tokens.weight.detach().float().numpy()
  np.testing.assert_array_equal(
    np.asarray(params["embedding"], np.float32), theirs
  )


def test_unsupported_dtype(folder):
  assert "int8" in _message(folder, dtype="int8")


def test_tied_head_may_be_absent_or_equal_but_not_different(folder):
  tied = dataclasses.replace(CONFIG, tied=True)
  tensors = _tensors(folder)
  assert "tie_word_embeddings" in _message(folder, tied)
  tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
  _rewrite(folder, tensors)
  present = checkpoint.load(folder, tied)
  del tensors["lm_head.weight"]
  _rewrite(folder, tensors)
  _assert_equal(checkpoint.load(folder, tied), present)
  assert "unembedding" not in present


def test_a_tied_head_of_another_type(folder):
  tied = dataclasses.replace(CONFIG, tied=True)
  tensors = _tensors(folder)
  embedding = tensors["model.embed_tokens.weight"].astype(np.float16)
  # One NaN is as good as another.
  embedding[3, 4] = np.nan
  tensors["model.embed_tokens.weight"] = embedding
  tensors["lm_head.weight"] = embedding.astype(np.float32)
  _rewrite(folder, tensors)
  with pytest.warns(UserWarning, match="model.embed_tokens.weight"):
    checkpoint.load(folder, tied)
  tensors["lm_head.weight"][10, 7] += 1
  _rewrite(folder, tensors)
  assert "the two differ" in _message(folder, tied)


def test_one_weight_under_two_names(tmp_path):
  # Files of GPT-2 have or have not the prefix.
  hf_config = {
    "model_type": "gpt2",
    "vocab_size": 5,
    "n_embd": 4,
    "n_head": 2,
    "n_layer": 1,
    "n_positions": 6,
  }
  config = families.translate(hf_config)
  params = _random_params(config)
  checkpoint.save(tmp_path, hf_config, params)
  _assert_equal(checkpoint.load(tmp_path, config), params)
  tensors = _tensors(tmp_path)
  bare = {
    name.removeprefix("transformer."): array for name, array in tensors.items()
  }
  _rewrite(tmp_path, bare)
  _assert_equal(checkpoint.load(tmp_path, config), params)
  tensors["wte.weight"] = bare["wte.weight"]
  _rewrite(tmp_path, tensors)
  message = _message(tmp_path, config)
  assert "under two names" in message and "missing" not in message
  assert "wte.weight" in message and "transformer.wte.weight" in message


def test_buffers_are_not_weights(folder):
  tensors = _tensors(folder)
  name = "model.layers.0.self_attn.rotary_emb.inv_freq"
  _rewrite(folder, tensors | {name: np.ones(1, np.float32)})
  checkpoint.load(folder, CONFIG)


def test_all_problems_in_one_message(folder):
  tensors = _tensors(folder)
  del tensors["model.norm.weight"]
  tensors["model.extra.weight"] = np.zeros(3, np.float32)
  tensors[GATE] = tensors[GATE].T
  bias = "model.layers.0.mlp.up_proj.bias"
  tensors[bias] = tensors[bias].astype(np.int8)
  head = {"lm_head.weight": tensors.pop("lm_head.weight")}
  _shard(
    folder,
    {
      "model-1.safetensors": tensors,
      "model-2.safetensors": head | {GATE: tensors[GATE]},
    },
  )
  message = _message(folder)
  assert "missing: model.norm.weight" in message
  assert "unknown: model.extra.weight" in message
  assert f"misshapen: {GATE} (is (8, 6), should be (6, 8))" in message
  assert f"more than once: {GATE} (model-1.safetensors, model-2" in message
  assert f"unsupported type: {bias} (I8)" in message


def test_long_lists_are_cut(folder):
  _rewrite(folder, {"lm_head.weight": np.zeros((11, 8), np.float32)})
  message = _message(folder)
  assert " more" in message and len(message) < 1000


def test_index_that_names_another_shard(folder):
  tensors = _tensors(folder)
  head = {"lm_head.weight": tensors.pop("lm_head.weight")}
  parts = {"model-1.safetensors": tensors, "model-2.safetensors": head}
  weight_map = dict.fromkeys([*tensors, *head], "model-1.safetensors")
  weight_map["model.norm.weight"] = "model-2.safetensors"
  _shard(folder, parts, weight_map)
  assert "model.norm.weight (in model-1" in _message(folder)


def test_missing_shard(folder):
  tensors = _tensors(folder)
  head = {"lm_head.weight": tensors.pop("lm_head.weight")}
  _shard(folder, {"model-1.safetensors": tensors, "model-2.safetensors": head})
  (folder / "model-2.safetensors").unlink()
  assert "model-2.safetensors is missing" in _message(folder)


@pytest.mark.parametrize(
  "file",
  [
    "../model.safetensors",
    "/etc/model.safetensors",
    "sub/model.safetensors",
    "model.bin",
    "",
    7,
    None,
  ],
)
def test_index_cannot_leave_the_folder(folder, file):
  tensors = _tensors(folder)
  (folder.parent / "model.safetensors").write_bytes(b"outside")
  _shard(folder, {"a.safetensors": tensors}, {"lm_head.weight": file})
  assert "same folder" in _message(folder)


@pytest.mark.parametrize(
  "text", ["", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {}}', "\xff"]
)
def test_damaged_index(folder, text):
  _shard(folder, {"a.safetensors": _tensors(folder)})
  path = folder / "model.safetensors.index.json"
  path.write_text(text, encoding="latin-1")
  assert "damaged" in _message(folder)


@pytest.mark.parametrize("kept", [0, 5, 8, 100, 0.5, -1])
def test_truncated_file(folder, kept):
  path = folder / "model.safetensors"
  content = path.read_bytes()
  size = int(kept * len(content)) if isinstance(kept, float) else kept
  path.write_bytes(content[:size])
  message = _message(folder)
  assert "truncated or damaged" in message and str(path) in message


def _with_header(path, change):
  content = path.read_bytes()
  (size,) = struct.unpack("<Q", content[:8])
  header = json.loads(content[8 : 8 + size])
  changed = change(header)
  text = changed if isinstance(changed, bytes) else json.dumps(changed).encode()
  path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + size :])


def _shift(header):
  header[GATE]["data_offsets"] = [x + 4 for x in header[GATE]["data_offsets"]]
  return header


def _overlap(header):
  other = header["model.layers.0.mlp.gate_proj.weight"]["data_offsets"]
  header[GATE]["data_offsets"] = other
  return header


def _resize(header):
  header[GATE]["shape"] = [2**40, 2**40]
  return header


@pytest.mark.parametrize(
  "change",
  [lambda _: b"{", lambda _: b"\xff" * 20, _shift, _overlap, _resize],
  ids=["cut", "binary", "shifted", "overlapping", "huge"],
)
def test_lying_header(folder, change):
  _with_header(folder / "model.safetensors", change)
  assert "damaged" in _message(folder)


def test_name_twice_in_one_header(folder):
  def repeat(header):
    text = json.dumps(header)
    again = json.dumps({GATE: header[GATE]})
    return f"{text[:-1]}, {again[1:]}".encode()

  _with_header(folder / "model.safetensors", repeat)
  assert f"more than once: {GATE} (twice in model" in _message(folder)


def test_header_length_beyond_the_file(folder):
  path = folder / "model.safetensors"
  path.write_bytes(struct.pack("<Q", 2**62) + path.read_bytes()[8:])
  assert "damaged" in _message(folder)


class _Trap:
  def __reduce__(self):
    return print, ("executed",)


def test_pickles_are_not_opened(folder, capsys):
  (folder / "model.safetensors").unlink()
  (folder / "pytorch_model.bin").write_bytes(pickle.dumps(_Trap()))
  message = _message(folder)
  assert "pytorch_model.bin" in message and "convert" in message
  assert "executed" not in capsys.readouterr().out


def test_no_weights_at_all(folder):
  (folder / "model.safetensors").unlink()
  assert "no *.safetensors" in _message(folder)
  for name in ("a.safetensors", "b.safetensors"):
    (folder / name).write_bytes(b"")
  assert "index" in _message(folder)


def test_not_a_number_is_reported(folder):
  tensors = _tensors(folder)
  tensors["model.norm.weight"][2] = np.nan
  _rewrite(folder, tensors)
  with pytest.warns(UserWarning, match="model.norm.weight"):
    checkpoint.load(folder, CONFIG)


def test_overflow_in_half_precision_is_reported(folder):
  tensors = _tensors(folder)
  tensors[GATE][0, 0] = 1e6
  _rewrite(folder, tensors)
  checkpoint.load(folder, CONFIG)
  with pytest.warns(UserWarning, match="gate_proj.*float16"):
    checkpoint.load(folder, CONFIG, "float16")


def test_save_refuses_parameters_of_another_shape(tmp_path):
  params = _random_params()
  params["embedding"] = params["embedding"][:5]
  with pytest.raises(ValueError, match="embedding"):
    checkpoint.save(tmp_path / "model", HF_CONFIG, params)
  assert not (tmp_path / "model").exists()


def test_save_into_a_file(tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(errors.InputError, match="cannot be written"):
    checkpoint.save(tmp_path / "file", HF_CONFIG, _random_params())


def test_failed_save_leaves_the_old_model(folder, monkeypatch):
  before = (folder / "model.safetensors").read_bytes()

  def fail(tensors, path, metadata):
    del tensors, metadata
    with open(path, "wb") as file:
      file.write(b"half")
    raise OSError("disk full")

  monkeypatch.setattr(safetensors.numpy, "save_file", fail)
  with pytest.raises(errors.InputError, match="disk full"):
    checkpoint.save(folder, HF_CONFIG, _random_params())
  assert (folder / "model.safetensors").read_bytes() == before
  assert len(list(folder.iterdir())) == 2


def test_place_is_asked_about_every_parameter(folder):
  asked = {}

  def place(path, shape):
    asked[path] = shape
    return jax.sharding.SingleDeviceSharding(jax.devices()[-1])

  params = checkpoint.load(folder, CONFIG, place=place)
  assert len(asked) == len(jax.tree.leaves(params))
  assert asked["blocks/attention/query/kernel"] == (2, 8, 4, 2)
  assert all(
    leaf.devices() == {jax.devices()[-1]} for leaf in jax.tree.leaves(params)
  )
