"""Processes that write flips, and what each expects next.

A flip that was drawn is a noisy account of what could have been drawn, so every
process tells the chance of Tails too. Everything is drawn on the device;
`theory.coin_mixture` has the same chances for any length, in float64.

Legend: B sequences, F flips.
"""

import jax
from jax import numpy as jnp
from jax import random
from jaxtyping import Array, Bool, Float, Int

# The process P: a fair coin, or with this chance a repeated word.
NOT_RANDOM = 0.25
# Word lengths 1 to 20, length l with a chance in proportion to 1/l.
LONGEST_WORD = 20
WINDOW = 5


def process(
  key: Array,
  batch: int,
  length: int,
  repeated: float = NOT_RANDOM,
  power: float = 1.0,
) -> tuple[Int[Array, "B F"], Bool[Array, " B"]]:
  """Flips of the process P, and whether they repeat a word.

  Args:
    key: a PRNG key.
    batch: B.
    length: F.
    repeated: share of B that repeats a word, in expectation.
    power: of one over the length, in the chance of these words' lengths.
  """
  keys = random.split(key, 4)
  fair = random.bernoulli(keys[0], shape=(batch, length)).astype(jnp.int32)
  word = random.bernoulli(keys[1], shape=(batch, LONGEST_WORD))
  periods = jnp.arange(1, LONGEST_WORD + 1)
  odds = -power * jnp.log(periods.astype(jnp.float32))
  period = periods[random.categorical(keys[2], odds, shape=(batch,))]
  place = jnp.arange(length)[None] % period[:, None]
  tiled = jnp.take_along_axis(word.astype(jnp.int32), place, axis=1)
  repeats = random.bernoulli(keys[3], repeated, (batch,))
  return jnp.where(repeats[:, None], tiled, fair), repeats


def posterior(
  flips: Int[Array, "B F"],
) -> tuple[Float[Array, "B F+1"], Float[Array, "B F+1"]]:
  """What the process P makes of 0 to F flips; see `theory.coin_mixture`.

  Returns:
    (chance that the next flip is Tails, chance of a repeated word).
  """
  count = flips.shape[1] + 1
  lengths = jnp.arange(1, LONGEST_WORD + 1)[:, None]
  # The flip a word ago; before there is one, a word says nothing.
  ago = jnp.arange(count)[None] - lengths
  spoken = ago >= 0
  padded = jnp.pad(flips, ((0, 0), (0, 1)))
  said = padded[:, jnp.maximum(ago, 0)]
  same = (padded[:, None] == said) | ~spoken[None]
  alive = jnp.cumprod(same[..., :-1].astype(jnp.float32), axis=-1)
  alive = jnp.pad(alive, ((0, 0), (0, 0), (1, 0)), constant_values=1.0)
  odds = -jnp.log(lengths.astype(jnp.float32))
  weight = odds - jax.nn.logsumexp(odds) + jnp.log(NOT_RANDOM)
  gained = jnp.log(2.0) * jnp.maximum(ago, 0).astype(jnp.float32)
  words = jnp.where(alive > 0, weight + gained, -jnp.inf)
  coin = jnp.full((flips.shape[0], 1, count), jnp.log1p(-NOT_RANDOM))
  shares = jax.nn.softmax(jnp.concatenate([coin, words], axis=1), axis=1)
  says = jnp.where(spoken[None], said.astype(jnp.float32), 0.5)
  tails = 0.5 * shares[:, 0] + jnp.sum(shares[:, 1:] * says, axis=1)
  return tails, 1.0 - shares[:, 0]


def window_average(
  key: Array, batch: int, length: int
) -> tuple[Int[Array, "B F"], Float[Array, "B F"]]:
  """Flips of a window average of 5 at .5, after a flip of Heads.

  The chance of Tails is one minus the mean of the last five entries of .5,
  Heads, and the flips so far.

  Returns:
    (flips, chance of Tails of each).
  """
  # Entries not there yet are worth the mean of those that are.
  uniform = random.uniform(key, (length, batch))

  def flip(history, now):
    place, draws = now
    known = jnp.minimum(place + 2, WINDOW).astype(jnp.float32)
    chance = 1.0 - jnp.sum(history, axis=1) / known
    tails = (draws < chance).astype(jnp.float32)
    history = jnp.concatenate([history[:, 1:], tails[:, None]], axis=1)
    return history, (tails, chance)

  start = jnp.zeros((batch, WINDOW)).at[:, -2].set(0.5)
  _, found = jax.lax.scan(flip, start, (jnp.arange(length), uniform))
  flips, chances = found
  return flips.T.astype(jnp.int32), chances.T
