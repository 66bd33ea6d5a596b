"""Angles and dimensions of trajectories against numpy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from icl_graphs.models import decoder
from icl_graphs.probes import trajectory
from tests.models import switches

OFFSET, WINDOWS = 2, ((0, 6), (3, 9))
CONFIG = switches.VARIANTS["llama"]


def test_angles_and_dimensions_by_hand():
  line = jnp.arange(5.0)[None, :, None] * jnp.ones((1, 1, 3))
  np.testing.assert_allclose(trajectory.angles(line), 0, atol=0.05)
  np.testing.assert_allclose(trajectory.participation_ratio(line), 1, rtol=1e-5)
  there_and_back = jnp.array([[[0.0, 0], [1, 0], [0, 0], [0, 1]]])
  np.testing.assert_allclose(
    trajectory.angles(there_and_back), [[180, 90]], atol=0.05
  )
  apart = jnp.eye(4)[None]
  np.testing.assert_allclose(trajectory.angles(apart), 120, rtol=1e-5)
  np.testing.assert_allclose(
    trajectory.participation_ratio(apart), 3, rtol=1e-5
  )


def test_step_is_numpys_on_the_hidden_states():
  rng = np.random.default_rng(0)
  nodes = rng.integers(0, 4, (3, 9), np.int32)
  # A repetition, a step back, and a walk that moves on throughout.
  nodes[0, 3:6], nodes[1, 3:6], nodes[2] = (1, 1, 2), (0, 3, 0), np.arange(9)
  tokens = np.pad(nodes + 3, ((0, 0), (OFFSET, 0)), constant_values=1)
  params = switches.params(CONFIG)
  step = functools.partial(trajectory.step, CONFIG, OFFSET, WINDOWS)
  rows = {"tokens": tokens, "nodes": nodes}
  _, ways = jax.jit(step)(params, (), rows, np.ones(3, bool))
  _, hidden = jax.jit(
    lambda params: decoder.Decoder(CONFIG).apply(
      {"params": params}, tokens, lambda hidden: hidden
    )
  )(params)
  hidden = np.asarray(hidden, float)[:, :, OFFSET:]
  for found in ways:
    assert found.shape == (3, CONFIG.num_layers + 1, len(WINDOWS))
  for b, k, c in np.ndindex(ways.angle.shape):
    start, stop = WINDOWS[c]
    kept = {"angle": [], "forward": []}
    for t in range(start + 1, stop - 1):
      before, now, after = nodes[b, t - 1 : t + 2]
      one, two = np.diff(hidden[k, b, t - 1 : t + 2], axis=0)
      with np.errstate(invalid="ignore"):
        cosine = one @ two / np.linalg.norm(one) / np.linalg.norm(two)
      if before != now != after:
        angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
        kept["angle"].append(angle)
        if before != after:
          kept["forward"].append(angle)
    for name, angles in kept.items():
      got = getattr(ways, name)[b, k, c]
      np.testing.assert_allclose(
        got, np.mean(angles) if angles else np.nan, atol=0.05
      )
    points = hidden[k, b, start:stop]
    values = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) ** 2
    np.testing.assert_allclose(
      ways.participation[b, k, c],
      values.sum() ** 2 / (values**2).sum(),
      rtol=1e-4,
    )
