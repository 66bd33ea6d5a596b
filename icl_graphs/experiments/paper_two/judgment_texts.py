"""What the recipe of judgments says: claims, captions, table and notes."""

from collections.abc import Sequence

import numpy as np

from icl_graphs.analysis import judgments
from icl_graphs.experiments import recipe

# Claim and criterion.
C6 = (
  "Judged randomness changes sharply with the length of a repeated pattern (the"
  " reviews of the paper say).",
  "for most of the 27 concepts (95% interval of the share above one half, and"
  " above the share of fair sequences for which the same holds) p(non-random)"
  " settles above one half, a step or a logistic fits it better than a line"
  f" (BIC), and it rises from 10% to 90% {judgments.WIDEST_REASON}",
)
C7 = (
  "Truly random flips are still judged random (a baseline that a reviewer asked"
  " for; the original's outcome is not available).",
  "mean p(random) of fair sequences from 40 flips on above one half, and at the"
  " longest lists above that of repeated concepts; both 95% intervals over"
  " sequences and concepts",
)

FIGURES = (
  recipe.Figure(
    "judged.png",
    "Left: the probability that a list of flips is judged random as a concept"
    " is repeated, one line per concept; darker and dotted lines are longer"
    " concepts. Right: the same for fair sequences, one faint line each, with"
    " their mean and the middle 90% of them. The dashed line on the right,"
    " where there is one, is the exact Bayesian answer for the bundled model.",
    "p(random) against the number of flips, for concepts and fair sequences.",
  ),
  recipe.Figure(
    "transitions.png",
    "Left: the number of flips from which on a concept is judged non-random"
    " with at least 50% and 90%, against the concept's length; crosses and"
    " pluses are the exact Bayesian answers, where they are known. Right: how"
    " fast the log-odds grow in between; an ideal observer who compares a"
    " repeated pattern with a fair coin gains ln 2 per flip.",
    "Transition lengths and evidence slopes against concept length.",
  ),
  recipe.Figure(
    "evidence.png",
    "Log-odds of 'non-random', less those of an empty list, so that a model's"
    " liking for one answer word does not count. Straight rises are evidence"
    " that adds up flip by flip. Dashed: the exact Bayesian answer, where it is"
    " known; the dotted line at the lower right rises by ln 2 per flip.",
    "Log-odds relative to an empty list against flips, six concepts.",
  ),
  recipe.Figure(
    "checks.png",
    "Left: one cycle of five flips in its five phases; lines that lie"
    " together do not depend on where the cycle starts. Middle: how much"
    " likelier fair flips are judged random than repeated ones of the same"
    " length; zero would be a model that does not tell them apart. Right: the"
    " judgment against the same model's prediction of the next flip in the"
    " task of trees. An observer who believes the same in both tasks lies on"
    " the line where one repetition is possible, and above it where several"
    " are that disagree on the next flip.",
    "Phase dependence, judgment advantage, and agreement between two tasks.",
  ),
)


def table(
  names: Sequence[str],
  found: judgments.Transitions,
  exact: judgments.Transitions | None,
) -> recipe.Table:
  """One row per concept; exact answers in brackets where they are known."""

  def cell(field, digits=0):
    ours = getattr(found, field)
    theirs = None if exact is None else getattr(exact, field)
    return [
      _number(value, digits)
      + ("" if theirs is None else f" ({_number(theirs[row], digits)})")
      for row, value in enumerate(ours)
    ]

  columns = {
    "n50": cell("n50"),
    "n90": cell("n90"),
    "n99": cell("n99"),
    "n50, phases averaged": cell("smooth", 1),
    "largest rise": cell("rise", 2),
    "false peak": cell("peak", 2),
    "10-90% width": cell("width", 1),
    "nats per flip": cell("slope", 2),
    "shape": list(found.shape),
  }
  return recipe.Table(
    "Transitions of p(non-random), by concept"
    + ("" if exact is None else " (exact Bayesian answer in brackets)"),
    ("concept", *columns),
    tuple(zip(names, *columns.values(), strict=True)),
  )


def _number(value, digits) -> str:
  return "never" if np.isnan(value) else f"{value:.{digits}f}"


def unheard(mass: float) -> str:
  """Why nothing can be told where the model answers something else."""
  return (
    f"Only {mass:.2f} of the probability (median over reads) is on 'random' and"
    " 'non' together: the model answers something else."
  )


def notes(trailing_comma: bool, exact: bool) -> tuple[str, ...]:
  """Limits, and what differs from the paper.

  Args:
    trailing_comma: whether lists end in a comma.
    exact: whether the model is one whose right answers are known.
  """
  form = "ends in a comma" if trailing_comma else "has no comma at its end"
  untrained = (
    "The bundled model was trained on lists of 1 to 100 flips, never on an"
    " empty one: evidence relative to that can be held against the exact answer"
    " in steepness, not in height.",
  )
  return (
    *(untrained if exact else ()),
    "p(random) is divided between the first tokens of 'random' and of 'non';"
    " 'non' is the first piece of 'non-random'.",
    f"The list of flips {form}; the paper's runs differ in this, and the"
    " numbers say how far the other form moves judgments.",
    "A model's answer to a list is one number without sampling noise:"
    " intervals are over concepts and over fair sequences, and the concepts,"
    " five of which are rotations of one cycle, are the paper's rather than a"
    " sample.",
    "A sharp rise alone does not tell selection of a hypothesis from averaging:"
    " averaging rises by ln 2 per flip.",
    "A curve that rises too fast for a slope of its log-odds to be fitted"
    " counts with the least slope that it can have.",
    "BIC treats lengths as independent; it describes the shape and tests"
    " nothing.",
    "Evidence relative to an empty list can differ from p(non-random): where a"
    " model likes one answer word, only the former says what the flips did.",
  )
