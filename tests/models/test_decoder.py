"""The decoder as a function: observation, causality, depth, random weights."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import switches

from icl_graphs.models import block, decoder
from icl_graphs.models import config as config_lib

CONFIG = config_lib.DecoderConfig(
  family="llama",
  vocab_size=37,
  hidden_size=16,
  num_layers=3,
  num_heads=4,
  num_kv_heads=2,
  head_size=6,
  mlp_size=20,
  max_positions=64,
  initializer_range=0.3,
  qkv_bias=True,
  mlp_bias=True,
)
TOKENS = np.random.default_rng(0).integers(0, 37, (2, 11), np.int32)


@functools.cache
def _shapes(config=CONFIG):
  return jax.eval_shape(lambda: decoder.init(config, 0))


@functools.cache
def _params(config=CONFIG):
  """Random everywhere, biases and norms included."""
  rng = np.random.default_rng(0)
  return jax.tree.map(
    lambda leaf: jnp.asarray(
      0.3 * rng.normal(size=leaf.shape) + 0.1, leaf.dtype
    ),
    _shapes(config),
  )


@functools.partial(jax.jit, static_argnums=(2, 3))
def _apply(params, tokens, observe=None, config=CONFIG):
  return decoder.Decoder(config).apply({"params": params}, tokens, observe)


def _identity(hidden):
  return hidden


def test_observation_has_one_entry_per_hidden_state():
  def observe(hidden):
    return {"sum": hidden.sum(axis=1), "first": hidden[:, 0]}

  final, everything = _apply(_params(), TOKENS, _identity)
  again, seen = _apply(_params(), TOKENS, observe)
  assert final.shape == (2, 11, 16)
  assert everything.shape == (4, 2, 11, 16)
  np.testing.assert_allclose(seen["sum"], everything.sum(axis=2), atol=1e-4)
  np.testing.assert_allclose(seen["first"], everything[:, :, 0], atol=1e-5)
  np.testing.assert_allclose(final, again, atol=1e-5)
  np.testing.assert_array_equal(everything[0], _params()["embedding"][TOKENS])
  assert _apply(_params(), TOKENS)[1] is None


@pytest.mark.parametrize("observed", [(0,), (3,), (0, 2), (1, 2, 3)])
def test_some_hidden_states(observed):
  _, everything = _apply(_params(), TOKENS, _identity)
  _, some = decoder.Decoder(CONFIG, observed).apply(
    {"params": _params()}, TOKENS, _identity
  )
  np.testing.assert_allclose(some, everything[np.array(observed)], atol=1e-5)


def test_final_is_the_norm_of_the_last_hidden_state():
  final, hidden = _apply(_params(), TOKENS, _identity)
  last = np.asarray(hidden[-1], np.float64)
  scale = np.sqrt(np.square(last).mean(-1, keepdims=True) + CONFIG.norm.epsilon)
  weight = np.asarray(_params()["final_norm"]["weight"])
  np.testing.assert_allclose(final, last / scale * weight, atol=1e-5)


def test_only_what_is_observed_leaves_the_scan():
  config = dataclasses.replace(CONFIG, num_layers=24)
  params = _shapes(config)
  tokens = jax.ShapeDtypeStruct((8, 256), np.int32)
  hidden_bytes = 8 * 256 * config.hidden_size * 4

  def temporary_bytes(observe):
    run = jax.jit(lambda p, t: _apply(p, t, observe, config))
    return (
      run.lower(params, tokens).compile().memory_analysis().temp_size_in_bytes
    )

  bare = temporary_bytes(None)
  reduced = temporary_bytes(lambda hidden: hidden.mean(axis=(0, 1)))
  assert reduced - bare < hidden_bytes
  # The observations are written once, where they leave: not copied.
  kept = temporary_bytes(lambda hidden: hidden[:4])
  assert kept - bare < (config.num_layers + 1) * hidden_bytes / 2 / 2


@pytest.mark.parametrize("variant", switches.VARIANTS)
def test_few_tokens_at_a_time_change_nothing(variant, monkeypatch):
  """Every switch, with parts that do not divide the 22 tokens."""
  monkeypatch.setattr(block, "_CPU_TOKENS", 5)
  config = switches.VARIANTS[variant]
  params = switches.params(config)
  whole = _apply(params, TOKENS, _identity, config)
  parts = _apply(
    params, TOKENS, _identity, dataclasses.replace(config, backend="cpu")
  )
  for one, other in zip(whole, parts, strict=True):
    np.testing.assert_allclose(one, other, atol=2e-5, rtol=2e-5)


def test_trace_does_not_grow_with_depth():
  def equations(num_layers):
    config = dataclasses.replace(CONFIG, num_layers=num_layers)
    observe = functools.partial(jnp.sum, axis=-1)
    jaxpr = jax.make_jaxpr(lambda p, t: _apply(p, t, observe, config))(
      _shapes(config), TOKENS
    )
    return str(jaxpr).count("\n")

  assert equations(2) == equations(16)


def test_future_tokens_have_no_influence():
  # One-hot tokens make the input differentiable.
  params = _params()

  def logits(one_hot, position):
    embedded = jnp.einsum("btv,vd->btd", one_hot, params["embedding"])
    # The embedding table becomes the sequence itself, looked up by position.
    table = embedded.reshape(-1, CONFIG.hidden_size)
    config = dataclasses.replace(CONFIG, vocab_size=table.shape[0])
    ids = jnp.arange(table.shape[0]).reshape(TOKENS.shape)
    final, _ = _apply(
      params | {"embedding": table, "unembedding": table},
      ids,
      None,
      config,
    )
    return jnp.square(final[:, position]).sum() + final[:, position].sum()

  one_hot = jax.nn.one_hot(TOKENS, CONFIG.vocab_size)
  gradients = jax.jit(jax.grad(logits))
  for position in (0, 4, 10):
    gradient = np.abs(gradients(one_hot, position)).sum(axis=(0, 2))
    assert (gradient[: position + 1] > 0).all()
    assert (gradient[position + 1 :] == 0).all()


def test_every_parameter_gets_a_gradient():
  def loss(params):
    final, _ = _apply(params, TOKENS)
    logits = decoder.logits(params, CONFIG, final)
    return -jax.nn.log_softmax(logits)[0, :, 1].sum()

  for path, leaf in jax.tree_util.tree_leaves_with_path(
    jax.jit(jax.grad(loss))(_params())
  ):
    assert np.isfinite(leaf).all()
    # A constant added to every key leaves the softmax as it is, but rotation
    # makes it differ by position: even the key's bias has a gradient.
    assert np.abs(leaf).max() > 1e-7, jax.tree_util.keystr(path)


def test_random_parameters():
  config = dataclasses.replace(CONFIG, hidden_size=256)
  params = decoder.init(config, 0)
  query = np.asarray(params["blocks"]["attention"]["query"]["kernel"])
  assert query.shape == (3, 256, 4, 6)
  assert abs(query.std() - CONFIG.initializer_range) < 0.01
  assert not np.allclose(query[0], query[1])
  assert (params["blocks"]["mlp_norm"]["weight"] == 1).all()
  assert (params["blocks"]["attention"]["key"]["bias"] == 0).all()
  half = jax.eval_shape(lambda: decoder.init(config, 1, "bfloat16"))
  assert {leaf.dtype for leaf in jax.tree.leaves(half)} == {jnp.bfloat16.dtype}


def test_half_precision_stays_half():
  half = jax.tree.map(
    lambda leaf: jax.ShapeDtypeStruct(leaf.shape, jnp.bfloat16), _shapes()
  )
  tokens = jax.ShapeDtypeStruct((2, 300), np.int32)
  final, hidden = jax.eval_shape(
    lambda p, t: _apply(p, t, _identity), half, tokens
  )
  assert final.dtype == hidden.dtype == jnp.bfloat16


def test_unembedding_is_the_embedding_where_tied():
  params = _params()
  assert decoder.unembedding(params, CONFIG) is params["unembedding"]
  tied = dataclasses.replace(CONFIG, tied=True)
  params = _params(tied)
  assert "unembedding" not in params
  assert decoder.unembedding(params, tied) is params["embedding"]


def test_token_beyond_the_vocabulary_is_not_another_word():
  final, _ = _apply(_params(), np.array([[1, 37]], np.int32))
  assert np.isnan(final[0, 1]).all()


@pytest.mark.parametrize("precision", ["default", "highest"])
def test_precision_of_float32_products_is_the_config_s(precision):
  config = dataclasses.replace(CONFIG, precision=precision)
  text = (
    jax.jit(lambda p, t: _apply(p, t, None, config))
    .lower(_shapes(), TOKENS)
    .as_text()
  )
  products = [line for line in text.splitlines() if "dot_general" in line]
  assert len(products) >= 9
  for line in products:
    assert ("precision = [HIGHEST, HIGHEST]" in line) == (
      precision == "highest"
    ), line
