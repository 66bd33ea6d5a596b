"""What the numbers would be by chance, and how far they can be trusted.

Nulls: the same class means with the node labels permuted. Intervals: the same
run with its groups of walks resampled. They answer different questions. An
interval is about other walks with the same words on the same nodes, so that
unrelated words can have a narrow interval beside the null; whether that gap
means anything is for the spread of the null to say.
"""

from jaxtyping import Float, Int
import numpy as np
from scipy import special

from icl_graphs.analysis import pca

# With more replicates than this share missing a node, there is no interval.
MAX_MISSING = 0.25
# Share of the null beyond each of its limits.
LEVEL = 0.025
# A relabelling that is a symmetry of the graph gives the value itself, but for
# rounding; it must count as having reached it.
_ROUNDING = 1e-9


def permutations(
  num_nodes: int, count: int, seed: int
) -> Int[np.ndarray, "P n"]:
  """Random relabellings of the nodes, uniform and independent."""
  rng = np.random.default_rng(seed)
  return rng.permuted(np.tile(np.arange(num_nodes), (count, 1)), axis=1)


def relabelled(
  gram: Float[np.ndarray, "n n"],
  axes: pca.Axes,
  labels: Int[np.ndarray, "P n"],
) -> tuple[Float[np.ndarray, "P n n"], pca.Axes]:
  """Gram matrix and principal axes with row i moved to label i of each."""
  variances = np.broadcast_to(axes.variances, labels.shape)
  permuted = gram[labels[:, :, None], labels[:, None, :]]
  return permuted, pca.Axes(axes.vectors[labels], variances)


def limits(
  draws: Float[np.ndarray, "P ..."], level: float = LEVEL
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
  """What a value must leave to be called unlike the null, on either side.

  Beyond a limit lie exactly the values whose one-sided permutation p-value,
  (1 + number of draws at least as extreme) / (1 + P), is at most `level`. The
  test is exact whatever the distribution of the null, which for cosines and
  shares of variance is skewed and ends at 1.

  Args:
    draws: P values under relabelling.
    level: of each side.

  Returns:
    (low, high): the k-th smallest and k-th largest draw for k = level (1 + P),
    rounded down. NaN where a draw is NaN or P is too small for the level.
  """
  place = int(np.floor(level * (1 + len(draws)) + _ROUNDING))
  if place < 1:
    unknown = np.full(draws.shape[1:], np.nan)
    return unknown, unknown.copy()
  ordered = np.sort(draws, axis=0)
  known = np.where(np.isnan(draws).any(axis=0), np.nan, 0)
  low, high = ordered[place - 1] + known, ordered[-place] + known
  return low - _ROUNDING * np.abs(low), high + _ROUNDING * np.abs(high)


def bootstrap_weights(
  num_groups: int, count: int, seed: int
) -> Float[np.ndarray, "R G"]:
  """How often each group is drawn when G groups are drawn with replacement."""
  rng = np.random.default_rng(seed)
  drawn = rng.multinomial(
    num_groups, np.full(num_groups, 1 / num_groups), count
  )
  return drawn.astype(np.float64)


def interval(
  value: Float[np.ndarray, "..."],
  replicates: Float[np.ndarray, "R ..."],
  num_groups: int,
  level: float = 0.95,
  bounds: tuple[float, float] = (-np.inf, np.inf),
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
  """Interval for the value from bootstrap replicates over G groups.

  Drawing groups with replacement leaves fewer distinct walks in a replicate
  than in the estimate, so replicates are noisier and, for energies and every
  other measure of structure, shifted towards "no structure"; plain percentiles
  would sit beside the estimate. The deviations of the replicates are therefore
  taken about their own median and attached to the estimate. They are then
  widened by sqrt(G / (G - 1)), because a bootstrap over G units understates the
  variance by (G - 1) / G, and by the ratio of Student to normal quantiles with
  G - 1 degrees of freedom:

    low = value + (quantile_low - median) * widening, and the same for high.

  The interval is about the value runs of this size have on average. A finite
  run is itself shifted towards "no structure" compared with infinitely many
  walks; the interval does not correct for that.

  Args:
    value: the estimate.
    replicates: R bootstrap values; NaN marks replicates that miss a node.
    num_groups: G, groups with data.
    level: nominal coverage.
    bounds: values the measure can take; the interval is cut there.

  Returns:
    (low, high); NaN for G < 2 and where over a quarter of the replicates
    miss a node.
  """
  value = np.asarray(value, np.float64)
  unknown = np.full(value.shape, np.nan)
  if num_groups < 2 or len(replicates) == 0:
    return unknown, unknown.copy()
  usable = np.isnan(replicates).mean(axis=0) <= MAX_MISSING
  filled = np.where(usable, replicates, 0)
  tail = (1 - level) / 2
  low, middle, high = np.nanquantile(filled, [tail, 0.5, 1 - tail], axis=0)
  widening = (
    np.sqrt(num_groups / (num_groups - 1))
    * special.stdtrit(num_groups - 1, 1 - tail)
    / special.ndtri(1 - tail)
  )
  lower = np.clip(value + (low - middle) * widening, *bounds)
  upper = np.clip(value + (high - middle) * widening, *bounds)
  return np.where(usable, lower, unknown), np.where(usable, upper, unknown)
