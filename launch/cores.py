"""A small model on a CPU: one device per core, each with walks of its own.

XLA runs the many small products of a small model on one core however many there
are (measured; see the build notes). A large model keeps one device: its
products use all cores, and its parameters should be there once.
"""

from collections.abc import Iterable
import pathlib

from icl_graphs import errors
from icl_graphs.engine import parallel
from icl_graphs.models import hub, weight_files

# Bytes of weights up to which every core has a copy.
_SMALL = 100_000_000


def share(
  models: Iterable[str],
  revision: str | None = None,
  cache_dir: pathlib.Path | None = None,
) -> None:
  """Makes every core a device if all models are small.

  To be called before jax looks for devices; see `parallel.one_device_per_core`.

  Args:
    models: folders, hub ids or bundled:NAME; downloaded if need be.
    revision, cache_dir: as in `hub.resolve`.

  Raises:
    InputError: a model that cannot be found.
  """
  for model in models:
    folder = hub.resolve(model, revision=revision, cache_dir=cache_dir)
    try:
      size = weight_files.total_bytes(folder)
    except errors.InputError:
      # Whatever is wrong with the weights, loading them says it better.
      return
    if size > _SMALL:
      return
  parallel.one_device_per_core()
