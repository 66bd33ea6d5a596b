"""Patching and steering on an untrained model: exact where it must be."""

import jax.numpy as jnp
import numpy as np
import pytest

from icl_graphs.analysis import moved
from icl_graphs.experiments import graph_subject, recipe, tracing_settings
from icl_graphs.experiments.paper_one import hidden_states, patching


@pytest.fixture(scope="module")
def outcome(tiny_model, tmp_path_factory):
  settings = tracing_settings.Settings(
    model=str(tiny_model), walks=20, context=60
  )
  folder = tmp_path_factory.mktemp("run")
  subject = graph_subject.GraphSubject(settings, folder)
  found = patching.RECIPE.run(subject, folder)
  for figure in found.figures:
    assert (folder / figure.file).stat().st_size > 10_000
  return found


def test_the_last_hidden_state_gives_the_donors_prediction(outcome):
  measured = outcome.measurements
  last = measured["patched"].sel(state=2)
  for patch, run in (("B-walk", "B-walk"), ("other A-walk", "other A-walk")):
    np.testing.assert_allclose(
      last.sel(patch=patch), measured["clean"].sel(run=run), atol=1e-3
    )


def test_the_embedding_holds_nothing_to_move(outcome):
  """Both walks end at the same word: all patches and steers are nothing."""
  measured = outcome.measurements
  clean = measured["clean"].sel(run="A-walk")
  for change in ("patched", "steered"):
    found = measured[change].sel(state=0)
    wanted, found = np.broadcast_arrays(
      clean.values[(slice(None), *[None] * (found.ndim - 1))], found.values
    )
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_random_vectors_are_as_long(outcome):
  for name, of in (("patch_length", "B-walk"), ("steer_length", "B - A")):
    length = outcome.measurements[name].transpose(..., "state")
    along = length.dims[0]
    np.testing.assert_allclose(
      length.sel({along: "random"}), length.sel({along: of}), rtol=1e-4
    )


def test_graphs_share_no_edge_and_verdicts_are_told(outcome):
  assert outcome.measurements.attrs["shared_edges"] == 0
  assert all(claim.verdict in recipe.VERDICTS for claim in outcome.claims)
  # Two blocks leave no late hidden state but the last.
  assert outcome.claims[0].verdict == recipe.CANNOT_TELL


def test_what_is_added_by_hand():
  """One change of each kind, written out."""
  rng = np.random.default_rng(0)
  last, donor, other, steer, shuffled = rng.normal(size=(5, 3, 2, 8))
  gaussian = rng.normal(size=(2, 3, 2, 8))
  vectors = patching.bank(
    *(jnp.asarray(x, jnp.float32) for x in (last, donor, other, steer)),
    *(jnp.asarray(x, jnp.float32) for x in (shuffled, gaussian)),
  )
  changes = patching.Changes(
    np.array([0, 2, 1], np.int32),
    np.array([0, 4, 2], np.int32),
    np.array([1, 4, 1], np.float32),
  )
  found = np.asarray(patching.added(changes, vectors)).reshape(3, 2, 3, 8)
  wanted = np.zeros((3, 2, 3, 8))
  wanted[0, :, 0] = donor[0] - last[0]
  wanted[2, :, 1] = 4 * shuffled[2]
  length = np.linalg.norm(donor[1] - last[1], axis=-1, keepdims=True)
  wanted[1, :, 2] = gaussian[0, 1] * (
    length / np.linalg.norm(gaussian[0, 1], axis=-1, keepdims=True)
  )
  np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_shares_are_of_means():
  start, goal = np.array([-4.0, -2.0, -3.0]), np.array([4.0, 2.0, 6.0])
  changed = np.stack([start, goal, (start + goal) / 2], axis=1)
  found = moved.share(changed, start, goal, seed=0)
  np.testing.assert_allclose(found.value, [0, 1, 0.5], atol=1e-12)


def test_states_of_deep_models_are_thinned():
  assert hidden_states.some(5, 4) == (0, 1, 2, 3, 4, 5)
  deep = hidden_states.some(32, 26)
  assert deep[0] == 0 and deep[-1] == 32 and 26 in deep and len(deep) <= 10
