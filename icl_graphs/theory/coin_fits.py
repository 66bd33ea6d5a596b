"""Fitting models of coin flips to sequences; see `coin_models`."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int
import numpy as np

from icl_graphs.analysis import sequences
from icl_graphs.theory import coin_models

# Of the prior Beta(5, 5) on both numbers of the alternation chain.
PRIOR = 4.0
_NEWTON_STEPS = 40
_BISECTIONS = 40
# Logits beyond this are 0 and 1 in float32.
_LARGEST_LOGIT = 15.0


class Counts(NamedTuple):
  """All that the alternation chain needs of some sequences.

  Attributes:
    starts: sequences that begin with heads, and with tails.
    steps: steps[i, j], steps from i to j.
  """

  starts: Float[Array, "*B 2"]
  steps: Float[Array, "*B 2 2"]


def bernoulli(
  flips: Int[np.ndarray, "N T"], smoothing: float = 0.0
) -> coin_models.Bernoulli:
  """The share of tails.

  Args:
    flips: sequences.
    smoothing: added to the number of tails and of heads; where all flips are
      equal, the other side is impossible without.
  """
  flips = sequences.checked(flips)
  tails = flips.sum(dtype=np.int64) + smoothing
  return coin_models.Bernoulli(float(tails / (flips.size + 2 * smoothing)))


def counts(flips: Int[np.ndarray, "N T"]) -> Counts:
  """Sufficient statistics of an alternation chain."""
  flips = sequences.checked(flips).astype(np.int64)
  starts = np.bincount(flips[:, 0], minlength=2)
  pairs = 2 * flips[:, :-1] + flips[:, 1:]
  steps = np.bincount(pairs.ravel(), minlength=4).reshape(2, 2)
  return Counts(starts.astype(np.float32), steps.astype(np.float32))


def _log_posterior(logits, found, prior):
  """Of (logit q, logit a); the prior's density is one in q and a."""
  heads, change = logits

  def binary(number, odds):
    return number[0] * jax.nn.log_sigmoid(odds) + number[1] * (
      jax.nn.log_sigmoid(-odds)
    )

  both = jnp.stack([prior, prior])
  return (
    binary(found.starts, heads)
    + binary(found.steps[0], heads - change)
    + binary(found.steps[1], heads + change)
    + binary(both, heads)
    + binary(both, change)
  )


@jax.jit
def alternation_logits(
  found: Counts, prior: Float[Array, ""]
) -> Float[Array, "*B 2"]:
  """Mode of the posterior of (logit q, logit a), by Newton's method.

  A logistic regression is concave in the logits; steps are cut so that the
  first ones cannot overshoot.

  Args:
    found: counts of one data set, or of B.
    prior: `PRIOR`, or 0 for maximum likelihood.
  """
  if found.starts.ndim > 1:
    one = functools.partial(alternation_logits, prior=prior)
    return jax.vmap(one)(found)
  slope = jax.grad(_log_posterior)
  curvature = jax.hessian(_log_posterior)

  def advance(_, logits):
    down = -curvature(logits, found, prior) + 1e-6 * jnp.eye(2)
    step = jnp.linalg.solve(down, slope(logits, found, prior))
    moved = logits + jnp.clip(step, -1.0, 1.0)
    return jnp.clip(moved, -_LARGEST_LOGIT, _LARGEST_LOGIT)

  return jax.lax.fori_loop(0, _NEWTON_STEPS, advance, jnp.zeros(2))


def alternation(
  flips: Int[np.ndarray, "N T"], prior: float = PRIOR
) -> coin_models.Alternation:
  """The likeliest alternation chain.

  Args:
    flips: sequences.
    prior: how many flips of either side are added for both numbers: 4 is the
      Beta(5, 5) of the original, 0 maximum likelihood.
  """
  logits = alternation_logits(counts(flips), np.float32(prior))
  heads, change = np.asarray(jax.nn.sigmoid(logits), np.float64)
  return coin_models.Alternation(float(heads), float(change))


@jax.jit
def _lapses(given, least):
  """Likeliest lapse for W windows that give flips these probabilities [W, n].

  The likelihood is concave in the lapse: its slope is bisected.
  """

  def slope(lapse):
    mixed = (1 - lapse)[:, None] * given + lapse[:, None] / 2
    return jnp.sum((0.5 - given) / jnp.maximum(mixed, 1e-12), axis=1)

  def halve(_, ends):
    low, high = ends
    middle = (low + high) / 2
    more = slope(middle) > 0
    return jnp.where(more, middle, low), jnp.where(more, high, middle)

  ends = jnp.broadcast_to(least, len(given)), jnp.ones(len(given))
  low, high = jax.lax.fori_loop(0, _BISECTIONS, halve, ends)
  return (low + high) / 2


def window_averages(
  flips: Int[np.ndarray, "N T"], windows: Int[np.ndarray, " W"]
) -> list[coin_models.WindowAverage]:
  """Window averages with the share of tails as p, and the likeliest lapse.

  Args:
    flips: sequences. At least one lapse in all flips is assumed, so that no
      flip becomes impossible.
    windows: widths to fit.
  """
  flips = sequences.checked(flips)
  p = float(flips.mean())
  # Padding has probability one half, which says nothing about lapses.
  given = np.full(
    (len(windows), coin_models.padded(len(flips)), flips.shape[1]), 0.5
  )
  for row, window in zip(given, windows, strict=True):
    model = coin_models.WindowAverage(p, int(window), 0.0)
    wanted = coin_models.tails(model, flips)
    row[: len(flips)] = np.where(flips, wanted, 1 - wanted)
  given = given.reshape(len(windows), -1).astype(np.float32)
  lapses = np.asarray(_lapses(given, np.float32(1 / (flips.size + 2))))
  return [
    coin_models.WindowAverage(p, int(window), float(lapse))
    for window, lapse in zip(windows, lapses, strict=True)
  ]


def markov(
  flips: Int[np.ndarray, "N T"], order: int, smoothing: float = 0.5
) -> coin_models.Markov:
  """Shares of tails after every string of up to `order` flips.

  Args:
    flips: sequences; every flip with j others before it counts in order j.
    order: k.
    smoothing: added to the number of tails and of heads in every cell; the
      original's smoothing is not known.
  """
  flips = sequences.checked(flips).astype(np.int64)
  tables = np.full(
    (coin_models.DEEPEST + 1, 2**coin_models.DEEPEST), 0.5, np.float32
  )
  for j in range(min(order, flips.shape[1] - 1) + 1):
    codes = np.zeros((len(flips), flips.shape[1] - j), np.int64)
    for place in range(j):
      codes = 2 * codes + flips[:, place : place + codes.shape[1]]
    total = np.bincount(codes.ravel(), minlength=2**j) + 2 * smoothing
    tails = np.bincount(
      codes.ravel(), weights=flips[:, j:].ravel(), minlength=2**j
    )
    tables[j, : 2**j] = (tails + smoothing) / total
  return coin_models.Markov(tables, int(order))
