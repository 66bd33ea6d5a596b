"""Jacobi's eigenvectors against LAPACK's."""

import jax
import numpy as np
import pytest

from icl_graphs.probes import symmetric


@pytest.mark.parametrize("n", [2, 7, 16, 31])
def test_equals_lapack(n):
  rng = np.random.default_rng(n)
  rows = rng.normal(size=(3, 2, n, 40)) * np.geomspace(1, 1e-2, n)[:, None]
  matrix = (rows @ np.swapaxes(rows, -1, -2)).astype(np.float32)
  values, vectors = jax.jit(symmetric.eigh)(matrix)
  values, vectors = np.asarray(values, float), np.asarray(vectors, float)
  wanted, _ = np.linalg.eigh(matrix.astype(np.float64))
  largest = wanted.max()
  np.testing.assert_allclose(values, wanted[..., ::-1], atol=1e-5 * largest)
  identity = np.swapaxes(vectors, -1, -2) @ vectors
  np.testing.assert_allclose(
    identity, np.broadcast_to(np.eye(n), identity.shape), atol=1e-5
  )
  made = (vectors * values[..., None, :]) @ np.swapaxes(vectors, -1, -2)
  np.testing.assert_allclose(made, matrix, atol=1e-5 * largest)


def test_what_is_diagonal_stays():
  values, vectors = symmetric.eigh(np.diag([1.0, 3, 2]).astype(np.float32))
  np.testing.assert_array_equal(values, [3, 2, 1])
  np.testing.assert_array_equal(np.abs(vectors), np.eye(3)[:, [1, 2, 0]])


def test_rounds_meet_every_pair_once():
  rounds = symmetric._rounds(10)
  pairs = {frozenset(pair) for one in rounds for pair in one.T.tolist()}
  assert len(pairs) == 45
  assert all(sorted(one.ravel()) == list(range(10)) for one in rounds)
