"""Class means of flips by their phase in the concept that they repeat.

A concept of P flips is read from each of its P starting phases. Among the last
P flips of these P sequences every phase stands once at every place, so that no
place in the context can pass for a phase. Phases are taken at the separator
after a flip, where the next one is predicted: the token there is the same for
all phases, and what tells them apart comes from the context.

Legend: R concepts, P phases (padded to the most of any concept), N flips, T
tokens, J contexts, K hidden states, D width.
"""

from collections.abc import Sequence
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int
import numpy as np

from icl_graphs import errors
from icl_graphs.experiments import coin_subject
from icl_graphs.models import decoder
from icl_graphs.tasks import coins

# One word per cycle: all of length 5, and the paper's of 6 to 10 flips.
CONCEPTS = (
  *("01000", "00011", "10100", "01110", "11010", "11101"),
  *("111000", "001111", "1110000", "1010110", "11110000", "11000110"),
  *("111000010", "100010011", "0000011111", "0010011011"),
)
FLIPS = 48
_HIGHEST = jax.lax.Precision.HIGHEST


class Rows(NamedTuple):
  """Sequences of every concept, as arrays; -1 where there is none.

  Attributes:
    tokens: ids, padded at the end.
    separators, words: token positions of the separator after each flip, and of
      the end of the flip itself.
    phases: of each flip.
    sides: 0 for Heads, 1 for Tails.
    windows: 1 for the flips of each context's last period; context j has P + j
      flips.
  """

  tokens: Int[np.ndarray, "R P T"]
  separators: Int[np.ndarray, "R P N"]
  words: Int[np.ndarray, "R P N"]
  phases: Int[np.ndarray, "R P N"]
  sides: Int[np.ndarray, "R P N"]
  windows: Float[np.ndarray, "R J N"]


class Means(NamedTuple):
  """What is kept of hidden states.

  Attributes:
    gram: inner products of class means by phase at separators, centred.
    between, total: variance of hidden states at separators between phases, and
      altogether.
    side_between, side_total: the same at flips, between Heads and Tails.
    side_apart: squared distance between the class means of Heads and Tails.
    size, side_size: mean squared norm at separators, and at flips.
  """

  gram: Float[np.ndarray, "R K J P P"]
  between: Float[np.ndarray, "R K J"]
  total: Float[np.ndarray, "R K J"]
  side_between: Float[np.ndarray, "R K J"]
  side_total: Float[np.ndarray, "R K J"]
  side_apart: Float[np.ndarray, "R K J"]
  size: Float[np.ndarray, "R K J"]
  side_size: Float[np.ndarray, "R K J"]


def rows(
  subject: coin_subject.CoinSubject,
  names: Sequence[str],
  flips: int,
  *,
  fair: bool = False,
) -> Rows:
  """Sequences that repeat concepts from every starting phase.

  Args:
    subject: for its prompts and tokens.
    names: concepts.
    flips: N, of every sequence.
    fair: independent fair flips instead, with the concepts' phases as labels.

  Raises:
    InputError: sequences that do not fit into the model, or flips whose
      separators cannot be told apart.
  """
  most = max(map(len, names))
  generator = np.random.default_rng(subject.settings.seed)
  start = len(subject.encode(coins.tree(())))
  made = []
  for name in names:
    size = len(name)
    phases = (np.arange(size)[:, None] + np.arange(flips)) % size
    sides = coins.bits(name)[phases]
    if fair:
      sides = generator.integers(0, 2, sides.shape)
    ids = [subject.encode(coins.tree(one)) for one in sides]
    places = np.array(
      [_separators(subject, one, start, flips) for one in ids], np.int32
    )
    ends = np.arange(size, size + flips - most + 1)[:, None]
    here = np.arange(flips)
    windows = (here < ends) & (here >= ends - size)
    made.append((ids, places, phases, sides, windows))
  longest = max(len(one) for ids, *_ in made for one in ids)
  if longest > subject.decoder.max_positions:
    raise errors.InputError(
      f"{flips} flips take {longest} tokens, more than the"
      f" {subject.decoder.max_positions} positions of the model"
    )
  return Rows(
    np.stack([_tokens(ids, most, longest) for ids, *_ in made]),
    np.stack([_padded(places, most, 0) for _, places, *_ in made]),
    np.stack([_padded(_words(places), most, 0) for _, places, *_ in made]),
    np.stack([_padded(phases, most, -1) for _, _, phases, *_ in made]),
    np.stack([_padded(sides, most, -1) for *_, sides, _ in made]),
    np.stack([windows for *_, windows in made]).astype(np.float32),
  )


