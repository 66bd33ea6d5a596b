"""Exact predictions of the process that the bundled coin model learned.

With chance .75 the process is a fair coin. With chance .25 it repeats a word:
a length l of 1 to 20 with weight w_l in proportion to 1/l, then l fair flips.
For flips x_1..x_n let

  R(x) = sum_l w_l 2^(n - min(n, l)) [x_i = x_{i-l} for all l < i <= n]

be the likelihood ratio of repetition against the coin, R(empty) = 1, and
M(x) = .75 + .25 R(x). Then p(not random | x) = .25 R / M, and any continuation
s has p(s | x) = 2^-|s| M(xs) / M(x). Everything is kept as logarithms, so that
any length is exact.

Flips are 0 (Heads) and 1 (Tails). Legend: n flips, l word length.
"""

from typing import NamedTuple

from jaxtyping import Bool, Float, Int
import numpy as np

from icl_graphs.analysis import concepts

NOT_RANDOM = 0.25
LONGEST_WORD = 20
WINDOW = 5

Flips = Int[np.ndarray, "*batch n"]
Curve = Float[np.ndarray, "*batch n+1"]


def length_weights() -> Float[np.ndarray, " l"]:
  """w_l for l = 1 to 20."""
  weights = 1 / np.arange(1, LONGEST_WORD + 1)
  return weights / weights.sum()


def log_ratio(flips: Flips) -> Curve:
  """log R of the first k flips, for k = 0 to n; -inf where R is 0."""
  return _summed(_terms(_alive(np.asarray(flips))))


def log_odds(flips: Flips) -> Curve:
  """Log-odds of a repeated word against a fair coin after 0 to n flips."""
  return log_ratio(flips) + np.log(NOT_RANDOM / (1 - NOT_RANDOM))


def not_random(flips: Flips) -> Curve:
  """p(not random | first k flips), for k = 0 to n."""
  return _sigmoid(log_odds(flips))


def log_evidence(flips: Flips) -> Curve:
  """log M of the first k flips, for k = 0 to n."""
  return _evidence(log_ratio(flips))


def log_probability(flips: Flips) -> Curve:
  """log p(first k flips), in nats, for k = 0 to n."""
  flips = np.asarray(flips)
  count = np.arange(flips.shape[-1] + 1)
  return log_evidence(flips) - count * np.log(2)


def next_tails(flips: Flips) -> Curve:
  """p(Tails | first k flips) of the flip after them, for k = 0 to n."""
  flips = np.asarray(flips)
  alive = _alive(flips)
  count = np.arange(flips.shape[-1] + 1)
  lengths = np.arange(1, LONGEST_WORD + 1)[:, None]
  # A word of length l, if it is not over, says what comes after k flips.
  spoken = np.maximum(count - lengths, 0)
  unread = np.zeros((*flips.shape[:-1], 1), flips.dtype)
  said = np.concatenate([flips, unread], axis=-1)[..., spoken]
  fits = alive & ((count < lengths) | (said == 1))
  after = _evidence(_summed(_terms(fits, ahead=1)))
  return 0.5 * np.exp(after - log_evidence(flips))


def continuation(
  flips: Int[np.ndarray, " n"], strings: Int[np.ndarray, "*batch d"]
) -> Float[np.ndarray, "*batch"]:
  """p(s | x) of continuations s of equal length.

  Args:
    flips: x.
    strings: s, one per row.
  """
  strings = np.asarray(strings)
  before = np.asarray(flips, np.int64)
  shape = (*strings.shape[:-1], len(before))
  whole = np.concatenate([np.broadcast_to(before, shape), strings], axis=-1)
  logs = log_probability(whole)
  return np.exp(logs[..., -1] - logs[..., len(before)])


def concept_probability(
  concept: str, longest: int, depth: int
) -> Float[np.ndarray, " n+1"]:
  """p(the next d flips repeat the concept in any phase | x), n = 0 to longest.

  Args:
    concept: zeros and ones; x is the concept repeated from its first flip.
    longest: n.
    depth: d.
  """
  strings = concepts.rotations(concept, depth)
  context = np.resize([int(flip) for flip in concept], longest)
  return np.array(
    [continuation(context[:n], strings).sum() for n in range(longest + 1)]
  )


def window_tails(flips: Flips) -> Curve:
  """p(Tails) of a window average of 5 at .5 after a seed flip of Heads.

  One minus the mean of the last five of .5, Heads and the flips so far, for
  k = 0 to n flips after the seed.
  """
  flips = np.asarray(flips)
  start = np.broadcast_to([0.5, 0.0], (*flips.shape[:-1], 2))
  entries = np.concatenate([start, flips], axis=-1)
  sums = np.concatenate([start[..., :1] * 0, np.cumsum(entries, -1)], axis=-1)
  last = np.arange(2, entries.shape[-1] + 1)
  first = np.maximum(last - WINDOW, 0)
  return 1 - (sums[..., last] - sums[..., first]) / (last - first)


