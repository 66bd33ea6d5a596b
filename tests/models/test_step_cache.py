"""Reading one token at a time equals reading at once, for every switch."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import switches

from icl_graphs.models import cache as cache_lib
from icl_graphs.models import decoder, step_cache

TOLERANCE = 1e-4
STEPS = 9


def _draw(shape, seed=0):
  return np.random.default_rng(seed).integers(0, 37, shape, np.int32)


def _relative(ours, theirs):
  theirs = np.asarray(theirs)
  return np.abs(np.asarray(ours) - theirs).max() / np.sqrt((theirs**2).mean())


def _steps(config, prompts, lengths, follows, block):
  """Final and hidden states of what follows, read step by step."""
  longest = prompts.shape[1] + follows.shape[1]

  @jax.jit
  def run(params):
    model = decoder.Decoder(config)
    variables = {"params": params}
    _, _, read = model.apply(
      variables, prompts, lengths, longest=longest, method="prefill"
    )
    repeats = len(follows) // len(prompts)
    read = step_cache.start(read, follows.shape[1], repeats, block)

    def step(read, token):
      final, seen, read = model.apply(
        variables,
        token,
        read,
        longest,
        observe=lambda hidden: hidden,
        method="step",
      )
      return read, (final[:, 0], seen[:, :, 0])

    read, (final, seen) = jax.lax.scan(step, read, follows.T)
    return jnp.moveaxis(final, 0, 1), jnp.moveaxis(seen, 0, 2), read

  return run(switches.params(config))


def _whole(config, sequences):
  """The same of whole sequences, padded at the end, in one pass."""
  tokens = np.zeros((len(sequences), max(map(len, sequences))), np.int32)
  for row, one in zip(tokens, sequences, strict=True):
    row[: len(one)] = one
  return jax.jit(
    lambda params: decoder.Decoder(config).apply(
      {"params": params}, tokens, lambda hidden: hidden
    )
  )(switches.params(config))


@pytest.mark.parametrize(
  ("name", "repeats", "block"),
  [(name, 1, 4) for name in switches.VARIANTS]
  + [(name, 3, 3) for name in ("llama", "gemma2", "gemma3", "gpt2")],
)
def test_steps_equal_one_pass(name, repeats, block):
  config = switches.VARIANTS[name]
  prompts, lengths = _draw((2, 7)), np.array([7, 4], np.int32)
  follows = _draw((2 * repeats, STEPS), 1)
  final, hidden, read = _steps(config, prompts, lengths, follows, block)
  assert int(read.taken) == STEPS
  sequences = [
    [*prompts[b // repeats, : lengths[b // repeats]], *row]
    for b, row in enumerate(follows)
  ]
  wanted, wanted_hidden = _whole(config, sequences)
  for b, length in enumerate(np.repeat(lengths, repeats)):
    here = slice(length, length + STEPS)
    assert _relative(final[b], wanted[b, here]) < TOLERANCE
    for ours, theirs in zip(hidden, wanted_hidden, strict=True):
      assert _relative(ours[b], theirs[b, here]) < TOLERANCE


def test_blocks_behind_every_window_are_not_read():
  """What lies there may be anything: the products never happen."""
  config = dataclasses.replace(
    switches.VARIANTS["mistral"], num_layers=1, sliding=(True,)
  )
  assert config.window == 4
  params = {"params": decoder.init(config, 0)}
  kept = jnp.ones((1, 2, 8, config.num_kv_heads, config.head_size))
  prompt = cache_lib.Cache(kept, kept, jnp.array([8, 8]))
  read = step_cache.start(prompt, 4, block=4)
  # Slots 4 to 7 are seen from position 8, slots 0 to 3 are not.
  spoilt = read._replace(
    key=read.key.at[:, 0].set(jnp.nan), value=read.value.at[:, 0].set(jnp.nan)
  )

  @jax.jit
  def step(read):
    return decoder.Decoder(config).apply(
      params, _draw(2, 2), read, 12, method="step"
    )[0]

  np.testing.assert_array_equal(step(read), step(spoilt))


def test_a_shared_prompt_is_kept_once():
  config = dataclasses.replace(switches.BASE, num_layers=2)

  def temporary_bytes(slots):
    def run(params, kept, tokens):
      prompt = cache_lib.Cache(kept, kept, jnp.array([slots]))
      read = step_cache.start(prompt, 2, 64)
      return decoder.Decoder(config).apply(
        {"params": params}, tokens, read, slots + 2, method="step"
      )[0]

    kept = jax.ShapeDtypeStruct((2, 1, slots, 2, 8), jnp.float32)
    tokens = jax.ShapeDtypeStruct((64,), jnp.int32)
    shapes = jax.eval_shape(lambda: decoder.init(config, 0))
    compiled = jax.jit(run).lower(shapes, kept, tokens).compile()
    return compiled.memory_analysis().temp_size_in_bytes

  more = temporary_bytes(2048) - temporary_bytes(1024)
  scores = 64 * 4 * 1024 * 4
  copies = 64 * 2 * 1024 * 2 * 8 * 4
  assert more < 6 * scores < copies


def test_steps_neither_copy_nor_convert_what_is_kept():
  """The only arrays as large as the cache are the cache."""
  config = dataclasses.replace(switches.BASE, num_layers=2)
  model = decoder.Decoder(config)
  prompt = jax.ShapeDtypeStruct((1, 8), jnp.int32)
  shapes = jax.eval_shape(lambda: decoder.init(config, 0))
  steps, rows = 512, 64

  def run(params, prompt):
    variables = {"params": params}
    _, _, read = model.apply(
      variables, prompt, jnp.array([8]), method="prefill"
    )
    read = step_cache.start(read, steps, rows)

    def step(read, _):
      token = jnp.zeros(rows, jnp.int32)
      final, _, read = model.apply(
        variables, token, read, steps + 8, method="step"
      )
      return read, final.sum()

    return jax.lax.scan(step, read, length=steps)[1]

  compiled = jax.jit(run).lower(shapes, prompt).compile()
  kept = 2 * config.num_layers * rows * steps * 2 * 8 * 4
  assert compiled.memory_analysis().temp_size_in_bytes < 1.2 * kept
