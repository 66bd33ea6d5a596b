"""Windowed sums of hidden states per node, reduced where they arise.

The windowed mean token representation of a node is the mean of the residual
stream over all its occurrences among the last W words of a context of t words
(arXiv 2501.00070; every walk pooled). One forward pass over the longest context
holds all shorter ones, so a pass yields every (t, W) at once.

Windows overlap. The time axis is therefore cut at every window edge into
disjoint segments, each occurrence is added to one segment only, and windows are
sums of whole segments. Sums of walks in one group are kept together: they add
over batches, devices and hosts, and groups later give intervals.

Einsum letters: b walk, s position in a segment, g group, n node, d width.
"""

from collections.abc import Sequence
import dataclasses
import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Shaped
import numpy as np

from icl_graphs import errors


@dataclasses.dataclass(frozen=True)
class ClassSums:
  """Which sums to keep; hashable, part of the compilation key.

  Attributes:
    num_nodes: n, number of classes.
    num_groups: G, walks i with the same i mod G share a group.
    context_lengths: C increasing context lengths t, in words.
    windows: W window sizes, in words; a window longer than t means all t words.
    offset: tokens before the first word (the BOS policy), never summed.
  """

  num_nodes: int
  num_groups: int
  context_lengths: tuple[int, ...]
  windows: tuple[int, ...]
  offset: int

  def __post_init__(self):
    for name in ("context_lengths", "windows"):
      values = getattr(self, name)
      if not values or min(values) < 1 or list(values) != sorted(set(values)):
        raise errors.InputError(
          f"{name} must be distinct positive integers in increasing order; "
          f"got {list(values)}"
        )
    if self.num_groups < 1:
      raise errors.InputError(f"need at least 1 group; got {self.num_groups}")
    longest = self.context_lengths[-1]
    if self.windows[-1] > longest:
      raise errors.InputError(
        f"window {self.windows[-1]} is longer than the longest context "
        f"({longest} words); use windows of at most {longest}"
      )

  def bounds(self, window: int, context_length: int) -> tuple[int, int]:
    """Half-open range of 0-based word indices inside one window."""
    return max(0, context_length - window), context_length

  @functools.cached_property
  def segments(self) -> tuple[tuple[int, int], ...]:
    """Disjoint half-open word ranges of which every window is a union."""
    ranges = [
      self.bounds(w, t) for w in self.windows for t in self.context_lengths
    ]
    edges = sorted({edge for bounds in ranges for edge in bounds})
    return tuple(
      (start, stop)
      for start, stop in zip(edges[:-1], edges[1:], strict=True)
      if any(low <= start and stop <= high for low, high in ranges)
    )

  @functools.cached_property
  def segments_of_window(self) -> np.ndarray:
    """[W, C, S] bool: segment lies inside the window."""
    member = np.zeros(
      (len(self.windows), len(self.context_lengths), len(self.segments)), bool
    )
    for i, window in enumerate(self.windows):
      for j, length in enumerate(self.context_lengths):
        low, high = self.bounds(window, length)
        member[i, j] = [
          low <= start and stop <= high for start, stop in self.segments
        ]
    return member


def one_hot_nodes(
  spec: ClassSums, nodes: Int[Array, "B T"], dtype: jnp.dtype
) -> Shaped[Array, "B T n"]:
  """Class membership of every position; -1 (no node) gives a zero row."""
  return jax.nn.one_hot(nodes, spec.num_nodes, dtype=dtype)


def one_hot_groups(
  spec: ClassSums, walk_index: Int[Array, " B"], valid: Shaped[Array, " B"]
) -> Float[Array, "B G"]:
  """Group membership of every walk; padding walks (not valid) get none."""
  groups = jax.nn.one_hot(walk_index % spec.num_groups, spec.num_groups)
  return groups * valid[:, None].astype(groups.dtype)


def segment_sums(
  spec: ClassSums,
  hidden: Shaped[Array, "B T D"],
  nodes: Shaped[Array, "B T n"],
  groups: Float[Array, "B G"],
) -> Float[Array, "S G n D"]:
  """Sums one hidden state over segments, per group and node, in float32.

  Args:
    spec: which sums.
    hidden: residual stream at every position, BOS included.
    nodes: `one_hot_nodes`, in the dtype of `hidden`.
    groups: `one_hot_groups`.

  Returns:
    Sums over all positions of a segment and all walks of a group.
  """
  sums = []
  for start, stop in spec.segments:
    cut = slice(spec.offset + start, spec.offset + stop)
    # One walk at a time first: contracting b and s together would need the
    # n x G one-hot product of width n * G.
    per_walk = jnp.einsum(
      "bsn,bsd->bnd",
      nodes[:, cut],
      hidden[:, cut],
      precision=jax.lax.Precision.HIGHEST,
      preferred_element_type=jnp.float32,
    )
    sums.append(
      jnp.einsum(
        "bg,bnd->gnd", groups, per_walk, precision=jax.lax.Precision.HIGHEST
      )
    )
  return jnp.stack(sums)


def segment_counts(
  spec: ClassSums,
  nodes: Shaped[Array, "B T n"],
  groups: Float[Array, "B G"],
) -> Float[Array, "S G n"]:
  """Number of terms in `segment_sums`; exact in float32 up to 2**24."""
  ones = jnp.ones((*nodes.shape[:2], 1), nodes.dtype)
  return segment_sums(spec, ones, nodes, groups)[..., 0]


def windowed(
  spec: ClassSums, segments: Shaped[np.ndarray, "*batch S G n D"], axis: int
) -> np.ndarray:
  """Adds segments into windows on the host, in float64.

  Args:
    spec: which sums.
    segments: segment sums or counts; `axis` is its segment axis.
    axis: non-negative position of the segment axis.

  Returns:
    The same array with the segment axis replaced by axes (W, C).
  """
  combined = np.tensordot(
    spec.segments_of_window.astype(np.float64),
    np.asarray(segments, np.float64),
    axes=([2], [axis]),
  )
  return np.moveaxis(combined, (0, 1), (axis, axis + 1))


def log_spaced_contexts(longest: int, count: int, shortest: int = 5):
  """Distinct, increasing, log-spaced context lengths ending at `longest`."""
  if longest < shortest:
    return (longest,)
  lengths = np.geomspace(shortest, longest, count)
  return tuple(int(t) for t in np.unique(np.rint(lengths).astype(int)))


def check_context(spec: ClassSums, words: int) -> None:
  """Raises InputError when a checkpoint lies beyond the sequence."""
  if spec.context_lengths[-1] > words:
    raise errors.InputError(
      f"context checkpoint {spec.context_lengths[-1]} lies beyond the "
      f"{words} words of a sequence; lower it or lengthen the context"
    )


def as_lengths(values: Sequence[int | str]) -> tuple[int, ...]:
  """Parses flag values to sorted distinct integers; InputError otherwise."""
  try:
    return tuple(sorted({int(value) for value in values}))
  except ValueError:
    raise errors.InputError(
      f"expected whole numbers, got {list(values)}"
    ) from None
