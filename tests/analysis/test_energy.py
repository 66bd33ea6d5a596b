import itertools

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import planted
import pytest

from icl_graphs.analysis import energy, geometry, gram


def brute_force(rows, adjacency, hidden_size):
  """Every definition as a double loop over nodes."""
  n = len(rows)
  edge_sum = all_sum = degree_sum = 0.0
  mean = sum(rows) / n
  for i in range(n):
    degree_sum += (
      (adjacency[i].sum() + adjacency[:, i].sum())
      / 2
      * ((rows[i] - mean) ** 2).sum()
    )
    for j in range(n):
      gap = sum((rows[i, d] - rows[j, d]) ** 2 for d in range(rows.shape[1]))
      edge_sum += adjacency[i, j] * gap
      all_sum += gap
  edges = adjacency.sum() / 2
  variance = ((rows - mean) ** 2).sum()
  return {
    "energy_sum": edge_sum,
    "energy_edge": edge_sum / 2 / edges,
    "energy_frobenius": edge_sum / 2 / (hidden_size * (rows**2).sum()),
    "energy_centred": edge_sum / 2 / variance,
    "energy_ratio": edge_sum / all_sum,
    "energy_degree": edge_sum / 2 / degree_sum,
    "energy_relative": edge_sum / 2 / variance / (2 * edges / (n - 1)),
  }


def directed(n: int) -> np.ndarray:
  adjacency = np.roll(np.eye(n), 1, axis=1)
  adjacency[0, n // 2] = 2.5
  return adjacency


@pytest.mark.parametrize(
  "adjacency",
  [
    planted.grid(3),
    planted.random_graph(8, 0),
    planted.random_graph(8, 1, weighted=True),
    directed(7),
  ],
  ids=["grid", "random", "weighted", "directed"],
)
def test_gram_formulas_equal_double_loops(adjacency):
  rows = np.random.default_rng(3).normal(size=(len(adjacency), 5)) + 2
  found = energy.energies(gram.from_rows(rows), adjacency, 5)
  expected = brute_force(rows, adjacency, 5)
  assert set(found) == set(energy.NAMES) == set(expected)
  for name, value in expected.items():
    np.testing.assert_allclose(found[name], value, rtol=1e-10, err_msg=name)


def test_eigenvectors_have_their_eigenvalue_as_energy():
  adjacency = planted.grid()
  values, modes = np.linalg.eigh(energy.laplacian(adjacency))
  for k in range(1, 16):
    found = energy.energies(
      gram.from_rows(modes[:, k : k + 1] + 4.0), adjacency, 1
    )
    np.testing.assert_allclose(found["energy_centred"], values[k], rtol=1e-9)


def test_values_without_structure_on_the_three_main_graphs():
  rows = np.random.default_rng(4).normal(size=(16, 9))
  null = energy.no_structure(gram.from_rows(rows), planted.grid(), 9)
  assert null["energy_centred"] == pytest.approx(3.2)
  assert null["energy_ratio"] == pytest.approx(0.2)
  assert null["energy_degree"] == pytest.approx(16 / 15)
  null = energy.no_structure(gram.from_rows(rows[:10]), planted.ring(10), 9)
  assert null["energy_centred"] == pytest.approx(20 / 9)
  assert null["energy_ratio"] == pytest.approx(2 / 9)


@pytest.mark.parametrize("weighted", [False, True])
def test_no_structure_is_the_mean_over_all_relabellings(weighted):
  adjacency = planted.random_graph(6, 5, weighted)
  products = gram.from_rows(np.random.default_rng(5).normal(size=(6, 3)) + 1)
  orders = np.array(list(itertools.permutations(range(6))))
  every = energy.energies(
    products[orders[:, :, None], orders[:, None]], adjacency, 3
  )
  null = energy.no_structure(products, adjacency, 3)
  for name in set(energy.NAMES) - {"energy_degree"}:
    np.testing.assert_allclose(every[name].mean(), null[name], rtol=1e-10)
  assert every["energy_degree"].mean() == pytest.approx(6 / 5, rel=0.05)


def test_identical_rows_give_nan_ratios_and_no_warning():
  found = energy.energies(
    gram.from_rows(np.full((16, 4), 2.3)), planted.grid(), 4
  )
  for name in ("energy_centred", "energy_ratio", "energy_degree"):
    assert np.isnan(found[name])


CENTRED = set(geometry.NAMES) - {"energy_frobenius"}
SCALE_FREE = CENTRED - {"energy_sum", "energy_edge"}


@settings(max_examples=25, deadline=None)
@given(
  seed=st.integers(0, 10_000),
  n=st.integers(5, 10),
  weighted=st.booleans(),
  shift=st.floats(-5, 5),
  scale=st.floats(0.1, 10),
)
def test_invariances(seed, n, weighted, shift, scale):
  rng = np.random.default_rng(seed)
  adjacency = planted.random_graph(n, seed, weighted)
  frame = geometry.frame(adjacency)
  rows = rng.normal(size=(n, 6))
  original = geometry.measure(gram.from_rows(rows), frame, 6)

  def same(other_rows, other_frame, names):
    other = geometry.measure(gram.from_rows(other_rows), other_frame, 6)
    for name in names:
      np.testing.assert_allclose(
        other[name], original[name], rtol=1e-6, atol=1e-7, err_msg=name
      )

  rotation, _ = np.linalg.qr(rng.normal(size=(6, 6)))
  same(rows @ rotation, frame, geometry.NAMES)
  same(rows + shift * rng.normal(size=6), frame, CENTRED)
  same(rows * scale, frame, SCALE_FREE)
  order = rng.permutation(n)
  relabelled = geometry.frame(adjacency[np.ix_(order, order)])
  same(rows[order], relabelled, geometry.NAMES)
