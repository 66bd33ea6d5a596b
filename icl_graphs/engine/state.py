"""The unfinished run on disk: written atomically, resumed to the same numbers.

Sums are kept in float32 exactly as they stood on the device, so continuing adds
the same numbers in the same order as a run that was never interrupted.
"""

import dataclasses
import pathlib
from typing import Any

import jax
import numpy as np

from icl_graphs import unfinished
from icl_graphs.engine import hosts


@dataclasses.dataclass
class State:
  """Observations of walks 0..done-1, on the host.

  Attributes:
    done: walks that are finished.
    sums: the additive part of what a step returns, such as `forward.Sums` (None
      before the first batch).
    per_walk: the other part, every array with a leading axis of `done` walks,
      such as `forward.PerWalk` (None likewise).
    batch_size: walks per step with which to go on; 0 where none is chosen yet.
  """

  done: int = 0
  sums: Any = None
  per_walk: Any = None
  batch_size: int = 0

  def append(self, per_walk: Any, count: int) -> None:
    """Adds the per-walk arrays of the next walks."""
    if self.per_walk is None:
      self.per_walk = per_walk
    else:
      self.per_walk = jax.tree.map(
        lambda *parts: np.concatenate(parts), self.per_walk, per_walk
      )
    self.done += count

  def shared(self, sums: Any, per_walk: Any) -> "State":
    """The first host's state, on every host.

    Args:
      sums: shapes and dtypes.
      per_walk: likewise, of any number of walks.
    """
    number = jax.ShapeDtypeStruct((2,), np.int32)
    numbers = np.array([self.done, self.batch_size], np.int32)
    done, batch_size = map(int, hosts.told(numbers, number))
    if not done:
      return State(batch_size=batch_size)
    rows = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct((done, *x.shape[1:]), x.dtype), per_walk
    )
    told = hosts.told((self.sums, self.per_walk), (sums, rows))
    return State(done, *told, batch_size)


def save(path: pathlib.Path, state: State, fingerprint: str) -> None:
  """Writes the state; the old file stays whole until the new one is."""
  arrays = {}
  for kind, tree in (("sums", state.sums), ("walk", state.per_walk)):
    for i, leaf in enumerate(jax.tree.leaves(tree)):
      arrays[f"{kind}_{i}"] = leaf
  arrays["numbers"] = np.array([state.done, state.batch_size])
  unfinished.save(path, arrays, fingerprint)


def load(path: pathlib.Path, fingerprint: str, like: tuple[Any, Any]) -> State:
  """Reads the state, or an empty one where there is no file.

  Args:
    path: of the file.
    fingerprint: of the settings.
    like: any `sums` and `per_walk` of the same structure.

  Raises:
    InputError: the file is damaged or belongs to a run with other settings.
  """
  arrays = unfinished.load(path, fingerprint)
  if arrays is None:
    return State()
  done, batch_size = map(int, arrays["numbers"])
  parts = []
  for kind, tree in zip(("sums", "walk"), like, strict=True):
    structure = jax.tree.structure(tree)
    leaves = [arrays[f"{kind}_{i}"] for i in range(structure.num_leaves)]
    parts.append(jax.tree.unflatten(structure, leaves))
  return State(done, *parts, batch_size)
