"""The rows of a family's weight table, and what a row does to an array.

A row reads like the checkpoint: a name, the axes it is stored with, our path,
our axes. Axis letters are those of the package (V, D, N, K, H, F) and P for
learned positions; parentheses join axes that the checkpoint stores as one, so
that

  Weight("layers.{layer}.q_proj.weight", "(N H) D", "query/kernel", "D N H")

splits the first stored axis into N heads of size H and moves D to the front.

Several rows may take parts of one stored array. The part counts along a number
among the axes, or along the sections of an axis that + concatenates:

  Weight("c_attn.weight", "D (3 N H)", "key/kernel", "D N H", part=1)
  Weight("up.weight", "(F + F) D", "up/kernel", "D F", part=1)
"""

import dataclasses
import math
import re

import numpy as np

_AXIS = re.compile(r"\(([^)]*)\)|(\w)")


@dataclasses.dataclass(frozen=True)
class Weight:
  """One weight of the checkpoint, or a part of it, and where it goes.

  Attributes:
    name: in the checkpoint; "{layer}" stands for 0 to L - 1.
    stored: axes in the checkpoint, of the whole array.
    path: in our parameters, joined by "/"; layers are stacked in front.
    axes: axes in our parameters.
    part: which section, or index of the numbered axis, this row is; None where
      it is the whole array.
    copy_of: a name this weight may repeat (a tied head): it may be absent, and
      has to be equal where present.
  """

  name: str
  stored: str
  path: str
  axes: str
  part: int | None = None
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
    """Shape of the whole array in the checkpoint."""
    return tuple(
      sum(_width(section, sizes) for section in sections)
      for sections in _axes(self.stored)
    )

  def shape(self, sizes: dict[str, int]) -> tuple[int, ...]:
    """Shape in our parameters, without the layer axis."""
    return tuple(sizes[letter] for letter in self.axes.split())

  def read(self, array: np.ndarray, sizes: dict[str, int]) -> np.ndarray:
    """This row's part of a stored array with our axes, as a view."""
    letters: list[str] = []
    for axis, sections in enumerate(_axes(self.stored)):
      section = sections[0]
      if len(sections) > 1:
        section = sections[self.part]
        start = sum(_width(one, sizes) for one in sections[: self.part])
        stop = start + _width(section, sizes)
        array = array[(slice(None),) * axis + (slice(start, stop),)]
      letters += section
    # Splitting axes never copies, whatever the strides.
    array = array.reshape([_size(letter, sizes) for letter in letters])
    for axis, letter in enumerate(letters):
      if letter.isdigit():
        array = array[(slice(None),) * axis + (self.part,)]
    letters = [letter for letter in letters if not letter.isdigit()]
    return array.transpose([letters.index(one) for one in self.axes.split()])

  def write(
    self, array: np.ndarray, into: np.ndarray, sizes: dict[str, int]
  ) -> None:
    """Puts our array into its part of a stored one; the inverse of `read`."""
    self.read(into, sizes)[...] = array


def _axes(stored: str) -> list[list[list[str]]]:
  """Stored axes; each a list of sections, each a list of axis letters."""
  return [
    [section.split() for section in (joined or single).split("+")]
    for joined, single in _AXIS.findall(stored)
  ]


def _size(letter: str, sizes: dict[str, int]) -> int:
  return int(letter) if letter.isdigit() else sizes[letter]


def _width(section: list[str], sizes: dict[str, int]) -> int:
  return math.prod(_size(letter, sizes) for letter in section)
