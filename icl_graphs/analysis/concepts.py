"""How likely flips are to go on as a concept, and judgments of randomness.

A concept is a word of flips that is repeated, e.g. "011". Probabilities of a
next flip after every string of up to d - 1 flips are a tree: array [..., 2^d -
1], shortest string first, then in order, which is the order of `paths`.
"""

import itertools
from typing import NamedTuple

from jaxtyping import Float, Int
import numpy as np
from scipy import special

from icl_graphs import errors

# Reads with less probability on both words together are flagged.
LEAST_MASS = 0.5


class Captured(NamedTuple):
  """Probability on either word before it is divided between them.

  median: over reads. low_share: of reads below `LEAST_MASS`. flagged: these.
  """

  median: float
  low_share: float
  flagged: Float[np.ndarray, "..."]


def paths(depth: int) -> list[tuple[int, ...]]:
  """All strings of fewer than `depth` flips, in the order of a tree."""
  return [
    path
    for length in range(depth)
    for path in itertools.product((0, 1), repeat=length)
  ]


def place(path: tuple[int, ...]) -> int:
  """Where a string stands in `paths`."""
  return int("1" + "".join(map(str, path)), 2) - 1


def rotations(concept: str, depth: int) -> Int[np.ndarray, "strings depth"]:
  """Distinct strings of `depth` flips that a concept makes from any phase.

  Raises:
    InputError: no concept, or no depth.
  """
  if not concept or set(concept) - {"0", "1"} or depth < 1:
    raise errors.InputError(
      f"concept {concept!r} at depth {depth}: write zeros and ones, and look"
      " at least one flip ahead"
    )
  repeats = depth // len(concept) + 1
  strings = {
    ((concept[shift:] + concept[:shift]) * repeats)[:depth]
    for shift in range(len(concept))
  }
  return np.array([[int(flip) for flip in one] for one in sorted(strings)])


def chance(concept: str, depth: int) -> float:
  """Concept probability of fair flips."""
  return len(rotations(concept, depth)) / 2**depth


def concept_probability(
  tails: Float[np.ndarray, "*n paths"], concept: str, depth: int
) -> Float[np.ndarray, "*n"]:
  """Probability that the next `depth` flips repeat the concept, in any phase.

  Args:
    tails: probability of tails after each of `paths(depth)` or of deeper ones;
      only paths that the concept takes are looked at.
    concept: zeros and ones.
    depth: d.

  Raises:
    InputError: the tree is not so deep.
  """
  tails = np.asarray(tails, np.float64)
  if tails.shape[-1] < 2**depth - 1:
    raise errors.InputError(
      f"a tree of {tails.shape[-1]} strings does not reach depth {depth}, which"
      f" takes {2**depth - 1}"
    )
  total = np.zeros(tails.shape[:-1])
  for string in rotations(concept, depth).tolist():
    steps = [
      tails[..., place(tuple(string[:t]))]
      if flip
      else 1 - tails[..., place(tuple(string[:t]))]
      for t, flip in enumerate(string)
    ]
    total += np.prod(steps, axis=0)
  return total


def share_of_second(
  log_mass: Float[np.ndarray, "... 2"],
) -> Float[np.ndarray, "..."]:
  """P(second) / (P(first) + P(second)), from log-probabilities.

  With (heads, tails): the probability that the next flip is tails. With (non,
  random): that the sequence is judged random.
  """
  log_mass = np.asarray(log_mass, np.float64)
  return special.expit(log_mass[..., 1] - log_mass[..., 0])


def captured(log_mass: Float[np.ndarray, "... 2"]) -> Captured:
  """How much probability the two words have together; NaN reads left out."""
  mass = np.exp(special.logsumexp(np.asarray(log_mass, np.float64), axis=-1))
  low = mass < LEAST_MASS
  known = np.isfinite(mass)
  if not known.any():
    return Captured(float("nan"), float("nan"), low)
  return Captured(float(np.median(mass[known])), float(low[known].mean()), low)


def judgment_advantage(
  fair: Float[np.ndarray, "sequence n"],
  concepts: Float[np.ndarray, "concept n"],
) -> Float[np.ndarray, " n"]:
  """|mean p(random | fair flips) - mean p(random | concept)| at every length.

  Raises:
    InputError: lengths differ.
  """
  fair, concepts = np.asarray(fair), np.asarray(concepts)
  if fair.shape[-1] != concepts.shape[-1]:
    raise errors.InputError(
      f"judgments of {fair.shape[-1]} and {concepts.shape[-1]} lengths; compare"
      " equal ones"
    )
  return np.abs(fair.mean(axis=0) - concepts.mean(axis=0))


def log_odds(
  share: Float[np.ndarray, "..."], clip: float = 4.0
) -> Float[np.ndarray, "..."]:
  """logit of a probability, within +- clip."""
  with np.errstate(divide="ignore"):
    return np.clip(special.logit(np.asarray(share, np.float64)), -clip, clip)
