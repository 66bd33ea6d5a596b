"""Re-encoding vectors against the recipe written out in numpy, walk by walk."""

import jax.numpy as jnp
import numpy as np
import pytest

from icl_graphs.probes import reencoding

LAYERS, WALKS, NODES, WIDTH, TIME, WINDOW = 2, 3, 5, 8, 40, 25
TARGET, OTHER = np.array([0, 3, 4], np.int32), np.array([1, 2, 0], np.int32)


@pytest.fixture(scope="module")
def walks():
  rng = np.random.default_rng(0)
  nodes = rng.integers(0, NODES, (WALKS, TIME), np.int32)
  nodes[:, -NODES:] = np.arange(NODES)
  nodes[:, 0] = -1
  hidden = rng.normal(size=(LAYERS + 1, WALKS, TIME, WIDTH)).astype(np.float32)
  word = rng.normal(size=(WALKS, WIDTH)).astype(np.float32)
  return nodes, hidden, word


def last_means(nodes, hidden):
  return jnp.stack(
    [
      reencoding.last_means(layer, jnp.asarray(nodes), WINDOW, NODES)
      for layer in hidden
    ]
  )


def means_by_hand(nodes, hidden):
  return np.stack(
    [
      [
        [
          layer[b, -WINDOW:][nodes[b, -WINDOW:] == i].mean(axis=0)
          for i in range(NODES)
        ]
        for b in range(WALKS)
      ]
      for layer in hidden.astype(np.float64)
    ]
  )


def vector_by_hand(means, last, target_mean, word, components, unembedding):
  """v = sum_k [(h* - r) . e_k] e_k + unembedding * u*, of one walk and layer.

  Components counted from 1.
  """
  centred = means - means.mean(axis=0)
  _, _, directions = np.linalg.svd(centred, full_matrices=False)
  made = unembedding * word / np.linalg.norm(word)
  for k in components:
    e = directions[k - 1]
    made = made + ((target_mean - last) @ e) * e
  return made


CONDITIONS = [  # components, unembedding, layers, shuffled, drawn
  ((), 0, (), False, 0),
  ((1, 2), -2, (1, 2), False, 0),
  ((1, 2), 0, (2,), False, 0),
  ((), -2, (1,), False, 0),
  ((3, 4), -2, (0, 1), False, 0),
  ((1, 2), -2, (1, 2), True, 0),
  ((1, 2), -2, (1, 2), False, 2),
]


def as_arrays():
  return reencoding.Conditions(
    weights=np.array(
      [
        [float(k in one[0]) for k in range(1, NODES)] for one in CONDITIONS
      ],
      np.float32,
    ),
    unembedding=np.array([one[1] for one in CONDITIONS], np.float32),
    layers=np.array(
      [[k in one[2] for k in range(LAYERS + 1)] for one in CONDITIONS]
    ),
    shuffled=np.array([one[3] for one in CONDITIONS]),
    drawn=np.array([one[4] for one in CONDITIONS], np.int32),
  )  # fmt: skip


def test_vectors_are_the_recipe(walks):
  nodes, hidden, word = walks
  means = np.asarray(last_means(nodes, hidden))
  np.testing.assert_allclose(means, means_by_hand(nodes, hidden), atol=1e-5)
  gaussian = np.random.default_rng(1).normal(size=(2, LAYERS + 1, WALKS, WIDTH))
  gaussian = gaussian.astype(np.float32)
  made, ratio = reencoding.vectors(
    *(as_arrays(), jnp.asarray(means), hidden[:, :, -1]),
    *(TARGET, OTHER, word, gaussian),
  )
  for layer, b, c in np.ndindex(made.shape[:3]):
    components, unembedding, layers, shuffled, drawn = CONDITIONS[c]
    mean = means[layer, b, (OTHER if shuffled else TARGET)[b]]
    wanted = vector_by_hand(
      *(means[layer, b].astype(np.float64), hidden[layer, b, -1], mean),
      *(word[b], components, unembedding),
    )
    if drawn:
      direction = gaussian[drawn - 1, layer, b]
      direction = direction / np.linalg.norm(direction)
      wanted = np.linalg.norm(wanted) * direction
    wanted = wanted * (layer in layers)
    np.testing.assert_allclose(made[layer, b, c], wanted, atol=2e-4)
  singular = np.linalg.svd(
    means - means.mean(axis=2, keepdims=True), compute_uv=False
  )
  shares = singular**2 / (singular**2).sum(axis=-1, keepdims=True)
  np.testing.assert_allclose(ratio, shares[..., : NODES - 1], atol=1e-5)


def test_all_components_move_the_residual_onto_the_mean(walks):
  """Along the means' span nothing is left between the residual and h*."""
  nodes, hidden, word = walks
  means = last_means(nodes, hidden)
  every = reencoding.Conditions(
    np.ones((1, NODES - 1), np.float32),
    np.zeros(1, np.float32),
    np.ones((1, LAYERS + 1), bool),
    np.zeros(1, bool),
    np.zeros(1, np.int32),
  )
  last = hidden[:, :, -1]
  made, _ = reencoding.vectors(
    *(every, means, last, TARGET, OTHER, word),
    np.ones((1, LAYERS + 1, WALKS, WIDTH), np.float32),
  )
  moved = np.asarray(last + made[:, :, 0], np.float64)
  means = np.asarray(means, np.float64)
  centred = means - means.mean(axis=2, keepdims=True)
  wanted = np.take_along_axis(means, TARGET[None, :, None, None], axis=2)
  for layer, b in np.ndindex(moved.shape[:2]):
    left = centred[layer, b] @ (wanted[layer, b, 0] - moved[layer, b])
    np.testing.assert_allclose(left, 0, atol=1e-4)


def test_words_that_are_missing_are_seen(walks):
  nodes = np.array(walks[0])
  assert np.all(reencoding.present(nodes, WINDOW, NODES))
  nodes[1][nodes[1] == 2] = 3
  nodes[2, -WINDOW:][nodes[2, -WINDOW:] == 0] = 1
  found = reencoding.present(nodes, WINDOW, NODES)
  np.testing.assert_array_equal(found, [True, False, False])


def test_means_that_coincide_have_no_components():
  found = reencoding.components(jnp.ones((1, NODES, WIDTH)), NODES - 1)
  np.testing.assert_array_equal(found.directions, 0)
