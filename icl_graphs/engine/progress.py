"""Progress of long work: a bar with the rate and the time left."""

import contextlib
import sys

import tqdm

# Less is read in a moment.
_BYTES_WORTH_A_BAR = 200_000_000


@contextlib.contextmanager
def bar(
  label: str, total_tokens: int, done_tokens: int = 0, hidden: bool = False
):
  """Yields a function to be told how many more tokens are done."""
  with tqdm.tqdm(
    total=total_tokens,
    initial=done_tokens,
    desc=label,
    unit="tok",
    unit_scale=True,
    mininterval=0.5 if sys.stderr.isatty() else 10.0,
    dynamic_ncols=True,
    disable=hidden,
  ) as display:
    yield display.update


def say(text: str) -> None:
  """A line above the bar that may be shown."""
  tqdm.tqdm.write(text, file=sys.stderr)


@contextlib.contextmanager
def loading(label: str, total_bytes: int):
  """Yields a function to be told how many more bytes are read.

  Only a large model shows a bar.
  """
  with tqdm.tqdm(
    total=total_bytes,
    desc=label,
    unit="B",
    unit_scale=True,
    mininterval=0.5 if sys.stderr.isatty() else 10.0,
    dynamic_ncols=True,
    disable=total_bytes < _BYTES_WORTH_A_BAR,
  ) as display:
    yield display.update
