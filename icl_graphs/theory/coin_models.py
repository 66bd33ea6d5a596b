"""Cognitive models of coin flips: what the next flip is, given those before.

Heads are 0, tails 1. Every model is a pytree of numbers with three methods,
`start`, `tails` and `after`, from which `score` and `simulate` are made: one
scan over flips, mapped over sequences, compiled once per kind of model. After
arXiv 2310.17639 and its released code; the alternation chain is that of Falk
and Konold (1997).

Legend: N sequences of T flips.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int
import numpy as np
from scipy import stats

from icl_graphs import errors
from icl_graphs.analysis import sequences

# Widest window and highest order of a chain.
WIDEST = 20
DEEPEST = 10
# What the original adds instead of a lapse where a flip is impossible.
FLOOR = 1e-9

State = Any


class Bernoulli(NamedTuple):
  """Independent flips. p: probability of tails."""

  p: Float[Array, ""]

  def start(self) -> State:
    return ()

  def tails(self, state: State) -> Float[Array, ""]:
    return self.p

  def after(self, state: State, flip: Int[Array, ""]) -> State:
    return state


class WindowAverage(NamedTuple):
  """Makes up for what the last flips lack: P(tails) = clip(2 p - m, 0, 1).

  m is the mean of the last `window` entries of (p, y_1, .., y_{t-1}): one
  pseudo-flip worth p starts the history. With probability `lapse` a fair coin
  is flipped instead.

  Attributes:
    p: wanted share of tails.
    window: w, at most `WIDEST`.
    lapse: e in (1 - e) P + e / 2.
  """

  p: Float[Array, ""]
  window: Int[Array, ""]
  lapse: Float[Array, ""]

  def start(self) -> State:
    """The last entries, latest first, and how many there are."""
    first = jnp.zeros((WIDEST,)).at[0].set(self.p)
    return first, jnp.int32(1)

  def tails(self, state: State) -> Float[Array, ""]:
    past, known = state
    used = jnp.minimum(self.window, known)
    total = jnp.sum(jnp.where(jnp.arange(WIDEST) < used, past, 0.0))
    wanted = jnp.clip(2 * self.p - total / used.astype(past.dtype), 0.0, 1.0)
    return (1 - self.lapse) * wanted + self.lapse / 2

  def after(self, state: State, flip: Int[Array, ""]) -> State:
    past, known = state
    newest = flip.astype(past.dtype)[None]
    return jnp.concatenate([newest, past[:-1]]), known + 1


class Alternation(NamedTuple):
  """Chain with an outcome bias and a tendency to alternate.

  With P(heads | heads) = (1 - a) q / Z and P(heads | tails) = a q / Z', the
  log-odds of heads are logit q, less logit a after heads and plus logit a after
  tails: a logistic regression.

  Attributes:
    heads: q, of the first flip, and the bias of all.
    change: a; one half is a Bernoulli process, more over-alternates.
  """

  heads: Float[Array, ""]
  change: Float[Array, ""]

  def start(self) -> State:
    return jnp.int32(-1)

  def tails(self, state: State) -> Float[Array, ""]:
    side = jnp.where(state < 0, 0, 2 * state - 1).astype(jnp.float32)
    return jax.nn.sigmoid(-_logit(self.heads) - side * _logit(self.change))

  def after(self, state: State, flip: Int[Array, ""]) -> State:
    return flip


class Markov(NamedTuple):
  """Chain of some order; the first flips follow chains of lower orders.

  Attributes:
    tables: tables[j, c], probability of tails after the j flips whose binary
      number is c, for j up to `DEEPEST`.
    order: k.
  """

  tables: Float[Array, "orders codes"]
  order: Int[Array, ""]

  def start(self) -> State:
    """The last flips as a number, and how many there were."""
    return jnp.int32(0), jnp.int32(0)

  def tails(self, state: State) -> Float[Array, ""]:
    code, known = state
    used = jnp.minimum(self.order, known)
    return self.tables[used, code & ((1 << used) - 1)]

  def after(self, state: State, flip: Int[Array, ""]) -> State:
    code, known = state
    return (2 * code + flip) & (2**DEEPEST - 1), known + 1


Model = Bernoulli | WindowAverage | Alternation | Markov


def _logit(p):
  return jnp.log(p) - jnp.log1p(-p)


def numbers(model: Model) -> Model:
  """The same model in float32 and int32, however it was written.

  Raises:
    InputError: a probability outside [0, 1], a window or order out of range.
  """
  kinds = dict.fromkeys(("window", "order"), np.int32)
  found = model._replace(
    **{
      name: np.asarray(leaf, kinds.get(name, np.float32))
      for name, leaf in model._asdict().items()
    }
  )
  whole = {"window": (1, WIDEST), "order": (0, DEEPEST)}
  for name, leaf in found._asdict().items():
    low, high = whole.get(name, (0, 1))
    if not ((leaf >= low) & (leaf <= high)).all():
      raise errors.InputError(
        f"{name} of {type(model).__name__} must lie in {low} to {high}, not"
        f" {np.asarray(leaf).min():g} to {np.asarray(leaf).max():g}"
      )
  return found


def padded(number: int) -> int:
  """The next power of two: few programs for any number of sequences."""
  return 1 << (number - 1).bit_length()


@jax.jit
def _tails(model, flips):
  def one(sequence):
    def advance(state, flip):
      return model.after(state, flip), model.tails(state)

    return jax.lax.scan(advance, model.start(), sequence)[1]

  return jax.vmap(one)(flips)


def tails(
  model: Model, flips: Int[np.ndarray, "N T"]
) -> Float[np.ndarray, "N T"]:
  """Probability of tails at every flip, given the flips before it.

  Raises:
    InputError: flips that are no array of zeros and ones, or a bad model.
  """
  flips = sequences.checked(flips).astype(np.int32)
  missing = padded(len(flips)) - len(flips)
  found = _tails(numbers(model), np.pad(flips, ((0, missing), (0, 0))))
  return np.asarray(found, np.float64)[: len(flips)]


def score(
  model: Model, flips: Int[np.ndarray, "N T"]
) -> Float[np.ndarray, "N T"]:
  """Log-likelihood of every flip given those before it, in nats.

  Minus infinity where a flip is impossible: give the model a lapse.
  """
  probability = tails(model, flips)
  with np.errstate(divide="ignore"):
    return np.log(np.where(flips, probability, 1 - probability))


@functools.partial(jax.jit, static_argnames="length")
def _simulate(model, seed, index, length):
  def one(number):
    key = jax.random.fold_in(jax.random.key(seed), number)

    def advance(state, uniform):
      flip = (uniform < model.tails(state)).astype(jnp.int32)
      return model.after(state, flip), flip

    uniforms = jax.random.uniform(key, (length,))
    return jax.lax.scan(advance, model.start(), uniforms)[1]

  return jax.vmap(one)(index)


def simulate(
  model: Model, seed: int, number: int, length: int = 50, first: int = 0
) -> Int[np.ndarray, "N T"]:
  """Flips that a model makes.

  Sequence i depends on the seed and on i only, however many are made at once.

  Args:
    model: with its numbers.
    seed: of all sequences.
    number: N.
    length: T.
    first: number of the first sequence.

  Raises:
    InputError: nothing to simulate, or a bad model.
  """
  if number < 1 or length < 1:
    raise errors.InputError(
      f"{number} sequences of {length} flips cannot be simulated"
    )
  index = first + np.arange(padded(number), dtype=np.int32)
  made = _simulate(numbers(model), np.uint32(seed), index, length)
  return np.asarray(made, np.int8)[:number]


def count_log_likelihood(
  p: float, flips: Int[np.ndarray, "N T"]
) -> Float[np.ndarray, " N"]:
  """What the original scores a Bernoulli process with: the number of tails.

  The binomial probability of a count includes the C(T, k) sequences that have
  it; it is no likelihood of the sequence.
  """
  flips = sequences.checked(flips)
  return stats.binom.logpmf(flips.sum(axis=1), flips.shape[1], p)


def window_log_likelihood_as_published(
  p: float, window: int, flips: Int[np.ndarray, "N T"]
) -> Float[np.ndarray, "N T"]:
  """The original's score of a window average, which looks ahead.

  The flip that is scored is inside its own window, and impossible flips get
  probability `FLOOR`. Kept for comparison only.
  """
  flips = sequences.checked(flips)
  entries = np.concatenate([np.full((len(flips), 1), p), flips], axis=1)
  total = np.pad(np.cumsum(entries, axis=1), ((0, 0), (1, 0)))
  last = np.arange(2, entries.shape[1] + 1)
  first = np.maximum(last - window, 0)
  mean = (total[:, last] - total[:, first]) / (last - first)
  wanted = np.clip(2 * p - mean, 0, 1)
  return np.log(np.maximum(np.where(flips, wanted, 1 - wanted), FLOOR))
