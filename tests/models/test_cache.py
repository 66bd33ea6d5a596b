"""Reading in parts equals reading at once, for every switch."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import switches

from icl_graphs.models import cache as cache_lib
from icl_graphs.models import config as config_lib
from icl_graphs.models import decoder

LENGTH = 17
TOLERANCE = 1e-4


def _tokens(batch=2, length=LENGTH, seed=0):
  return np.random.default_rng(seed).integers(0, 37, (batch, length), np.int32)


def _full(config, tokens):
  """Hidden states after the final norm and before, one plain pass."""
  return jax.jit(
    lambda params: decoder.Decoder(config).apply(
      {"params": params}, tokens, lambda hidden: hidden
    )
  )(switches.params(config))


def _relative(ours, theirs):
  theirs = np.asarray(theirs)
  return np.abs(np.asarray(ours) - theirs).max() / np.sqrt((theirs**2).mean())


@pytest.mark.parametrize("name", switches.VARIANTS)
def test_prefill_then_steps_equal_one_pass(name):
  config = switches.VARIANTS[name]
  tokens = _tokens()
  wanted, wanted_hidden = _full(config, tokens)

  @jax.jit
  def in_parts(params):
    model = decoder.Decoder(config)
    variables = {"params": params}
    first, seen, read = model.apply(
      variables,
      tokens[:, :6],
      jnp.full(2, 6),
      slots=LENGTH,
      observe=lambda hidden: hidden,
      method="prefill",
    )
    # Three at once, then one at a time.
    outputs, states = [first], [seen]
    third, seen, read = model.apply(
      variables,
      tokens[:, 6:9],
      read,
      observe=lambda hidden: hidden,
      method="extend",
    )
    outputs.append(third)
    states.append(seen)

    def step(read, token):
      final, seen, read = model.apply(
        variables,
        token[:, None],
        read,
        observe=lambda hidden: hidden,
        method="extend",
      )
      return read, (final[:, 0], seen[:, :, 0])

    read, (rest, seen) = jax.lax.scan(step, read, tokens[:, 9:].T)
    outputs.append(jnp.moveaxis(rest, 0, 1))
    states.append(jnp.moveaxis(seen, 0, 2))
    return (
      jnp.concatenate(outputs, axis=1),
      jnp.concatenate(states, axis=2),
      read.length,
    )

  final, hidden, length = in_parts(switches.params(config))
  assert _relative(final, wanted) < TOLERANCE
  for ours, theirs in zip(hidden, wanted_hidden, strict=True):
    assert _relative(ours, theirs) < TOLERANCE
  np.testing.assert_array_equal(length, [LENGTH, LENGTH])


@pytest.mark.parametrize("name", ["llama", "gemma2", "gpt2"])
def test_prompts_of_different_lengths(name):
  config = switches.VARIANTS[name]
  tokens = _tokens()
  lengths = np.array([4, 9], np.int32)
  follows = 5
  wanted, _ = _full(config, tokens)
  padded = np.where(np.arange(9)[None] < lengths[:, None], tokens[:, :9], 36)
  after = np.stack(
    [row[n : n + follows] for row, n in zip(tokens, lengths, strict=True)]
  )

  @jax.jit
  def run(params):
    model = decoder.Decoder(config)
    variables = {"params": params}
    _, _, read = model.apply(
      variables, padded, lengths, slots=14, method="prefill"
    )
    # Two of different length at once (one of them padded), then the rest.
    some = jnp.array([2, 1])
    first, _, read = model.apply(
      variables, after[:, :2], read, some, method="extend"
    )
    rest = jnp.stack([after[0, 2:5], after[1, 1:4]])
    second, _, read = model.apply(variables, rest, read, method="extend")
    return first, second, read.length

  first, second, length = run(switches.params(config))
  np.testing.assert_array_equal(length, [9, 13])
  assert _relative(first[0, :2], wanted[0, 4:6]) < TOLERANCE
  assert _relative(first[1, :1], wanted[1, 9:10]) < TOLERANCE
  assert _relative(second[0], wanted[0, 6:9]) < TOLERANCE
  assert _relative(second[1], wanted[1, 10:13]) < TOLERANCE


@pytest.mark.parametrize("name", ["llama", "mistral", "gemma3", "gpt2"])
def test_shared_prefix_equals_separate_passes(name):
  config = switches.VARIANTS[name]
  prefixes, lengths = _tokens(2, 8), np.array([8, 5], np.int32)
  follows = _tokens(6, 7, seed=1)
  whole = [
    np.concatenate([prefixes[b // 3, : lengths[b // 3]], follows[b]])
    for b in range(6)
  ]

  @jax.jit
  def run(params):
    model = decoder.Decoder(config)
    variables = {"params": params}
    _, _, read = model.apply(variables, prefixes, lengths, method="prefill")
    prefix = cache_lib.as_prefix(read)
    mine = cache_lib.empty(config, 6, 7, jnp.float32, prefix)
    outputs = []
    for piece in (follows[:, :3], follows[:, 3:4], follows[:, 4:]):
      final, _, mine = model.apply(variables, piece, mine, method="extend")
      outputs.append(final)
    return jnp.concatenate(outputs, axis=1), mine

  final, mine = run(switches.params(config))
  for b, tokens in enumerate(whole):
    wanted, _ = _full(config, tokens[None])
    assert _relative(final[b], wanted[0, -7:]) < TOLERANCE
  # The prefix is there once, not once per continuation.
  assert mine.prefix.key.shape[1] == 2 and mine.key.shape[1:3] == (6, 7)


def test_a_prefix_is_not_copied_per_continuation():
  config = dataclasses.replace(switches.BASE, num_layers=2)

  def temporary_bytes(slots):
    def run(params, prefix, tokens):
      mine = cache_lib.empty(config, 64, 2, jnp.float32, prefix)
      return decoder.Decoder(config).apply(
        {"params": params}, tokens, mine, method="extend"
      )[0]

    kept = jax.ShapeDtypeStruct((2, 1, slots, 2, 8), jnp.float32)
    prefix = cache_lib.Prefix(kept, kept, jax.ShapeDtypeStruct((1,), jnp.int32))
    tokens = jax.ShapeDtypeStruct((64, 1), jnp.int32)
    shapes = jax.eval_shape(lambda: decoder.init(config, 0))
    compiled = jax.jit(run).lower(shapes, prefix, tokens).compile()
    return compiled.memory_analysis().temp_size_in_bytes

  more = temporary_bytes(2048) - temporary_bytes(1024)
  scores = 64 * 4 * 1024 * 4
  copies = 64 * 2 * 1024 * 2 * 8 * 4
  assert more < 6 * scores < copies


def test_longrope_knows_how_long_it_will_get():
  half = switches.BASE.head_size // 2
  rope = config_lib.Rope(
    "longrope",
    short_factors=(1.0,) * half,
    long_factors=tuple(2.0 + i for i in range(half)),
    original_positions=10,
  )
  config = dataclasses.replace(switches.BASE, rope=rope)
  tokens = _tokens()
  wanted, _ = _full(config, tokens)
  params = {"params": switches.params(config)}
  model = decoder.Decoder(config)
  far, _, _ = model.apply(
    params, tokens[:, :8], jnp.full(2, 8), longest=LENGTH, method="prefill"
  )
  near, _, _ = model.apply(
    params, tokens[:, :8], jnp.full(2, 8), method="prefill"
  )
  assert _relative(far, wanted[:, :8]) < TOLERANCE
  assert _relative(near, wanted[:, :8]) > 100 * TOLERANCE


def test_continuations_have_to_fit_their_prefixes():
  kept = jnp.zeros((3, 2, 4, 2, 8))
  prefix = cache_lib.Prefix(kept, kept, jnp.array([4, 4]))
  with pytest.raises(ValueError, match="5 sequences cannot continue 2"):
    cache_lib.empty(switches.BASE, 5, 3, jnp.float32, prefix)
  mine = cache_lib.empty(switches.BASE, 4, 3, jnp.float32, prefix)
  assert mine.slots == 7
  with pytest.raises(ValueError, match="prefix of a prefix"):
    cache_lib.as_prefix(mine)
