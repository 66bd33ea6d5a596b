"""What memory alone would score: baselines for the accuracy curves."""

from typing import NamedTuple

from jaxtyping import Bool, Float, Int
import numpy as np

# Best fit of `bayes` to Llama-3.1-8B's mean accuracy on the 4x4 grid.
DEFAULT_ALPHA = 0.43


class Visits(NamedTuple):
  """What a walk has shown before each position, [walk, time] each.

  seen: earlier visits of the current node.
  left: earlier steps taken out of the current node.
  kept: those of them that went along an edge of the graph.
  Zero where the position is no node.
  """

  seen: Int[np.ndarray, "walk time"]
  left: Int[np.ndarray, "walk time"]
  kept: Int[np.ndarray, "walk time"]


def iid_one_shot(
  words: Float[np.ndarray, "..."], num_nodes: int
) -> Float[np.ndarray, "..."]:
  """Probability that a node was seen at least once in x iid words.

  p1(x) = 1 - (1 - 1/n)^x, arXiv 2501.00070, equation 4.
  """
  return 1 - (1 - 1 / num_nodes) ** np.asarray(words, np.float64)


def iid_two_shot(
  words: Float[np.ndarray, "..."], num_nodes: int
) -> Float[np.ndarray, "..."]:
  """The same for at least twice, equation 5.

  p2(x) = p1(x) - (x/n) (1 - 1/n)^(x-1).
  """
  words = np.asarray(words, np.float64)
  once = words / num_nodes * (1 - 1 / num_nodes) ** np.maximum(words - 1, 0)
  return iid_one_shot(words, num_nodes) - once


def visits(
  nodes: Int[np.ndarray, "walk time"], adjacency: Float[np.ndarray, "n n"]
) -> Visits:
  """Counts earlier visits and transitions on the actual walks.

  Args:
    nodes: node at each position, -1 where there is none (separators). A
      transition is two nodes at adjacent positions.
    adjacency: A[i, j] != 0 is an edge from i to j.
  """
  nodes = np.asarray(nodes, np.int64)
  walks, length = nodes.shape
  linked = np.asarray(adjacency) != 0
  rows = np.arange(walks)
  # One spare column takes everything that happens off the nodes.
  totals = np.zeros((3, walks, len(linked) + 1), np.int64)
  result = np.zeros((3, walks, length), np.int64)
  for t in range(length):
    here = nodes[:, t]
    result[:, :, t] = np.where(here >= 0, totals[:, rows, here], 0)
    totals[0, rows, here] += 1
    if t + 1 < length:
      after = nodes[:, t + 1]
      moved = (here >= 0) & (after >= 0)
      totals[1, rows, here] += moved
      totals[2, rows, here] += moved & linked[here, after]
  return Visits(*result)


def bayes_accuracy(
  found: Visits,
  nodes: Int[np.ndarray, "walk time"],
  adjacency: Float[np.ndarray, "n n"],
  alpha: float = DEFAULT_ALPHA,
) -> Float[np.ndarray, "walk time"]:
  """Neighbour mass of an in-context bigram predictor with a Dirichlet prior.

  p(w | x) = (alpha + N(x -> w)) / (alpha n + N(x -> any)), summed over the
  true neighbours w of the current node x: (alpha deg(x) + kept) / (alpha n +
  left). alpha towards 0 is pure memory. NaN where the position is no node.
  """
  linked = np.asarray(adjacency) != 0
  degree = linked.sum(axis=1)[nodes]
  prior = alpha * len(linked)
  mass = (alpha * degree + found.kept) / (prior + found.left)
  return np.where(nodes >= 0, mass, np.nan)


def fraction(
  holds: Bool[np.ndarray, "walk time"], nodes: Int[np.ndarray, "walk time"]
) -> Float[np.ndarray, " time"]:
  """Fraction of walks for which something holds, among those on a node."""
  on_node = nodes >= 0
  count = on_node.sum(axis=0)
  return (holds & on_node).sum(axis=0) / np.where(count > 0, count, np.nan)
