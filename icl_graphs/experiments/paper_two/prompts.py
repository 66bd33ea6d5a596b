"""The three questions, word for word, and what may come next (figure 1).

Legend: 3 tasks, 3 lists of flips, 2 answers.
"""

import pathlib
from typing import NamedTuple

from jaxtyping import Float
import numpy as np
from scipy import special
import xarray as xr

from icl_graphs.analysis import concepts
from icl_graphs.experiments import coin_subject, recipe
from icl_graphs.experiments.paper_two import whole_words
from icl_graphs.report.paper_two import prompts as figures
from icl_graphs.tasks import coins
from icl_graphs.theory import coin_mixture

CONCEPT, SHORT, LONG = "011", 4, 30
# Of the generation prompt, in percent.
_STATED = 50
# "Repetition": the next flip of the concept has at least this probability.
SURE = 0.9
TASKS = {
  "generation": ("Heads", "Tails"),
  "judgment": ("random", "non"),
  "tree": ("Heads", "Tails"),
}
_CLAIM = (
  "A short list is continued as if it were random, a long one as the repetition"
  " that it is (figure 1: short x random-like, long x repetition).",
  f"tree prompt, of the probability on Heads and Tails: the next flip of"
  f" {CONCEPT} has at least {SURE:g} after {LONG} flips of {CONCEPT} and less"
  f" after {SHORT}, neither flip has {SURE:g} after {LONG} fair flips, and with"
  f" random weights it has less than {SURE:g} after {LONG} flips of {CONCEPT}",
)


class Read(NamedTuple):
  """Log-probability of both answers; see `whole_words.Masses`."""

  first: Float[np.ndarray, "3 3 2"]
  whole: Float[np.ndarray, "3 3 2"]

  @property
  def mass(self) -> Float[np.ndarray, "3 3"]:
    """Of both answers' first tokens together."""
    return np.exp(special.logsumexp(self.first, axis=-1))