def _separators(subject, ids, start, flips):
  """Token positions of the separators after the flips of one sequence."""
  marks = set(subject.law.separators)
  # A vocabulary may join the bracket and the first flip.
  found = [place for place, id_ in enumerate(ids) if id_ in marks]
  found = [place for place in found if place >= start - 1][-flips:]
  if len(found) != flips:
    raise errors.InputError(
      f"{flips} flips have {len(found)} separators under this tokenizer; use"
      " a model whose tokenizer keeps them apart"
    )
  return found


def _words(separators):
  """The token before each separator; the separator if it holds the flip."""
  before = np.concatenate(
    [np.full_like(separators[:, :1], -2), separators[:, :-1]], axis=1
  )
  return np.where(separators - before > 1, separators - 1, separators)


def _tokens(ids, most, longest):
  filled = np.zeros((most, longest), np.int32)
  for row, one in zip(filled, ids, strict=False):
    row[: len(one)] = one
  # A sequence of padding alone is read in vain, as any other.
  filled[len(ids) :] = filled[0]
  return filled


def _padded(values, most, fill):
  room = ((0, most - len(values)), (0, 0))
  return np.pad(values, room, constant_values=fill).astype(np.int32)


def read(subject: coin_subject.CoinSubject, name: str, of: Rows) -> Means:
  """Class means at every layer.

  Args:
    subject: the model, or its untrained control.
    name: of the measurement.
    of: from `rows`.
  """
  step = functools.partial(_step, subject.decoder)
  words = int(np.prod(of.tokens.shape[1:]))
  _, means = subject.evaluate(name, step, of._asdict(), words=words)
  return Means(*(np.asarray(leaf, np.float64) for leaf in means))


def _step(config, params, fixed, row, valid):
  """A step for `rows.evaluate` over concepts."""
  del fixed, valid
  batch, most, length = row["tokens"].shape
  width = config.hidden_size

  def at(hidden, places):
    hidden = hidden.reshape(batch, most, length, width)
    return jnp.take_along_axis(hidden, row[places][..., None], axis=2)

  def reduce(hidden):
    here = at(hidden, "separators").astype(jnp.float32)
    gram, between, total, size = _classes(here, row["phases"], row, most)
    words = at(hidden, "words").astype(jnp.float32)
    sides, *side = _classes(words, row["sides"], row, 2)
    apart = jnp.trace(sides, axis1=-2, axis2=-1) - 2 * sides[..., 0, 1]
    return Means(
      *(gram, between, total, side[0], side[1], apart, size, side[2])
    )

  tokens = row["tokens"].reshape(batch * most, length)
  _, means = decoder.Decoder(config).apply({"params": params}, tokens, reduce)
  return (), jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, 1), means)


def _classes(
  hidden: Float[Array, "B P N D"], labels: Int[Array, "B P N"], row, number
) -> tuple[Array, Array, Array, Array]:
  """Gram matrix of centred class means, and parts of the variance.

  Returns:
    gram [B, J, number, number]; between, total, size [B, J].
  """
  einsum = functools.partial(jnp.einsum, precision=_HIGHEST)
  windows = row["windows"]
  members = jax.nn.one_hot(labels, number, dtype=jnp.float32)
  known = members.sum(axis=-1)
  by_flip = einsum("bpsn,bpsd->bsnd", members, hidden)
  sums = einsum("bjs,bsnd->bjnd", windows, by_flip)
  count = einsum("bjs,bpsn->bjn", windows, members)
  all_ = jnp.maximum(count.sum(axis=-1), 1.0)
  mean = sums.sum(axis=2) / all_[..., None]
  present = (count > 0).astype(jnp.float32)
  apart = sums / jnp.maximum(count, 1.0)[..., None] - mean[:, :, None]
  # Centred here, in the differences: they may be small beside the mean.
  classes = jnp.maximum(present.sum(axis=-1), 1.0)
  shift = (apart * present[..., None]).sum(axis=2) / classes[..., None]
  centred = (apart - shift[:, :, None]) * present[..., None]
  gram = einsum("bjnd,bjmd->bjnm", centred, centred)
  between = ((apart**2).sum(axis=-1) * count).sum(axis=-1) / all_
  squares = (hidden**2).sum(axis=-1) * known
  size = einsum("bjs,bps->bj", windows, squares) / all_
  total = size - (mean**2).sum(axis=-1)
  return gram, between, jnp.maximum(total, between), size
