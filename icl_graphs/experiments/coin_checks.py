"""What is refused before a model is asked about coin flips."""

from collections.abc import Iterator
import contextlib
from typing import Any

from icl_graphs import errors
from icl_graphs.experiments import coin_forms
from icl_graphs.tasks import coin_questions, coins

_AT_LEAST_ONE = (
  *("sequences", "flips", "tokens", "judged", "tree", "resamples"),
  "batch_size",
)
_SEEDS = 2**32  # of the sampler


def settings(asked: Any) -> None:
  """Refuses settings that no model could be asked with.

  Args:
    asked: `coin_subject.Settings`.

  Raises:
    InputError: naming the flag, or what is wrong with the file of questions.
  """
  if asked.form not in coin_forms.FORMS:
    raise errors.InputError(
      f"--form={asked.form} is not one of {', '.join(coin_forms.FORMS)}"
    )
  for name in _AT_LEAST_ONE:
    number = getattr(asked, name)
    if number is not None and number < 1:
      raise errors.InputError(f"--{name}={number} is below 1")
  if not 0 <= asked.seed < _SEEDS:
    raise errors.InputError(
      f"--seed={asked.seed} is not one of 0 to {_SEEDS - 1}"
    )
  if not asked.percents:
    raise errors.InputError("--percents is empty; give some, e.g. 20,50,80")
  for percent in asked.percents:
    coins.generation(percent)
  if len(set(asked.percents)) < len(asked.percents):
    raise errors.InputError(
      f"--percents={','.join(map(str, asked.percents))} has one of them twice"
    )
  if asked.questions:
    coin_questions.read(asked.questions)


def prompts_fit(longest: int, positions: int) -> None:
  """Refuses a model that has no room for flips.

  Args:
    longest: tokens of the longest prompt with a single flip.
    positions: of the model.
  """
  if longest >= positions:
    raise errors.InputError(
      f"a prompt with a single flip takes {longest} of the {positions}"
      " positions of the model; use a model of longer contexts"
    )


@contextlib.contextmanager
def asking(model: str) -> Iterator[None]:
  """Says of what is refused that it is this model."""
  try:
    yield
  except errors.InputError as error:
    raise errors.InputError(
      f"{model} cannot be asked about coin flips: {error}"
    ) from error
