"""Rows of any measurement: batches, devices and resuming change nothing."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.engine import parallel, rows

ROWS = 11
STEPS = []


def step(scale, params, fixed, row, valid, power=1):
  """Sums and squares of rows; says when it is traced."""
  STEPS.append(row["x"].shape)
  value = jnp.asarray(scale, "float32") * params["weight"] * row["x"]
  value = value**power + jnp.take(fixed, row["index"], axis=0)
  counted = value * valid[:, None].astype("float32")
  return {"total": counted.sum(axis=0)}, (value, row["index"])


def work():
  generator = np.random.default_rng(0)
  return {
    "x": generator.normal(size=(ROWS, 3)).astype(np.float32),
    "index": generator.integers(0, 4, ROWS).astype(np.int32),
  }, generator.normal(size=(4, 3)).astype(np.float32)


def evaluate(devices=2, **changes):
  spread = parallel.spread(devices)
  made, fixed = work()
  given = {
    "step": functools.partial(step, 3.0, power=2),
    "params": spread.make(lambda: {"weight": jnp.full((), 2.0)}),
    "rows": made,
    "fixed": fixed,
    "words": 3,
    "spread": spread,
    "label": "test",
  }
  return rows.evaluate(**given | changes)


@pytest.mark.parametrize("devices, batch_size", [(1, 4), (2, 3), (4, 1)])
def test_equals_numpy(devices, batch_size):
  sums, (value, index) = evaluate(devices, batch_size=batch_size)
  made, fixed = work()
  expected = (6 * made["x"]) ** 2 + fixed[made["index"]]
  np.testing.assert_allclose(value, expected, rtol=1e-6)
  np.testing.assert_array_equal(index, made["index"])
  np.testing.assert_allclose(sums["total"], expected.sum(0), rtol=1e-5)


def test_one_program_serves_equal_steps():
  evaluate(batch_size=2)
  STEPS.clear()
  evaluate(batch_size=2)
  assert not STEPS


def test_resumes_to_the_same_numbers(tmp_path):
  file = tmp_path / "rows.npz"
  whole = evaluate(batch_size=2)
  made, fixed = work()
  first = jax.tree.map(lambda leaf: leaf[:4], made)
  evaluate(batch_size=2, rows=first, state_file=file, fingerprint="a")
  resumed = evaluate(batch_size=2, state_file=file, fingerprint="a")
  jax.tree.map(np.testing.assert_array_equal, resumed, whole)
  with pytest.raises(errors.InputError, match="other settings"):
    evaluate(state_file=file, fingerprint="b")


def test_either_part_may_be_empty():
  def totals(params, fixed, row, valid):
    return (row["x"][:, 0] * valid.astype("float32")).sum(), ()

  sums, per_row = evaluate(step=totals, batch_size=4)
  np.testing.assert_allclose(sums, work()[0]["x"][:, 0].sum(), rtol=1e-5)
  assert per_row == ()


def test_rows_of_different_numbers_are_refused():
  made, _ = work()
  with pytest.raises(errors.InputError, match=r"\[10, 11\]"):
    evaluate(rows=made | {"index": made["index"][:-1]})
  with pytest.raises(errors.InputError, match="at least one"):
    evaluate(rows={"x": np.zeros((0, 3), np.float32)})
