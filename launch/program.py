"""How every program of this folder starts and ends.

Exit status 0 means done and 2 bad input, with the reason on standard error.
"""

from collections.abc import Callable, Sequence
import sys
from typing import Any

from absl import app, flags, logging

from icl_graphs import errors

BAD_INPUT = 2


def run(main: Callable[[Sequence[str]], Any]) -> None:
  """Parses flags, runs `main` and turns bad input into exit status 2."""

  def guarded(arguments: Sequence[str]) -> None:
    # JAX tells at this level which accelerators it did not find.
    logging.set_verbosity(logging.WARNING)
    try:
      if len(arguments) > 1:
        raise errors.InputError(
          f"unexpected argument {arguments[1]!r}; every option is a --flag"
        )
      main(arguments)
    except errors.InputError as error:
      _refuse(error)

  app.run(guarded, flags_parser=_parse)


def _parse(arguments: Sequence[str]) -> list[str]:
  try:
    return flags.FLAGS(arguments)
  except flags.Error as error:
    _refuse(f"{error} (--help lists the flags)")


def _refuse(reason: object) -> None:
  print(f"error: {reason}", file=sys.stderr)
  sys.exit(BAD_INPUT)
