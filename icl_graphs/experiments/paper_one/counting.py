"""A reader that only counts, fitted to what a model expects."""

from typing import NamedTuple

from jaxtyping import Float, Int
import numpy as np

from icl_graphs.analysis import detection, transitions
from icl_graphs.theory import predictors

ALPHAS = np.geomspace(0.01, 20, 40)
READERS = {False: predictors.bayes, True: predictors.bayes_symmetric}


class Counter(NamedTuple):
  """An in-context bigram reader fitted to the model's mean accuracy.

  alpha: prior of every word. both: whether it reads steps in both directions.
  error: root mean square of the difference of the mean curves. accuracy [B, T].
  """

  alpha: float
  both: bool
  error: float
  accuracy: Float[np.ndarray, "B T"]


def fitted(
  nodes: Int[np.ndarray, "B T"],
  adjacency: Float[np.ndarray, "n n"],
  accuracy: Float[np.ndarray, "B T"],
  directions: tuple[bool, ...] = (False, True),
) -> Counter:
  """The Bayes bigram reader whose mean curve is closest at log-spaced t.

  Args:
    nodes: the walks.
    adjacency: of the graph.
    accuracy: of the model.
    directions: readers tried: False counts steps as they were taken, True in
      both directions. Priors are on a grid.
  """
  counts = predictors.count(nodes, adjacency)
  t = transitions.points(
    min(detection.FIRST, nodes.shape[1] // 2), nodes.shape[1]
  )
  at = predictors.Counts(*(part[:, t - 1] for part in counts))
  target = accuracy[:, t - 1].mean(axis=0)
  n = len(adjacency)
  best = None
  for both in directions:
    reader = READERS[both]
    for alpha in ALPHAS.tolist():
      guess = reader(at, n, alpha).mean(axis=0)
      error = float(np.sqrt(((guess - target) ** 2).mean()))
      if best is None or error < best[0]:
        best = error, both, alpha
  error, both, alpha = best
  return Counter(alpha, both, error, READERS[both](counts, n, alpha))


def breakpoint_of(
  accuracy: Float[np.ndarray, "B T"], resamples: int, seed: int
) -> transitions.Estimate:
  """Breakpoint of a reader's mean curve, found as the model's is."""
  curves = transitions.resampled(
    accuracy, np.ones_like(accuracy), resamples, seed
  )
  end = detection.end_of_range(curves[0], detection.FIRST)
  t = transitions.points(detection.FIRST, end)
  at = transitions.two_segments(curves[:, t - 1], t, bend=1).at[:, 0]
  return transitions.estimate(at, len(accuracy), detection.LEVEL)
