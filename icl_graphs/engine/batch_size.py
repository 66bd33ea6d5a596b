"""How many walks a device takes at once: as many as pay, and as fit."""

from collections.abc import Callable
from typing import NamedTuple

import jax

from icl_graphs.engine import parallel

# Beyond this a device is busy already, and more only costs memory.
_TOKENS = 2**17
# More does not raise the rate of a CPU.
_MOST_ON_CPU = 32
# Share of the memory left alone: on a CPU for the rest of the program and other
# programs; elsewhere for fragments.
_CPU_RESERVE, _RESERVE = 0.5, 0.1


class Fit(NamedTuple):
  """A batch size, its program and the memory of one device.

  Attributes:
    batch_size: walks per member of the spread.
    program: compiled for it.
    used: bytes, parameters and running totals included.
    limit: bytes that it may use.
    reserve: share of the device's memory beyond the limit.
  """

  batch_size: int
  program: jax.stages.Compiled
  used: int
  limit: int
  reserve: float

  def __str__(self) -> str:
    return (
      f"{self.batch_size} walks per step: {self.used / 1e9:.2f} of"
      f" {self.limit / 1e9:.2f} GB per device, {self.reserve:.0%} in reserve"
    )


def choose(
  compile: Callable[[int], jax.stages.Compiled],
  device: jax.Device,
  *,
  walks: int,
  words: int,
) -> Fit:
  """The largest batch that pays and fits, from compiled programs.

  Usually the first one that is compiled; one that does not fit tells by how
  much.

  Args:
    compile: batch size to program.
    device: one of those it runs on.
    walks: per member of the spread, in all.
    words: of a walk.
  """
  on_cpu = device.platform == "cpu"
  reserve = _CPU_RESERVE if on_cpu else _RESERVE
  limit = int(parallel.device_bytes(device) * (1 - reserve))
  most = _MOST_ON_CPU if on_cpu else max(1, _TOKENS // words)
  batch_size = even(walks, most)
  while True:
    try:
      program = compile(batch_size)
    except jax.errors.JaxRuntimeError as error:
      if not parallel.out_of_memory(error) or batch_size == 1:
        raise
      batch_size //= 2
      continue
    fixed, growing = _bytes(program)
    if fixed + growing <= limit or batch_size == 1:
      return Fit(batch_size, program, fixed + growing, limit, reserve)
    room = batch_size * max(0, limit - fixed) // growing
    batch_size = even(walks, max(1, min(room, batch_size - 1)))


def even(walks: int, most: int) -> int:
  """The smallest batch that takes no more steps than batches of `most` do."""
  steps = -(-walks // most)
  return -(-walks // steps)


def _bytes(program: jax.stages.Compiled) -> tuple[int, int]:
  """Bytes of one device whatever the batch, and those that grow with it."""
  memory = program.memory_analysis()
  # The sums of a step beside those of the step before and the running total.
  fixed = memory.argument_size_in_bytes + 3 * memory.output_size_in_bytes
  return fixed, max(1, memory.temp_size_in_bytes)
