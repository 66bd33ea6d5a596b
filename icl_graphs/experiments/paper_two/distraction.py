"""Flips where the answer of a question should stand (appendix E).

Legend: Q questions, n numbers of flips, S scores.
"""

import pathlib

from jaxtyping import Float, Int
import numpy as np
import xarray as xr

from icl_graphs import errors
from icl_graphs.experiments import coin_subject, recipe
from icl_graphs.experiments.paper_two import over_concepts
from icl_graphs.report.paper_two import distraction as figures
from icl_graphs.tasks import coin_questions, coins, token_ids

# The numbers of flips that the paper draws; the claim is about the last.
DRAWN = 40
_CLAIM = (
  "Flips appended to a multiple-choice question capture the next token (C10;"
  " official figure: davinci-003 does so in 8 of 10 questions).",
  "mean over questions of P(Flips) - P(letter of the right answer) with"
  f" {DRAWN} flips: 95% interval over questions above 0, and above the same"
  " questions' with random weights; without flips not above 0",
)


def questions(
  subject: coin_subject.CoinSubject,
) -> tuple[coin_questions.Item, ...]:
  """The user's questions, or our own."""
  path = subject.settings.questions
  return coin_questions.read(path) if path else coin_questions.packaged()


def contexts(
  subject: coin_subject.CoinSubject, items: tuple[coin_questions.Item, ...]
) -> tuple[list[list[list[int]]], Int[np.ndarray, " n"]]:
  """Token ids of every question with every number of flips that fits.

  Raises:
    InputError: questions that the vocabulary cannot write, or that do not fit
      with `DRAWN` flips.
  """
  longest = subject.decoder.max_positions
  lengths = np.array([0, *coin_questions.LENGTHS])
  groups = []
  for item in items:
    group = [_encoded(subject, item, n) for n in lengths]
    lengths = lengths[[len(ids) <= longest for ids in group]]
    groups.append(group)
  if not len(lengths) or lengths[-1] < DRAWN:
    raise errors.InputError(
      f"a question with {DRAWN} flips exceeds the {longest} positions of the"
      " model"
    )
  return [group[: len(lengths)] for group in groups], lengths


def _encoded(subject, item, flips) -> list[int]:
  text = coin_questions.prompt(
    item, coins.repeated(coin_questions.CONCEPT, flips)
  )
  # Without flips nothing follows the colon: never a space at the end.
  text = text.rstrip(" ")
  try:
    ids = token_ids.of_text(subject.tokenizer, text)
  except errors.InputError as error:
    raise errors.InputError(
      "this model's vocabulary cannot write multiple-choice questions"
    ) from error
  return [*subject.bos_ids, *ids]


def run(
  subject: coin_subject.CoinSubject, folder: pathlib.Path
) -> recipe.Outcome:
  """See `recipe.Recipe`."""
  items = questions(subject)
  try:
    classes = coin_questions.classes(
      subject.tokenizer, subject.decoder.vocab_size
    )
    groups, lengths = contexts(subject, items)
  except errors.InputError as error:
    return recipe.cannot(f"The model cannot be asked: {error}.", _CLAIM)
  sets = tuple(classes.values())
  scores = np.exp(np.stack(subject.read("questions", groups, sets)))
  random = np.exp(np.stack(subject.untrained.read("questions", groups, sets)))
  key = np.array([list(classes).index(item.key) for item in items])
  apart, chance = gap(scores, key), gap(random, key)
  few = lengths <= DRAWN
  figures.questions(
    folder / "questions.png",
    lengths[few],
    scores[:, few],
    list(classes),
    [item.subject.replace("_", " ") for item in items],
    [item.key for item in items],
  )
  settings = subject.settings

  def mean(values, flips):
    return over_concepts.mean(
      values[:, list(lengths).index(flips)], settings.resamples, settings.seed
    )

  found = {
    f"{DRAWN} flips": mean(apart, DRAWN),
    "no flips": mean(apart, 0),
    "random weights": mean(chance, DRAWN),
    "beyond random weights": mean(apart - chance, DRAWN),
  }
  return recipe.Outcome(
    (_judged(found),),
    _numbers(found)
    | {
      f"{name}, {DRAWN} flips": float(
        scores[:, list(lengths).index(DRAWN), place].mean()
      )
      for place, name in enumerate(classes)
    }
    | {
      "questions that flips capture": {
        "value": int((apart[:, list(lengths).index(DRAWN)] > 0).sum()),
        "of": len(items),
      }
    },
    _FIGURES,
    (_table(items, lengths, apart),),
    xr.Dataset(
      {
        "score": (("question", "length", "class"), scores),
        "random_weights_score": (("question", "length", "class"), random),
      },
      {
        "length": lengths,
        "class": list(classes),
        "subject": ("question", [item.subject for item in items]),
        "key": ("question", [item.key for item in items]),
      },
    ),
    _NOTES,
  )


