"""What heads that copy words would have copied on the actual walks."""

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Float, Int
import numpy as np

from icl_graphs import errors


class Copies(NamedTuple):
  """Sums over occurrences of what each word copied, one-hot per copied word.

  Like class sums of activations, so that a Gram matrix of them follows from
  the same formulas. count: [W, C, G, n] occurrences. previous: [W, C, G, n, n],
  how often word j preceded word i (a previous-token head). induction: [W, C,
  G, n, n], over occurrences of i, the distribution of the words that had
  followed i before (an induction head that attends to all of them alike).
  """

  count: Float[np.ndarray, "W C G n"]
  previous: Float[np.ndarray, "W C G n n"]
  induction: Float[np.ndarray, "W C G n n"]


def walk_copies(
  nodes: Int[np.ndarray, "walk time"],
  group: Int[np.ndarray, "walk time"],
  num_nodes: int,
  windows: Sequence[int],
  contexts: Sequence[int],
) -> Copies:
  """Copied words of all occurrences in windows that end at given contexts.

  Args:
    nodes: node at each position, -1 where there is none (separators). Only
      words at adjacent positions precede or follow each other.
    group: 0 to G - 1, the group that an occurrence belongs to.
    num_nodes: n.
    windows: numbers of positions W; the window ends with the context.
    contexts: context lengths, in positions.

  Raises:
    InputError: a node out of range, or a context beyond the walks.
  """
  nodes, group = np.asarray(nodes, np.int64), np.asarray(group, np.int64)
  walks, length = nodes.shape
  if nodes.size and not (-1 <= nodes.min() and nodes.max() < num_nodes):
    raise errors.InputError(
      f"node ids run from {nodes.min()} to {nodes.max()} but the graph has "
      f"nodes 0 to {num_nodes - 1}"
    )
  if max(contexts) > length:
    raise errors.InputError(
      f"a context of {max(contexts)} does not fit walks of {length} positions"
    )
  edges = {max(0, c - w) for w in windows for c in contexts} | set(contexts)
  rows = np.arange(walks)
  followers = np.zeros((walks, num_nodes, num_nodes))
  groups = int(group.max()) + 1
  count = np.zeros((groups, num_nodes))
  sums = np.zeros((2, groups, num_nodes, num_nodes))
  snapshots = {}
  for t in range(length + 1):
    if t in edges:
      snapshots[t] = count.copy(), sums.copy()
    if t == length:
      break
    on = np.flatnonzero(nodes[:, t] >= 0)
    here, of = nodes[on, t], group[on, t]
    np.add.at(count, (of, here), 1.0)
    past = followers[on, here]
    total = past.sum(axis=1, keepdims=True)
    np.add.at(sums[1], (of, here), past / np.where(total > 0, total, 1))
    before = nodes[on, t - 1] if t else np.full(len(on), -1)
    kept = before >= 0
    before, here, of = before[kept], here[kept], of[kept]
    np.add.at(sums[0], (of, here, before), 1.0)
    followers[rows[on[kept]], before, here] += 1

  def windowed(part):
    return np.array(
      [
        [snapshots[c][part] - snapshots[max(0, c - w)][part] for c in contexts]
        for w in windows
      ]
    )

  found = windowed(1)
  return Copies(windowed(0), found[:, :, 0], found[:, :, 1])
