"""Multiple-choice questions whose answer is replaced by coin flips.

A repeated pattern stands where a letter should, and the next token is read:
does the model answer, or go on flipping? (arXiv 2310.17639, appendix E, and its
released code.) The package has ten questions of its own, two for each of the
original's subjects; a user's file has the form of the MMLU test files.
"""

from collections.abc import Sequence
import csv
import functools
import importlib.resources
import json
import pathlib
from typing import Any, NamedTuple

from icl_graphs import errors
from icl_graphs.tasks import coins

LETTERS = ("A", "B", "C", "D")
# Flips of the concept 01 after `Answer:`.
LENGTHS = (*range(1, 100), *range(100, 1001, 100))
CONCEPT = "01"
# The original takes the first two questions of every subject.
PER_SUBJECT = 2
_PARTS = ("_test", "_dev", "_val")
_FLIPS = frozenset(("h", "eads", "heads", "t", "tails", "ails", ","))


class Item(NamedTuple):
  """A question.

  Attributes:
    subject: with underscores, as in file names.
    question: its text.
    choices: four answers.
    key: letter of the right one.
  """

  subject: str
  question: str
  choices: tuple[str, str, str, str]
  key: str


def prompt(item: Item, flips: Sequence[int]) -> str:
  """The question with flips, and a comma after the last, as its answer.

  Two spaces stand before the subject, as in the original.
  """
  subject = item.subject.replace("_", " ")
  choices = "".join(
    f"{letter}. {choice}\n"
    for letter, choice in zip(LETTERS, item.choices, strict=True)
  )
  return (
    "The following are multiple choice questions (with answers) about "
    f" {subject}.\n\n{item.question}\n{choices}"
    f"Answer: {coins.flips_text(flips, goes_on=True)}"
  )


@functools.cache
def packaged() -> tuple[Item, ...]:
  """The package's own ten questions."""
  folder = importlib.resources.files("icl_graphs.tasks")
  content = json.loads((folder / "coin_questions.json").read_text("utf-8"))
  return tuple(
    Item(subject, one["question"], tuple(one["choices"]), one["key"])
    for subject, items in content.items()
    for one in items
  )


def read(
  path: str | pathlib.Path, count: int = PER_SUBJECT
) -> tuple[Item, ...]:
  """The first questions of a file in the form of the MMLU test files.

  Args:
    path: a CSV file without a header, with the columns question, four choices
      and key; its name, without `_test`, is the subject. Or a folder of such
      files.
    count: questions of every file.

  Raises:
    InputError: no such file, no question, or a line of another form.
  """
  path = pathlib.Path(path)
  files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
  if not files:
    raise errors.InputError(f"the folder {path} has no CSV file of questions")
  return tuple(item for file in files for item in _items(file, count))


def _items(file: pathlib.Path, count: int) -> list[Item]:
  subject = file.stem
  for part in _PARTS:
    subject = subject.removesuffix(part)
  try:
    with open(file, encoding="utf-8", newline="") as opened:
      rows = [row for row, _ in zip(csv.reader(opened), range(count))]  # noqa: B905
  except (OSError, ValueError, csv.Error) as error:
    raise errors.InputError(
      f"the questions in {file} cannot be read: {error}"
    ) from error
  if not rows:
    raise errors.InputError(f"{file} has no question")
  for number, row in enumerate(rows, start=1):
    if len(row) != 6 or row[5].strip() not in LETTERS:
      raise errors.InputError(
        f"question {number} of {file} has the columns {row!r}; expected"
        " question, four choices and the letter of the right one, without a"
        " header"
      )
  return [
    Item(subject, row[0], tuple(row[1:5]), row[5].strip()) for row in rows
  ]


def classes(tokenizer: Any, vocab_size: int) -> dict[str, tuple[int, ...]]:
  """What a next token counts as: Flips, a letter, or Answer; ids by name.

  Args:
    tokenizer: of the model in use.
    vocab_size: V, of the model, which may exceed the tokenizer's.

  Raises:
    InputError: a class without a token.
  """
  found: dict[str, list[int]] = {
    name: [] for name in ("Flips", *LETTERS, "Answer")
  }
  for id_ in range(min(len(tokenizer), vocab_size)):
    text = tokenizer.decode([id_])
    bare = text.strip()
    if bare.lower() in _FLIPS:
      found["Flips"].append(id_)
    elif bare in LETTERS:
      found[bare].append(id_)
    elif bare == "Answer" or (not bare and "\n" in text):
      found["Answer"].append(id_)
  empty = [name for name, ids in found.items() if not ids]
  if empty:
    raise errors.InputError(
      f"no token of this tokenizer counts as {', '.join(empty)}: its"
      " vocabulary is too small for multiple-choice questions"
    )
  return {name: tuple(ids) for name, ids in found.items()}
