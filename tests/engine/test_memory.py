"""No tensor has both a layer axis and a batch-times-time axis."""

import jax
import jax.numpy as jnp

from icl_graphs.engine import forward
from icl_graphs.models import config as config_lib
from icl_graphs.models import decoder
from icl_graphs.probes import class_sums
from icl_graphs.tasks import graphs, prompts

BATCH, WORDS, WIDTH, NODES = 8, 511, 64, 16


def compiled_bytes(num_layers: int) -> tuple[int, int]:
  """Temporary bytes of one step, and bytes of the sums it returns."""
  config = config_lib.DecoderConfig(
    family="llama",
    vocab_size=64,
    hidden_size=WIDTH,
    mlp_size=128,
    num_layers=num_layers,
    num_heads=4,
    num_kv_heads=4,
    head_size=16,
    max_positions=512,
  )
  layout = prompts.Layout(
    (1,), tuple(range(NODES)), tuple("abcdefghijklmnop"), "walk", None
  )
  sums = class_sums.ClassSums(NODES, 2, (64, WORDS), (50,), 1)
  layers = tuple(range(num_layers + 1))
  plan = forward.Plan(config, layout, sums, layers, WORDS)
  params = jax.eval_shape(lambda: decoder.init(config, 0, "float32"))
  work = forward.task(graphs.parse("grid:4x4"), 0)
  lowered = jax.jit(forward.build(plan)).lower(
    params, work, jnp.arange(BATCH), jnp.ones(BATCH, bool)
  )
  memory = lowered.compile().memory_analysis()
  observed = (num_layers + 1) * len(sums.segments) * 2 * NODES * WIDTH * 4
  return memory.temp_size_in_bytes, observed


def test_temporaries_do_not_grow_with_captured_layers():
  few, sums_of_few = compiled_bytes(2)
  many, sums_of_many = compiled_bytes(18)
  one_layer = BATCH * (WORDS + 1) * WIDTH * 4
  # The scan may double-buffer its sums; sixteen more layers of activations
  # would be `16 * one_layer`.
  allowed = 2 * (sums_of_many - sums_of_few)
  assert many - few <= allowed < 16 * one_layer


def test_all_layers_take_little_more_memory_than_one():
  """The bar of a tenth, at the shape of a real model (compiled only)."""
  config = config_lib.DecoderConfig(
    family="llama",
    vocab_size=32000,
    hidden_size=2048,
    mlp_size=8192,
    num_layers=4,
    num_heads=32,
    num_kv_heads=8,
    head_size=64,
    max_positions=2048,
    tied=True,
    backend="cpu",
  )
  layout = prompts.Layout(
    (1,), tuple(range(NODES)), tuple("abcdefghijklmnop"), "walk", None
  )
  contexts = class_sums.log_spaced_contexts(WORDS, 16)
  sums = class_sums.ClassSums(NODES, 1, contexts, (50, 200), 1)
  params = jax.eval_shape(lambda: decoder.init(config, 0, "float32"))
  work = forward.task(graphs.parse("grid:4x4"), 0)

  def bytes_above_weights(layers):
    plan = forward.Plan(config, layout, sums, layers, WORDS)
    lowered = jax.jit(forward.build(plan)).lower(
      params, work, jnp.arange(BATCH), jnp.ones(BATCH, bool)
    )
    memory = lowered.compile().memory_analysis()
    return memory.temp_size_in_bytes + memory.output_size_in_bytes

  one, every = bytes_above_weights((3,)), bytes_above_weights(tuple(range(5)))
  print(f"one layer {one / 1e6:.0f} MB, all {every / 1e6:.0f} MB")
  assert every <= 1.1 * one
  # What careful hooks in torch need for the same.
  assert every < 0.5e9
