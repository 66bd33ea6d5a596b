"""Rivals timed in turns.

Runs of the rivals are interleaved, so that a machine that slows down slows all
of them; medians, ranges and ratios are reported. Warming up (compilation, first
touches of memory) is outside the clock. What is too slow to run in full is
measured on a part and scaled, and says so.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
import dataclasses
import pathlib
import time
from typing import Any

import jax
import numpy as np


@dataclasses.dataclass(frozen=True)
class Rival:
  """One way to do the job.

  Attributes:
    name: unique among the rivals.
    run: does the job, or a part of it. What it returns is waited for where it
      is on a device, and dropped.
    units: useful work of the whole job: tokens without padding, for instance.
    scale: the whole job is this many times what `run` does.
    warm_ups: runs before the clock starts.
    unit: what `units` counts.
  """

  name: str
  run: Callable[[], Any]
  units: float
  scale: float = 1.0
  warm_ups: int = 1
  unit: str = "tokens"


@dataclasses.dataclass(frozen=True)
class Row:
  """What came of one rival.

  Attributes:
    name: of the rival.
    units: useful work of the whole job.
    seconds: of every repeat, as measured.
    scale: the whole job is this many times what was measured.
    unit: what is counted.
    extra: more that JSON shows of it.
  """

  name: str
  units: float
  seconds: tuple[float, ...]
  scale: float = 1.0
  unit: str = "tokens"
  extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)

  @property
  def median(self) -> float:
    """Seconds of the whole job."""
    return float(np.median(self.seconds)) * self.scale

  @property
  def rate(self) -> dict[str, float]:
    """Units per second: median, low (slowest repeat) and high."""
    spread = {
      "median": self.median,
      "low": max(self.seconds) * self.scale,
      "high": min(self.seconds) * self.scale,
    }
    return {key: self.units / seconds for key, seconds in spread.items()}

  def as_dict(self) -> dict[str, Any]:
    """For JSON; "tokens_per_second", or what `unit` says instead of tokens."""
    content = {
      f"{self.unit}_per_second": self.rate,
      self.unit: self.units,
      "median": self.median,
      "seconds": list(self.seconds),
    }
    if self.scale != 1:
      content["scaled_by"] = self.scale
    return content | dict(self.extra)


@dataclasses.dataclass(frozen=True)
class Result:
  """What a benchmark returns to `launch.benchmark`.

  Attributes:
    rows: of all rivals; printed as a table, the first one as reference.
    content: what else JSON holds at the top level.
    notes: lines printed below the table.
    files: name in the folder --out, and what writes it there.
  """

  rows: Sequence[Row]
  content: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  notes: Sequence[str] = ()
  files: Mapping[str, Callable[[pathlib.Path], Any]] = dataclasses.field(
    default_factory=dict
  )


def option(default: Any, text: str) -> Any:
  """A field of settings that is a flag of `launch.benchmark`, with its help."""
  return dataclasses.field(default=default, metadata={"help": text})


def interleave(
  rivals: Sequence[Rival],
  repeats: int,
  advance: Callable[[Rival], Any] = lambda rival: None,
) -> list[Row]:
  """Warms every rival up, then runs all of them in turn, `repeats` times.

  Args:
    rivals: in the order in which they take turns and are reported.
    repeats: of every rival.
    advance: told of every run that ended, warm-ups included.

  Raises:
    ValueError: two rivals of one name.
  """
  if len({rival.name for rival in rivals}) < len(rivals):
    raise ValueError(f"two of one name: {[rival.name for rival in rivals]}")
  for rival in rivals:
    for _ in range(rival.warm_ups):
      jax.block_until_ready(rival.run())
      advance(rival)
  seconds = {rival.name: [] for rival in rivals}
  for _ in range(repeats):
    for rival in rivals:
      begin = time.perf_counter()
      jax.block_until_ready(rival.run())
      seconds[rival.name].append(time.perf_counter() - begin)
      advance(rival)
  return [
    Row(r.name, r.units, tuple(seconds[r.name]), r.scale, r.unit)
    for r in rivals
  ]


def as_dict(rows: Iterable[Row]) -> dict[str, dict[str, Any]]:
  """Name to what JSON shows of the row."""
  return {row.name: row.as_dict() for row in rows}


def table(rows: Sequence[Row]) -> str:
  """A line per row: seconds, rate, and time per unit beside the first row."""
  first = rows[0].median / rows[0].units
  width = max(len(row.name) for row in rows) + 2
  lines = []
  for row in rows:
    low, high = (f(row.seconds) * row.scale for f in (min, max))
    spread = f"[{low:.3g}, {high:.3g}]"
    note = f"  (scaled by {row.scale:,.0f})" if row.scale != 1 else ""
    lines.append(
      f"{row.name:<{width}}{row.median:>9.3g} s  {spread:<18}"
      f"{row.rate['median']:>13,.0f} {row.unit}/s"
      f"{row.median / row.units / first:>9.3g}x time{note}"
    )
  return "\n".join(lines)
