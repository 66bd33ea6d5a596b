"""Attention over query blocks against the plain formula."""

import dataclasses
import functools
import sys
import types

import hypothesis
from hypothesis import strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import switches

from icl_graphs import errors
from icl_graphs.models import attention


def _inputs(time, heads=4, kv_heads=2, head_size=6, batch=2):
  rng = np.random.default_rng(0)
  return (
    rng.normal(size=(batch, time, heads, head_size)).astype(np.float32),
    rng.normal(size=(batch, time, kv_heads, head_size)).astype(np.float32),
    rng.normal(size=(batch, time, kv_heads, head_size)).astype(np.float32),
  )


def _naive(query, key, value, scale, window=None, softcap=None):
  """Full square in float64, one head and one query at a time."""
  query, key, value = (x.astype(np.float64) for x in (query, key, value))
  batch, time, heads, _ = query.shape
  share = heads // key.shape[2]
  out = np.zeros(query.shape)
  for b in range(batch):
    for n in range(heads):
      for t in range(time):
        seen = slice(0 if window is None else max(0, t + 1 - window), t + 1)
        scores = key[b, seen, n // share] @ query[b, t, n] * scale
        if softcap is not None:
          scores = softcap * np.tanh(scores / softcap)
        weights = np.exp(scores - scores.max())
        out[b, t, n] = weights / weights.sum() @ value[b, seen, n // share]
  return out


@functools.partial(jax.jit, static_argnums=(3, 4, 5))
def _blocked(query, key, value, block, window=None, softcap=None):
  return attention.attention(
    query,
    key,
    value,
    scale=0.7,
    window=window,
    softcap=softcap,
    query_block=block,
  )


@pytest.mark.parametrize(
  ("block", "kv_heads"),
  [(1, 2), (5, 1), (5, 2), (5, 4), (6, 2), (18, 2), (19, 2), (64, 2)],
)
def test_blocks_equal_the_formula(block, kv_heads):
  inputs = _inputs(19, kv_heads=kv_heads)
  ours = _blocked(*inputs, block)
  np.testing.assert_allclose(ours, _naive(*inputs, 0.7), atol=2e-6)


@pytest.mark.parametrize("window", [1, 2, 5, 7, 18, 19, 40])
@pytest.mark.parametrize("block", [3, 5, 19])
def test_windows_equal_the_formula(window, block):
  inputs = _inputs(19)
  ours = _blocked(*inputs, block, window)
  np.testing.assert_allclose(ours, _naive(*inputs, 0.7, window), atol=2e-6)


def test_softcap_comes_before_the_mask():
  inputs = _inputs(11)
  ours = _blocked(*inputs, 4, 6, 0.5)
  wanted = _naive(*inputs, 0.7, 6, 0.5)
  np.testing.assert_allclose(ours, wanted, atol=2e-6)
  assert np.abs(wanted - _naive(*inputs, 0.7, 6)).max() > 0.1


def _any(draw):
  """Arrays of any shape, a window and a softcap."""
  kv_heads, share = draw(st.integers(1, 3)), draw(st.integers(1, 3))
  inputs = _inputs(
    draw(st.integers(1, 40)),
    heads=kv_heads * share,
    kv_heads=kv_heads,
    head_size=draw(st.integers(1, 9)),
    batch=draw(st.integers(1, 3)),
  )
  window = draw(st.none() | st.integers(1, 45))
  return inputs, window, draw(st.none() | st.floats(0.5, 5))


@hypothesis.settings(max_examples=15, deadline=None, derandomize=True)
@hypothesis.given(data=st.data())
def test_any_shape_equals_the_formula(data):
  draw = data.draw
  inputs, window, softcap = _any(draw)
  block = draw(st.integers(1, 45))
  ours = _blocked(*inputs, block, window, softcap)
  wanted = _naive(*inputs, 0.7, window, softcap)
  np.testing.assert_allclose(ours, wanted, atol=5e-6)


@hypothesis.settings(max_examples=15, deadline=None, derandomize=True)
@hypothesis.given(data=st.data())
def test_few_heads_at_a_time_equal_the_formula(data):
  draw = data.draw
  inputs, window, softcap = _any(draw)
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(attention, "_CPU_QUERY_BLOCK", draw(st.integers(1, 45)))
    patch.setattr(attention, "_CPU_MOST_BLOCKS", draw(st.integers(1, 45)))
    patch.setattr(attention, "_CPU_SCORES", draw(st.integers(1, 5000)))
    # A new function: the sizes above are read while it is traced.
    ours = jax.jit(
      lambda *inputs: attention.attention(
        *inputs, scale=0.7, window=window, softcap=softcap, backend="cpu"
      )
    )(*inputs)
  wanted = _naive(*inputs, 0.7, window, softcap)
  np.testing.assert_allclose(ours, wanted, atol=5e-6)


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


def test_window_mask_is_what_a_person_expects():
  mask = attention.causal_mask(2, 4, 6, window=3).astype(int).tolist()
  assert mask == [
    [1, 1, 1, 0, 0, 0],
    [0, 1, 1, 1, 0, 0],
    [0, 0, 1, 1, 1, 0],
    [0, 0, 0, 1, 1, 1],
  ]
  alone = attention.causal_mask(0, 3, 3, window=1).astype(int).tolist()
  assert alone == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_outside_the_window_there_is_no_gradient():
  inputs = _inputs(17)

  def output(inputs):
    return jnp.square(_blocked(*inputs, 4, 6)[:, 13]).sum()

  _, key, value = jax.grad(output)(inputs)
  for gradient in (key, value):
    by_time = np.abs(gradient).sum(axis=(0, 2, 3))
    seen = np.flatnonzero(by_time)
    assert seen.tolist() == [8, 9, 10, 11, 12, 13]


@pytest.mark.parametrize("window", [None, 5])
def test_cudnn_is_asked_for_the_same_attention(monkeypatch, window):
  """Its meaning on JAX's own CPU path; its kernels need a GPU."""
  asked = []
  plain = jax.nn.dot_product_attention

  def on_cpu(*arrays, implementation, **options):
    asked.append(implementation)
    return plain(*arrays, implementation="xla", **options)

  monkeypatch.setattr(jax.nn, "dot_product_attention", on_cpu)
  inputs = _inputs(19, head_size=8)
  with jax.numpy_rank_promotion("allow"):
    ours = attention.attention(
      *inputs, scale=0.7, window=window, backend="cudnn"
    )
  assert asked == ["cudnn"]
  np.testing.assert_allclose(ours, _naive(*inputs, 0.7, window), atol=2e-6)


@pytest.mark.parametrize(("window", "softcap"), [(None, None), (5, 2.0)])
def test_tokamax_is_asked_for_the_same_attention(monkeypatch, window, softcap):
  """The call, held by a stand-in; its kernels need a GPU or TPU."""

  def stand_in(query, key, value, **options):
    assert options.pop("is_causal")
    assert options.pop("implementation") == ("mosaic", "triton")
    left, right = options.pop("local_window_size") or (len(query[0]), 0)
    assert right == 0
    return _naive(
      query,
      key,
      value,
      options.pop("scale"),
      left + 1,
      options.pop("logits_soft_cap"),
    )

  module = types.SimpleNamespace(dot_product_attention=stand_in)
  monkeypatch.setitem(sys.modules, "tokamax", module)
  inputs = _inputs(19)
  ours = attention.attention(
    *inputs, scale=0.7, window=window, softcap=softcap, backend="tokamax"
  )
  wanted = _naive(*inputs, 0.7, window, softcap)
  np.testing.assert_allclose(ours, wanted, atol=2e-6)


def test_backends_refuse_by_name():
  cpu = jax.devices("cpu")[0]
  plain = switches.BASE
  attention.check(plain, "float32", cpu)
  attention.check(
    dataclasses.replace(plain, backend="cpu", attention_softcap=1.0),
    *("float32", cpu),
  )
  with pytest.raises(errors.InputError, match="cpu does not .* device gpu;"):
    attention.check(
      dataclasses.replace(plain, backend="cpu"), "bfloat16", _Gpu()
    )
  for variant, words in (
    ({"backend": "cudnn"}, "cudnn does not support float32.*the device cpu"),
    (
      {"backend": "cudnn", "attention_softcap": 1.0, "head_size": 20},
      "an attention softcap, head size 20; choose --attention=reference",
    ),
  ):
    config = dataclasses.replace(plain, **variant)
    with pytest.raises(errors.InputError, match=words):
      attention.check(config, "float32", cpu)
  with pytest.raises(errors.InputError, match="backend 'magic' is not supp"):
    dataclasses.replace(plain, backend="magic")


def test_the_suited_backend():
  cpu, gpu = jax.devices("cpu")[0], _Gpu()
  plain = switches.BASE
  capped = dataclasses.replace(plain, attention_softcap=1.0)
  assert attention.suited(plain, "float32", cpu) == "cpu"
  assert attention.suited(plain, "float32", cpu, split=True) == "reference"
  assert attention.suited(plain, "bfloat16", gpu) == "cudnn"
  assert attention.suited(plain, "float32", gpu) == "reference"
  assert attention.suited(capped, "bfloat16", gpu) == "reference"


def test_a_missing_extra_is_named(monkeypatch):
  monkeypatch.setitem(sys.modules, "tokamax", None)
  config = dataclasses.replace(switches.BASE, backend="tokamax")
  with pytest.raises(errors.InputError, match="tokamax is not installed: pip"):
    attention.check(config, "bfloat16", jax.devices("cpu")[0])


class _Gpu:
  platform = "gpu"
  device_kind = "NVIDIA A100"


def test_cudnn_takes_what_its_kernels_take():
  config = dataclasses.replace(switches.BASE, backend="cudnn", head_size=128)
  attention.check(config, "bfloat16", _Gpu())
  wide = dataclasses.replace(config, head_size=256)
  with pytest.raises(errors.InputError, match="head size 256"):
    attention.check(wide, "bfloat16", _Gpu())


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
