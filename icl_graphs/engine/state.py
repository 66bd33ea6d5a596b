"""The unfinished run on disk: written atomically, resumed to the same numbers.

Sums are kept in float32 exactly as they stood on the device, so continuing adds
the same numbers in the same order as a run that was never interrupted.
"""

import dataclasses
import pathlib

import jax
import numpy as np

from icl_graphs import unfinished
from icl_graphs.engine import forward, hosts


@dataclasses.dataclass
class State:
  """Observations of walks 0..done-1, on the host.

  Attributes:
    done: walks that are finished.
    sums: their class sums (None before the first batch).
    per_walk: their per-walk arrays, [done, T] each (None likewise).
    batch_size: walks per step with which to go on; 0 where none is chosen yet.
  """

  done: int = 0
  sums: forward.Sums | None = None
  per_walk: forward.PerWalk | None = None
  batch_size: int = 0

  def append(self, per_walk: forward.PerWalk) -> None:
    """Adds the per-walk arrays of the next walks."""
    if self.per_walk is None:
      self.per_walk = per_walk
    else:
      pairs = zip(self.per_walk, per_walk, strict=True)
      self.per_walk = forward.PerWalk(*(np.concatenate(p) for p in pairs))
    self.done = len(self.per_walk.nodes)

  def shared(self, sums: forward.Sums, per_walk: forward.PerWalk) -> "State":
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
  arrays = {f"sums_{k}": v for k, v in state.sums._asdict().items()}
  arrays |= {f"walk_{k}": v for k, v in state.per_walk._asdict().items()}
  arrays["batch_size"] = np.array(state.batch_size)
  unfinished.save(path, arrays, fingerprint)


def load(path: pathlib.Path, fingerprint: str) -> State:
  """Reads the state, or an empty one where there is no file.

  Raises:
    InputError: the file is damaged or belongs to a run with other settings.
  """
  arrays = unfinished.load(path, fingerprint)
  if arrays is None:
    return State()
  sums = forward.Sums(*(arrays[f"sums_{k}"] for k in forward.Sums._fields))
  per_walk = forward.PerWalk(
    *(arrays[f"walk_{k}"] for k in forward.PerWalk._fields)
  )
  batch_size = int(arrays["batch_size"])
  return State(len(per_walk.nodes), sums, per_walk, batch_size)
