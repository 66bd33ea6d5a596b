"""What an experiment is: a question, a way to ask it, and an honest answer.

A recipe states beforehand what would show a claim. Its outcome says of every
claim whether it was shown, with the numbers, or why that cannot be told.
"""

from collections.abc import Callable, Mapping
import dataclasses
import pathlib
from typing import Any

import xarray as xr

from icl_graphs.experiments import subject as subject_lib

SHOWN, NOT_SHOWN, CANNOT_TELL = "shown", "not shown", "cannot tell"
VERDICTS = (SHOWN, NOT_SHOWN, CANNOT_TELL)


@dataclasses.dataclass(frozen=True)
class Claim:
  """A claim and what became of it on this model.

  Attributes:
    text: what the paper, or a follow-up, says; one sentence.
    criterion: what would show it, without reference to what was found.
    verdict: one of `VERDICTS`.
    reason: one or two sentences with the numbers, their intervals and nulls.
  """

  text: str
  criterion: str
  verdict: str
  reason: str

  def __post_init__(self):
    if self.verdict not in VERDICTS:
      raise ValueError(f"verdict {self.verdict!r} is not one of {VERDICTS}")


@dataclasses.dataclass(frozen=True)
class Figure:
  """A picture that the recipe wrote.

  Attributes:
    file: its name in the recipe's folder; PNG or GIF.
    caption: what a newcomer sees in it.
    alt: the same in one sentence, for those who cannot see it.
  """

  file: str
  caption: str
  alt: str


@dataclasses.dataclass(frozen=True)
class Table:
  """Numbers as text, ready to be read."""

  title: str
  header: tuple[str, ...]
  rows: tuple[tuple[str, ...], ...]


@dataclasses.dataclass(frozen=True)
class Outcome:
  """What a recipe found.

  Attributes:
    claims: in the order in which they are read.
    numbers: name to a number, or to {"value", "low", "high", "null", ...}.
    figures: written into the recipe's folder.
    tables: shown below the figures.
    measurements: every measured array, labelled.
    notes: limits, and what differs from the paper; one sentence each.
    scene: pictures for the viewer of the page, see `report.reproduction`.
  """

  claims: tuple[Claim, ...]
  numbers: Mapping[str, Any]
  figures: tuple[Figure, ...] = ()
  tables: tuple[Table, ...] = ()
  measurements: xr.Dataset | xr.DataTree | None = None
  notes: tuple[str, ...] = ()
  scene: tuple[Mapping[str, Any], ...] = ()


@dataclasses.dataclass(frozen=True)
class Recipe:
  """An experiment that can be asked for by name.

  Attributes:
    name: of the flag and the folder.
    title: heading in the report.
    question: one sentence.
    source: which figure of which paper.
    run: told the model and a folder for figures. Raises errors.InputError,
      before expensive work, where this model cannot be asked.
  """

  name: str
  title: str
  question: str
  source: str
  run: Callable[[subject_lib.Subject, pathlib.Path], Outcome]


def captioned(captions: Mapping[str, str]) -> tuple[Figure, ...]:
  """Figures by file; a caption's first sentence is for those who cannot see."""
  return tuple(
    Figure(file, caption, caption.split(". ")[0] + ".")
    for file, caption in captions.items()
  )


def verdict(shown: bool, denied: bool) -> str:
  """The verdict where a criterion may hold, fail, or neither."""
  if shown:
    return SHOWN
  return NOT_SHOWN if denied else CANNOT_TELL


def cannot(reason: str, *claims: tuple[str, str]) -> Outcome:
  """The outcome where a model cannot be asked at all.

  Args:
    reason: why; one sentence.
    claims: (text, criterion) of each.
  """
  return Outcome(
    tuple(Claim(*claim, CANNOT_TELL, reason) for claim in claims), {}
  )