def gap(
  scores: Float[np.ndarray, "Q n S"], key: Int[np.ndarray, " Q"]
) -> Float[np.ndarray, "Q n"]:
  """P(Flips), the first score, less that of the right answer's letter."""
  right = np.take_along_axis(scores, key[:, None, None], axis=2)
  return scores[..., 0] - right[..., 0]


def _numbers(found) -> dict[str, dict[str, float]]:
  """Gaps with their intervals; the null is random weights."""
  numbers = {
    f"flips less answer, {name}": one._asdict() for name, one in found.items()
  }
  null = found["random weights"].value
  numbers[f"flips less answer, {DRAWN} flips"]["null"] = null
  return numbers


def _judged(found) -> recipe.Claim:
  with_flips, without, random, beyond = found.values()
  reason = (
    f"P(Flips) - P(right letter) is {with_flips.text()} with {DRAWN} flips,"
    f" {without.text()} without, {random.text()} with random weights"
    f" (difference {beyond.text()})."
  )
  if not np.isfinite(with_flips.low):
    return recipe.Claim(
      *(*_CLAIM, recipe.CANNOT_TELL), f"Too few questions. {reason}"
    )
  least = min(with_flips.low, beyond.low)
  denied = min(with_flips.high, beyond.high) <= 0 or without.low > 0
  verdict = recipe.verdict(least > 0 and not denied, denied)
  return recipe.Claim(*_CLAIM, verdict, reason)


def _table(items, lengths, apart) -> recipe.Table:
  rows = []
  for item, values in zip(items, apart, strict=True):
    ahead = lengths[values > 0]
    rows.append(
      (
        item.subject.replace("_", " "),
        item.question
        if len(item.question) < 60
        else item.question[:57] + "...",
        str(ahead[0]) if len(ahead) else "never",
        f"{values[list(lengths).index(DRAWN)]:+.2f}",
      )
    )
  return recipe.Table(
    "Where flips overtake the answer",
    (
      *("subject", "question", "first flips ahead"),
      f"P(Flips) - P(answer), {DRAWN} flips",
    ),
    tuple(rows),
  )


_FIGURES = (
  recipe.Figure(
    "questions.png",
    "A multiple-choice question is followed by n flips (Heads, Tails, ...)"
    " where its answer should be. Lines: probability that the next token is a"
    " piece of a flip or a comma, the right letter, another letter, or that the"
    " text begins anew (Answer or a new line).",
    "Probability of flips and of letters against the number of flips.",
  ),
)
_NOTES = (
  "The questions are this project's own unless a file is given; the paper took"
  " ten of the MMLU test set.",
  "More tokens count as a flip than as a letter: with random weights flips lead"
  " by a little, which is taken off.",
  "Questions are read as raw text, whatever the form of the other prompts.",
  "The released code's score of everything else adds D twice and omits B; here"
  " every letter is counted once.",
)

RECIPE = recipe.Recipe(
  "distraction",
  "Flips in place of an answer",
  "Do coin flips after a question distract the model from answering it?",
  "arXiv 2310.17639, appendix E",
  run,
)
