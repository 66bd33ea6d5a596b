"""The state of an unfinished run: whole, exact, and refused when not ours."""

import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.engine import forward, parallel
from icl_graphs.engine import state as state_lib

# Of the same structure, whatever the leaves.
LIKE = forward.Sums(0, 0), forward.PerWalk(0, 0, 0, 0)


def make_state(walks=3):
  generator = np.random.default_rng(0)
  sums = forward.Sums(
    generator.normal(size=(2, 3, 1, 4, 5)).astype(np.float32),
    generator.integers(0, 9, (3, 1, 4)).astype(np.float32),
  )
  state = state_lib.State(sums=sums)
  for _ in range(walks):
    state.append(
      forward.PerWalk(
        generator.integers(0, 4, (1, 7)).astype(np.int32),
        *generator.random((3, 1, 7)).astype(np.float32),
      ),
      1,
    )
  return state


def test_round_trip_is_exact(tmp_path):
  state = make_state()
  state_lib.save(tmp_path / "unfinished.npz", state, "mark")
  loaded = state_lib.load(tmp_path / "unfinished.npz", "mark", LIKE)
  assert loaded.done == state.done == 3
  for left, right in zip(
    (*loaded.sums, *loaded.per_walk),
    (*state.sums, *state.per_walk),
    strict=True,
  ):
    np.testing.assert_array_equal(left, right)
  assert [path.name for path in tmp_path.iterdir()] == ["unfinished.npz"]


def test_no_file_is_a_fresh_start(tmp_path):
  assert state_lib.load(tmp_path / "unfinished.npz", "mark", LIKE).done == 0


def test_every_truncation_is_refused(tmp_path):
  path = tmp_path / "unfinished.npz"
  state_lib.save(path, make_state(), "mark")
  whole = path.read_bytes()
  for length in range(0, len(whole), 97):
    path.write_bytes(whole[:length])
    with pytest.raises(errors.InputError, match="cannot resume"):
      state_lib.load(path, "mark", LIKE)


def test_other_settings_are_refused(tmp_path):
  path = tmp_path / "unfinished.npz"
  state_lib.save(path, make_state(), "mark")
  with pytest.raises(errors.InputError, match="other settings"):
    state_lib.load(path, "another", LIKE)


def test_more_devices_than_there_are():
  with pytest.raises(errors.InputError, match="99 devices asked for"):
    parallel.local_devices(99)
