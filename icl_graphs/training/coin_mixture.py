"""Training data: documents of coin flips whose exact posterior is known.

Four kinds of documents in fixed numbers per step: flips of a coin whose
probability is stated (G), of a window average (W), of a process that is a fair
coin or repeats a word (T), and judgments of that process (J). Everything is
drawn on the device, from one key per step, so that a run can continue from any
step.

A flip or label that was drawn is a noisy account of what could have been drawn.
Every document also says what else could stand there, and how likely that was
given all before it, so that the loss can be its own expectation: the same
gradient on average, with far less noise.

A judged sequence ends with one question, or is asked after several numbers of
its flips: these questions are branches, each of which sees the flips it asks
about and itself, as the engine reads them (`engine.token_tree`). One label per
document leaves labels a hundredth of what is learned.

Legend: B documents, F flips, T tokens, K questions.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
from jax import numpy as jnp
from jax import random
from jaxtyping import Array, Float, Int
import numpy as np

from icl_graphs.tasks import coins
from icl_graphs.training import coin_processes, coin_tokenizer, forward


class Rows(NamedTuple):
  """Documents of one shape.

  Attributes:
    tokens: int32 [B, T], BOS first, padded at the end.
    following: int32 [B, T], what came after each.
    others: int32 [B, T], what could have come instead.
    chances: float32 [B, T], of `others`, given what the token sees.
    weights: float32 [B, T], of the losses.
    branches: None where every token sees all before it.
  """

  tokens: Int[Array, "B T"]
  following: Int[Array, "B T"]
  others: Int[Array, "B T"]
  chances: Float[Array, "B T"]
  weights: Float[Array, "B T"]
  branches: forward.Branches | None = None


@dataclasses.dataclass(frozen=True)
class Stage:
  """A stretch of training on documents of one length.

  Attributes:
    steps: optimiser steps.
    flips: F of every document that is continued.
    judged: flips of a judged sequence: 1 to `judged`, all equally likely, or
      `judged` if there are several questions.
    questions: 0 asks one after the last flip; else this many are asked after
      numbers of flips from 1 to `judged`, small ones more often, the same for
      all sequences of a step.
    stated, window, mixed, judgments: documents per step of the four kinds.
    repeated: share of the process P that repeats a word.
    power: a word's length l has a chance in proportion to l ** -power.
    label_weight: of a label's loss; a flip has 1.
  """

  steps: int
  flips: int = 150
  judged: int = coins.LONGEST_JUDGED
  questions: int = 0
  stated: int = 9
  window: int = 3
  mixed: int = 9
  judgments: int = 9
  repeated: float = coin_processes.NOT_RANDOM
  power: float = 1.0
  label_weight: float = 5.0

  @property
  def tokens(self) -> int:
    """Tokens read in one step, padding included."""
    continued = self.stated + self.window + self.mixed
    asked = max(self.questions, 1) * _prompts().tail
    return continued * (_prompts().stated + 2 * self.flips - 2) + (
      self.judgments * (_prompts().judged + 2 * self.judged + asked)
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
  joined = jax.tree.map(lambda *each: jnp.concatenate(each), *continued)
  judged = _asked_often if stage.questions else _asked_once
  return joined, judged(keys[3], stage)


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


def _written(flips: Array, seeded: bool = False) -> Array:
  """Tokens of flips [B, F]; `seeded` if the prompt ends with a flip already."""
  written = _words(True)[flips]
  if seeded:
    return written
  return written.at[:, 0].set(_words(False)[flips[:, 0]])


def _labels(repeats: Array) -> Array:
  """Tokens of judgments, true where a word is repeated."""
  known = coin_tokenizer.ids()
  return jnp.where(
    repeats, known[f" {coins.NOT_RANDOM}"], known[f" {coins.RANDOM}"]
  ).astype(jnp.int32)


def _chance_of_other(drawn: Array, chance: Array) -> Array:
  """Chance of what was not drawn; `chance` is that of `drawn` being true."""
  return jnp.where(drawn, 1.0 - chance, chance)


@functools.cache
def _opposites() -> np.ndarray:
  """Token to the one that could have been drawn in its place, or itself."""
  known = coin_tokenizer.ids()
  table = np.arange(len(known), dtype=np.int32)
  label = tuple(f" {one}" for one in (coins.RANDOM, coins.NOT_RANDOM))
  spaced = tuple(f" {one}" for one in coins.WORDS)
  for pair in (coins.WORDS, spaced, label):
    one, other = (known[piece] for piece in pair)
    table[one], table[other] = other, one
  return table


def _rows(tokens: Array, chances: Array, weights: Array) -> Rows:
  """Documents from arrays [B, T + 1] that speak of every token."""
  others = jnp.asarray(_opposites())[tokens]
  following = tuple(each[:, 1:] for each in (tokens, others, chances, weights))
  return Rows(tokens[:, :-1], *following)


def _continued(
  prompt: Array,
  flips: Array,
  tails: Array,
  *,
  seeded: bool,
  comma_weight: float = 1.0,
  pad: int = 0,
) -> Rows:
  """Prompts [B, P], then flips and commas.

  Args:
    prompt: int32 [B, P].
    flips: int32 [B, F].
    tails: float32 [B, F], chance of Tails given the flips before.
    seeded: whether a flip is in the prompt.
    comma_weight: of the commas' losses; a flip's is 1.
    pad: tokens to add at the end.
  """
  written = _written(flips, seeded)
  opposite = _chance_of_other(flips == 1, tails)
  known = coin_tokenizer.ids()

  def joined(before, each, comma, after):
    """Of the prompt, of flips, of their commas, of padding; [B, T + 1]."""
    commas = jnp.full_like(each, comma)
    body = jnp.stack([each, commas], axis=2).reshape(len(flips), -1)
    # Nothing follows the last comma, which is therefore not read.
    whole = jnp.concatenate([before.astype(each.dtype), body[:, :-1]], axis=1)
    return jnp.pad(whole, ((0, 0), (0, pad)), constant_values=after)

  nothing = jnp.zeros(prompt.shape)
  return _rows(
    joined(prompt, written, known[","], known[coin_tokenizer.PAD]),
    joined(nothing, opposite, 0.0, 0.0),
    joined(nothing, jnp.ones(flips.shape), comma_weight, 0.0),
  )


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
  flips = flips.astype(jnp.int32)
  tails = jnp.broadcast_to(chance, flips.shape)
  return _continued(rows, flips, tails, seeded=True)


def _window(key: Array, batch: int, length: int) -> Rows:
  prompt = jnp.asarray(_encoded(coins.generation(fair=True).text))
  rows = jnp.broadcast_to(prompt[None], (batch, len(prompt)))
  flips, tails = coin_processes.window_average(key, batch, length)
  return _continued(rows, flips, tails, seeded=True)


def _mixed(key: Array, stage: Stage) -> Rows:
  prompt = jnp.asarray(_encoded(coins.tree([]).text))
  rows = jnp.broadcast_to(prompt[None], (stage.mixed, len(prompt)))
  flips, _ = coin_processes.process(
    key, stage.mixed, stage.flips, stage.repeated, stage.power
  )
  tails, _ = coin_processes.posterior(flips)
  pad = _prompts().stated - len(prompt)
  return _continued(rows, flips, tails[:, :-1], seeded=False, pad=pad)


def _asked_once(key: Array, stage: Stage) -> Rows:
  """Prompts with 1 to `judged` flips and the label; flips and label count."""
  batch, longest = stage.judgments, stage.judged
  keys = random.split(key, 3)
  flips, repeats = coin_processes.process(
    keys[0], batch, longest, stage.repeated, stage.power
  )
  count = random.randint(keys[1], (batch,), 1, longest + 1)
  comma = random.bernoulli(keys[2], shape=(batch,)).astype(jnp.int32)
  written = _written(flips)
  known = coin_tokenizer.ids()
  commas = jnp.full_like(written, known[","])
  body = jnp.stack([written, commas], axis=2).reshape(batch, 2 * longest)
  head, tail = map(jnp.asarray, _judgment_parts())
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
    [
      ends,
      _labels(repeats)[:, None],
      jnp.full((batch, 1), known[coin_tokenizer.PAD]),
    ],
    axis=1,
  )
  tokens = jnp.where(ending >= 0, picked(ends, ending), tokens)
  is_flip = (inside >= 0) & (ending < 0) & (inside % 2 == 0)
  is_label = ending == len(tail)
  weights = is_flip.astype(jnp.float32)
  weights += stage.label_weight * is_label.astype(jnp.float32)
  tails, not_random = coin_processes.posterior(flips)
  opposite = _chance_of_other(flips == 1, tails[:, :-1])
  told = jnp.take_along_axis(not_random, count[:, None], axis=1)
  doubted = _chance_of_other(repeats[:, None], told)
  chances = jnp.where(
    is_flip, picked(jnp.repeat(opposite, 2, axis=1), inside), 0.0
  )
  chances = jnp.where(is_label, doubted, chances)
  return _rows(tokens, chances, weights)


def _asked_often(key: Array, stage: Stage) -> Rows:
  """Prompts with all flips, then the questions; flips and labels count."""
  batch = stage.judgments
  keys = random.split(key, 3)
  flips, repeats = coin_processes.process(
    keys[0], batch, stage.judged, stage.repeated, stage.power
  )
  tails, not_random = coin_processes.posterior(flips)
  head, question = map(jnp.asarray, _judgment_parts())
  rows = jnp.broadcast_to(head[None], (batch, len(head)))
  trunk = _continued(
    rows, flips, tails[:, :-1], seeded=False, comma_weight=0.0, pad=2
  )
  # A question may stand behind a comma, also behind that of the last flip.
  comma = coin_tokenizer.ids()[","]
  trunk = trunk._replace(tokens=trunk.tokens.at[:, -1].set(comma))

  # One from each of as many stretches, so that every step has early and late
  # ones. Squared, because a judgment changes within the first flips.
  stretch = jnp.arange(stage.questions, dtype=jnp.float32)
  drawn = stretch + random.uniform(keys[1], stretch.shape)
  drawn = (drawn / stage.questions) ** 2 * stage.judged
  drawn = jnp.floor(drawn).astype(jnp.int32)
  counts = jnp.minimum(drawn, stage.judged - 1) + 1
  commas = random.bernoulli(keys[2], shape=counts.shape)
  ends = len(head) + 2 * counts - 1 + commas.astype(jnp.int32)
  asked = _questions(
    question, repeats, not_random[:, counts], stage.label_weight
  )
  joined = jax.tree.map(lambda *each: jnp.concatenate(each, 1), trunk, asked)
  branches = _branches(trunk.tokens.shape[1], ends, len(question))
  return joined._replace(branches=branches)


def _questions(
  question: Array, repeats: Array, not_random: Array, weight: float
) -> Rows:
  """Questions side by side, each followed by its label.

  Args:
    question: int32 [tail].
    repeats: bool [B], whether the flips repeat a word.
    not_random: float32 [B, K], the chance that they do, given those seen.
    weight: of each label.
  """
  pad = coin_tokenizer.ids()[coin_tokenizer.PAD]
  labels = jnp.broadcast_to(_labels(repeats)[:, None], not_random.shape)
  doubted = _chance_of_other(repeats[:, None], not_random)

  def at_end(values, before):
    """Values [B, K] at the last token of each question; [B, K * tail]."""
    rest = jnp.full((*values.shape, len(question) - 1), before, values.dtype)
    joined = jnp.concatenate([rest, values[..., None]], axis=2)
    return joined.reshape(len(values), -1)

  return Rows(
    jnp.tile(question[None], not_random.shape),
    at_end(labels, pad),
    at_end(jnp.asarray(_opposites())[labels], pad),
    at_end(doubted, 0.0),
    at_end(jnp.full(doubted.shape, weight), 0.0),
  )


def _branches(trunk: int, ends: Array, length: int) -> forward.Branches:
  """Of a trunk and of branches that go on after its first `ends` tokens.

  Args:
    trunk: tokens of the trunk.
    ends: int32 [K].
    length: tokens of every branch.
  """
  step = jnp.arange(length)
  positions = (ends[:, None] + step[None]).ravel()
  number = jnp.repeat(jnp.arange(len(ends)), length)
  # The trunk is branch -1, all of which its own tokens may see.
  number = jnp.concatenate([jnp.full(trunk, -1), number])
  seen = jnp.concatenate([jnp.full(trunk, trunk), jnp.repeat(ends, length)])
  place = jnp.arange(len(number))
  own = number[:, None] == number[None]
  on_trunk = place[None] < seen[:, None]
  visible = (own | on_trunk) & (place[None] <= place[:, None])
  positions = jnp.concatenate([jnp.arange(trunk), positions])
  return forward.Branches(positions, visible)
