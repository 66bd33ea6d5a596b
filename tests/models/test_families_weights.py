"""Rows of a weight table: parts of fused arrays, there and back."""

import jax
import numpy as np
import pytest
import safetensors.numpy
import torch_models

from icl_graphs.models import checkpoint, families
from icl_graphs.models.families import weights

SIZES = {"N": 4, "K": 2, "H": 3, "D": 5, "F": 7}


def _rows(stored, *axes):
  return [
    weights.Weight("fused", stored, f"part/{i}", one, part=i)
    for i, one in enumerate(axes)
  ]


@pytest.mark.parametrize(
  "rows",
  [
    [weights.Weight("plain", "(N H) D", "query", "D N H")],
    [weights.Weight("plain", "D (N H)", "output", "N H D")],
    _rows("(N H + K H + K H) D", "D N H", "D K H", "D K H"),
    _rows("(F + F) D", "D F", "D F"),
    _rows("(N 3 H) D", "D N H", "D N H", "D N H"),
    _rows("D (3 N H)", "D N H", "D N H", "D N H"),
    _rows("(3 N H)", "N H", "N H", "N H"),
  ],
  ids=lambda rows: rows[0].stored,
)
def test_parts_are_views_that_fill_the_whole(rows):
  rng = np.random.default_rng(0)
  whole = rng.normal(size=rows[0].stored_shape(SIZES))
  copy = np.full_like(whole, np.nan)
  for row in rows:
    part = row.read(whole, SIZES)
    assert part.shape == row.shape(SIZES)
    assert np.shares_memory(part, whole)
    row.write(part, copy, SIZES)
  np.testing.assert_array_equal(copy, whole)
  assert sum(row.read(whole, SIZES).size for row in rows) == whole.size


def test_sections_lie_one_after_another():
  query, key, value = _rows("(N H + K H + K H) D", "D N H", "D K H", "D K H")
  whole = np.arange((12 + 6 + 6) * 5).reshape(24, 5)
  assert query.read(whole, SIZES)[1, 3, 2] == whole[11, 1]
  assert key.read(whole, SIZES)[1, 1, 0] == whole[12 + 3, 1]
  assert value.read(whole, SIZES)[4, 0, 2] == whole[18 + 2, 4]


def test_numbers_are_axes():
  _, key, _ = _rows("(N 3 H) D", *["D N H"] * 3)
  whole = np.arange(4 * 3 * 3 * 5).reshape(36, 5)
  # Head 2, of its query, key and value the key, entry 1.
  assert key.read(whole, SIZES)[4, 2, 1] == whole[2 * 9 + 1 * 3 + 1, 4]


@pytest.mark.parametrize("family", torch_models.FAMILIES)
def test_transformers_reads_what_we_write(family, tmp_path):
  model = torch_models.build(family)
  folder = torch_models.save(model, tmp_path / "theirs")
  config = families.read_config(folder)
  params = checkpoint.load(folder, config)
  checkpoint.save(tmp_path / "ours", model.config.to_dict(), params)
  again, report = type(model).from_pretrained(
    tmp_path / "ours", output_loading_info=True
  )
  assert not any(report[key] for key in ("missing_keys", "unexpected_keys"))
  copies = again.state_dict()
  for name, array in model.state_dict().items():
    np.testing.assert_array_equal(copies[name].numpy(), array.numpy(), name)


# Family: beginning of names that transformers writes and of those in other
# folders, and what else these hold.
OTHER_NAMES = {
  "gpt2": (
    {"transformer.": ""},
    ("h.0.attn.bias", "h.2.attn.masked_bias", "transformer.h.1.attn.bias"),
  ),
  "gpt_neox": (
    {"lm_head.": "embed_out."},
    (
      "gpt_neox.layers.0.attention.bias",
      "gpt_neox.layers.0.attention.masked_bias",
      "gpt_neox.layers.2.attention.rotary_emb.inv_freq",
    ),
  ),
  "gemma3": (
    {"model.": "language_model.model."},
    (
      "vision_tower.vision_model.embeddings.patch_embedding.bias",
      "multi_modal_projector.mm_input_projection_weight",
    ),
  ),
  "gemma3-new": (
    {"model.": "model.language_model."},
    ("model.vision_tower.x", "model.multi_modal_projector.x"),
  ),
  "llama": ({}, ("model.layers.1.self_attn.rotary_emb.inv_freq",)),
}


@pytest.mark.parametrize("case", OTHER_NAMES)
def test_other_names_and_what_carries_no_weight(case, tmp_path):
  renames, extras = OTHER_NAMES[case]
  folder = torch_models.save(torch_models.build(case.split("-")[0]), tmp_path)
  config = families.read_config(folder)
  expected = checkpoint.load(folder, config)
  path = folder / "model.safetensors"
  arrays = safetensors.numpy.load_file(path)
  for old, new in renames.items():
    assert any(name.startswith((old, new)) for name in arrays)
    arrays = {
      new + name.removeprefix(old) if name.startswith(old) else name: array
      for name, array in arrays.items()
    }
  safetensors.numpy.save_file(
    arrays | {name: np.zeros(2, np.float32) for name in extras}, path
  )
  params = checkpoint.load(folder, config)
  jax.tree.map(np.testing.assert_array_equal, params, expected)


@pytest.mark.parametrize(
  ("family", "stored", "canonical"),
  [
    ("gpt2", "h.0.ln_1.bias", "transformer.h.0.ln_1.bias"),
    ("gpt2", "wte.weight", "transformer.wte.weight"),
    ("gpt2", "transformer.wte.weight", "transformer.wte.weight"),
    ("gpt2", "lm_head.weight", "lm_head.weight"),
    ("gpt2", "header.weight", "header.weight"),
    ("gpt_neox", "lm_head.weight", "embed_out.weight"),
    ("gemma3", "language_model.model.norm.weight", "model.norm.weight"),
    ("gemma3", "model.language_model.norm.weight", "model.norm.weight"),
    ("gemma3", "language_model.lm_head.weight", "lm_head.weight"),
    ("gemma3", "vision_tower.x", "vision_tower.x"),
    ("llama", "h.0.x", "h.0.x"),
  ],
)
def test_canonical_names(family, stored, canonical):
  config = families.translate(torch_models.build(family).config.to_dict())
  assert families.canonical(config, stored) == canonical
