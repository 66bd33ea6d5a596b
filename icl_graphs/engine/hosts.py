"""Several hosts that run one program together, each on its share of the walks.

All take the same decisions in the same order: what the first host reads from
disk, the others hear of. It alone writes.
"""

from collections.abc import Iterator
import contextlib
import hashlib
import sys
from typing import Any

import jax
from jax.experimental import multihost_utils
import numpy as np

from icl_graphs import errors

# For hosts that start later, and for those that end later.
_START_SECONDS = 300


def join(
  coordinator: str | None = None,
  number: int | None = None,
  host: int | None = None,
  lost_seconds: int = 60,
) -> None:
  """Joins the hosts of this run, before anything else is asked of jax.

  Args:
    coordinator: address and port of host 0; None where a cluster tells.
    number: of hosts; likewise.
    host: which one this is, from 0; likewise.
    lost_seconds: silence after which a host counts as lost.

  Raises:
    errors.InputError: nothing tells what is left out, or a host is missing.
  """
  try:
    jax.distributed.initialize(
      coordinator,
      number,
      host,
      initialization_timeout=_START_SECONDS,
      heartbeat_timeout_seconds=lost_seconds,
      shutdown_timeout_seconds=_START_SECONDS,
    )
  except (ValueError, RuntimeError) as error:
    raise errors.InputError(
      f"this host cannot join the others: {error}; check --coordinator,"
      " --num_hosts and --host, and that every host was started"
    ) from error
  if jax.process_count() > 1:
    print(
      f"host {jax.process_index()} of {jax.process_count()}; if another one"
      f" stops, this one ends within {lost_seconds} s",
      file=sys.stderr,
    )


def leave() -> None:
  """Waits for the others to be done, then goes on without them."""
  if jax.distributed.is_initialized():
    jax.distributed.shutdown()


def first() -> bool:
  """Whether this host is the one that writes."""
  return jax.process_index() == 0


def told(tree: Any, like: Any) -> Any:
  """What the first host has, on every host.

  Args:
    tree: of numpy arrays; only the first host's counts.
    like: of shapes and dtypes (`jax.ShapeDtypeStruct`), on every host.
  """
  if jax.process_count() == 1:
    return tree
  if not first():
    tree = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), like)
  return multihost_utils.broadcast_one_to_all(tree)


def agree(what: str, text: str) -> None:
  """Checks that every host has the same.

  Raises:
    errors.InputError: on every host, if not.
  """
  if jax.process_count() == 1:
    return
  mark = np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint8)
  marks = multihost_utils.process_allgather(mark)
  if (marks != mark).any():
    raise errors.InputError(
      f"the hosts of this run have different {what}; give all the same flags"
    )


def least(number: int) -> int:
  """The smallest of the hosts' numbers."""
  if jax.process_count() == 1:
    return number
  return int(multihost_utils.process_allgather(np.int32(number)).min())


@contextlib.contextmanager
def together() -> Iterator[None]:
  """Says what it most likely means when a step fails that all hosts take.

  Raises:
    errors.LostHostError: in place of jax's error.
  """
  try:
    yield
  except jax.errors.JaxRuntimeError as error:
    if jax.process_count() == 1:
      raise
    reason = str(error).splitlines()[0]
    raise errors.LostHostError(
      "a step that all hosts take together failed, most likely because another"
      f" host stopped; start all of them again with the same flags ({reason})"
    ) from error
