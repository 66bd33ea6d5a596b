import networkx
import numpy as np
import planted
import pytest
from scipy import linalg

from icl_graphs import errors
from icl_graphs.analysis import energy, gram, pca, spectrum


def rows_for(n, width=6, seed=0):
  return np.random.default_rng(seed).normal(size=(n, width)) + 1.0


def test_pca_equals_svd_of_the_centred_rows():
  rows = rows_for(12)
  u, s, vt = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
  found = pca.axes(gram.from_rows(rows))
  scores = pca.scores(found, 4)
  np.testing.assert_allclose(np.abs(scores), np.abs(u * s)[:, :4], atol=1e-10)
  # The same points as projecting the rows on the principal directions.
  projected = (rows - rows.mean(0)) @ vt[:4].T
  np.testing.assert_allclose(np.abs(scores), np.abs(projected), atol=1e-10)
  np.testing.assert_allclose(
    pca.explained_ratio(found, 4), (s**2 / (s**2).sum())[:4], atol=1e-12
  )


def test_pca_signs_do_not_depend_on_luck():
  rows = rows_for(9)
  found = pca.axes(gram.from_rows(rows))
  top = np.abs(found.vectors).argmax(axis=0)
  assert (found.vectors[top, range(9)] > 0).all()


def test_pca_of_three_nodes_is_padded():
  found = pca.axes(gram.from_rows(rows_for(3)))
  assert pca.scores(found, 4).shape == (3, 4)
  np.testing.assert_array_equal(pca.scores(found, 4)[:, 3], 0)
  assert pca.explained_ratio(found, 4).sum() == pytest.approx(1)


def test_pca_passes_nan_through_without_raising():
  products = np.stack([gram.from_rows(rows_for(5)), np.full((5, 5), np.nan)])
  found = pca.axes(products)
  assert np.isfinite(found.vectors[0]).all()
  assert np.isnan(found.vectors[1]).all()


@pytest.mark.parametrize(
  ("adjacency", "first_two", "whole"),
  [
    (planted.grid(), (0.585786, 0.585786), 2),
    (planted.ring(10), (0.381966, 0.381966), 2),
    (planted.torus(), (2.0, 2.0), 4),
    (networkx.to_numpy_array(networkx.path_graph(16)), (0.0384, 0.1522), 2),
    (
      networkx.to_numpy_array(networkx.hexagonal_lattice_graph(3, 3)),
      (0.170, 0.203),
      2,
    ),
    (networkx.to_numpy_array(networkx.hypercube_graph(3)), (2.0, 2.0), 3),
  ],
  ids=["grid", "ring", "torus", "line", "hex", "cube"],
)
def test_fiedler_space_covers_whole_eigenspaces(adjacency, first_two, whole):
  modes = spectrum.laplacian_modes(adjacency)
  np.testing.assert_allclose(modes.values[1:3], first_two, atol=6e-4)
  projector = spectrum.fiedler_projector(modes)
  assert np.trace(projector) == pytest.approx(whole)
  np.testing.assert_allclose(projector @ projector, projector, atol=1e-12)
  assert np.trace(spectrum.fiedler_weights(modes)) == pytest.approx(2)


def test_fiedler_power_is_the_same_in_every_basis_of_a_tie():
  modes = spectrum.laplacian_modes(planted.torus())
  turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))
  vectors = modes.vectors.copy()
  vectors[:, 1:5] = vectors[:, 1:5] @ turn
  turned = modes._replace(vectors=vectors)
  np.testing.assert_allclose(
    spectrum.fiedler_weights(turned), spectrum.fiedler_weights(modes), atol=1e-9
  )
  products = gram.from_rows(rows_for(16))
  np.testing.assert_allclose(
    spectrum.power(products, turned), spectrum.power(products, modes), atol=1e-9
  )


def test_power_sums_to_one_and_gives_the_energy():
  adjacency = planted.random_graph(9, 2, weighted=True)
  modes = spectrum.laplacian_modes(adjacency)
  products = gram.from_rows(rows_for(9))
  power = spectrum.power(products, modes)
  assert power.sum() == pytest.approx(1)
  expected = energy.energies(products, adjacency, 6)["energy_centred"]
  assert power @ modes.values[1:] == pytest.approx(expected)
  rows = rows_for(9)
  direct = ((modes.vectors.T @ (rows - rows.mean(0))) ** 2).sum(1)[1:]
  np.testing.assert_allclose(power, direct / direct.sum(), atol=1e-10)


