"""Probability of whole answer words, beside that of the tokens that begin them.

A first token may begin other words too (" T" of " Tails"), so that what it has
overstates the answer's. A word of several pieces has the product of theirs,
each after those before it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from jaxtyping import Float
import numpy as np
from scipy import special

from icl_graphs.experiments import coin_subject
from icl_graphs.tasks import coins, first_tokens

Ways = tuple[tuple[int, ...], ...]


class Answers(NamedTuple):
  """Two answers to one question.

  Attributes:
    firsts: token ids that begin either.
    whole: by name, every way to write it: the ids of its pieces.
  """

  firsts: tuple[tuple[int, ...], ...]
  whole: Mapping[str, Ways]

  @property
  def pieces(self) -> set[int]:
    """Every id of either answer."""
    ways = [way for ways in self.whole.values() for way in ways]
    return {piece for part in (*self.firsts, *ways) for piece in part}

  @property
  def starts(self) -> list[tuple[int, ...]]:
    """Every proper beginning of a word, that without any piece first."""
    ways = [way for ways in self.whole.values() for way in ways]
    return sorted({way[:k] for way in ways for k in range(len(way))})


class Masses(NamedTuple):
  """Log-probability of both answers after some contexts.

  Attributes:
    first: of the tokens that begin either.
    whole: of its words.
  """

  first: Float[np.ndarray, "contexts 2"]
  whole: Float[np.ndarray, "contexts 2"]


def flips(subject: coin_subject.CoinSubject) -> Answers:
  """Heads and Tails."""
  return _answers(
    subject, coins.generation(), subject.law.sides, first_tokens.FLIPS
  )


def labels(subject: coin_subject.CoinSubject) -> Answers:
  """Random and non-random; "non" for a model that never reads what follows."""
  words = {"random": coins.RANDOM, "non": "non-random"}
  if subject.has_exact_answer:
    words = first_tokens.JUDGMENTS
  return _answers(subject, coins.judgment((0,)), subject.labels, words)


def _answers(subject, prompt, firsts, words) -> Answers:
  whole = first_tokens.words_whole(subject.tokenizer, prompt.text, words)
  return Answers(firsts, whole)


def read(
  subject: coin_subject.CoinSubject,
  name: str,
  groups: Sequence[Sequence[Sequence[int]]],
  answers: Sequence[Answers],
) -> list[Masses]:
  """Reads every context, and every context with the beginning of a word.

  Args:
    subject: the model.
    name: of the measurement.
    groups: token ids of contexts that begin alike, group by group.
    answers: to the contexts of each group.
  """
  ids = sorted(set().union(*(one.pieces for one in answers)))
  extended = [
    [[*context, *start] for context in group for start in one.starts]
    for group, one in zip(groups, answers, strict=True)
  ]
  found = subject.read(name, extended, tuple((id_,) for id_ in ids))
  place = {id_: number for number, id_ in enumerate(ids)}
  return [
    _masses(logs.reshape(len(group), len(one.starts), -1), one, place)
    for logs, group, one in zip(found, groups, answers, strict=True)
  ]


def _masses(
  logs: Float[np.ndarray, "contexts starts ids"],
  answers: Answers,
  place: Mapping[int, int],
) -> Masses:
  after = {start: number for number, start in enumerate(answers.starts)}
  first = [
    _sum(logs[:, 0, place[id_]] for id_ in one) for one in answers.firsts
  ]
  whole = [
    _sum(
      sum(logs[:, after[way[:k]], place[id_]] for k, id_ in enumerate(way))
      for way in ways
    )
    for ways in answers.whole.values()
  ]
  return Masses(np.stack(first, axis=-1), np.stack(whole, axis=-1))


def _sum(logs: Iterable[np.ndarray]) -> np.ndarray:
  """Of probabilities, in logarithms."""
  return special.logsumexp(np.stack(list(logs)).astype(np.float64), axis=0)


def spelled(tokenizer: Any, answers: Answers) -> dict[str, str]:
  """Every answer's ways to be written, piece by piece."""
  return {
    name: "; ".join(
      " + ".join(repr(tokenizer.decode([id_])) for id_ in way) for way in ways
    )
    for name, ways in answers.whole.items()
  }


def one_piece(*answers: Answers) -> bool:
  """Whether every word is one token, so that first tokens tell everything."""
  ways = [way for one in answers for ways in one.whole.values() for way in ways]
  return all(len(way) == 1 for way in ways)
