"""Training data: documents of coin flips whose exact posterior is known.

Four kinds of documents in fixed numbers per step: flips of a coin whose
probability is stated (G), of a window average (W), of a process that is a fair
coin or repeats a word (T), and judgments of that process (J). Everything is
drawn on the device, from one key per step, so that a run can continue from any
step. `theory.coin_mixture` has the exact predictions.

Legend: B documents, F flips, T tokens.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
from jax import numpy as jnp
from jax import random
from jaxtyping import Array, Bool, Float, Int
import numpy as np

from icl_graphs.tasks import coins
from icl_graphs.training import coin_tokenizer

# The process P: a fair coin, or with this chance a repeated word.
NOT_RANDOM = 0.25
# Word lengths 1 to 20, length l with a chance in proportion to 1/l.
LONGEST_WORD = 20
WINDOW = 5
LABEL_WEIGHT = 5.0


class Rows(NamedTuple):
  """Documents of one shape.

  Attributes:
    tokens: int32 [B, T + 1], BOS first, padded at the end.
    weights: float32 [B, T], of the losses of `tokens[:, 1:]`.
  """

  tokens: Int[Array, "B T+1"]
  weights: Float[Array, "B T"]


@dataclasses.dataclass(frozen=True)
class Stage:
  """A stretch of training on documents of one length.

  Attributes:
    steps: optimiser steps.
    flips: F of every document that is continued.
    judged: a judged sequence has 1 to `judged` flips, all equally likely.
    stated, window, mixed, judgments: documents per step of the four kinds.
    repeated: share of the process P that repeats a word.
    power: a word's length l has a chance in proportion to l ** -power.
  """

  steps: int
  flips: int = 150
  judged: int = coins.LONGEST_JUDGED
  stated: int = 9
  window: int = 3
  mixed: int = 9
  judgments: int = 9
  repeated: float = NOT_RANDOM
  power: float = 1.0

  @property
  def tokens(self) -> int:
    """Tokens read in one step, padding included."""
    continued = self.stated + self.window + self.mixed
    longest = _prompts().judged + 2 * self.judged + _prompts().tail
    return continued * (_prompts().stated + 2 * self.flips - 2) + (
      self.judgments * longest
    )

  def __str__(self) -> str:
    return f"{self.flips} flips, {self.judged} judged"


def sample(key: Array, stage: Stage) -> tuple[Rows, Rows]:
  """The documents of one step: those continued, then those judged; jittable.

  Args:
    key: a PRNG key, used for this step only.
    stage: what to draw.
  """
  keys = random.split(key, 4)
  continued = [
    _stated(keys[0], stage.stated, stage.flips),
    _window(keys[1], stage.window, stage.flips),
    _mixed(keys[2], stage),
  ]
  joined = Rows(*map(jnp.concatenate, zip(*continued, strict=True)))
  return joined, _judged(keys[3], stage)


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


def window_average(key: Array, batch: int, length: int) -> Int[Array, "B F"]:
  """Flips of a window average of 5 at .5, after a flip of Heads.

  The chance of Tails is one minus the mean of the last five entries of .5,
  Heads, and the flips so far.
  """
  # Entries not there yet are worth the mean of those that are.
  uniform = random.uniform(key, (length, batch))

  def flip(history, now):
    place, draws = now
    known = jnp.minimum(place + 2, WINDOW).astype(jnp.float32)
    tails = draws < 1.0 - jnp.sum(history, axis=1) / known
    tails = tails.astype(jnp.float32)
    return jnp.concatenate([history[:, 1:], tails[:, None]], axis=1), tails

  start = jnp.zeros((batch, WINDOW)).at[:, -2].set(0.5)
  _, flips = jax.lax.scan(flip, start, (jnp.arange(length), uniform))
  return flips.T.astype(jnp.int32)


class _Prompts(NamedTuple):
  """Lengths in tokens, BOS included."""

  stated: int
  judged: int
  tail: int


@functools.cache
def _encoded(text: str) -> np.ndarray:
  return np.array(coin_tokenizer.build().encode(text).ids, np.int32)


@functools.cache
def _prompts() -> _Prompts:
  head, tail = _judgment_parts()
  stated = len(_encoded(coins.generation(30).text))
  return _Prompts(stated, len(head), len(tail))


def _judgment_parts() -> tuple[np.ndarray, np.ndarray]:
  whole = _encoded(coins.judgment([]).text)
  head = int(np.flatnonzero(whole == coin_tokenizer.ids()[" ["])[0]) + 1
  return whole[:head], whole[head:]


def _words(spaced: bool) -> Array:
  known = coin_tokenizer.ids()
  space = " " if spaced else ""
  return jnp.array([known[space + word] for word in coins.WORDS], jnp.int32)


def _continued(prompt: Array, flips: Array, seeded: bool, pad: int) -> Rows:
  """Prompts [B, P], then flips and commas, both of which count."""
  batch, length = flips.shape
  written = _words(True)[flips]
  if not seeded:
    written = written.at[:, 0].set(_words(False)[flips[:, 0]])
  comma = jnp.full_like(written, coin_tokenizer.ids()[","])
  body = jnp.stack([written, comma], axis=2).reshape(batch, 2 * length)
  counts = jnp.ones(body.shape).at[:, -1].set(0.0)
  before = jnp.zeros((batch, prompt.shape[1] - 1))
  after = ((0, 0), (0, pad))
  # Nothing follows the last comma, which is therefore not read.
  tokens = jnp.concatenate([prompt, body], axis=1)
  weights = jnp.concatenate([before, counts], axis=1)
  tokens = jnp.pad(
    tokens, after, constant_values=coin_tokenizer.ids()[coin_tokenizer.PAD]
  )
  return Rows(tokens[:, :-1], jnp.pad(weights, after)[:, :-1])


def _stated(key: Array, batch: int, length: int) -> Rows:
  keys = random.split(key, 2)
  percent = random.randint(keys[0], (batch,), 1, 100)
  chance = percent.astype(jnp.float32)[:, None] / 100
  flips = random.uniform(keys[1], (batch, length)) < chance
  prompt = _encoded(coins.generation(30).text)
  numbers = jnp.array(
    [coin_tokenizer.ids().get(f" {n}", 0) for n in range(101)], jnp.int32
  )
  known = coin_tokenizer.ids()
  heads = jnp.asarray(prompt == known[" 70"])[None]
  tails = jnp.asarray(prompt == known[" 30"])[None]
  rows = jnp.broadcast_to(jnp.asarray(prompt)[None], (batch, len(prompt)))
  rows = jnp.where(heads, numbers[100 - percent][:, None], rows)
  rows = jnp.where(tails, numbers[percent][:, None], rows)
  return _continued(rows, flips.astype(jnp.int32), True, 0)


def _window(key: Array, batch: int, length: int) -> Rows:
  prompt = jnp.asarray(_encoded(coins.generation(fair=True).text))
  rows = jnp.broadcast_to(prompt[None], (batch, len(prompt)))
  return _continued(rows, window_average(key, batch, length), True, 0)


def _mixed(key: Array, stage: Stage) -> Rows:
  prompt = jnp.asarray(_encoded(coins.tree([]).text))
  rows = jnp.broadcast_to(prompt[None], (stage.mixed, len(prompt)))
  flips, _ = process(key, stage.mixed, stage.flips, stage.repeated, stage.power)
  return _continued(rows, flips, False, _prompts().stated - len(prompt))


def _judged(key: Array, stage: Stage) -> Rows:
  """Prompts with 1 to `judged` flips and the label; flips and label count."""
  batch, longest = stage.judgments, stage.judged
  keys = random.split(key, 3)
  flips, repeats = process(keys[0], batch, longest, stage.repeated, stage.power)
  count = random.randint(keys[1], (batch,), 1, longest + 1)
  comma = random.bernoulli(keys[2], shape=(batch,)).astype(jnp.int32)
  written = _words(True)[flips]
  written = written.at[:, 0].set(_words(False)[flips[:, 0]])
  known = coin_tokenizer.ids()
  commas = jnp.full_like(written, known[","])
  body = jnp.stack([written, commas], axis=2).reshape(batch, 2 * longest)
  head, tail = map(jnp.asarray, _judgment_parts())
  label = jnp.where(
    repeats, known[f" {coins.NOT_RANDOM}"], known[f" {coins.RANDOM}"]
  ).astype(jnp.int32)
  total = len(head) + 2 * longest + len(tail) + 1
  place = jnp.arange(total)[None]
  inside = place - len(head)
  ending = inside - (2 * count - 1 + comma)[:, None]

  def picked(rows, index):
    index = jnp.broadcast_to(index, (batch, total))
    return jnp.take_along_axis(rows, jnp.clip(index, 0, rows.shape[1] - 1), 1)

  tokens = picked(jnp.broadcast_to(head[None], (batch, len(head))), place)
  tokens = jnp.where(inside >= 0, picked(body, inside), tokens)
  ends = jnp.broadcast_to(tail[None], (batch, len(tail)))
  ends = jnp.concatenate(
    [ends, label[:, None], jnp.full((batch, 1), known[coin_tokenizer.PAD])],
    axis=1,
  )
  tokens = jnp.where(ending >= 0, picked(ends, ending), tokens)
  is_flip = (inside >= 0) & (ending < 0) & (inside % 2 == 0)
  is_label = (ending == len(tail)).astype(jnp.float32)
  weights = is_flip.astype(jnp.float32) + LABEL_WEIGHT * is_label
  return Rows(tokens, weights[:, 1:])
