"""Arrays on their way from a file to a device: allocated once, filled fast."""

import itertools
import math

import numpy as np

# Runtimes of CPUs share memory that starts at such a multiple instead of
# copying it: the host's array then is the device's.
_ALIGNMENT = 64
# Two tiles of this many rows and columns stay in a core's cache.
_TILE = 256


def empty(shape: tuple[int, ...], dtype: str) -> np.ndarray:
  """Like numpy's `empty`, but aligned as a device may want it."""
  size = math.prod(shape) * np.dtype(dtype).itemsize
  raw = np.empty(size + _ALIGNMENT, np.uint8)
  first = -raw.ctypes.data % _ALIGNMENT
  return raw[first : first + size].view(dtype).reshape(shape)


def copy(source: np.ndarray, target: np.ndarray) -> None:
  """Writes `source` into `target`, rounding to its type.

  A transposed source is taken in tiles: several times faster than row by row,
  where every entry comes from another page. Overflow gives infinity.

  Args:
    source: any strides.
    target: of the same shape.
  """
  with np.errstate(over="ignore"):
    for tile in _tiles(source):
      target[tile] = source[tile]


def _tiles(source: np.ndarray):
  """Indices that together cover the array, outer loops along its memory."""
  last = source.ndim - 1
  dense = [axis for axis in range(last + 1) if source.shape[axis] > 1]
  inner = min(dense, key=lambda axis: abs(source.strides[axis]), default=last)
  if inner == last or source.size <= _TILE * _TILE:
    return iter([...])
  steps = [1] * source.ndim
  steps[inner] = steps[last] = _TILE
  return itertools.product(
    *(
      [slice(first, first + step) for first in range(0, size, step)]
      for size, step in zip(source.shape, steps, strict=True)
    )
  )
