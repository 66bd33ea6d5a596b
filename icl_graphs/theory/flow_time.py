"""How long heat would have to flow to reach what each context shows.

H(tau) = exp(-tau Q) H0, with H0 the class means at the first context that has
all nodes, so that p_k(tau) is proportional to p_k(0) exp(-2 tau lambda_k).
"""

from typing import NamedTuple

from jaxtyping import Float, Int
import numpy as np

from icl_graphs.analysis import geometry, nulls
from icl_graphs.theory import eigenspaces

STEPS = 120


class FlowTimes(NamedTuple):
  """Best flow time per context, and what it is worth.

  tau: [L, C], argmin of the multiplicity-weighted squared distance between
  Laplacian eigenspace powers; 0 at the start, NaN where nodes are missing. r2:
  [L, C], share of the distance from the start that the flow covers; NaN at the
  start. Per layer, [L]: total_r2 over contexts; monotonicity, rank correlation
  of tau with context; slope and slope_r2 of log tau on log context where tau
  is positive (NaN for fewer than three). null_r2, null_monotonicity and
  null_slope: [L, P], the same with relabelled nodes.
  """

  tau: Float[np.ndarray, "L C"]
  r2: Float[np.ndarray, "L C"]
  total_r2: Float[np.ndarray, " L"]
  monotonicity: Float[np.ndarray, " L"]
  slope: Float[np.ndarray, " L"]
  slope_r2: Float[np.ndarray, " L"]
  null_r2: Float[np.ndarray, "L P"]
  null_monotonicity: Float[np.ndarray, "L P"]
  null_slope: Float[np.ndarray, "L P"]


def flow_times(
  gram: Float[np.ndarray, "L C n n"],
  contexts: Int[np.ndarray, " C"],
  graph: geometry.Frame,
  permutations: int = 200,
  seed: int = 0,
) -> FlowTimes:
  """Fits flow times.

  Args:
    gram: of the class means, NaN where a node is missing.
    contexts: their lengths, ascending.
    graph: from `geometry.frame`.
    permutations: relabellings for the nulls.
    seed: of these.
  """
  spaces = eigenspaces.laplacian(graph)
  values = spaces.values
  times = np.concatenate(
    [[0], np.geomspace(0.005 / values[-1], 5 / values[0], STEPS)]
  )
  labels = nulls.permutations(len(graph.adjacency), permutations, seed)
  moved = gram[:, :, labels[:, :, None], labels[:, None, :]]
  every = np.concatenate([gram[:, :, None], moved], axis=2)
  # [L, draw, C, S]; the first draw is the observation.
  power = np.moveaxis(eigenspaces.powers(every, spaces), 2, 1)
  known = np.isfinite(power[:, 0]).all(axis=(0, -1))
  if known.sum() < 2:
    unknown = np.full(len(gram), np.nan)
    table = np.full(gram.shape[:2], np.nan)
    draws = np.full((len(gram), permutations), np.nan)
    return FlowTimes(table, table, *[unknown] * 4, *[draws] * 3)
  power = power[:, :, known]
  grown = power[:, :, 0, None] * np.exp(-2 * times[:, None] * values)
  grown = eigenspaces.normalised(grown, spaces.multiplicity)
  error = (power[:, :, :, None] - grown[:, :, None]) ** 2
  error = error @ spaces.multiplicity.astype(np.float64)
  best = error.argmin(axis=-1)
  left = np.take_along_axis(error, best[..., None], -1)[..., 0]
  start = error[..., 0]
  tau = times[best]
  lengths = np.asarray(contexts, np.float64)[known]
  slope, slope_r2 = _power_law(lengths, tau)
  total = 1 - left.sum(-1) / _positive(start.sum(-1))
  ranks = _rank_correlation(lengths, tau)
  full_tau = np.full(gram.shape[:2], np.nan)
  full_r2 = full_tau.copy()
  full_tau[:, known] = tau[:, 0]
  full_r2[:, known] = 1 - left[:, 0] / _positive(start[:, 0])
  return FlowTimes(
    full_tau,
    full_r2,
    *(part[:, 0] for part in (total, ranks, slope, slope_r2)),
    *(part[:, 1:] for part in (total, ranks, slope)),
  )


def _positive(values: np.ndarray) -> np.ndarray:
  return np.where(values > 0, values, np.nan)


def _rank_correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
  """Spearman's, with tied ranks averaged; 0 where y does not vary."""
  below = (y[..., :, None] > y[..., None, :]).sum(-1)
  ties = (y[..., :, None] == y[..., None, :]).sum(-1)
  rank = below + (ties - 1) / 2
  rank = rank - rank.mean(axis=-1, keepdims=True)
  order = np.argsort(np.argsort(x)) - (len(x) - 1) / 2
  spread = np.sqrt((rank**2).sum(-1) * (order**2).sum())
  return (rank @ order) / np.where(spread > 0, spread, 1)


def _power_law(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Slope of log y on log x over positive y, and its R2."""
  use = y > 0
  count = use.sum(axis=-1)
  log_x = np.log(x)
  log_y = np.log(np.where(use, y, 1))
  size = np.maximum(count, 1)[..., None]
  dx = np.where(use, log_x - (use * log_x).sum(-1, keepdims=True) / size, 0)
  dy = np.where(use, log_y - (use * log_y).sum(-1, keepdims=True) / size, 0)
  xx, yy, xy = (dx**2).sum(-1), (dy**2).sum(-1), (dx * dy).sum(-1)
  enough = count >= 3
  slope = np.where(enough, xy / np.where(xx > 0, xx, 1), np.nan)
  r2 = xy**2 / np.where(xx * yy > 0, xx * yy, np.nan)
  return slope, np.where(enough, r2, np.nan)
