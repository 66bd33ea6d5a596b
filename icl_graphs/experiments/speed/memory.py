"""Peak memory of one row above the weights, in a process of its own.

Both sides the same way: weights are loaded and touched, programs compiled,
freed memory is given back to the system; then the peak of the resident set
during the first run, as the system counts it, above what was resident before.
On an accelerator, the peak of its allocator above the weights.
"""

from collections.abc import Callable
from concurrent import futures
import multiprocessing
from typing import Any

import jax

from icl_graphs.engine import throughput


def peak_bytes(load: Callable[[], Any], row: str) -> int | None:
  """Bytes, or None where the system does not tell.

  Args:
    load: makes a side with `run(row)` and `device_peak_bytes()`; can be
      pickled, as it is called in a fresh process.
    row: one of that side's.
  """
  fresh = multiprocessing.get_context("spawn")
  with futures.ProcessPoolExecutor(1, mp_context=fresh) as pool:
    return pool.submit(_peak_bytes, load, row).result()


def _peak_bytes(load, row) -> int | None:
  side = load()
  run = side.run(row)
  throughput.settle()
  before = throughput.host_bytes()
  counts = throughput.reset_peak()
  jax.block_until_ready(run())
  on_device = side.device_peak_bytes()
  if on_device is not None:
    return on_device
  after = throughput.host_bytes()
  if before is None or not counts:
    return None
  return after["peak"] - before["now"]
