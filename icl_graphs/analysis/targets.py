"""Whether predictions go to wanted nodes: hits, mass, log-odds of two sets.

Everything is computed from the log-probabilities of the n node words over the
whole vocabulary; leading axes are free.
"""

from jaxtyping import Bool, Float
import numpy as np
from scipy import special


def hit(
  log_probs: Float[np.ndarray, "*batch n"],
  wanted: Bool[np.ndarray, "*batch n"],
  k: int,
) -> Float[np.ndarray, "*batch"]:
  """1 where one of the k likeliest node words is wanted (Hit@k), else 0.

  Of words that are equally likely the one with the lower number comes first.

  Args:
    log_probs: of the node words.
    wanted: broadcast against `log_probs`.
    k: at most n.

  Returns:
    NaN where nothing is wanted.
  """
  log_probs = np.asarray(log_probs)
  wanted = np.broadcast_to(wanted, log_probs.shape)
  likeliest = np.argsort(-log_probs, axis=-1, kind="stable")[..., :k]
  among = np.take_along_axis(wanted, likeliest, axis=-1).any(axis=-1)
  return np.where(wanted.any(axis=-1), among.astype(np.float64), np.nan)


def mass(
  log_probs: Float[np.ndarray, "*batch n"],
  wanted: Bool[np.ndarray, "*batch n"],
) -> Float[np.ndarray, "*batch"]:
  """Probability of the wanted words over the whole vocabulary.

  Returns:
    NaN where nothing is wanted.
  """
  wanted = np.broadcast_to(wanted, np.shape(log_probs))
  probability = np.exp(np.asarray(log_probs, np.float64))
  total = np.where(wanted, probability, 0).sum(axis=-1)
  return np.where(wanted.any(axis=-1), total, np.nan)


def preference(
  log_probs: Float[np.ndarray, "*batch n"],
  one: Bool[np.ndarray, "*batch n"],
  other: Bool[np.ndarray, "*batch n"],
) -> Float[np.ndarray, "*batch"]:
  """log p(one set) - log p(another), in nats; NaN where a set is empty."""

  def of(wanted):
    wanted = np.broadcast_to(wanted, np.shape(log_probs))
    kept = np.where(wanted, np.asarray(log_probs, np.float64), -np.inf)
    with np.errstate(divide="ignore"):
      total = special.logsumexp(kept, axis=-1)
    return np.where(wanted.any(axis=-1), total, np.nan)

  return of(one) - of(other)
