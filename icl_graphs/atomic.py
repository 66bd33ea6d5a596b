"""Files that are written whole or not at all.

A program that is killed leaves no half-written file under a final name.
"""

from collections.abc import Iterator
import contextlib
import os
import pathlib


@contextlib.contextmanager
def replaced(path: str | os.PathLike) -> Iterator[pathlib.Path]:
  """Yields a file beside `path` that takes its name once it is complete.

  Its name is always the same, so that what a killed program left behind is
  overwritten by the next one.
  """
  path = pathlib.Path(path)
  partial = path.with_name(f"{path.name}.partial")
  try:
    yield partial
    with open(partial, "rb") as file:
      os.fsync(file.fileno())
    os.replace(partial, path)
  finally:
    partial.unlink(missing_ok=True)


def write_text(path: str | os.PathLike, text: str) -> None:
  """Writes a text file in UTF-8; the old one stays until the new is whole."""
  with replaced(path) as partial:
    partial.write_text(text, encoding="utf-8")
