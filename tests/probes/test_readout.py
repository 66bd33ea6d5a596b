"""Node log-probabilities and accuracies against a full softmax in float64."""

import itertools

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest
from scipy import special

from icl_graphs.probes import readout


@pytest.mark.parametrize(
  ("chunk", "softcap"), [(None, None), (1, None), (7, 3.0), (64, None)]
)
def test_log_probs_equal_full_log_softmax(chunk, softcap):
  generator = np.random.default_rng(0)
  final = generator.normal(size=(3, 11, 16)).astype(np.float32)
  unembedding = generator.normal(size=(101, 16)).astype(np.float32)
  ids = np.array([5, 0, 100, 17], np.int32)
  got = readout.node_log_probs(
    jnp.asarray(final),
    jnp.asarray(unembedding),
    jnp.asarray(ids),
    softcap=softcap,
    chunk=chunk,
  )
  logits = final.astype(np.float64) @ unembedding.astype(np.float64).T
  if softcap is not None:
    logits = softcap * np.tanh(logits / softcap)
  expected = special.log_softmax(logits, axis=-1)[..., ids]
  np.testing.assert_allclose(got, expected, atol=2e-5)
  got = readout.log_sum_exp(
    *map(jnp.asarray, (final, unembedding)), softcap=softcap, chunk=chunk
  )
  expected = special.logsumexp(logits, axis=-1)
  np.testing.assert_allclose(got, expected, atol=2e-5)


@pytest.mark.parametrize("tokens", [3, 130, 300])
def test_chunks_for_a_cpu_change_nothing(tokens, monkeypatch):
  monkeypatch.setattr(readout, "_CHUNK_ELEMENTS", 64 * 101)
  generator = np.random.default_rng(0)
  final, unembedding = (
    jnp.asarray(generator.normal(size=(rows, 16)), jnp.float32)
    for rows in (tokens, 101)
  )
  ids = np.array([5, 0, 100], np.int32)
  # Whole vectors: 130 tokens are two chunks of 128, not of 65.
  chunk = readout._chunk(tokens, unembedding, "cpu")
  assert chunk == {3: 3, 130: 128, 300: 128}[tokens]
  one, other = (
    readout.node_log_probs(final[None], unembedding, ids, backend=backend)
    for backend in ("cpu", "reference")
  )
  np.testing.assert_allclose(one, other, atol=1e-5)


def test_no_logits_of_the_whole_batch():
  """Peak temporary memory must not grow with the number of tokens."""
  unembedding = jax.ShapeDtypeStruct((4096, 32), jnp.float32)
  ids = jax.ShapeDtypeStruct((16,), jnp.int32)

  def temporary_bytes(batch):
    final = jax.ShapeDtypeStruct((batch, 512, 32), jnp.float32)
    compiled = (
      jax.jit(lambda f, u, i: readout.node_log_probs(f, u, i, chunk=256))
      .lower(final, unembedding, ids)
      .compile()
    )
    return compiled.memory_analysis().temp_size_in_bytes

  logits_of_one_walk = 512 * 4096 * 4
  assert temporary_bytes(16) - temporary_bytes(1) < 2 * logits_of_one_walk


def test_scores_equal_brute_force_over_all_relabellings():
  graph = nx.path_graph(4)
  graph.add_edge(0, 2)
  edges = nx.to_numpy_array(graph) > 0
  generator = np.random.default_rng(1)
  # Four node words and three others share the mass.
  probs = generator.dirichlet(np.ones(7), size=(2, 5))[..., :4]
  nodes = generator.integers(0, 4, (2, 5)).astype(np.int32)
  scored = generator.random((2, 5)) < 0.8
  scored[0, 0] = True
  nodes[1, 1] = -1
  scored[1, 1] = False
  got = readout.score(
    jnp.log(jnp.asarray(probs, jnp.float32)),
    jnp.asarray(nodes),
    jnp.asarray(scored),
    jnp.asarray(edges),
  )
  for b, t in np.ndindex(2, 5):
    if not scored[b, t]:
      assert all(np.isnan(x[b, t]) for x in got)
      continue
    p, x = probs[b, t], nodes[b, t]
    relabelled = [
      p[edges[np.ix_(order, order)][x]].sum()
      for order in map(list, itertools.permutations(range(4)))
    ]
    assert np.isclose(got.accuracy_full[b, t], p[edges[x]].sum(), atol=1e-6)
    assert np.isclose(got.node_mass[b, t], p.sum(), atol=1e-6)
    assert np.isclose(got.null_mass[b, t], np.mean(relabelled), atol=1e-6)
