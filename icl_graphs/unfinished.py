"""Unfinished work on disk: named arrays, whole or not there at all.

Shared by every long job. The file carries a fingerprint of the job's settings,
so that work of other settings is refused, never mixed in.
"""

from collections.abc import Mapping
import pathlib
import zipfile

import numpy as np

from icl_graphs import atomic, errors

_MARK = "fingerprint"


def save(
  path: pathlib.Path, arrays: Mapping[str, np.ndarray], fingerprint: str
) -> None:
  """Writes the arrays; the old file stays whole until the new one is."""
  # Opened here: numpy adds its own ending to a name.
  with atomic.replaced(path) as partial, open(partial, "wb") as file:
    np.savez(file, **{_MARK: np.array(fingerprint)}, **arrays)


def load(path: pathlib.Path, fingerprint: str) -> dict[str, np.ndarray] | None:
  """The arrays that `save` wrote, or None where there is no file.

  Raises:
    InputError: the file is damaged or belongs to other settings.
  """
  if not path.exists():
    return None
  try:
    # Opened here: numpy leaves the file open when it is not an archive.
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
      arrays = dict(stored)
  except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
    raise errors.InputError(
      f"cannot resume from {path}: {error}; delete it to start again"
    ) from error
  if str(arrays.pop(_MARK, "")) != fingerprint:
    raise errors.InputError(
      f"{path} belongs to unfinished work with other settings; finish it with "
      "its own flags, delete the file, or choose another --out"
    )
  return arrays
