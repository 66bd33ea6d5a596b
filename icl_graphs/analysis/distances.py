"""Distances between representations against distances in the graph."""

from jaxtyping import Float
import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import energy
from icl_graphs.analysis import gram as gram_lib


def hops(adjacency: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
  """Number of edges on shortest paths; weights and directions are ignored.

  Raises:
    InputError: the graph is not connected.
  """
  linked = energy.symmetrised(adjacency) != 0
  nodes = len(linked)
  steps = np.where(np.eye(nodes, dtype=bool), 0.0, np.inf)
  reached = np.eye(nodes, dtype=bool)
  for distance in range(1, nodes):
    frontier = (reached @ linked) & ~reached
    if not frontier.any():
      break
    steps[frontier] = distance
    reached |= frontier
  if not reached.all():
    raise errors.InputError("the graph is not connected")
  return steps


def correlation(
  gram: Float[np.ndarray, "*batch n n"], steps: Float[np.ndarray, "n n"]
) -> Float[np.ndarray, "*batch"]:
  """Pearson correlation over node pairs of |h_i - h_j| with graph distance.

  The measure of arXiv 2602.04212 (not the independence statistic that shares
  its name). Zero without structure; NaN where either side does not vary.
  """
  upper = np.triu_indices(len(steps), 1)
  lengths = np.sqrt(gram_lib.squared_distances(gram)[..., *upper])
  lengths = lengths - lengths.mean(axis=-1, keepdims=True)
  target = steps[upper] - steps[upper].mean()
  spread = np.linalg.norm(lengths, axis=-1) * np.linalg.norm(target)
  return (lengths @ target) / np.where(spread > 0, spread, np.nan)
