"""Subspaces of class means: spans, complements, planted modes."""

import numpy as np
import pytest

from icl_graphs.analysis import geometry, subspaces

NODES, WIDTH, LAYERS = 16, 40, 3


def grid():
  adjacency = np.zeros((NODES, NODES))
  for i in range(NODES):
    for j in range(NODES):
      far = abs(i // 4 - j // 4) + abs(i % 4 - j % 4)
      adjacency[i, j] = far == 1
  return adjacency


@pytest.fixture(scope="module")
def found():
  means = np.random.default_rng(0).normal(size=(LAYERS, NODES, WIDTH)) + 3
  frame = geometry.frame(grid())
  made = {one.name: one for one in subspaces.of_graph(means, frame)}
  return means, frame, made


def projector(rows):
  return np.swapaxes(rows, -1, -2) @ rows


def test_rows_are_orthonormal(found):
  for one in found[2].values():
    np.testing.assert_allclose(
      one.rows @ np.swapaxes(one.rows, -1, -2),
      np.broadcast_to(np.eye(one.rank), (LAYERS, one.rank, one.rank)),
      atol=1e-12,
    )


def test_ranks_are_those_of_the_grid(found):
  _, frame, made = found
  ranks = {name: one.rank for name, one in made.items()}
  assert ranks[subspaces.GRAPH_PLANE] == 2
  assert ranks[subspaces.EVERY] == NODES - 1
  assert ranks[subspaces.REST] == NODES - 3
  spaces = [r for name, r in ranks.items() if name.startswith("eigenspace")]
  # The first eigenspace is the plane itself.
  assert 2 + sum(spaces) == NODES - 1
  assert frame.parity is not None and ranks[subspaces.PARITY] == 1


def test_without_the_plane_no_mean_differs_along_it(found):
  """After the ablation z2, z3 have no power, by hand."""
  means, frame, made = found
  centre = means.mean(axis=1, keepdims=True)
  modes = frame.modes.vectors[:, 1:3]
  left = means - (means - centre) @ projector(made[subspaces.GRAPH_PLANE].rows)
  # Directions of other modes are taken along in part, z2 and z3 whole.
  along = np.einsum("nk,lnd->lkd", modes, left - centre)
  direction = np.einsum("nk,lnd->lkd", modes, means - centre)
  overlap = np.einsum("lkd,ljd->lkj", along, direction)
  np.testing.assert_allclose(overlap, 0, atol=1e-9)


def test_everything_and_its_parts(found):
  means, _, made = found
  centred = means - means.mean(axis=1, keepdims=True)
  every = projector(made[subspaces.EVERY].rows)
  np.testing.assert_allclose(centred @ every, centred, atol=1e-9)
  parts = projector(made[subspaces.GRAPH_PLANE].rows)
  parts = parts + projector(made[subspaces.REST].rows)
  np.testing.assert_allclose(parts, every, atol=1e-9)


def test_principal_directions_are_of_the_svd(found):
  means, _, made = found
  centred = means[1] - means[1].mean(axis=0)
  variance = ((centred @ made[subspaces.TOP].rows[1].T) ** 2).sum(axis=0)
  singular = np.linalg.svd(centred, compute_uv=False)
  np.testing.assert_allclose(variance, singular[:2] ** 2)


def test_a_planted_mode_is_found():
  """Means that vary along one direction with z of one mode."""
  frame = geometry.frame(grid())
  direction = np.eye(WIDTH)[7]
  modes = frame.modes.vectors[:, 3:4]
  means = 5 + modes * direction
  rows = subspaces.of_modes(means, modes)
  np.testing.assert_allclose(np.abs(rows[0]), direction, atol=1e-12)


def test_random_subspaces(found):
  every = found[2][subspaces.EVERY].rows
  inside = subspaces.random_inside(found[0], 4, seed=1)
  np.testing.assert_allclose(inside @ projector(every), inside, atol=1e-12)
  anywhere = subspaces.random_anywhere(WIDTH, 4, seed=1)
  for rows in (*inside, anywhere):
    np.testing.assert_allclose(rows @ rows.T, np.eye(4), atol=1e-12)
  # On average a share of every direction: rank over dimensions.
  share = np.mean(
    [
      (subspaces.random_anywhere(WIDTH, 4, seed=s)[:, 0] ** 2).sum()
      for s in range(300)
    ]
  )
  assert abs(share - 4 / WIDTH) < 0.02
