"""Gram matrices on disk: half of them, compressed, and exactly restored.

A Gram matrix equals its transpose, so one triangle says it all. Most of a
measurements file are Gram matrices, one for every layer, window and context.
"""

import numpy as np
import xarray as xr

FULL, LOWER = "gram", "gram_lower"
_CELL = ("layer", "window", "context")
_ROW, _COLUMN = ("group", "node"), ("group_", "node_")
_ABOUT = (
  "entries r >= c of the symmetric matrix over rows (group, node), row by row; "
  "icl_graphs.report.run_folder.read_measurements restores `gram`"
)


def pack(dataset: xr.Dataset) -> xr.Dataset:
  """Replaces `gram` by its lower triangle, `gram_lower` (..., pair).

  A dataset without `gram`, or with one that is not exactly symmetric, stays as
  it is: nothing is ever rounded.
  """
  if FULL not in dataset:
    return dataset
  gram = dataset[FULL].transpose(*_CELL, *_ROW, *_COLUMN)
  cells = tuple(gram.sizes[dim] for dim in _CELL)
  rows = gram.sizes["group"] * gram.sizes["node"]
  square = gram.values.reshape(*cells, rows, rows)
  if not np.array_equal(square, np.swapaxes(square, -1, -2), equal_nan=True):
    return dataset
  lower = square[..., *np.tril_indices(rows)]
  variable = xr.Variable((*_CELL, "pair"), lower, {"about": _ABOUT})
  # Shuffled bytes put exponents side by side: a third less on float32 sums.
  # Higher levels take longer and gain 2%.
  variable.encoding = {
    "zlib": True,
    "complevel": 1,
    "shuffle": True,
    "chunksizes": (1, 1, 1, lower.shape[-1]),
  }
  return dataset.drop_vars(FULL).assign({LOWER: variable})


def unpack(dataset: xr.Dataset) -> xr.Dataset:
  """Undoes `pack`."""
  if LOWER not in dataset:
    return dataset
  lower = dataset[LOWER].transpose(*_CELL, "pair").values
  sizes = [dataset.sizes[dim] for dim in _ROW]
  rows = sizes[0] * sizes[1]
  row, column = np.tril_indices(rows)
  square = np.empty((*lower.shape[:-1], rows, rows), lower.dtype)
  square[..., row, column] = lower
  square[..., column, row] = lower
  gram = square.reshape(*lower.shape[:-1], *sizes, *sizes)
  return dataset.drop_vars(LOWER).assign(
    {FULL: ((*_CELL, *_ROW, *_COLUMN), gram)}
  )