def lists(settings: coin_subject.Settings) -> dict[str, np.ndarray]:
  """A short and a long repetition, and fair flips; by what they are."""
  long = min(LONG, settings.tree, settings.judged)
  short = min(SHORT, long // 2)
  # The first of the fair sequences that are judged.
  generator = np.random.default_rng(settings.seed)
  (fair,) = coin_mixture.draw(generator, long, None, 1)
  return {
    f"{short} flips of {CONCEPT}": coins.repeated(CONCEPT, short),
    f"{long} flips of {CONCEPT}": coins.repeated(CONCEPT, long),
    f"{long} fair flips": fair,
  }


def prompts(
  subject: coin_subject.CoinSubject, flips: np.ndarray
) -> tuple[coins.Prompt, ...]:
  """One per task; in generation the flips stand from the seed flip on."""
  tree = coins.tree(flips)
  generation = coins.generation(_STATED)._replace(opening=tree.opening)
  comma = subject.settings.trailing_comma
  return generation, coins.judgment(flips, trailing_comma=comma), tree


def read(subject: coin_subject.CoinSubject) -> Read:
  """Asks a model every question."""
  answers = whole_words.flips(subject), whole_words.labels(subject)
  asked = (prompts(subject, one) for one in lists(subject.settings).values())
  groups = [
    [subject.encode(prompt) for prompt in group]
    for group in zip(*asked, strict=True)
  ]
  found = whole_words.read(
    subject, "prompts", groups, (answers[0], answers[1], answers[0])
  )
  return Read(*(np.stack(one) for one in zip(*found, strict=True)))


def exact(settings: coin_subject.Settings) -> Float[np.ndarray, "3 3 2"]:
  """Probabilities that the training mixture of the coin models implies."""
  found = []
  for flips in lists(settings).values():
    non = coin_mixture.not_random(flips)[-1]
    tails = coin_mixture.next_tails(flips)[-1]
    stated = _STATED / 100
    found.append([[1 - one, one] for one in (stated, non, tails)])
  return np.array(found).swapaxes(0, 1)


def run(
  subject: coin_subject.CoinSubject, folder: pathlib.Path
) -> recipe.Outcome:
  """See `recipe.Recipe`."""
  found, random = read(subject), read(subject.untrained)
  ideal = exact(subject.settings) if subject.has_exact_answer else None
  named = lists(subject.settings)
  series = {"the model": np.exp(found.first)}
  if ideal is not None:
    series["exact Bayes"] = ideal
  series["random weights"] = np.exp(random.first)
  figures.next_words(folder / "next_words.png", TASKS, list(named), series)
  answers = whole_words.flips(subject), whole_words.labels(subject)
  alone = whole_words.one_piece(*answers)
  compared = _compared(found, list(named))
  return recipe.Outcome(
    (claim(found, random, named),),
    _numbers(found, random, ideal, list(named)),
    _FIGURES,
    (_texts(subject, named), compared, _pieces(subject, answers)),
    _measurements(found, random, ideal, list(named)),
    (*_NOTES, _ONE_PIECE if alone else _PIECES),
  )


def next_flips(
  log_mass: Float[np.ndarray, "3 3 2"],
) -> Float[np.ndarray, " 3"]:
  """Tree prompt: the concept's next flip, twice, and the likelier fair one."""
  tails = concepts.share_of_second(log_mass[2])
  flips = coins.bits(CONCEPT)[np.array([SHORT, LONG]) % len(CONCEPT)]
  repeated = np.where(flips == 1, tails[:2], 1 - tails[:2])
  return np.array([*repeated, max(tails[2], 1 - tails[2])])


def claim(found: Read, random: Read, named: dict) -> recipe.Claim:
  """What the tree prompt's three answers say."""
  longest = max(map(len, named.values()))
  if longest < LONG:
    return recipe.Claim(
      *(*_CLAIM, recipe.CANNOT_TELL),
      f"Only {longest} flips were asked about; the criterion needs {LONG}.",
    )
  mass = float(found.mass[2].min())
  if not mass >= concepts.LEAST_MASS:
    return recipe.Claim(
      *(*_CLAIM, recipe.CANNOT_TELL),
      f"Only {mass:.2f} of the probability is on Heads and Tails together: the"
      " model writes something else.",
    )
  short, long, fair = next_flips(found.first)
  null = next_flips(random.first)[1]
  shown = max(short, fair, null) < SURE <= long
  return recipe.Claim(
    *(*_CLAIM, recipe.SHOWN if shown else recipe.NOT_SHOWN),
    f"The concept's next flip has {short:.3f} after {SHORT} flips and"
    f" {long:.3f} after {LONG} (random weights {null:.3f}); the likelier flip"
    f" after fair ones has {fair:.3f}.",
  )


def _numbers(found, random, ideal, names) -> dict:
  shares = {
    "value": concepts.share_of_second(found.first),
    "null": concepts.share_of_second(random.first),
    "whole_words": concepts.share_of_second(found.whole),
  }
  apart = float(np.abs(shares["value"] - shares["whole_words"]).max())
  if ideal is not None:
    shares["exact"] = ideal[..., 1]
  whole = np.exp(special.logsumexp(found.whole, axis=-1))
  return {
    f"p({words[1]}), {task}, {name}": {
      key: float(one[row, column]) for key, one in shares.items()
    }
    for row, (task, words) in enumerate(TASKS.items())
    for column, name in enumerate(names)
  } | {
    "least_captured_mass": {
      "value": float(found.mass.min()),
      "null": float(random.mass.min()),
    },
    "least_captured_mass_of_whole_words": float(whole.min()),
    "most_that_first_tokens_overstate": float((found.mass - whole).max()),
    "largest_change_with_whole_words": apart,
  }


def _texts(subject, named) -> recipe.Table:
  rows = []
  for place, task in enumerate(TASKS):
    for name, flips in named.items():
      ids = subject.encode(prompts(subject, flips)[place])
      text = subject.tokenizer.decode(ids)
      rows.append((task, name, text.replace("\n", "\\n")))
  return recipe.Table(
    "What the model reads (\\n is a new line)",
    ("task", "x", "text"),
    tuple(rows),
  )


def _compared(found, names) -> recipe.Table:
  first, whole = np.exp(found.first), np.exp(found.whole)
  rows = []
  for task, (name, words) in enumerate(TASKS.items()):
    for place, flips in enumerate(names):
      both = first[task, place], whole[task, place]
      rows.append(
        (
          *(name, flips),
          *(f"{one[0]:.4f}, {one[1]:.4f}" for one in both),
          *(f"{one.sum():.4f}" for one in both),
          *(f"{words[1]} {one[1] / one.sum():.4f}" for one in both),
        )
      )
  header = [
    f"{what}, {which}"
    for what in ("both answers", "together", "share of the second")
    for which in ("first tokens", "whole words")
  ]
  return recipe.Table(
    "First tokens and whole words (Heads, Tails; random, non)",
    ("task", "x", *header),
    tuple(rows),
  )


def _pieces(subject, answers) -> recipe.Table:
  rows = [
    row
    for one in answers
    for row in whole_words.spelled(subject.tokenizer, one).items()
  ]
  return recipe.Table(
    "Pieces of the answer words", ("answer", "ways to write it"), tuple(rows)
  )


def _measurements(found, random, ideal, names) -> xr.Dataset:
  dims = ("task", "x", "answer")
  arrays = {
    f"{who}_log_{what}": (dims, getattr(one, what))
    for who, one in (("model", found), ("random_weights", random))
    for what in Read._fields
  }
  if ideal is not None:
    arrays["exact"] = (dims, ideal)
  return xr.Dataset(arrays, {"task": list(TASKS), "x": names})


_FIGURES = (
  recipe.Figure(
    "next_words.png",
    "Three questions about the same flips (rows), for a short and a long"
    f" repetition of {CONCEPT} (0 = Heads, 1 = Tails) and for fair flips"
    " (columns). Bars: how probable each answer is as the next word, and"
    " everything else together; random weights know no answer. The generation"
    " prompt states that the coin is fair; only the other two leave room for a"
    f" pattern. The next flip of the concept is Tails after {SHORT} flips and"
    f" Heads after {LONG}.",
    "Probabilities of the next word for three questions and three lists.",
  ),
)
_NOTES = (
  "An illustration: one reading of each text, which has no sampling noise and"
  " no interval, for one concept and one fair sequence. The recipes on"
  " judgments and on trees test the same over all concepts.",
  "In the generation prompt the list stands where the paper has the seed flip"
  " alone, and the stated probability of Tails is 50%.",
  "Of the paper's figure 1 only what it shows is known here, not its layout.",
)
_ONE_PIECE = (
  "Every answer word is one token of this model's vocabulary, so that whole"
  " words and first tokens are the same."
)
_PIECES = (
  "First tokens are those of the sections that follow. Where a word has several"
  " pieces, its probability is their product, each read after those before it;"
  " that of 'non' is then of 'non-random' as a whole."
)

RECIPE = recipe.Recipe(
  "prompts",
  "What the model is asked",
  "What does the model read, and what does it expect next after a short and"
  " after a long repetition?",
  "arXiv 2310.17639, figure 1",
  run,
)
