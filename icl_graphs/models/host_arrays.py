"""Arrays on their way from a file to a device: allocated once, filled fast."""

import itertools
import math

import jax
import numpy as np

# Runtimes of CPUs share memory that starts at such a multiple instead of
# copying it: the host's array then is the device's.
_ALIGNMENT = 64
# Two tiles of this many rows and columns stay in a core's cache.
_TILE = 256


class Pieces:
  """An array that is made on the host for devices.

  Memory is allocated only for what devices of this process will hold, and once
  for devices that will hold the same.
  """

  def __init__(
    self, shape: tuple[int, ...], dtype: str, sharding: jax.sharding.Sharding
  ):
    """Allocates; `shape` is that of the whole array."""
    self._shape = shape
    self._sharding = sharding
    # By first and last + 1 along each axis.
    self._devices: dict[tuple[tuple[int, int], ...], list[jax.Device]] = {}
    indices = sharding.addressable_devices_indices_map(shape)
    for device, index in indices.items():
      bounds = tuple(
        part.indices(size)[:2] for part, size in zip(index, shape, strict=True)
      )
      self._devices.setdefault(bounds, []).append(device)
    self._pieces = {
      bounds: empty(tuple(stop - start for start, stop in bounds), dtype)
      for bounds in self._devices
    }

  def write(self, source: np.ndarray, layer: int | None = None) -> None:
    """Copies what there is room for, rounding to the array's type.

    Args:
      source: of the shape of the whole array, or of one entry of its first
        axis.
      layer: which entry.
    """
    for bounds, piece in self._pieces.items():
      if layer is not None:
        (start, stop), *bounds = bounds
        if not start <= layer < stop:
          continue
        piece = piece[layer - start]
      copy(source[tuple(slice(*one) for one in bounds)], piece)

  def finish(self) -> jax.Array:
    """Moves everything to the devices; the object is empty thereafter."""
    arrays = []
    while self._pieces:
      bounds, piece = self._pieces.popitem()
      for device in self._devices[bounds]:
        arrays.append(jax.device_put(piece, device).block_until_ready())
    return jax.make_array_from_single_device_arrays(
      self._shape, self._sharding, arrays
    )


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
