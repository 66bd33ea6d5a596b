"""Bayesian selection between a fair coin and a repeated concept.

Two hypotheses for m flips of (01) repeated. As published (released code of
arXiv 2310.17639, figure 2): a coin is weighed by the probability of its *count*
of tails, and a concept by a third at any phase; the curves cross near m = 50
only because a count's probability falls as m^-1/2. Corrected: both are weighed
by the probability of the sequence, and plain averaging is a logistic that gains
ln 2 per flip, so that a sharp curve alone does not tell selection from
averaging.
"""

from typing import NamedTuple

from jaxtyping import Float, Int
import numpy as np
from scipy import special, stats

from icl_graphs import errors

PRIOR = 0.25
# Phases that the original divides a concept's weight among.
PUBLISHED_PHASES = 3
TAUS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50)
# Of the next flip of the concept, under the coin and under the concept.
_NEXT = np.array([0.5, 1.0])


class Weights(NamedTuple):
  """Of both hypotheses after m flips, prior included; natural logarithms."""

  coin: Float[np.ndarray, " m"]
  concept: Float[np.ndarray, " m"]

  @property
  def posterior(self) -> Float[np.ndarray, " m"]:
    """Of the concept."""
    return special.expit(self.concept - self.coin)


def _checked(flips):
  flips = np.asarray(flips)
  if flips.ndim != 1 or not flips.size or (flips < 0).any():
    raise errors.InputError(
      "numbers of flips must be a list of whole numbers, none below 0"
    )
  return flips.astype(np.int64)


def published(flips: Int[np.ndarray, " m"], prior: float = PRIOR) -> Weights:
  """As the released code weighs them; its x-axis is m + 1.

  Args:
    flips: m of (01) repeated.
    prior: of the concept.
  """
  flips = _checked(flips)
  count = stats.binom.logpmf(flips // 2, flips, 0.5)
  concept = np.full(len(flips), np.log(prior / PUBLISHED_PHASES))
  return Weights(np.log(1 - prior) + count, concept)


def corrected(
  flips: Int[np.ndarray, " m"],
  prior: float = PRIOR,
  phase: float = 0.5,
) -> Weights:
  """With likelihoods of sequences.

  Args:
    flips: m of a concept repeated.
    prior: of the concept.
    phase: probability of the phase seen, 1 / length for a primitive concept.
  """
  flips = _checked(flips)
  coin = np.log(1 - prior) - flips * np.log(2)
  return Weights(coin, np.full(len(flips), np.log(prior * phase)))


def averaging(weights: Weights) -> Float[np.ndarray, " m"]:
  """Probability of the concept's next flip, over both hypotheses."""
  return soft(weights, 1.0)


def selection(weights: Weights) -> Float[np.ndarray, " m"]:
  """The same under the likelier hypothesis alone."""
  return _NEXT[(weights.concept > weights.coin).astype(int)]


def soft(weights: Weights, tau: float) -> Float[np.ndarray, " m"]:
  """The average with weights to the power tau, renormalised.

  The original calls tau a temperature; larger is sharper.
  """
  share = special.expit(tau * (weights.concept - weights.coin))
  return (1 - share) * _NEXT[0] + share * _NEXT[1]
