"""Which hidden states of a model an experiment tries."""

import numpy as np


def some(
  layers: int, *always: int, first: int = 0, most: int = 9
) -> tuple[int, ...]:
  """All hidden states of a shallow model, evenly spread ones of a deep one.

  Args:
    layers: L; hidden states are 0 to L.
    always: tried in any case.
    first: of them.
    most: how many beside `always`.
  """
  spread = np.linspace(first, layers, min(layers + 1 - first, most))
  return tuple(sorted({*np.rint(spread).astype(int).tolist(), *always}))
