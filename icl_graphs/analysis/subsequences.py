"""How often sequences of flips repeat each other, in part or nearly."""

from typing import NamedTuple

from jaxtyping import Float, Int
import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import sequences

WINDOWS = (5, 10, 15, 20, 25)
# Of numbers whose bits are flips.
_BITS = 62
# Pairs compared at once stay in a processor's caches.
_PAIRS = 2**14


class Counts(NamedTuple):
  """Distinct windows of one width.

  Attributes:
    windows: their flips.
    counts: how often each occurs, most frequent first.
  """

  windows: Int[np.ndarray, "unique width"]
  counts: Int[np.ndarray, " unique"]

  @property
  def unique(self) -> int:
    return len(self.counts)


class Distances(NamedTuple):
  """Between the distinct pairs of N sequences; P = N (N - 1) / 2.

  Attributes:
    indel: D / 2 T, where D inserts and deletes, so that a substitution costs 2:
      1 minus the similarity 2 LCS / 2 T that the original reports.
    unit: insertions, deletions and substitutions at 1 each, over T.
  """

  indel: Float[np.ndarray, " P"]
  unit: Float[np.ndarray, " P"]


def window_counts(
  flips: Int[np.ndarray, "N T"], width: int, *, omit_last: bool = False
) -> Counts:
  """Counts of all windows of `width` flips, over all sequences.

  Args:
    flips: sequences.
    width: of the windows.
    omit_last: leaves out the last window of every sequence, as the original
      does.

  Raises:
    InputError: no such windows, or wider ones than 62 flips.
  """
  flips = sequences.checked(flips)
  windows = flips.shape[1] - width + 1 - omit_last
  if not 1 <= width <= _BITS or windows < 1:
    raise errors.InputError(
      f"sequences of {flips.shape[1]} flips have no windows of {width}; give"
      f" at most {min(_BITS, flips.shape[1] - omit_last)}"
    )
  codes = np.zeros((len(flips), windows), np.int64)
  for place in range(width):
    codes = codes * 2 + flips[:, place : place + windows]
  values, counts = np.unique(codes, return_counts=True)
  order = np.argsort(-counts, kind="stable")
  places = np.arange(width - 1, -1, -1)
  found = values[order][:, None] >> places & 1
  return Counts(found.astype(np.int8), counts[order])


def unique_windows(
  flips: Int[np.ndarray, "N T"], widths: tuple[int, ...] = WINDOWS
) -> dict[int, int]:
  """Number of distinct windows of every width; see `window_counts`."""
  return {width: window_counts(flips, width).unique for width in widths}


def distances(flips: Int[np.ndarray, "N T"]) -> Distances:
  """Edit distances of all distinct pairs, in the order of `np.triu_indices`.

  The columns of the table of distances are words of T bits, so that a flip
  costs a few operations on whole words: for the longest common subsequence as
  in Hyyro (2004), for the unit-cost distance as in Myers (1999).

  Raises:
    InputError: a single sequence, or more than 62 flips.
  """
  flips = sequences.checked(flips)
  number, length = flips.shape
  if length > _BITS or number < 2:
    raise errors.InputError(
      f"{number} sequences of {length} flips; edit distances need two of at"
      f" most {_BITS}: crop them"
    )
  first, second = np.triu_indices(number, 1)
  place = np.uint64(1) << np.arange(length, dtype=np.uint64)
  ones = (flips.astype(np.uint64) * place).sum(axis=1)
  # match[s, i]: the bits of sequence i where its flip is s.
  match = np.stack([~ones & _full(length), ones])
  indel = np.empty(len(first))
  unit = np.empty(len(first))
  for begin in range(0, len(first), _PAIRS):
    here = slice(begin, begin + _PAIRS)
    columns = match[:, first[here]], flips[second[here]].T
    common = _common(*columns, length)
    indel[here] = 1 - common / length
    unit[here] = _unit(*columns, length) / length
  return Distances(indel, unit)


def similarity_with_itself(flips: Int[np.ndarray, "N T"]) -> float:
  """The original's mean over all ordered pairs, those of equals included."""
  number = len(flips)
  distinct = 2 * (1 - distances(flips).indel).sum()
  return float((distinct + number) / number**2)


def _full(length):
  return np.uint64((1 << length) - 1)


def _common(match, others, length):
  """Length of the longest common subsequence of every pair."""
  full = _full(length)
  found = np.full(others.shape[1], full, np.uint64)
  for column in others:
    hits = found & np.where(column, match[1], match[0])
    found = ((found + hits) | (found - hits)) & full
  return length - np.bitwise_count(found).astype(np.int64)


def _unit(match, others, length):
  """Unit-cost distance of every pair."""
  full, one = _full(length), np.uint64(1)
  last = np.uint64(length - 1)
  more = np.full(others.shape[1], full, np.uint64)
  less = np.zeros_like(more)
  found = np.full(others.shape[1], length, np.int64)
  for column in others:
    hits = np.where(column, match[1], match[0])
    across = ((((hits & more) + more) ^ more) | hits) & full
    up = (less | ~(across | more)) & full
    down = more & across
    found += (up >> last & one).astype(np.int64)
    found -= (down >> last & one).astype(np.int64)
    up = (up << one | one) & full
    down = down << one & full
    hits = hits | less
    more = (down | ~(hits | up)) & full
    less = up & hits
  return found