def draw(
  generator: np.random.Generator, length: int, word: int | None, count: int
) -> Int[np.ndarray, "count n"]:
  """Sequences of the fair coin, or of repeated words of one length.

  Args:
    generator: where randomness comes from.
    length: n.
    word: its length; None for the coin.
    count: of sequences.
  """
  drawn = generator.integers(0, 2, (count, word or length))
  return drawn[:, np.arange(length) % drawn.shape[1]]


class Floors(NamedTuple):
  """Least mean losses, in nats; nothing predicts better.

  Attributes:
    stated: of a flip whose probability is stated, 1 to 99 percent.
    window: of each flip of the window average, [n].
    mixed: of each flip of the process, [n].
    label: of the label after 1 to `judged` flips, [judged].
  """

  stated: float
  window: Float[np.ndarray, " n"]
  mixed: Float[np.ndarray, " n"]
  label: Float[np.ndarray, " judged"]


def floors(
  flips: int = 150, judged: int = 100, count: int = 2000, seed: int = 0
) -> Floors:
  """Entropies of the training mixture.

  The first two are exact. The others are means over drawn sequences, `count`
  for the coin and for each word length, of the exact posterior's own expected
  losses.

  Args:
    flips: n of a document that is continued.
    judged: flips of the longest judged sequence.
    count: sequences per word length.
    seed: of the draws.
  """
  generator = np.random.default_rng(seed)
  percent = np.arange(1, 100) / 100
  longest = max(flips, judged)
  mixed, label = np.zeros(longest), np.zeros(longest)
  shares = [1 - NOT_RANDOM, *(NOT_RANDOM * length_weights())]
  for word, share in enumerate(shares):
    drawn = draw(generator, longest, word or None, count)
    mixed += share * entropy(next_tails(drawn)).mean(axis=0)[:-1]
    label += share * entropy(not_random(drawn)).mean(axis=0)[1:]
  return Floors(
    float(entropy(percent).mean()),
    _window_entropies(flips),
    mixed[:flips],
    label[:judged],
  )


def entropy(
  probability: Float[np.ndarray, "*shape"],
) -> Float[np.ndarray, "*shape"]:
  """Of a binary choice, in nats; 0 at probabilities of 0 and 1."""
  sides = np.stack([probability, 1 - np.asarray(probability)])
  safe = np.where(sides > 0, sides, 1.0)
  return -(safe * np.log(safe)).sum(axis=0)


def _window_entropies(flips: int) -> Float[np.ndarray, " n"]:
  """Expected entropy of each flip: over all histories, then over windows."""
  early = WINDOW
  histories = (np.arange(2**early)[:, None] >> np.arange(early)[::-1]) & 1
  tails = window_tails(histories)
  chance = np.where(histories == 1, tails[:, :-1], 1 - tails[:, :-1])
  before = np.cumprod(np.c_[np.ones(len(histories)), chance], axis=1)
  # A history of k flips is met in 2^(5 - k) of the rows.
  repeats = 2.0 ** (early - np.arange(early + 1))
  found = (before * entropy(tails) / repeats).sum(axis=0)[:early]
  state = before[:, -1]
  later = []
  last = 1 - histories.mean(axis=1)
  for _ in range(flips - early):
    later.append(state @ entropy(last))
    moved = np.zeros_like(state)
    for flip, probability in ((0, 1 - last), (1, last)):
      target = (np.arange(len(state)) * 2 + flip) % len(state)
      np.add.at(moved, target, state * probability)
    state = moved
  return np.array([*found, *later])[:flips]


def _alive(flips: Flips) -> Bool[np.ndarray, "*batch l n+1"]:
  """Whether the first k flips repeat a word of length l, for k = 0 to n."""
  count = flips.shape[-1]
  alive = np.ones((*flips.shape[:-1], LONGEST_WORD, count + 1), bool)
  for length in range(1, min(LONGEST_WORD, count - 1) + 1):
    same = flips[..., length:] == flips[..., :-length]
    kept = np.logical_and.accumulate(same, axis=-1)
    alive[..., length - 1, length + 1 :] = kept
  return alive


def _terms(alive: Bool[np.ndarray, "*batch l n+1"], ahead: int = 0):
  """Logs of the summands of R, `ahead` flips after those of `alive`."""
  count = np.arange(alive.shape[-1]) + ahead
  lengths = np.arange(1, LONGEST_WORD + 1)[:, None]
  logs = np.log(length_weights())[:, None]
  logs = logs + np.maximum(count - lengths, 0) * np.log(2)
  return np.where(alive, logs, -np.inf)


def _summed(terms: Float[np.ndarray, "*batch l n+1"]) -> Curve:
  return np.logaddexp.reduce(terms, axis=-2)


def _evidence(log_ratios: Curve) -> Curve:
  return np.logaddexp(np.log(1 - NOT_RANDOM), np.log(NOT_RANDOM) + log_ratios)


def _sigmoid(values: Curve) -> Curve:
  return np.exp(-np.logaddexp(0, -values))
