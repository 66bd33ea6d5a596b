"""What next-node accuracy a reader of the same walks would reach.

Accuracy is the probability on the true neighbours of the current node. Every
predictor is one of simple components, computed on the actual walks; those that
memory alone explains are in `analysis.memorisation`. Arrays are [walk, time],
NaN where the position is no node. Definitions: the project's specification,
section 2.9.
"""

from typing import NamedTuple

from jaxtyping import Float, Int
import numpy as np

from icl_graphs.analysis import memorisation


class Counts(NamedTuple):
  """What a walk has shown before each position, [walk, time] each.

  The current node is x; transitions count once both ends are seen.

  degree: neighbours of x. seen: earlier visits of x. words: words read, the
  current one included. near: how many of them were neighbours of x. out, kept:
  steps out of x, and those along an edge. back, returned: steps into x, and
  those from a neighbour.
  """

  degree: np.ndarray
  seen: np.ndarray
  words: np.ndarray
  near: np.ndarray
  out: np.ndarray
  kept: np.ndarray
  back: np.ndarray
  returned: np.ndarray


def count(
  nodes: Int[np.ndarray, "walk time"],
  adjacency: Float[np.ndarray, "n n"],
  decay: float = 1.0,
) -> Counts:
  """Counts on the actual walks.

  Args:
    nodes: node at each position, -1 where there is none.
    adjacency: A[i, j] != 0 is an edge from i to j.
    decay: what a count is worth after one more position; 1 forgets nothing.
      Applies to transitions and `near`, not to `seen` and `words`.
  """
  nodes = np.asarray(nodes, np.int64)
  linked = np.asarray(adjacency) != 0
  walks, length = nodes.shape
  rows = np.arange(walks)
  # One spare column takes what happens off the nodes.
  sums = np.zeros((5, walks, len(linked) + 1))
  seen = np.zeros((walks, len(linked) + 1))
  found = np.zeros((6, walks, length))
  padded = np.pad(linked, [(0, 1), (0, 1)])
  for t in range(length):
    here = nodes[:, t]
    if t:
      before = nodes[:, t - 1]
      moved = (before >= 0) & (here >= 0)
      sums *= decay
      sums[0, rows, before] += moved
      sums[1, rows, before] += moved & padded[before, here]
      sums[2, rows, here] += moved
      sums[3, rows, here] += moved & padded[here, before]
    sums[4, rows, here] += 1
    found[:4, :, t] = sums[:4, rows, here]
    found[4, :, t] = (padded[here] * sums[4]).sum(axis=-1)
    found[5, :, t] = seen[rows, here]
    seen[rows, here] += 1
  on = nodes >= 0
  out, kept, back, returned, near, visits = np.where(on, found, np.nan)
  degree = np.where(on, linked.sum(axis=1)[nodes], np.nan)
  words = np.where(on, on.cumsum(axis=1), np.nan)
  return Counts(degree, visits, words, near, out, kept, back, returned)


def memoriser(
  recalled: Float[np.ndarray, "walk time"],
  counts: Counts,
  num_nodes: int,
) -> Float[np.ndarray, "walk time"]:
  """All mass on neighbours where recalled, else chance, deg(x) / n.

  Args:
    recalled: probability, or 0 and 1, that x is remembered.
    counts: from `count`.
    num_nodes: n.
  """
  return recalled + (1 - recalled) * counts.degree / num_nodes


def one_shot(counts: Counts, num_nodes: int) -> Float[np.ndarray, "walk time"]:
  """Remembers a node seen once in iid words (arXiv 2501.00070, eq. 4)."""
  recalled = memorisation.iid_one_shot(counts.words, num_nodes)
  return memoriser(recalled, counts, num_nodes)


def two_shot(counts: Counts, num_nodes: int) -> Float[np.ndarray, "walk time"]:
  """The same for twice (eq. 5)."""
  recalled = memorisation.iid_two_shot(counts.words, num_nodes)
  return memoriser(recalled, counts, num_nodes)


def seen(
  counts: Counts, num_nodes: int, times: int
) -> Float[np.ndarray, "walk time"]:
  """Remembers a node that this walk has visited at least so often before."""
  recalled = np.where(counts.seen >= times, 1.0, 0.0) + 0 * counts.seen
  return memoriser(recalled, counts, num_nodes)


def bayes(
  counts: Counts, num_nodes: int, alpha: float
) -> Float[np.ndarray, "walk time"]:
  """In-context bigrams with a Dirichlet prior alpha on every word.

  (alpha deg(x) + kept) / (alpha n + out); with decaying counts, recent
  transitions weigh more.
  """
  return (alpha * counts.degree + counts.kept) / (
    alpha * num_nodes + counts.out
  )


def bayes_symmetric(
  counts: Counts, num_nodes: int, alpha: float
) -> Float[np.ndarray, "walk time"]:
  """The same, reading every step in both directions."""
  return (alpha * counts.degree + counts.kept + counts.returned) / (
    alpha * num_nodes + counts.out + counts.back
  )


PRIORS = ("none", "uniform", "unigram", "symmetric", "oracle")


def priors(
  counts: Counts, num_nodes: int
) -> Float[np.ndarray, "walk time prior"]:
  """Accuracies of what a reader may expect before it has seen x, see `PRIORS`.

  none: mass off the graph. uniform: all node words alike, what retrieval of the
  vocabulary gives. unigram: word frequencies so far. symmetric: steps in both
  directions, uniform where there are none. oracle: the graph itself.
  """
  uniform = counts.degree / num_nodes
  both = counts.out + counts.back
  return np.stack(
    [
      0 * uniform,
      uniform,
      counts.near / counts.words,
      np.where(
        both > 0, (counts.kept + counts.returned) / np.maximum(both, 1), uniform
      ),
      0 * uniform + 1,
    ],
    axis=-1,
  )


def bayes_mixture(
  counts: Counts,
  num_nodes: int,
  strength: float,
  weights: Float[np.ndarray, " prior"],
) -> Float[np.ndarray, "walk time"]:
  """In-context bigrams over a mixed prior worth `strength` observations.

  (strength weights . priors + kept) / (strength + out). All weight on `uniform`
  is `bayes` with alpha = strength / n.
  """
  expected = priors(counts, num_nodes) @ weights
  return (strength * expected + counts.kept) / (strength + counts.out)
