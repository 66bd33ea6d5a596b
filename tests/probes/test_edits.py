"""Edits as data: nothing is nothing, rows are independent, mistakes are named.

What edits do is compared with transformers elsewhere.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.models import decoder
from icl_graphs.probes import edits
from tests.models import switches

TOKENS = np.random.default_rng(0).integers(0, 37, (3, 11), np.int32)
BASE = switches.BASE


def keep(hidden):
  return hidden


@functools.partial(jax.jit, static_argnums=0)
def plain(config, params, tokens):
  model = decoder.Decoder(config)
  return model.apply({"params": params}, tokens, keep)


@functools.partial(jax.jit, static_argnums=0)
def read(config, params, tokens, made):
  return edits.read(config, params, tokens, made, keep)


@pytest.mark.parametrize(
  ("variant", "backend"),
  [
    ("llama", "reference"),
    ("gemma2", "reference"),
    ("gemma2", "cpu"),
    ("neox", "cpu"),
  ],
)
def test_identity_is_bit_identical(variant, backend, monkeypatch):
  # Parts that do not divide the 33 tokens.
  monkeypatch.setattr("icl_graphs.models.block._CPU_TOKENS", 5)
  config = switches.VARIANTS[variant]
  params = switches.params(config)
  config = dataclasses.replace(config, backend=backend)
  same = edits.identity(config, TOKENS, rank=2)
  # Whatever may stand where nothing is taken from it.
  rng = np.random.default_rng(1)
  same = same._replace(
    **{
      name: rng.normal(size=getattr(same, name).shape).astype(np.float32)
      for name in ("head_fill", "centre", "replace")
    }
  )
  for one, other in zip(
    plain(config, params, TOKENS),
    read(config, params, TOKENS, same),
    strict=True,
  ):
    np.testing.assert_array_equal(one, other)


def test_no_edits_are_the_same_program():
  params = switches.params(BASE)
  without = jax.make_jaxpr(functools.partial(plain, BASE))(params, TOKENS)
  absent = jax.make_jaxpr(
    jax.jit(lambda p, t: edits.read(BASE, p, t, edits.Edits(), keep))
  )(params, TOKENS)
  within = [one.eqns[0].params["jaxpr"] for one in (without, absent)]
  assert str(within[0]) == str(within[1])


def drawn(seed):
  """Edits of every kind, of every row."""
  rng = np.random.default_rng(seed)
  same = edits.identity(BASE, TOKENS, rank=2)
  return edits.Edits(
    *(
      rng.random(leaf.shape) < 0.5
      if leaf.dtype == bool
      else rng.normal(size=leaf.shape).astype(np.float32)
      for leaf in same
    )
  )


def test_rows_do_not_feel_their_neighbours():
  """Neither a neighbour's edits nor its words reach a row."""
  params = switches.params(BASE)
  first, second = drawn(1), drawn(2)

  def mixed(one, other, axis):
    rows = np.arange(3).reshape(
      [-1 if i == axis else 1 for i in range(one.ndim)]
    )
    return np.where(rows == 1, one, other)

  mixture = edits.Edits(
    *(
      mixed(one, other, 0 if name == "at" else 1)
      for name, one, other in zip(
        edits.Edits._fields, first, second, strict=True
      )
    )
  )
  words = np.where(np.arange(3)[:, None] == 1, TOKENS, (TOKENS + 5) % 37)
  own = read(BASE, params, TOKENS, first)
  among = read(BASE, params, words, mixture)
  np.testing.assert_array_equal(own[0][1], among[0][1])
  np.testing.assert_array_equal(own[1][:, 1], among[1][:, 1])
  assert np.abs(own[0][0] - among[0][0]).max() > 0.1


def test_one_row_may_stand_for_all():
  """A batch axis of 1 is the same as the same edits in every row."""
  params = switches.params(BASE)
  shared = drawn(3)
  shared = edits.Edits(
    *(
      leaf if name == "at" else leaf[:, :1]
      for name, leaf in shared._asdict().items()
    )
  )
  spread = edits.Edits(
    *(
      leaf if name == "at" else np.repeat(leaf, 3, axis=1)
      for name, leaf in shared._asdict().items()
    )
  )
  for one, other in zip(
    read(BASE, params, TOKENS, shared),
    read(BASE, params, TOKENS, spread),
    strict=True,
  ):
    np.testing.assert_allclose(one, other, atol=2e-5)


def test_order_is_project_add_replace():
  """At hidden state 0, which nothing else touches, by hand in float64."""
  params = switches.params(BASE)
  made = drawn(4)
  basis = np.linalg.qr(np.swapaxes(made.basis, -1, -2))[0]
  made = made._replace(basis=np.swapaxes(basis, -1, -2))
  seen = read(BASE, params, TOKENS, made)[1][0]
  hidden = np.asarray(params["embedding"], np.float64)[TOKENS]
  off = hidden - made.centre[0][:, None]
  along = np.einsum("btd,brd->btr", off, made.basis[0])
  lost = np.einsum("btr,brd->btd", along, made.basis[0])
  assert made.keep[0].any() and not made.keep[0].all()
  expected = hidden - np.where(made.keep[0][:, None, None], off - lost, lost)
  expected += made.add[0][:, None]
  expected = np.where(
    made.replaced[0][:, None, None], made.replace[0][:, None], expected
  )
  expected = np.where(made.at[..., None], expected, hidden)
  np.testing.assert_allclose(seen, expected, atol=1e-5)


def test_half_precision_stays_half():
  params = jax.tree.map(
    lambda leaf: leaf.astype(jnp.bfloat16), switches.params(BASE)
  )
  final, seen = read(BASE, params, TOKENS, drawn(5))
  assert final.dtype == seen.dtype == jnp.bfloat16
  same = read(BASE, params, TOKENS, edits.identity(BASE, TOKENS, rank=2))
  for one, other in zip(plain(BASE, params, TOKENS), same, strict=True):
    np.testing.assert_array_equal(
      np.asarray(one, np.float32), np.asarray(other, np.float32)
    )


@pytest.mark.parametrize(
  ("wrong", "message"),
  [
    ({"head_scale": np.ones((3, 2, 4))}, r"\[L = 3, B = 3, N = 4\]"),
    ({"add": np.ones((3, 3, 16))}, r"'add' .*\[L \+ 1 = 4.* not \[3, 3, 16\]"),
    ({"at": np.ones((1, 11), bool)}, r"'at' .*\[B = 3, T = 11\], not"),
    ({"add": np.ones((4, 3, 16), int)}, "'add' must be of floats, not int"),
    ({"basis": np.ones((4, 3, 16))}, r"'basis'.*B = 3, R, D = 16"),
    ({"centre": np.ones((4, 1, 16))}, "'centre' needs 'basis'"),
    ({"replace": np.ones((4, 1, 16))}, "'replace' needs 'replaced'"),
    (
      {"replace": np.ones((4, 1, 16)), "replaced": np.ones((4, 1))},
      "'replaced' must be true or false",
    ),
  ],
)
def test_mistakes_are_named(wrong, message):
  with pytest.raises(errors.InputError, match=message):
    edits.check(BASE, TOKENS, edits.Edits(**wrong))


def test_heads_that_are_taken_away():
  scale = edits.without(BASE, [(0, 3), (2, 0)])
  assert scale.sum() == 10 and scale[0, 3] == scale[2, 0] == 0
  with pytest.raises(errors.InputError, match="no head 3.0; it has 3 layers"):
    edits.without(BASE, [(3, 0)])
