"""What may be said about a headline number.

Every sentence that judges a number is computed here from its interval and its
null; nothing about the outcome is written down in advance.
"""

from collections.abc import Mapping
import dataclasses
import math
from typing import Any

from icl_graphs.report import glossary

GEOMETRY = ("energy_relative", "distance_correlation", "principal_cosine_2")
BEHAVIOUR = ("accuracy_full", "accuracy_restricted")


@dataclasses.dataclass(frozen=True)
class Finding:
  """A number beside its interval and null, and the judgement they allow.

  `state` is one of: present (clear of the null on the side the graph predicts),
  matched (present, but no further than in the untrained model), absent (not
  distinguishable from the null), reversed (clear of it on the other side),
  unknown (no value or no null), context (a number that is not judged).
  `untrained` is the value of the same architecture with random weights.
  """

  name: str
  measure: glossary.Measure
  value: float
  low: float
  high: float
  null: float
  untrained: float
  state: str


def as_float(value: Any) -> float:
  """A float, with None and unreadable entries as NaN."""
  try:
    return float(value)
  except (TypeError, ValueError):
    return math.nan


def number(value: float, beside: float = math.nan) -> str:
  """Three significant digits; powers of ten only outside .001 to 10000.

  A number far smaller than the one it stands beside (the null of a correlation)
  is rounded to the other's decimals.
  """
  if not math.isfinite(value):
    return "n/a"
  size = abs(value)
  if math.isfinite(beside) and size < 1e-2 * abs(beside):
    size = abs(beside)
  if size != 0 and not 1e-3 <= size < 1e4:
    return f"{value:.2e}"
  digits = 2 if size == 0 else max(0, 2 - math.floor(math.log10(size)))
  text = f"{value:.{digits}f}"
  return text.lstrip("-") if float(text) == 0 else text


def interval(low: float, high: float) -> str:
  """`[low, high]`, or an empty string when there is no interval."""
  if not (math.isfinite(low) and math.isfinite(high)):
    return ""
  return f"[{number(low)}, {number(high)}]"


def judge(
  direction: int,
  value: float,
  low: float,
  high: float,
  null: float,
  band: tuple[float, float] = (math.nan, math.nan),
  untrained: float = math.nan,
) -> str:
  """Compare a number with its null; see `Finding.state` for the answers.

  The whole interval must lie on one side of the null and the value outside the
  band of the null, where that is known: a narrow interval over walks says
  nothing about relabellings. Where an untrained model was measured, the
  interval must also lie beyond its value.
  """
  if direction == 0:
    return "context"
  if not (math.isfinite(value) and math.isfinite(null)):
    return "unknown"
  low = low if math.isfinite(low) else value
  high = high if math.isfinite(high) else value
  # Comparisons with an unknown end are false.
  above = low > null and not value <= band[1]
  below = high < null and not value >= band[0]
  if not (above or below):
    return "absent"
  if above != (direction > 0):
    return "reversed"
  beyond = low > untrained if direction > 0 else high < untrained
  return "matched" if math.isfinite(untrained) and not beyond else "present"


def findings(
  summary: Mapping[str, Any],
  bands: Mapping[str, tuple[float, float]] | None = None,
) -> list[Finding]:
  """The measured entries of one graph's summary, in reading order.

  Args:
    summary: flat summary of one graph; entries that are not mappings with a
      `value` (report layer, window) are skipped.
    bands: lower and upper end of the null's band by name, where known.
  """
  bands = bands or {}
  measured = {
    name: entry
    for name, entry in summary.items()
    if isinstance(entry, Mapping) and "value" in entry
  }
  order = [name for name in glossary.MEASURES if name in measured]
  order += [name for name in measured if name not in glossary.MEASURES]
  result = []
  for name in order:
    value, low, high, null, untrained = (
      as_float(measured[name].get(key))
      for key in ("value", "low", "high", "null", "random_weights")
    )
    measure = glossary.MEASURES.get(
      name, glossary.Measure(name.replace("_", " "), 0, "", "")
    )
    state = judge(
      measure.direction,
      value,
      low,
      high,
      null,
      bands.get(name, (math.nan, math.nan)),
      math.nan if measure.own_units else untrained,
    )
    result.append(
      Finding(name, measure, value, low, high, null, untrained, state)
    )
  return result


STATES = {
  "present": "clear of its null",
  "matched": "clear of its null, but no further than with random weights",
  "absent": "not distinguishable from its null",
  "reversed": "clear of its null, but on the wrong side",
  "unknown": "not judged: no value or no null",
  "context": "for context, not judged",
}


def _measured(finding: Finding, overall: str) -> str:
  text = f"{finding.measure.label.lower()} {number(finding.value)}"
  span = interval(finding.low, finding.high)
  text += f" {span}" if span else ""
  if math.isfinite(finding.null):
    text += f", null {number(finding.null, finding.value)}"
  if math.isfinite(finding.untrained):
    text += f", untrained {number(finding.untrained)}"
  # The headline already says what holds for every line under it.
  return (
    text if finding.state == overall else f"{text}: " + STATES[finding.state]
  )


def _overall(states: list[str]) -> str:
  judged = [state for state in states if state != "unknown"]
  if not judged:
    return "unknown"
  if len(set(judged)) == 1:
    return judged[0]
  return "mixed"


GEOMETRY_VERDICTS = {
  "present": "Structure present: the words are arranged like the graph",
  "matched": "Structure, but no more than the untrained model has",
  "absent": "No structure shown: not distinguishable from the null",
  "reversed": "The reverse of the graph: neighbours lie further apart than "
  "chance",
  "mixed": "Mixed: the measures of structure do not agree",
  "unknown": "Structure cannot be judged here: no values or no null",
}
BEHAVIOUR_VERDICTS = {
  "present": "The model predicts neighbours better than chance",
  "matched": "Better than chance, but no better than the untrained model",
  "absent": "Predictions not distinguishable from chance",
  "reversed": "The model predicts neighbours less often than chance",
  "mixed": "Mixed: the two accuracies do not agree",
  "unknown": "Accuracy cannot be judged here: no null was computed",
}


@dataclasses.dataclass(frozen=True)
class Verdict:
  """A judgement in words: its state, a headline and the numbers behind it."""

  state: str
  headline: str
  evidence: tuple[str, ...]


def verdicts(found: list[Finding]) -> list[Verdict]:
  """Geometry first, then behaviour; a part without any value is left out."""
  by_name = {finding.name: finding for finding in found}
  result = []
  for names, headlines in (
    (GEOMETRY, GEOMETRY_VERDICTS),
    (BEHAVIOUR, BEHAVIOUR_VERDICTS),
  ):
    part = [by_name[name] for name in names if name in by_name]
    if not any(math.isfinite(finding.value) for finding in part):
      continue
    state = _overall([finding.state for finding in part])
    evidence = tuple(_measured(finding, state) for finding in part)
    result.append(Verdict(state, headlines[state], evidence))
  return result
