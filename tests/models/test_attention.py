"""Attention over query blocks against the plain formula."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icl_graphs.models import attention


def _inputs(time, heads=4, kv_heads=2, head_size=6, batch=2):
  rng = np.random.default_rng(0)
  return (
    rng.normal(size=(batch, time, heads, head_size)).astype(np.float32),
    rng.normal(size=(batch, time, kv_heads, head_size)).astype(np.float32),
    rng.normal(size=(batch, time, kv_heads, head_size)).astype(np.float32),
  )


def _naive(query, key, value, scale):
  """Full square in float64, one head and one query at a time."""
  query, key, value = (x.astype(np.float64) for x in (query, key, value))
  batch, time, heads, _ = query.shape
  share = heads // key.shape[2]
  out = np.zeros(query.shape)
  for b in range(batch):
    for n in range(heads):
      for t in range(time):
        seen = slice(0, t + 1)
        scores = key[b, seen, n // share] @ query[b, t, n] * scale
        weights = np.exp(scores - scores.max())
        out[b, t, n] = weights / weights.sum() @ value[b, seen, n // share]
  return out


@functools.partial(jax.jit, static_argnums=3)
def _blocked(query, key, value, block):
  return attention.attention(query, key, value, scale=0.7, query_block=block)


@pytest.mark.parametrize(
  ("block", "kv_heads"),
  [(1, 2), (5, 1), (5, 2), (5, 4), (6, 2), (18, 2), (19, 2), (64, 2)],
)
def test_blocks_equal_the_formula(block, kv_heads):
  inputs = _inputs(19, kv_heads=kv_heads)
  ours = _blocked(*inputs, block)
  np.testing.assert_allclose(ours, _naive(*inputs, 0.7), atol=2e-6)


def test_gradients_do_not_depend_on_the_block():
  inputs = _inputs(19)

  def loss(block):
    return lambda inputs: jnp.square(_blocked(*inputs, block)).sum()

  for one, other in zip(
    jax.grad(loss(5))(inputs), jax.grad(loss(64))(inputs), strict=True
  ):
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_mask_is_what_a_person_expects():
  mask = attention.causal_mask(2, 3, 5).astype(int).tolist()
  assert mask == [
    [1, 1, 1, 0, 0],
    [1, 1, 1, 1, 0],
    [1, 1, 1, 1, 1],
  ]


def test_future_has_no_gradient():
  inputs = _inputs(9)

  def at(position):
    def output(inputs):
      return jnp.square(_blocked(*inputs, 4)[:, position]).sum()

    return jax.grad(output)(inputs)

  for position in (0, 3, 4, 7):
    query, key, value = at(position)
    for gradient in (key, value):
      by_time = np.abs(gradient).sum(axis=(0, 2, 3))
      assert (by_time[position + 1 :] == 0).all()
      # With one key the softmax is constant, and its key does not matter.
      assert (by_time[: position + 1] > 0).all() or position == 0
    assert np.abs(query).sum(axis=(0, 2, 3))[position] > 0 or position == 0


def test_memory_is_linear_in_time():
  def temporary_bytes(time):
    shapes = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in _inputs(time)]
    compiled = (
      jax.jit(lambda q, k, v: attention.attention(q, k, v, scale=1.0))
      .lower(*shapes)
      .compile()
    )
    return compiled.memory_analysis().temp_size_in_bytes

  # Scores of the last blocks dominate: doubling the time doubles them.
  assert temporary_bytes(4096) < 2.6 * temporary_bytes(2048)
  square = 2 * 4 * 4096 * 4096 * 4
  assert temporary_bytes(4096) < square / 3
