"""What sequences of coin flips look like, one by one and together.

Heads are 0 and tails 1 (arXiv 2310.17639 and its released code). N sequences of
T flips are an array [N, T]; `parse` and `crop` make it from text.
"""

from collections.abc import Sequence
import gzip
from typing import NamedTuple

from jaxtyping import Float, Int
import numpy as np

from icl_graphs import errors

LENGTH = 50


class Parsed(NamedTuple):
  """Flips of one completion.

  Attributes:
    flips: 0 for heads, 1 for tails.
    others: items that are neither, which are left out.
  """

  flips: Int[np.ndarray, " flips"]
  others: int


class Cropped(NamedTuple):
  """The beginnings of sequences that are long enough.

  Attributes:
    flips: of the N sequences kept.
    kept: their places among all.
    drop_rate: share of the sequences that are shorter. Models that end their
      lists early lose sequences, which selects.
  """

  flips: Int[np.ndarray, "N T"]
  kept: Int[np.ndarray, " N"]
  drop_rate: float


def parse(completion: str) -> Parsed:
  """Reads flips from the text that follows a prompt.

  Items lie between commas. The first item with a closing bracket ends the list
  and is no part of it; an item counts by its first letter.
  """
  flips, others = [], 0
  for item in completion.split(","):
    word = item.strip().replace("[", "").strip().lower()
    if "]" in word:
      break
    if word[:1] in ("h", "t"):
      flips.append(int(word[0] == "t"))
    elif word:
      others += 1
  return Parsed(np.array(flips, np.int8), others)


def crop(
  sequences: Sequence[Int[np.ndarray, " flips"]], length: int = LENGTH
) -> Cropped:
  """The first `length` flips of every sequence that has so many.

  Raises:
    InputError: no sequences.
  """
  if not len(sequences):
    raise errors.InputError("no sequences of flips to crop")
  kept = [i for i, one in enumerate(sequences) if len(one) >= length]
  flips = [np.asarray(sequences[i][:length], np.int8) for i in kept]
  return Cropped(
    np.stack(flips) if flips else np.zeros((0, length), np.int8),
    np.array(kept, np.int64),
    1 - len(kept) / len(sequences),
  )


def checked(flips: Int[np.ndarray, "N T"]) -> Int[np.ndarray, "N T"]:
  """The same as int8.

  Raises:
    InputError: not sequences of equal length, or not zeros and ones.
  """
  flips = np.asarray(flips)
  if flips.ndim != 2 or not flips.size:
    raise errors.InputError(
      f"flips of shape {flips.shape}; expected [sequence, flip], not empty"
    )
  if not np.isin(flips, (0, 1)).all():
    raise errors.InputError("flips must be 0 (heads) or 1 (tails)")
  return flips.astype(np.int8)


def running_mean(
  flips: Int[np.ndarray, "N T"], start: float | None = 0.5
) -> Float[np.ndarray, "N T+1"]:
  """R_i = (v + y_1 + ... + y_i) / (i + 1) for i = 0..T.

  Args:
    flips: sequences.
    start: v; one half in the original's plotted lines. None for each sequence's
      own final mean, as in its saved summaries.
  """
  flips = checked(flips)
  first = np.full((len(flips), 1), start, np.float64)
  if start is None:
    first = flips.mean(axis=1, keepdims=True)
  total = np.cumsum(np.concatenate([first, flips], axis=1), axis=1)
  return total / np.arange(1, flips.shape[1] + 2)


class Extent(NamedTuple):
  """Of each running mean over i, as the original saves it."""

  sd: Float[np.ndarray, " N"]
  high: Float[np.ndarray, " N"]
  low: Float[np.ndarray, " N"]


def running_extent(flips: Int[np.ndarray, "N T"]) -> Extent:
  """Spread and ends of running means that start at their final mean."""
  means = running_mean(flips, start=None)
  return Extent(means.std(axis=1), means.max(axis=1), means.min(axis=1))


def moving_average(
  flips: Int[np.ndarray, "N T"], window: int
) -> Float[np.ndarray, "N T"]:
  """Mean of the previous `window` flips, fewer at the start; NaN at the first.

  Raises:
    InputError: a window of less than one flip.
  """
  if window < 1:
    raise errors.InputError(f"a window of {window} flips; give at least 1")
  flips = checked(flips)
  total = np.pad(np.cumsum(flips, axis=1, dtype=np.int64), ((0, 0), (1, 0)))
  place = np.arange(flips.shape[1])
  first = np.maximum(place - window, 0)
  count = np.where(place > first, place - first, np.nan)
  return (total[:, place] - total[:, first]) / count


def alternation_rate(flips: Int[np.ndarray, "N T"]) -> Float[np.ndarray, " N"]:
  """Share of flips after the first that differ from the one before; p_A.

  Raises:
    InputError: single flips.
  """
  flips = checked(flips)
  if flips.shape[1] < 2:
    raise errors.InputError("a single flip does not alternate; give two")
  return (flips[:, 1:] != flips[:, :-1]).mean(axis=1)


def longest_run(flips: Int[np.ndarray, "N T"]) -> Int[np.ndarray, " N"]:
  """Length of the longest block of equal flips, of either side."""
  flips = checked(flips)
  run = np.ones(len(flips), np.int64)
  longest = run.copy()
  for before, here in zip(flips.T[:-1], flips.T[1:], strict=True):
    run = np.where(here == before, run + 1, 1)
    longest = np.maximum(longest, run)
  return longest


def _compressed(text: bytes) -> int:
  # No time of day in the header: the same flips are the same bytes.
  return len(gzip.compress(text, 9, mtime=0))


def gzip_bytes(flips: Int[np.ndarray, "N T"]) -> Int[np.ndarray, " N"]:
  """Bytes of each sequence, as text 0110..., compressed by gzip at level 9.

  Header and trailer are counted. Nearly blind at 50 flips: fair flips and those
  of a window average differ by a tenth of a byte. See `gzip_together`.
  """
  text = checked(flips) + np.int8(ord("0"))
  return np.array([_compressed(row.tobytes()) for row in text])


def gzip_together(flips: Int[np.ndarray, "N T"]) -> int:
  """Bytes of all sequences, joined and compressed in one.

  To be compared between equal numbers of sequences only.
  """
  return _compressed((checked(flips) + np.int8(ord("0"))).tobytes())
