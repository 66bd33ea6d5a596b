"""Copies that round and transpose give what numpy's plain assignment gives."""

import ml_dtypes
import numpy as np
import pytest

from icl_graphs.models import host_arrays


@pytest.mark.parametrize("shape", [(), (0, 3), (7,), (3, 5, 2), (300, 9)])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_allocation_is_aligned(shape, dtype):
  array = host_arrays.empty(shape, dtype)
  assert array.shape == shape and array.dtype.name == dtype
  assert array.flags.c_contiguous
  # numpy gives an array without entries any address.
  assert array.ctypes.data % 64 == 0 or not array.size


# Sizes on both sides of the tiles', and not their multiples.
@pytest.mark.parametrize(
  ("shape", "axes"),
  [
    ((), ()),
    ((0, 700), (1, 0)),
    ((5,), (0,)),
    ((300, 700), (1, 0)),
    ((300, 700), (0, 1)),
    ((1, 700, 300), (2, 0, 1)),
    ((6, 64, 600), (2, 0, 1)),
    ((600, 6, 64), (1, 2, 0)),
    ((4, 3, 50, 300), (3, 0, 1, 2)),
  ],
)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_copy_equals_assignment(shape, axes, dtype):
  size = int(np.prod(shape, dtype=int))
  stored = np.random.default_rng(0).normal(size=size).reshape(shape)
  source = stored.astype(ml_dtypes.bfloat16).transpose(axes)
  target = np.full(source.shape, np.nan, dtype)
  host_arrays.copy(source, target)
  np.testing.assert_array_equal(target, source.astype(dtype))


def test_reversed_and_sliced_sources():
  stored = np.arange(400 * 600, dtype=np.float32).reshape(400, 600)
  for source in (stored[::-1].T, stored[:, ::2].T, stored.T[:, 3:]):
    target = np.empty(source.shape, np.float32)
    host_arrays.copy(source, target)
    np.testing.assert_array_equal(target, source)


def test_overflow_is_silent():
  target = np.empty(2, np.float16)
  host_arrays.copy(np.array([1e6, 1.0], np.float32), target)
  np.testing.assert_array_equal(target, np.array([np.inf, 1.0], np.float16))