def test_parity_is_the_checkerboard_and_undefined_on_odd_rings():
  side = spectrum.bipartition(planted.grid())
  assert side.tolist() == [(-1) ** (i // 4 + i % 4) for i in range(16)]
  assert spectrum.parity_projector(planted.ring(7)) is None
  star = np.zeros((5, 5))
  star[0, 1:] = star[1:, 0] = 1
  projector = spectrum.parity_projector(star)
  np.testing.assert_allclose(projector.sum(axis=0), 0, atol=1e-12)
  assert np.trace(projector) == pytest.approx(1)
  checkerboard = side[:, None] * np.ones(3) + 5
  products = gram.from_rows(checkerboard)
  power = gram.inner(
    gram.centre(products), spectrum.parity_projector(planted.grid())
  ) / gram.variance(products)
  assert power == pytest.approx(1)


@pytest.mark.parametrize("adjacency", [planted.grid(), planted.torus()])
def test_principal_cosines_equal_subspace_angles(adjacency):
  modes = spectrum.laplacian_modes(adjacency)
  whole = int(round(np.trace(spectrum.fiedler_projector(modes))))
  products = np.stack([gram.from_rows(rows_for(16, seed=s)) for s in range(4)])
  vectors = pca.axes(products).vectors
  found = spectrum.principal_cosines(vectors, spectrum.fiedler_projector(modes))
  for batch in range(4):
    angles = linalg.subspace_angles(
      vectors[batch, :, :2], modes.vectors[:, 1 : 1 + whole]
    )
    np.testing.assert_allclose(
      found[batch], np.sort(np.cos(angles))[::-1][:2], atol=1e-8
    )


def test_principal_cosines_of_the_graph_itself_are_one():
  modes = spectrum.laplacian_modes(planted.grid())
  layout = modes.vectors[:, 1:3] @ np.array([[3.0, 0, 1], [0, 2, 1]])
  vectors = pca.axes(gram.from_rows(layout)).vectors
  found = spectrum.principal_cosines(vectors, spectrum.fiedler_projector(modes))
  np.testing.assert_allclose(found, 1, atol=1e-7)


def test_walk_power_is_flat_for_unstructured_rows():
  adjacency = planted.grid()
  rng = np.random.default_rng(6)
  products = gram.from_rows(rng.normal(size=(400, 16, 60)))
  mu, power = spectrum.walk_power(products, adjacency)
  np.testing.assert_allclose(mu[:2], 0.782, atol=1e-3)
  assert mu[-1] == pytest.approx(-1)
  np.testing.assert_allclose(power.sum(-1), 1)
  np.testing.assert_allclose(power.mean(0), 1 / 15, rtol=0.03)
  _, raw = spectrum.walk_power(products, adjacency, degree_corrected=False)
  assert np.abs(raw.mean(0) * 15 - 1).max() > 0.05


def test_walk_power_equals_its_definition():
  adjacency = planted.random_graph(7, 3)
  rows = rows_for(7)
  degrees = adjacency.sum(1)
  root = np.sqrt(degrees)
  pi = degrees / degrees.sum()
  weighted = root[:, None] * (rows - pi @ rows)
  values, vectors = np.linalg.eigh(adjacency / np.outer(root, root))
  share = ((vectors.T @ weighted) ** 2).sum(1) / (weighted**2).sum()
  assert share[-1] == pytest.approx(0, abs=1e-12)
  mu, power = spectrum.walk_power(
    gram.from_rows(rows), adjacency, degree_corrected=False
  )
  np.testing.assert_allclose(mu, values[-2::-1], atol=1e-10)
  np.testing.assert_allclose(power, share[-2::-1], atol=1e-10)


def test_graphs_that_cannot_be_used_are_refused():
  with pytest.raises(errors.InputError, match="not connected"):
    spectrum.laplacian_modes(np.kron(np.eye(2), planted.ring(4)))
  with pytest.raises(errors.InputError, match="2 nodes"):
    spectrum.laplacian_modes(np.array([[0.0, 1], [1, 0]]))
