"""How well the model predicts the next node.

Arrays are [walk, time]; NaN marks positions that are not scored (in pair mode
everything but the first word of a pair).
"""

from jaxtyping import Float, Int
import numpy as np

from icl_graphs.analysis import nulls


def restricted(
  full: Float[np.ndarray, "..."], mass: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
  """Accuracy under a softmax over the node words only.

  Args:
    full: probability of the neighbours of the current node, whole vocabulary.
    mass: probability of all node words, whole vocabulary.

  Returns:
    full / mass; NaN where mass is zero.
  """
  mass = np.asarray(mass, np.float64)
  return np.asarray(full, np.float64) / np.where(mass > 0, mass, np.nan)


def last_fifth(length: int) -> slice:
  """The last fifth of T positions (at least one)."""
  return slice(length - max(1, length // 5), length)


def group_totals(
  values: Float[np.ndarray, "walk time"],
  walk_group: Int[np.ndarray, " walk"],
) -> tuple[Float[np.ndarray, "G time"], Float[np.ndarray, "G time"]]:
  """Sums over the scored entries of each group's walks, and their number.

  Only groups with walks appear.
  """
  values = np.asarray(values, np.float64)
  known = np.isfinite(values)
  filled = np.where(known, values, 0)
  labels = np.unique(walk_group)
  member = (labels[:, None] == walk_group).astype(np.float64)
  return member @ filled, member @ known.astype(np.float64)


def mean_with_interval(
  sums: Float[np.ndarray, "G ..."],
  count: Float[np.ndarray, "G ..."],
  resamples: int,
  seed: int,
) -> tuple[
  Float[np.ndarray, "..."],
  Float[np.ndarray, "..."],
  Float[np.ndarray, "..."],
]:
  """Mean over all walks and its bootstrap interval over groups, within [0, 1].

  Returns:
    (value, low, high); NaN where nothing is scored, limits NaN for one group.
  """
  value = _ratio(sums.sum(axis=0), count.sum(axis=0))
  replicates = _resampled(sums, count, resamples, seed)
  low, high = nulls.interval(value, replicates, len(sums), bounds=(0.0, 1.0))
  return value, low, high


def standard_error(
  sums: Float[np.ndarray, "G ..."], count: Float[np.ndarray, "G ..."]
) -> Float[np.ndarray, "..."]:
  """Standard error over groups of the mean; NaN for fewer than two groups."""
  groups = len(sums)
  if groups < 2:
    return np.full(sums.shape[1:], np.nan)
  total = count.sum(axis=0)
  residual = sums - count * _ratio(sums.sum(axis=0), total)
  scatter = groups / (groups - 1) * (residual**2).sum(axis=0)
  return _ratio(np.sqrt(scatter), total)


def _resampled(sums, count, resamples, seed) -> np.ndarray:
  weights = nulls.bootstrap_weights(len(sums), resamples, seed)
  return _ratio(np.tensordot(weights, sums, 1), np.tensordot(weights, count, 1))


def _ratio(sums: np.ndarray, count: np.ndarray) -> np.ndarray:
  return sums / np.where(count > 0, count, np.nan)
