"""The rows of a family's weight table, and what a row does to an array.

A row reads like the checkpoint: a name, the axes it is stored with, our path,
our axes. Axis letters are those of the package (V, D, N, K, H, F); parentheses
join axes that the checkpoint stores as one, so that

  Weight("layers.{layer}.q_proj.weight", "(N H) D", "query/kernel", "D N H")

splits the first stored axis into N heads of size H and moves D to the front.
"""

import dataclasses
import math
import re

import numpy as np

_GROUPS = re.compile(r"\(([^)]*)\)|(\w)")


@dataclasses.dataclass(frozen=True)
class Weight:
  """One weight of the checkpoint and where it goes.

  Attributes:
    name: in the checkpoint; "{layer}" stands for 0 to L - 1.
    stored: axes in the checkpoint.
    path: in our parameters, joined by "/"; layers are stacked in front.
    axes: axes in our parameters.
    copy_of: a name this weight may repeat (a tied head): it may be absent, and
      has to be equal where present.
  """

  name: str
  stored: str
  path: str
  axes: str
  copy_of: str | None = None

  @property
  def per_layer(self) -> bool:
    return "{layer}" in self.name

  def names(self, num_layers: int) -> list[str]:
    """Names in the checkpoint, by layer."""
    if not self.per_layer:
      return [self.name]
    return [self.name.replace("{layer}", str(i)) for i in range(num_layers)]

  def stored_shape(self, sizes: dict[str, int]) -> tuple[int, ...]:
    """Shape in the checkpoint."""
    groups = _groups(self.stored)
    return tuple(math.prod(sizes[axis] for axis in group) for group in groups)

  def shape(self, sizes: dict[str, int]) -> tuple[int, ...]:
    """Shape in our parameters, without the layer axis."""
    return tuple(sizes[axis] for axis in self.axes.split())

  def read(self, array: np.ndarray, sizes: dict[str, int]) -> np.ndarray:
    """From the checkpoint's axes to ours, as a view."""
    flat = _flat(self.stored)
    split = array.reshape([sizes[axis] for axis in flat])
    return split.transpose([flat.index(axis) for axis in self.axes.split()])

  def write(self, array: np.ndarray, sizes: dict[str, int]) -> np.ndarray:
    """From our axes to the checkpoint's; the inverse of `read`."""
    axes = self.axes.split()
    moved = array.transpose([axes.index(axis) for axis in _flat(self.stored)])
    return moved.reshape(self.stored_shape(sizes))


def _groups(axes: str) -> list[list[str]]:
  return [
    (joined or single).split() for joined, single in _GROUPS.findall(axes)
  ]


def _flat(axes: str) -> list[str]:
  return [axis for group in _groups(axes) for axis in group]
