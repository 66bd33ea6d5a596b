"""Operations against torch's own count, and the memory of this process."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.utils import flop_counter
import transformers

from icl_graphs.engine import throughput
from icl_graphs.experiments.speed import shapes
from icl_graphs.models import attention, families

SMALL = {
  "llama-3.2-1b": {
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
  },
  "gpt2": {"n_embd": 24, "n_head": 3, "n_ctx": 64, "n_positions": 64},
  "gemma-3-1b": {
    "hidden_size": 24,
    "intermediate_size": 40,
    "head_dim": 16,
    "sliding_window": 5,
  },
}
BATCH, TIME = 2, 12


def counted_by_torch(fields):
  """Operations of transformers' eager forward: attention's, and the others'."""
  config = transformers.AutoConfig.for_model(**fields)
  model = transformers.AutoModelForCausalLM.from_config(
    config, attn_implementation="eager"
  )
  tokens = torch.zeros(BATCH, TIME, dtype=torch.long)
  with torch.no_grad(), flop_counter.FlopCounterMode(display=False) as counter:
    model(tokens, use_cache=False)
  kinds = counter.get_flop_counts()["Global"]
  batched = kinds[torch.ops.aten.bmm]
  return batched, sum(kinds.values()) - batched


@pytest.mark.parametrize("name", SMALL)
def test_operations_are_those_that_torch_counts(name):
  fields = shapes.config(name, layers=6, vocab=50) | SMALL[name]
  config = families.translate(fields)
  batched, others = counted_by_torch(fields)
  per_pair = 4 * BATCH * config.num_heads * config.head_size
  # Theirs is over the full square, and has the angles of the rotation in it.
  square = per_pair * TIME**2 * config.num_layers
  assert square <= batched < 1.02 * square
  seen = sum(
    int(
      attention.causal_mask(0, TIME, TIME, config.window if s else None).sum()
    )
    for s in config.sliding or (False,) * 6
  )
  expected = others + per_pair * seen
  assert throughput.forward_flops(config, BATCH, TIME) == expected


def test_few_scored_positions_spare_the_unembedding():
  config = families.translate(shapes.config("llama-3.2-1b"))
  full = throughput.forward_flops(config, 3, 100)
  spared = full - throughput.forward_flops(config, 3, 100, scored=16)
  assert spared == 3 * 84 * 2 * 2048 * 128256


@pytest.mark.parametrize("window", [None, 1, 4, 9, 50])
def test_pairs_are_those_of_the_mask(window):
  mask = attention.causal_mask(0, 9, 9, window)
  assert throughput.attended_pairs(9, window) == int(mask.sum())


def test_products_have_rows_of_the_job_at_most():
  config = families.translate(shapes.config("llama-3.2-1b"))
  shapes_ = throughput.ceiling_products(config, 1500)
  assert (1024, 2048, 8192) in shapes_
  assert (1500, 8192, 2048) in shapes_
  assert max(rows for rows, _, _ in shapes_) == 1500


def test_peak_of_this_process():
  throughput.settle()
  if throughput.host_bytes() is None or not throughput.reset_peak():
    pytest.skip("this system does not tell")
  before = throughput.host_bytes()
  held = np.ones(50_000_000, np.uint8)
  del held
  after = throughput.host_bytes()
  assert 45e6 < after["peak"] - before["now"] < 100e6


def test_relative_difference():
  left, right = np.array([1.0, 2.0, np.nan]), np.array([1.0, 4.0, np.nan])
  assert throughput.relative_difference(left, right) == 0.5
  with pytest.raises(ValueError, match="missing"):
    throughput.relative_difference(left, np.array([1.0, 2.0, 3.0]))


@pytest.mark.parametrize("layers", [None, 3])
def test_depth_multiplies(layers):
  config = families.translate(shapes.config("gpt2", layers))
  depth = layers or 12
  one = dataclasses.replace(config, num_layers=1)
  head = 2 * 10 * 768 * 50257
  assert throughput.forward_flops(config, 1, 10) - head == depth * (
    throughput.forward_flops(one, 1, 10) - head
  )
