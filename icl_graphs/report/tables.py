"""The short table a program prints when it is done."""

from collections.abc import Mapping
from typing import Any

from icl_graphs.report import wording


def headline(summary_for_graph: Mapping[str, Any]) -> str:
  """Align one graph's headline numbers: name, value, [low, high], null.

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
  rows = [("", "value", "interval", "null")]
  rows += [
    (
      finding.name,
      wording.number(finding.value),
      wording.interval(finding.low, finding.high),
      wording.number(finding.null),
    )
    for finding in wording.findings(summary_for_graph)
  ]
  widths = [max(len(row[column]) for row in rows) for column in range(4)]
  lines = [", ".join(facts)] if facts else []
  for name, value, span, null in rows:
    lines.append(
      f"{name:<{widths[0]}}  {value:>{widths[1]}}  "
      f"{span:<{widths[2]}}  {null:>{widths[3]}}".rstrip()
    )
  return "\n".join(lines)
