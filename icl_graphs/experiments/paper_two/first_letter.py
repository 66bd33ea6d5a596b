"""What changes under the authors' own rule for answer tokens.

They keep the few likeliest next tokens and sum those with the right first
letter. We sum the first tokens of the answer words over the whole vocabulary.

Legend: n contexts, k numbers of tokens that are kept.
"""

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Bool, Float, Int
import numpy as np

from icl_graphs.analysis import concepts, thresholds
from icl_graphs.experiments import coin_subject, recipe
from icl_graphs.experiments.paper_two import judged
from icl_graphs.tasks import coins

# Likeliest tokens that are looked at; the authors kept 3 to 100.
COUNTS = (5, 10, 100)
OURS = "first tokens, whole vocabulary (used here)"
NOTE = (
  "The authors count tokens by their first letter among the likeliest few; the"
  " table of answer tokens says how far numbers change under their rule. Where"
  " none of these tokens begins with either letter, there is no answer."
)


class Rule(NamedTuple):
  """Answers under one rule, beside ours.

  Attributes:
    name: of the rule.
    share: of the second answer; NaN where there is none.
    missing: share of reads without an answer.
    mean, most: how far shares are from ours.
    n50: of every concept's curve.
    near: whether it is at most a flip from ours, or neither is ever reached.
  """

  name: str
  share: Float[np.ndarray, "..."]
  missing: float
  mean: float
  most: float
  n50: Float[np.ndarray, " concept"]
  near: Bool[np.ndarray, " concept"]

  def numbers(self) -> dict[str, float]:
    """`value` is the mean change."""
    return {
      "value": self.mean,
      "largest": self.most,
      "reads_without_an_answer": self.missing,
      "concepts_with_n50_within_a_flip": int(self.near.sum()),
      "of": len(self.near),
    }

  def cells(self) -> tuple[str, ...]:
    """Of a table, after the rule's name and its means."""
    known = self.n50[np.isfinite(self.n50)]
    return (
      f"{known.mean():.1f} ({len(known)})" if len(known) else "never",
      f"{self.near.sum()} of {len(self.near)}",
      f"{self.mean:.4f}",
      f"{self.most:.3f}",
      f"{self.missing:.1%}",
    )


_CELLS = (
  "mean n50 (concepts that settle)",
  "n50 within a flip of ours",
  "mean change",
  "largest change",
  "reads without an answer",
)


def share(
  masses: Float[np.ndarray, "... 2"],
) -> Float[np.ndarray, "..."]:
  """The second part of two; NaN where both are 0."""
  total = masses.sum(axis=-1)
  return np.where(
    total > 0, masses[..., 1] / np.where(total > 0, total, 1), np.nan
  )


def rule(
  name: str,
  found: Float[np.ndarray, "..."],
  ours: Float[np.ndarray, "..."],
  curves: tuple[Float[np.ndarray, "concept n"], ...],
  lengths: Int[np.ndarray, " n"],
) -> Rule:
  """Compares a rule with ours.

  Args:
    name: of the rule.
    found, ours: shares of the second answer.
    curves: of every concept, by the rule and by us.
    lengths: of the curves.
  """
  known = np.isfinite(found)
  apart = np.abs(found - ours)[known]
  # What has no answer is not settled.
  n50, other = (
    thresholds.settled(np.nan_to_num(one), lengths) for one in curves
  )
  never = np.isnan(n50) & np.isnan(other)
  return Rule(
    name,
    found,
    float(1 - known.mean()),
    float(apart.mean()) if apart.size else np.nan,
    float(apart.max()) if apart.size else np.nan,
    n50,
    never | (np.abs(n50 - other) <= 1),
  )


def judgments(
  subject: coin_subject.CoinSubject, seen: judged.Read
) -> tuple[dict[str, dict[str, float]], recipe.Table]:
  """p(random) and its transitions under both rules.

  Args:
    subject: the model.
    seen: its judgments under our rule.

  Returns:
    Numbers by name, and a table.
  """
  groups = subject.judgment_contexts(seen.flips)
  masses = np.stack(
    subject.by_letter("judgment by letter", groups, ("r", "n"), COUNTS)
  )[:, 1:]
  count = len(seen.names)
  rules = [
    rule(name, found, seen.non, (found[:count], seen.non[:count]), seen.lengths)
    for name, found in _named(seen.non, masses)
  ]
  rows = [
    (
      one.name,
      *(_mean(1 - part) for part in (one.share[:count], one.share[count:])),
      *one.cells(),
    )
    for one in rules
  ]
  header = ("answer tokens", "mean p(random), concepts", "fair flips", *_CELLS)
  return _numbers(rules), recipe.Table(
    "p(random) under the authors' rule for answer tokens", header, tuple(rows)
  )


def trees(
  subject: coin_subject.CoinSubject, names: Sequence[str], depth: int
) -> tuple[dict[str, dict[str, float]], recipe.Table]:
  """p(Tails) and concept probabilities under both rules.

  Args:
    subject: the model.
    names: of concepts.
    depth: of the concept probability.
  """
  ours = [concepts.share_of_second(subject.trees(name)[0]) for name in names]
  lengths = subject.trees(names[0])[1]
  contexts = [coins.tree_contexts(name, lengths.tolist()) for name in names]
  groups = [
    [subject.encode(coins.tree(flips)) for flips in one.flips]
    for one in contexts
  ]
  found = subject.by_letter("trees by letter", groups, ("h", "t"), COUNTS)
  masses = np.stack(
    [one[of.index] for one, of in zip(found, contexts, strict=True)]
  )
  ours = np.stack(ours)
  rules = [
    rule(
      name,
      tails,
      ours,
      tuple(_curves(one, names, depth) for one in (tails, ours)),
      lengths,
    )
    for name, tails in _named(ours, masses)
  ]
  rows = [(one.name, _mean(one.share), *one.cells()) for one in rules]
  return _numbers(rules), recipe.Table(
    f"p(Tails) under the authors' rule for answer tokens ({', '.join(names)})",
    ("answer tokens", "mean p(Tails)", *_CELLS),
    tuple(rows),
  )


def _named(ours, masses):
  """Shares of the second answer, by rule; ours first."""
  yield OURS, ours
  for place, count in enumerate(COUNTS):
    yield f"first letter, top {count}", share(masses[..., place, :])


def _curves(tails, names, depth):
  return np.stack(
    [
      concepts.concept_probability(one, name, depth)
      for one, name in zip(tails, names, strict=True)
    ]
  )


def _mean(values) -> str:
  return f"{np.nanmean(values):.3f}" if np.isfinite(values).any() else "-"


def _numbers(rules) -> dict[str, dict[str, float]]:
  return {one.name: one.numbers() for one in rules[1:]}
