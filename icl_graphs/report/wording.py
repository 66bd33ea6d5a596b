"""What each headline number means, and what may be said about it.

Every sentence that judges a number is computed here from its interval and its
null; nothing about the outcome is written down in advance.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

# A value must also leave its null by this many of the null's own standard
# deviations: a narrow interval over walks says nothing about relabellings.
NULL_DEVIATIONS = 2.0


@dataclasses.dataclass(frozen=True)
class Measure:
  """One headline number in words.

  `direction` is +1 when the graph raises the number, -1 when it lowers it and
  0 when it is context for the others and is not judged.
  """

  label: str
  direction: int
  what: str
  no_structure: str


MEASURES: dict[str, Measure] = {
  "accuracy_full": Measure(
    "Accuracy, whole vocabulary",
    1,
    "Probability the model puts on true neighbours of the current word, out "
    "of its whole vocabulary (mean over the last fifth of the context).",
    "The same probabilities read against relabelled graphs (the null).",
  ),
  "accuracy_restricted": Measure(
    "Accuracy, node words only",
    1,
    "The same probability when only the words of the graph may be chosen.",
    "The share of the words that are neighbours, about the null.",
  ),
  "energy_relative": Measure(
    "Relative energy",
    -1,
    "Squared distance between words joined by an edge, relative to its "
    "average over all relabellings. Lower means neighbours lie closer.",
    "1.",
  ),
  "distance_correlation": Measure(
    "Distance correlation",
    1,
    "Correlation between distance in the model and number of steps in the "
    "graph, over all pairs of words.",
    "0.",
  ),
  "principal_cosine_1": Measure(
    "Principal cosine, larger",
    1,
    "Best agreement of a direction in the picture (PC 1-2) with the "
    "graph's two smoothest modes. 1 is perfect.",
    "Above 0 by chance, more so for small graphs: compare with the null.",
  ),
  "principal_cosine_2": Measure(
    "Principal cosine, smaller",
    1,
    "Agreement of the whole PC 1-2 plane with the graph's two smoothest "
    "modes: the worse of its two directions. 1 is perfect.",
    "Above 0 by chance, more so for small graphs: compare with the null.",
  ),
  "fiedler_power": Measure(
    "Fiedler power",
    1,
    "Share of the variance between words that lies on the graph's two "
    "smoothest modes.",
    "2 / (n - 1) for n words.",
  ),
  "parity_power": Measure(
    "Parity power",
    0,
    "Share of the variance on the checkerboard mode, which separates words an "
    "odd number of steps apart. Defined for bipartite graphs only.",
    "1 / (n - 1) for n words.",
  ),
  "pc12_variance": Measure(
    "Variance in PC 1-2",
    0,
    "Share of the variance between words that the picture shows.",
    "Does not involve the graph: relabelling the words leaves it unchanged.",
  ),
  "energy_centred": Measure(
    "Energy, centred",
    -1,
    "Edge energy over the variance between words, common mean removed.",
    "2 |E| / (n - 1).",
  ),
  "energy_ratio": Measure(
    "Energy, ratio",
    -1,
    "Edge energy over the same sum taken over all pairs of words.",
    "The density of the graph.",
  ),
  "energy_degree": Measure(
    "Energy, degree-normalised",
    -1,
    "Edge energy over the degree-weighted variance between words.",
    "n / (n - 1) on average for unrelated words.",
  ),
  "energy_edge": Measure(
    "Energy per edge",
    -1,
    "Mean squared distance between words joined by an edge, in the model's "
    "own units.",
    "Its average over relabellings (the null).",
  ),
  "energy_sum": Measure(
    "Energy, sum",
    -1,
    "Squared distances between neighbours, summed over ordered pairs, in the "
    "model's own units.",
    "Its average over relabellings (the null).",
  ),
  "energy_frobenius": Measure(
    "Energy, Frobenius",
    -1,
    "Edge energy over the size of the uncentred representations and their "
    "width. It also falls when the common mean grows.",
    "Its average over relabellings (the null).",
  ),
}

GEOMETRY = ("energy_relative", "distance_correlation", "principal_cosine_2")
BEHAVIOUR = ("accuracy_full", "accuracy_restricted")


@dataclasses.dataclass(frozen=True)
class Finding:
  """A number beside its interval and null, and the judgement they allow.

  `state` is one of: present (clear of the null on the side the graph predicts),
  absent (not distinguishable from the null), reversed (clear of it on the other
  side), unknown (no value or no null), context (a number that is not judged).
  """

  name: str
  measure: Measure
  value: float
  low: float
  high: float
  null: float
  state: str


def as_float(value: Any) -> float:
  """A float, with None and unreadable entries as NaN."""
  try:
    return float(value)
  except (TypeError, ValueError):
    return math.nan


def number(value: float) -> str:
  """Three significant digits; powers of ten only outside .001 to 10000."""
  if not math.isfinite(value):
    return "n/a"
  if value != 0 and not 1e-3 <= abs(value) < 1e4:
    return f"{value:.2e}"
  digits = 2 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
  return f"{value:.{digits}f}"


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
  null_sd: float = math.nan,
) -> str:
  """Compare a number with its null; see `Finding.state` for the answers.

  The whole interval must lie on one side of the null and, where the spread of
  the null is known, the value must leave it by `NULL_DEVIATIONS` spreads.
  """
  if direction == 0:
    return "context"
  if not (math.isfinite(value) and math.isfinite(null)):
    return "unknown"
  low = low if math.isfinite(low) else value
  high = high if math.isfinite(high) else value
  margin = NULL_DEVIATIONS * null_sd if math.isfinite(null_sd) else 0.0
  above = low > null and value - null > margin
  below = high < null and null - value > margin
  if not (above or below):
    return "absent"
  return "present" if above == (direction > 0) else "reversed"


def findings(
  summary: Mapping[str, Any], null_sd: Mapping[str, float] | None = None
) -> list[Finding]:
  """The measured entries of one graph's summary, in reading order.

  Args:
    summary: flat summary of one graph; entries that are not mappings with a
      `value` (report layer, window) are skipped.
    null_sd: spread of the null by name, where known.
  """
  null_sd = null_sd or {}
  measured = {
    name: entry
    for name, entry in summary.items()
    if isinstance(entry, Mapping) and "value" in entry
  }
  order = [name for name in MEASURES if name in measured]
  order += [name for name in measured if name not in MEASURES]
  result = []
  for name in order:
    value, low, high, null = (
      as_float(measured[name].get(key))
      for key in ("value", "low", "high", "null")
    )
    spread = as_float(measured[name].get("null_sd", null_sd.get(name)))
    measure = MEASURES.get(name, Measure(name.replace("_", " "), 0, "", ""))
    state = judge(measure.direction, value, low, high, null, spread)
    result.append(Finding(name, measure, value, low, high, null, state))
  return result


STATES = {
  "present": "clear of its null",
  "absent": "not distinguishable from its null",
  "reversed": "clear of its null, but on the wrong side",
  "unknown": "not judged: no value or no null",
  "context": "for context, not judged",
}


def _measured(finding: Finding) -> str:
  text = f"{finding.measure.label.lower()} {number(finding.value)}"
  span = interval(finding.low, finding.high)
  text += f" {span}" if span else ""
  if math.isfinite(finding.null):
    text += f", null {number(finding.null)}"
  return f"{text}: {STATES[finding.state]}"


def _overall(states: list[str]) -> str:
  judged = [state for state in states if state != "unknown"]
  if not judged:
    return "unknown"
  if len(set(judged)) == 1:
    return judged[0]
  return "mixed"


GEOMETRY_VERDICTS = {
  "present": "Structure present: the words are arranged like the graph",
  "absent": "No structure shown: not distinguishable from the null",
  "reversed": "The reverse of the graph: neighbours lie further apart than "
  "chance",
  "mixed": "Mixed: some measures of structure clear their null, others do not",
  "unknown": "Structure cannot be judged here: no values or no null",
}
BEHAVIOUR_VERDICTS = {
  "present": "The model predicts neighbours better than chance",
  "absent": "Predictions not distinguishable from chance",
  "reversed": "The model predicts neighbours less often than chance",
  "mixed": "Mixed: one accuracy clears its null, the other does not",
  "unknown": "Accuracy cannot be judged here: no null was computed",
}


@dataclasses.dataclass(frozen=True)
class Verdict:
  """A judgement in words: its state, a headline and the numbers behind it."""

  state: str
  headline: str
  evidence: tuple[str, ...]


def verdicts(found: list[Finding]) -> list[Verdict]:
  """Geometry first, then behaviour; a part with no numbers is left out."""
  by_name = {finding.name: finding for finding in found}
  result = []
  for names, headlines in (
    (GEOMETRY, GEOMETRY_VERDICTS),
    (BEHAVIOUR, BEHAVIOUR_VERDICTS),
  ):
    part = [by_name[name] for name in names if name in by_name]
    if not part:
      continue
    state = _overall([finding.state for finding in part])
    evidence = tuple(_measured(finding) for finding in part)
    result.append(Verdict(state, headlines[state], evidence))
  return result
