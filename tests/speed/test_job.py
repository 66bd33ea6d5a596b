"""Jobs from files, and random ones."""

import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.experiments.speed import job as job_lib
from icl_graphs.experiments.speed import shapes
from icl_graphs.models import families

CONFIG = families.translate(shapes.config("llama-3.2-1b", vocab=50))
GOOD = {
  "tokens": np.zeros((2, 9), np.int64),
  "nodes": np.full((2, 9), -1),
  "node_token_ids": np.array([3, 5]),
  "context_lengths": np.array([1, 9]),
  "window": np.array(20),
}


def test_a_good_file(tmp_path):
  np.savez(tmp_path / "job.npz", **GOOD)
  job = job_lib.read(tmp_path / "job.npz", CONFIG)
  assert job.size == 18
  assert job.sums.windows == (9,)
  assert job.sums.bounds(9, 1) == (0, 1)
  assert list(job.scored) == [0, 8]


def changed(name, place, value):
  array = GOOD[name].copy()
  array[place] = value
  return {name: array}


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (changed("tokens", (0, 0), 50), "vocabulary"),
    (changed("tokens", (0, 0), -1), "vocabulary"),
    (changed("nodes", (1, 8), 2), "nodes must lie"),
    (changed("nodes", (1, 8), -2), "nodes must lie"),
    (changed("node_token_ids", 0, 50), "node_token_ids"),
    (changed("context_lengths", 1, 10), "context_lengths must lie"),
    (changed("context_lengths", 0, 9), "must increase"),
    (changed("context_lengths", 0, 0), "context_lengths must lie"),
    ({"window": np.array(0)}, "window"),
    ({"window": np.array([1, 2])}, "window"),
    ({"tokens": np.zeros((2, 9))}, "integers"),
    ({"tokens": np.zeros(9, int)}, "rank 2"),
    ({"nodes": np.zeros((2, 8), int)}, "differ in shape"),
    ({"node_token_ids": np.zeros(0, int)}, "empty"),
    ({"nodes": None}, "lacks nodes"),
  ],
)
def test_refuses(tmp_path, change, message):
  arrays = {k: v for k, v in (GOOD | change).items() if v is not None}
  np.savez(tmp_path / "job.npz", **arrays)
  with pytest.raises(errors.InputError, match=message):
    job_lib.read(tmp_path / "job.npz", CONFIG)


def test_refuses_what_is_no_npz(tmp_path):
  (tmp_path / "text.npz").write_text("no arrays")
  np.save(tmp_path / "one.npy", np.zeros(3))
  for name in ("text.npz", "one.npy", "absent.npz"):
    with pytest.raises(errors.InputError, match=name):
      job_lib.read(tmp_path / name, CONFIG)


def test_random_walks():
  job = job_lib.sampled(40, 3, 60, graph="grid:3x3")
  assert job.tokens.shape == job.nodes.shape == (3, 60)
  assert (job.nodes[:, 0] == -1).all() and (job.nodes[:, 1:] >= 0).all()
  words = job.node_token_ids[job.nodes[:, 1:]]
  np.testing.assert_array_equal(job.tokens[:, 1:], words)
  assert len(set(job.node_token_ids)) == 9 and 0 not in job.node_token_ids
  assert job.sums.windows == (50, 60)
  assert job.sums.context_lengths[-1] == 60
  with pytest.raises(errors.InputError, match="--vocab"):
    job_lib.sampled(9, 3, 60, graph="grid:3x3")
