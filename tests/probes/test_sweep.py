"""A sweep as a tree gives the numbers of its configurations one by one."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.probes import edits, sweep
from tests.models import switches

TOKENS = np.random.default_rng(0).integers(0, 37, (2, 11), np.int32)
L, N, H = 3, 4, 8
CONFIGURATIONS = 9


@pytest.fixture
def drawn():
  """Scales, kinds and fills; some configurations are equal, one is clean."""
  rng = np.random.default_rng(1)
  scale = (rng.random((CONFIGURATIONS, L, N)) < 0.8).astype(np.float32)
  scale[0] = 1
  scale[1, :2] = 1
  scale[3] = scale[2]
  fill = np.arange(CONFIGURATIONS) % 2
  fill[3] = fill[2]
  fills = rng.normal(size=(2, L, N, H)).astype(np.float32)
  fills[0] = 0
  return scale, fill, fills


@pytest.mark.parametrize("variant", ["gemma2", "neox"])
def test_equals_one_configuration_at_a_time(variant, drawn):
  scale, fill, fills = drawn
  config = switches.VARIANTS[variant]
  config = dataclasses.replace(
    config, backend="cpu" if variant == "neox" else "reference"
  )
  params = switches.params(config)
  final, seen = jax.jit(
    lambda params, tree: sweep.read(
      *(config, params, TOKENS, tree, lambda x: x, lambda x: x[:, -2:]),
      observed=(0, 2),
    )
  )(params, sweep.tree(*drawn))
  one = jax.jit(
    functools.partial(
      edits.read, config, observe=lambda x: x[:, -2:], observed=(0, 2)
    )
  )
  assert final.shape == (CONFIGURATIONS, 2, 11, 16)
  for c in range(CONFIGURATIONS):
    made = edits.Edits(scale[c][:, None], fills[fill[c]][:, None])
    expected, hidden = one(params, TOKENS, made)
    np.testing.assert_allclose(final[c], expected, atol=2e-5)
    for k in range(2):
      np.testing.assert_allclose(seen[k][c], hidden[k], atol=2e-5)


def test_few_loops_over_layers_change_nothing(drawn, monkeypatch):
  """Layers that share a loop are padded to the nodes of its last one."""
  params = switches.params(switches.BASE)
  found = []
  for most in (1, 8):
    monkeypatch.setattr(sweep.stretches, "__defaults__", (most,))
    made = jax.jit(
      lambda params, tree: sweep.read(
        *(switches.BASE, params, TOKENS, tree, lambda x: x)
      )[0]
    )
    found.append(made(params, sweep.tree(*drawn)))
  np.testing.assert_allclose(*found, atol=2e-5)


def test_loops_are_where_padding_is_least():
  sizes = (1, 5, 5, 5, 9, 9)
  assert sweep.stretches(sizes, (), 1) == [(0, 5)]
  assert sweep.stretches(sizes, (), 2) == [(0, 3), (3, 5)]
  assert sweep.stretches(sizes, (1,), 2) == [(0, 1), (1, 5)]
  every = [(k, k + 1) for k in range(5)]
  assert sweep.stretches(sizes, (1, 2, 3, 4), 1) == every
  # Layers of as many nodes share a loop for nothing.
  assert sweep.stretches(sizes, (), 8) == [(0, 1), (1, 3), (3, 4), (4, 5)]


def test_the_tree_holds_what_differs(drawn):
  scale, fill, fills = drawn
  tree = sweep.tree(scale, fill, fills)
  for k in range(L + 1):
    # The same node exactly where nothing before differs.
    for a in range(CONFIGURATIONS):
      for b in range(CONFIGURATIONS):
        alike = all(
          np.array_equal(scale[a, layer], scale[b, layer])
          and (fill[a] == fill[b] or np.all(scale[a, layer] == 1))
          for layer in range(k)
        )
        assert (tree.ancestor[k, a] == tree.ancestor[k, b]) == alike
  nodes = [1, *(len(level.parent) for level in tree.levels)]
  assert nodes[-1] < CONFIGURATIONS and nodes == sorted(nodes)
  halves = sum(nodes[:-1]) + sum(nodes[1:])
  assert tree.work == pytest.approx(halves / 2 / L / CONFIGURATIONS)


def test_a_chain_of_one():
  """A single configuration is a tree without branches."""
  tree = sweep.tree(np.ones((1, L, N)), [0], np.zeros((1, L, N, H)))
  assert tree.work == 1


def test_what_does_not_fit_is_refused(drawn):
  scale, fill, fills = drawn
  with pytest.raises(errors.InputError, match=r"scales \[C, L, N\]"):
    sweep.tree(scale[0], fill, fills)
  with pytest.raises(errors.InputError, match="C kinds of fill"):
    sweep.tree(scale, fill[:2], fills)
  with pytest.raises(errors.InputError, match=r"\[F, L, N, H\]"):
    sweep.tree(scale, fill, fills[:, :2])
  with pytest.raises(errors.InputError, match="fills 0 to 0"):
    sweep.tree(scale, fill, fills[:1])


def test_half_precision(drawn):
  params = jax.tree.map(
    lambda leaf: leaf.astype(jnp.bfloat16), switches.params(switches.BASE)
  )
  final, _ = jax.eval_shape(
    lambda params: sweep.read(
      switches.BASE, params, TOKENS, sweep.tree(*drawn), lambda x: x
    ),
    params,
  )
  assert final.dtype == jnp.bfloat16
