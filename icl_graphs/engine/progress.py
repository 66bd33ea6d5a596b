"""Progress of a long run: a bar with tokens per second and time left."""

import contextlib
import sys

import tqdm


@contextlib.contextmanager
def bar(label: str, total_tokens: int, done_tokens: int = 0):
  """Yields a function to be told how many more tokens are done."""
  with tqdm.tqdm(
    total=total_tokens,
    initial=done_tokens,
    desc=label,
    unit="tok",
    unit_scale=True,
    mininterval=0.5 if sys.stderr.isatty() else 10.0,
    dynamic_ncols=True,
  ) as display:
    yield display.update
