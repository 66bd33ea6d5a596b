"""What a model was asked about repeated and fair flips, and its answers."""

from typing import NamedTuple

from jaxtyping import Float, Int
import numpy as np
from scipy import special

from icl_graphs import errors
from icl_graphs.analysis import concepts
from icl_graphs.experiments import coin_subject
from icl_graphs.tasks import coins
from icl_graphs.theory import coin_mixture

# Shapes of curves need some points.
_FEWEST = 8


class Read(NamedTuple):
  """What was asked and answered, concepts first, then fair flips.

  Attributes:
    names: of the concepts.
    flips: that were judged.
    lengths: 1 to n.
    log_mass: of (random, non) after 0 to n flips.
    exact: log-odds of non-random after 0 to n flips of the Bayesian predictor,
      clipped to what is drawn; None where there is none.
    belief: 2 P(concept's next flip) - 1 in the task of trees, after 0 flips and
      more.
  """

  names: tuple[str, ...]
  flips: Int[np.ndarray, "stimuli n"]
  lengths: Int[np.ndarray, " n"]
  log_mass: Float[np.ndarray, "stimuli m 2"]
  exact: Float[np.ndarray, "stimuli m"] | None
  belief: Float[np.ndarray, "concept k"]

  @property
  def periods(self) -> Int[np.ndarray, " concept"]:
    return np.array([len(name) for name in self.names])

  @property
  def non(self) -> Float[np.ndarray, "stimuli n"]:
    """p(non-random) after 1 to n flips."""
    return concepts.share_of_second(self.log_mass)[:, 1:]

  @property
  def exact_non(self) -> Float[np.ndarray, "stimuli n"] | None:
    return None if self.exact is None else special.expit(self.exact)[:, 1:]


def read(subject: coin_subject.CoinSubject) -> Read:
  """Asks for every judgment, and for the next flip of every concept.

  Raises:
    InputError: too few flips for a curve, or more than the model can read.
  """
  length = subject.settings.judged
  if length < _FEWEST:
    raise errors.InputError(
      f"--judged={length} flips make no curve; give at least {_FEWEST}"
    )
  names = coins.JUDGMENT_CONCEPTS
  generator = np.random.default_rng(subject.settings.seed)
  fair = coin_mixture.draw(generator, length, None, len(names))
  repeated = np.array([coins.repeated(name, length) for name in names])
  flips = np.concatenate([repeated, fair])
  log_mass = subject.judged(flips)
  exact = None
  if subject.has_exact_answer:
    exact = np.maximum(coin_mixture.log_odds(flips), -50)
  return Read(
    names,
    flips,
    np.arange(1, length + 1),
    log_mass,
    exact,
    _belief(subject, names),
  )


def _belief(subject, names):
  """How far the concept's next flip is from a coin's, by context length."""
  counts = np.arange(min(subject.settings.tree, subject.settings.judged) + 1)
  groups = [
    [subject.encode(coins.tree(coins.repeated(name, n))) for n in counts]
    for name in names
  ]
  found = subject.read("next flip", groups, subject.law.sides)
  rows = []
  for name, log_mass in zip(names, found, strict=True):
    tails = concepts.share_of_second(log_mass)
    flip = coins.bits(name)[counts % len(name)]
    rows.append(2 * np.where(flip == 1, tails, 1 - tails) - 1)
  return np.stack(rows)


def pairs(seen: Read) -> Float[np.ndarray, "2 points"]:
  """p(non) and 2 P(next) - 1 after the same flips, once a period is over."""
  points = [
    (seen.non[row, n - 1], seen.belief[row, n])
    for row, period in enumerate(seen.periods.tolist())
    for n in range(period + 1, seen.belief.shape[1])
  ]
  return np.array(points).reshape(-1, 2).T
