"""Recognising coin flips while they are drawn, token by token.

Text that continues a list of flips is a sequence of items between commas. An
item is known to be a flip from its first token, so that the probability of
either side can be kept where the token is drawn, at no further cost.

Legend: B sequences, F flips wanted, V tokens in the vocabulary.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int
import numpy as np

from icl_graphs import errors
from icl_graphs.engine import generate
from icl_graphs.models import config as config_lib
from icl_graphs.probes import masses

# Bits of what a token is.
_HEADS, _TAILS, _SEPARATOR, _CLOSER, _END, _BLANK = (1 << k for k in range(6))


@dataclasses.dataclass(frozen=True)
class Law:
  """What is drawn, and until when; hashable, one compilation per law.

  An item lies between two separators. It is a flip if its first token that is
  not blank begins one; anything else is drawn and not counted.

  Attributes:
    heads, tails: token ids that begin a flip.
    separators: ids that end an item (those with a comma).
    closers: ids that end the list and spoil the item they end (with a bracket).
    ends: ids that end the text, such as an end-of-sequence token.
    blanks: ids that may stand between a separator and an item.
    flips: F; a sequence stops when so many have been ended by a separator.
    steps: most tokens to draw.
    temperature: divides the logits; 0 takes the likeliest token.
  """

  heads: tuple[int, ...]
  tails: tuple[int, ...]
  separators: tuple[int, ...]
  closers: tuple[int, ...] = ()
  ends: tuple[int, ...] = ()
  blanks: tuple[int, ...] = ()
  flips: int = 50
  steps: int = 300
  temperature: float = 1.0

  @property
  def sampler(self) -> generate.Sampler:
    return generate.Sampler(self.steps, self.temperature)

  @property
  def sides(self) -> masses.Sets:
    return (self.heads, self.tails)


class Drawn(NamedTuple):
  """What was drawn.

  Attributes:
    tokens: ids; -1 after the sequence stopped.
    flips: 0 for heads, 1 for tails; -1 beyond the last.
    log_mass: log-probability of `heads` and `tails` where each flip was drawn,
      under the whole vocabulary at temperature 1; NaN beyond the last.
    counts: flips of each sequence.
    others: items that were no flips and ended by a separator.
    due_mass: as `log_mass`, at the first F places where a flip was due, flip or
      not. Places where a flip was drawn are those where it was probable: only
      these here tell how much probability flips have.
  """

  tokens: Int[Array, "B steps"]
  flips: Int[Array, "B F"]
  log_mass: Float[Array, "B F 2"]
  counts: Int[Array, " B"]
  others: Int[Array, " B"]
  due_mass: Float[Array, "B F 2"]


class State(NamedTuple):
  """Of sequences that are being drawn.

  Attributes:
    drawn: so far; the last item is counted by `finish`.
    alive: whether more is to be drawn.
    expecting: whether an item may begin here.
    flipping: whether the item that has begun is a flip.
    closed: whether a closer has been drawn.
    due: places so far where a flip was due.
  """

  drawn: Drawn
  alive: Bool[Array, " B"]
  expecting: Bool[Array, " B"]
  flipping: Bool[Array, " B"]
  closed: Bool[Array, " B"]
  due: Int[Array, " B"]


def check(config: config_lib.DecoderConfig, law: Law, longest: int) -> None:
  """Refuses what would leave the model's context or vocabulary.

  Args:
    config: of the decoder.
    law: what is to be drawn.
    longest: tokens of the longest prompt.

  Raises:
    errors.InputError: naming the limit.
  """
  if law.flips < 1:
    raise errors.InputError(f"{law.flips} flips cannot be drawn")
  masses.check(law.sides, config.vocab_size)
  if not law.separators:
    raise errors.InputError("no token separates flips; give that of a comma")
  others = law.separators + law.closers + law.ends + law.blanks
  beyond = [token for token in others if not 0 <= token < config.vocab_size]
  if beyond:
    raise errors.InputError(
      f"the token ids {beyond} are not in the vocabulary of {config.vocab_size}"
    )
  generate.check(config, law.sampler, longest)


def start(law: Law, batch: int) -> State:
  """Sequences whose prompts end where an item begins."""
  no = jnp.zeros((batch,), bool)
  none = jnp.zeros((batch,), jnp.int32)
  unknown = jnp.full((batch, law.flips, 2), jnp.nan, jnp.float32)
  drawn = Drawn(
    jnp.full((batch, law.steps), -1, jnp.int32),
    jnp.full((batch, law.flips), -1, jnp.int32),
    unknown,
    none,
    none,
    unknown,
  )
  return State(drawn, ~no, ~no, no, no, none)


def note(
  law: Law,
  state: State,
  step: Int[Array, ""],
  tokens: Int[Array, " B"],
  logits: Float[Array, "B V"],
) -> State:
  """The state after one more token of every sequence.

  Args:
    law: what is drawn.
    state: before.
    step: of the token.
    tokens: that were drawn; those of finished sequences are dropped.
    logits: from which they were drawn.
  """
  alive, drawn = state.alive, state.drawn
  kind = jnp.take(_kinds(law, logits.shape[-1]), tokens)
  side = jnp.where(kind & _HEADS > 0, 0, jnp.where(kind & _TAILS > 0, 1, -1))
  separates = (kind & _SEPARATOR > 0) & (kind & _CLOSER == 0)
  # Blanks begin nothing, and neither does a comma after a comma.
  begins = (kind & _BLANK == 0) & ~(separates & (side < 0))
  opens = alive & state.expecting & begins
  flipping = jnp.where(opens, side >= 0, state.flipping)
  flip = jnp.arange(law.flips)[None]
  here = (flip == drawn.counts[:, None]) & (opens & (side >= 0))[:, None]
  due = alive & state.expecting & (kind & _BLANK == 0)
  there = (flip == state.due[:, None]) & due[:, None]
  mass = masses.from_logits(logits, law.sides)
  ends = alive & separates
  counts = drawn.counts + (ends & flipping).astype(jnp.int32)
  over = (kind & (_CLOSER | _END) > 0) | (counts >= law.flips)
  other = ends & ~flipping & (opens | ~state.expecting)
  drawn = Drawn(
    jax.lax.dynamic_update_slice_in_dim(
      drawn.tokens, jnp.where(alive, tokens, -1)[:, None], step, axis=1
    ),
    jnp.where(here, side[:, None], drawn.flips),
    jnp.where(here[..., None], mass[:, None], drawn.log_mass),
    counts,
    drawn.others + other.astype(jnp.int32),
    jnp.where(there[..., None], mass[:, None], drawn.due_mass),
  )
  return State(
    drawn,
    alive & ~over,
    ends | (state.expecting & ~opens),
    flipping & ~ends,
    state.closed | (alive & (kind & _CLOSER > 0)),
    state.due + due.astype(jnp.int32),
  )


def finish(law: Law, state: State) -> Drawn:
  """Counts the last item where nothing but the end of the text ended it."""
  drawn = state.drawn
  pending = state.flipping & ~state.closed & (drawn.counts < law.flips)
  counts = drawn.counts + pending.astype(jnp.int32)
  beyond = jnp.arange(law.flips)[None] >= counts[:, None]
  return drawn._replace(
    flips=jnp.where(beyond, -1, drawn.flips),
    log_mass=jnp.where(beyond[..., None], jnp.nan, drawn.log_mass),
    counts=counts,
  )


def _kinds(law, vocab_size):
  """What every token of the vocabulary is, in bits."""
  kinds = np.zeros(vocab_size, np.int32)
  for bit, tokens in (
    (_HEADS, law.heads),
    (_TAILS, law.tails),
    (_SEPARATOR, law.separators),
    (_CLOSER, law.closers),
    (_END, law.ends),
    (_BLANK, law.blanks),
  ):
    kinds[list(tokens)] |= bit
  return kinds
