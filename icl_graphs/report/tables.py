"""The short table a program prints when it is done."""

from collections.abc import Mapping
import math
from typing import Any

from icl_graphs.report import wording


def headline(summary_for_graph: Mapping[str, Any]) -> str:
  """Align one graph's headline numbers: name, value, [low, high], null.

  Where an untrained model was measured too, its values stand in a last column.

  Args:
    summary_for_graph: flat summary of one graph (the value under its name in
      summary.json). Entries without a `value`, such as the report layer, go
      into a first line; absent measurements are simply not listed.

  Returns:
    Lines joined by newlines, no trailing newline, at most 80 columns for the
    names in use. Missing numbers read `n/a`; a missing interval is blank.
  """
  facts = [
    f"{name.replace('_', ' ')} {value}"
    for name, value in summary_for_graph.items()
    if isinstance(value, str | int | float)
  ]
  found = wording.findings(summary_for_graph)
  rows = [("", "value", "interval", "null", "random weights")]
  rows += [
    (
      one.name,
      wording.number(one.value),
      wording.interval(one.low, one.high),
      wording.number(one.null, one.value),
      wording.number(one.untrained),
    )
    for one in found
  ]
  columns = 5 if any(math.isfinite(one.untrained) for one in found) else 4
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
  lines = [", ".join(facts)] if facts else []
  for row in rows:
    cells = [
      f"{cell:<{width}}" if place in (0, 2) else f"{cell:>{width}}"
      for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    lines.append("  ".join(cells[:columns]).rstrip())
  return "\n".join(lines)


def accounts(entries: Mapping[str, Mapping[str, Any]]) -> str:
  """The ranking of theoretical accounts: score, interval, null, verdict.

  Args:
    entries: account to its entry of the summary, in the order to list.
  """
  rows = [("account", "R2", "interval", "null", "p", "verdict")]
  for one in entries.values():
    score, low, high, null, p = (
      wording.as_float(one[key])
      for key in ("score", "low", "high", "null", "p")
    )
    rows.append(
      (
        str(one["title"]),
        wording.number(score),
        wording.interval(low, high),
        wording.number(null, score),
        wording.number(p),
        str(one["verdict"]),
      )
    )
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
  return "\n".join(
    "  ".join(
      f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)
    ).rstrip()
    for row in rows
  )
