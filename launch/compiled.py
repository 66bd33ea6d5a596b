"""Compiled programs are kept on disk, so that the next run starts at once."""

import hashlib
import os
import pathlib
import platform
import sys

_VARIABLE = "JAX_COMPILATION_CACHE_DIR"


def usual_folder() -> pathlib.Path:
  """In the user's cache directory, one folder per kind of processor.

  What is compiled for one processor may be an illegal instruction for another
  one that shares the home directory.
  """
  base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
  kind = platform.machine()
  try:
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    features = next(x for x in lines if x.startswith(("flags", "Features")))
    kind += "-" + hashlib.sha256(features.encode()).hexdigest()[:12]
  except (OSError, StopIteration):
    pass
  return pathlib.Path(base) / "icl_graphs" / "compiled" / kind


def keep(folder: str | None) -> None:
  """Has jax keep what it compiles, unless the environment says where already.

  Args:
    folder: created when needed; None or empty to keep nothing.
  """
  if _VARIABLE in os.environ or not folder:
    return
  # Programs that do not need jax do not import it for this.
  if "jax" in sys.modules:
    sys.modules["jax"].config.update("jax_compilation_cache_dir", folder)
  else:
    os.environ[_VARIABLE] = folder
