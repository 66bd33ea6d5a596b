"""Components against modes: exact when planted, calibrated when random."""

import numpy as np

from icl_graphs.analysis import eigenspace_alignment as alignment
from icl_graphs.analysis import pca, spectrum


def line(n):
  return np.eye(n, k=1) + np.eye(n, k=-1)


def ring(n):
  return line(n) + np.eye(n, k=n - 1) + np.eye(n, k=1 - n)


def grouped(rows, groups, noise, rng):
  """Inner products of class sums of groups that scatter about the rows."""
  n, width = rows.shape
  sums = rows + noise * rng.normal(size=(groups, n, width))
  flat = sums.reshape(groups * n, width)
  products = (flat @ flat.T).reshape(groups, n, groups, n)
  return products, np.ones((groups, n))


def test_planted_modes_are_found():
  rng = np.random.default_rng(0)
  modes = spectrum.laplacian_modes(line(12))
  directions = np.linalg.qr(rng.normal(size=(20, 2)))[0].T
  rows = modes.vectors[:, 1:3] @ (np.array([[3.0], [2.0]]) * directions)
  products, count = grouped(rows, 6, 0.05, rng)
  found = alignment.matched(products, count, modes, 2, 100, 0)
  assert (found.value > 0.98).all()
  assert (found.low > found.limit).all()
  assert (found.low <= found.value).all() and (found.high <= 1).all()


def test_tied_modes_have_no_vectors_but_a_space():
  rng = np.random.default_rng(0)
  modes = spectrum.laplacian_modes(ring(10))
  rows = modes.vectors[:, 1:3] @ rng.normal(size=(2, 8))
  products, count = grouped(rows, 4, 1e-6, rng)
  found = alignment.matched(products, count, modes, 2, 60, 0)
  for part in found:
    assert np.isnan(part).all()
  axes = pca.axes(rows @ rows.T)
  shares = alignment.by_space(axes.vectors, modes, 2)
  np.testing.assert_allclose(shares[:, 0], 1)
  whole = alignment.by_space(
    np.linalg.qr(rng.normal(size=(10, 10)))[0], modes, 4
  )
  # What is left lies on the constant vector.
  assert whole.shape == (4, 5) and (whole.sum(axis=1) <= 1 + 1e-12).all()


def test_limit_is_exceeded_as_often_as_it_says():
  """Random rows: one in forty is beyond the one-sided 2.5% limit."""
  rng = np.random.default_rng(1)
  modes = spectrum.laplacian_modes(line(10))
  exceeded = []
  for trial in range(200):
    products, count = grouped(rng.normal(size=(10, 30)), 2, 0.1, rng)
    found = alignment.matched(products, count, modes, 2, 79, trial)
    exceeded.append(found.value > found.limit)
  # Binomial(400, .025): beyond these numbers in fewer than 1 of 1000.
  assert 1 <= np.sum(exceeded) <= 21
