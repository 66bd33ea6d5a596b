"""Numbers with intervals, for tables and for summary.json."""

from collections.abc import Sequence

import numpy as np

from icl_graphs.report import wording

STATS = ("value", "low", "high")


def known(value: float) -> float | None:
  """None where it is not finite, which JSON cannot hold."""
  return float(value) if np.isfinite(value) else None


def entry(stats: Sequence[float]) -> dict[str, float | None]:
  """Value, low and high by name."""
  return {
    name: known(value) for name, value in zip(STATS, stats[:3], strict=True)
  }


def text(stats: Sequence[float]) -> str:
  """Value and interval as they stand in a table or a sentence."""
  value, low, high = (float(each) for each in stats[:3])
  if not np.isfinite(value):
    return "none"
  return f"{wording.number(value)} {wording.interval(low, high)}".strip()


def fixed(stats: Sequence[float], digits: int = 2) -> str:
  """The same with a fixed number of decimals."""
  value, low, high = (f"{float(each):.{digits}f}" for each in stats[:3])
  return f"{value} [{low}, {high}]"
