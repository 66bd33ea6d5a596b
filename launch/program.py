"""How every program of this folder starts and ends.

Exit status 0 means done, 2 bad input and 3 that another host stopped, with the
reason on standard error.
"""

from collections.abc import Callable, Sequence
import os
import sys
import traceback
from typing import Any

from absl import app, flags, logging

from icl_graphs import errors
from launch import compiled

BAD_INPUT, LOST_HOST = 2, 3

_COMPILATION_CACHE = flags.DEFINE_string(
  "compilation_cache",
  str(compiled.usual_folder()),
  "Where compiled programs are kept for the next run; empty for nowhere.",
)


def run(
  main: Callable[[Sequence[str]], Any], keep_compiled: bool = True
) -> None:
  """Parses flags, runs `main` and turns bad input into exit status 2.

  Args:
    main: told the arguments that are no flags.
    keep_compiled: whether to use the cache; not to be used where compiling is
      what is measured.
  """

  def guarded(arguments: Sequence[str]) -> None:
    # JAX tells at this level which accelerators it did not find.
    logging.set_verbosity(logging.WARNING)
    compiled.keep(_COMPILATION_CACHE.value if keep_compiled else None)
    try:
      if len(arguments) > 1:
        raise errors.InputError(
          f"unexpected argument {arguments[1]!r}; every option is a --flag"
        )
      main(arguments)
    except errors.InputError as error:
      _refuse(error)
    except errors.LostHostError as error:
      _end(LOST_HOST, error)
    # Whatever it is, it ends this program: told, then raised or exited with.
    except Exception:
      if _among_hosts():
        _end(1, traceback.format_exc())
      raise

  app.run(guarded, flags_parser=_parse)


def _parse(arguments: Sequence[str]) -> list[str]:
  try:
    return flags.FLAGS(arguments)
  except flags.Error as error:
    _refuse(f"{error} (--help lists the flags)")


def _refuse(reason: object) -> None:
  _end(BAD_INPUT, reason)


def _end(status: int, reason: object) -> None:
  print(f"error: {reason}", file=sys.stderr, flush=True)
  if _among_hosts():
    # An ordinary exit would wait for hosts that wait for this one.
    sys.stdout.flush()
    os._exit(status)
  sys.exit(status)


def _among_hosts() -> bool:
  # Programs that do not need jax do not import it for this.
  jax = sys.modules.get("jax")
  return jax is not None and jax.distributed.is_initialized()
