import numpy as np
import planted
import pytest

from icl_graphs import errors
from icl_graphs.analysis import gram


def test_pooled_is_the_gram_of_weighted_class_means():
  rng = np.random.default_rng(0)
  sums = rng.normal(size=(3, 4, 6, 5))
  count = rng.integers(1, 9, (3, 4, 6))
  weights = rng.integers(0, 3, (7, 4)).astype(float) + np.eye(4)[[0] * 7]
  found, total = gram.pooled(gram.from_sums(sums), count, weights)
  assert found.shape == (3, 7, 6, 6) and total.shape == (3, 7, 6)
  for batch in range(3):
    for r, weight in enumerate(weights):
      rows = np.tensordot(weight, sums[batch], 1)
      terms = weight @ count[batch]
      means = rows / terms[:, None]
      np.testing.assert_allclose(found[batch, r], means @ means.T, rtol=1e-10)
      np.testing.assert_array_equal(total[batch, r], terms)
  single, _ = gram.pooled(gram.from_sums(sums), count)
  means = sums.sum(1) / count.sum(1)[..., None]
  np.testing.assert_allclose(single, gram.from_rows(means), rtol=1e-10)


def test_a_node_without_occurrences_is_nan_not_zero():
  sums = np.ones((1, 3, 2))
  sums[0, 1] = 0
  found, total = gram.pooled(gram.from_sums(sums), np.array([[2, 0, 1]]))
  assert total.tolist() == [2, 0, 1]
  assert np.isnan(found[1]).all() and np.isnan(found[:, 1]).all()
  assert np.isfinite(found[np.ix_([0, 2], [0, 2])]).all()


def test_class_sums_equal_a_loop_over_positions():
  rng = np.random.default_rng(1)
  values, nodes = rng.normal(size=(25, 3)), rng.integers(-1, 4, 25)
  sums, count = gram.class_sums(values, nodes, 4, 3)
  # Three blocks of 25 positions: 9, 8 and 8.
  for group, (start, stop) in enumerate([(0, 9), (9, 17), (17, 25)]):
    for node in range(4):
      inside = [t for t in range(start, stop) if nodes[t] == node]
      assert count[group, node] == len(inside)
      expected = sum((values[t] for t in inside), np.zeros(3))
      np.testing.assert_allclose(sums[group, node], expected, atol=1e-12)


def test_centring_and_distances_equal_those_of_the_rows():
  rows = np.random.default_rng(2).normal(size=(2, 7, 4)) + 5
  centred = rows - rows.mean(axis=1, keepdims=True)
  products = gram.from_rows(rows)
  np.testing.assert_allclose(
    gram.centre(products), gram.from_rows(centred), atol=1e-11
  )
  gaps = ((rows[:, :, None] - rows[:, None]) ** 2).sum(-1)
  np.testing.assert_allclose(gram.squared_distances(products), gaps, atol=1e-11)
  share = 7 * (rows.mean(1) ** 2).sum(-1) / (rows**2).sum((1, 2))
  np.testing.assert_allclose(gram.mean_share(products), share)
  np.testing.assert_allclose(gram.variance(products), (centred**2).sum((1, 2)))


def test_rows_that_coincide_have_no_variance():
  products = gram.from_rows(np.full((5, 3), 1.7))
  assert np.isnan(gram.variance(products))


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"activations": np.zeros(10)}, r"expected \[T, D\]"),
    ({"nodes": np.zeros(9, int)}, "one node per position"),
    ({"nodes": np.full(10, 16)}, "nodes 0 to 15"),
    ({"nodes": np.full(10, -2)}, "nodes 0 to 15"),
    ({"num_groups": 11}, "into 11 groups"),
    ({"activations": np.full((10, 2), np.nan)}, "not finite at 10 positions"),
  ],
)
def test_class_sums_refuse_bad_input(change, message):
  given = {
    "activations": np.zeros((10, 2)),
    "nodes": planted.walks(planted.grid(), 1, 10, 0)[0],
    "num_nodes": 16,
    "num_groups": 2,
  }
  with pytest.raises(errors.InputError, match=message):
    gram.class_sums(**(given | change))
