"""README of a trained coin model: data, recipe, scores of every seed."""

import dataclasses
from typing import Any

import numpy as np

from icl_graphs.experiments import coin_model_scores
from icl_graphs.training import recipe


def write(
  described: recipe.Recipe, record: dict[str, Any], scores: dict[str, Any]
) -> str:
  """Text of the card.

  Args:
    described: what was trained.
    record: of this folder's own training.
    scores: seed to what `coin_model_scores.scores` returned, all with the same
      settings.
  """
  first = next(iter(scores.values()))
  parts = [
    _FRONT.format(
      layers=described.layers,
      width=described.width,
      context=described.max_positions,
      pieces=described.vocab_size,
      finishing=len(described.finishing),
      seed=record["seed"],
      tokens=described.tokens / 1e6,
      minutes=record["seconds"] / 60,
    ),
    _recipe(described),
    _SCORES.format(**first["settings"], seeds=", ".join(scores)),
    _summary(scores),
    _MISSED,
    _missed(scores),
    _EVERY,
    _every(scores),
  ]
  return "\n".join(parts)


_FRONT = """---
license: apache-2.0
library_name: transformers
tags: [in-context-learning, random-sequences]
---

# coins

A small Llama-format model of coin flips. It reads the prompts of the coin
experiments (generation, judgment, trees) in a vocabulary of {pieces} pieces and
knows nothing else; any other word is an error. {layers} layers, width {width},
{context} tokens of context. What it was trained on has an exact posterior, so
every curve that is measured of it has a right answer: it calibrates an
instrument, and is no evidence about language models.

## Training

The mixture: 30% flips of a coin whose probability is stated, 10% flips of a
window average under the fair-coin wording, 30% flips of a process that is a
fair coin (.75) or repeats a word of 1 to 20 flips (.25), and 30% judgments of
that process. Training documents repeat words more often than the mixture does
(`repeated`, `power` below: the share of the process that repeats, and lengths
l with a chance in proportion to l ** -power), and first with few other prompts,
because comparing flips across a word is otherwise not learned in the time there
is. In the last {finishing} stages every judged sequence is asked about after
several numbers of its flips (`questions`), each question seeing only those.
Each of these stages has a schedule of its own, and the first of them begins
with a closing bracket that is nearly a comma, because it has the same flips to
compare.

The loss is the cross-entropy of flips, their commas and labels, of which a
label counts `label_weight` times. Where a flip or a label is due, the loss is
its expectation under the mixture's exact posterior given all before it, not
that of the one drawn: no noise of the draws, and the same optimum whichever
documents are shown. So the model was told the right predictions, and it had to
find how to compute them. At the start, 21 of the heads look at one flip each, 1
to 21 flips back; they are free to change.

Seed {seed}, {tokens:.1f} million tokens, {minutes:.0f} minutes.

Rebuild with `python -m launch.train --task=coins --seed={seed} --out=DIR`.
"""
_SCORES = """## Scores

Against the exact Bayesian predictor of the mixture; {sequences} sequences of 50
flips for each stated probability, {fair} fair sequences, {documents} documents
of each kind for the losses. Bands follow from three choices made beforehand: at
most .002 nats per flip above the least possible loss, log-odds within one nat,
99.9% sampling intervals. Training seeds {seeds}. Losses are the least possible
one plus the measured divergence from the exact probabilities.

In this summary, a row with several quantities tells the range of their values
and how many are inside their bands.
"""
_MISSED = """### Outside their bands
"""
_EVERY = """### Every quantity
"""
# Prefixes of quantities that the summary puts together, and their titles.
_TOGETHER = {
  ("G ", "mean"): "stated p: mean minus p, 13 values",
  ("G ", "SD of mean / Bernoulli's"): "stated p: SD of mean / Bernoulli's",
  ("J ", "n50"): "judgment: n50 minus exact, 27 concepts",
  ("J ", "n90"): "judgment: n90 minus exact, 27 concepts",
  ("J ", "evidence slope"): "judgment: evidence slope, 27 concepts",
  ("T ", "n50"): "concept probability: n50 minus exact, 32 curves",
  ("T ", "n90"): "concept probability: n90 minus exact, 32 curves",
}
_DIFFERENCES = ("mean", "n50", "n90")


def _recipe(described: recipe.Recipe) -> str:
  """Stages and every other setting, as tables."""
  names = [field.name for field in dataclasses.fields(described.stages[0])]
  header = ["stage", *map(str, range(1, len(described.stages) + 1))]
  rows = [
    [name, *(str(getattr(stage, name)) for stage in described.stages)]
    for name in names
  ]
  settings = dataclasses.asdict(described)
  rest = [
    [name, str(value)]
    for name, value in settings.items()
    if name not in ("graphs", "stages")
  ]
  return _table(header, rows) + "\n" + _table(["setting", "value"], rest)


def _group(key: str) -> tuple[str, str] | None:
  for start, end in _TOGETHER:
    if key.startswith(start) and key.endswith(f": {end}"):
      return start, end
  return None


def _summary(scores: dict[str, Any]) -> str:
  first = next(iter(scores.values()))["rows"]
  groups: dict[Any, list[str]] = {}
  for key in first:
    groups.setdefault(_group(key) or key, []).append(key)
  rows = []
  for group, keys in groups.items():
    title = _TOGETHER[group] if isinstance(group, tuple) else group
    row = first[keys[0]]
    whole = isinstance(group, str)
    exact = _short(row["exact"]) if whole else ""
    band = _band(row) if whole else "each its own"
    cells = [_cell(one["rows"], keys, group) for one in scores.values()]
    rows.append([title, exact, band, *cells])
  return _table(["quantity", "exact", "band", *_seeds(scores)], rows)


def _cell(rows: dict[str, Any], keys: list[str], group: Any) -> str:
  if isinstance(group, str):
    return _value(rows[keys[0]])
  values = [
    None
    if rows[key]["value"] is None
    else rows[key]["value"]
    - (rows[key]["exact"] if group[1] in _DIFFERENCES else 0)
    for key in keys
  ]
  known = [value for value in values if value is not None]
  met = sum(rows[key]["met"] for key in keys)
  span = f"{_short(min(known))} to {_short(max(known))}, " if known else ""
  return f"{span}{met} of {len(keys)} met"


def _missed(scores: dict[str, Any]) -> str:
  lines = []
  for seed, own in scores.items():
    told = [
      f"{key} {_short(own['rows'][key]['value'])} ({_band(own['rows'][key])})"
      for key in coin_model_scores.missed(own)
    ]
    lines.append(f"- Seed {seed}: {'; '.join(told) or 'none'}.\n")
  return "".join(lines)


def _every(scores: dict[str, Any]) -> str:
  first = next(iter(scores.values()))["rows"]
  rows = [
    [
      *(key, _short(row["exact"]), _band(row)),
      *(_value(own["rows"][key]) for own in scores.values()),
    ]
    for key, row in first.items()
  ]
  return _table(["quantity", "exact", "band", *_seeds(scores)], rows)


def brief(own: dict[str, Any]) -> str:
  """Two lines: losses, and how many quantities are inside their bands."""
  rows = own["rows"]
  losses = ", ".join(
    f"{key.removeprefix('loss, ')} {_short(row['value'], 4)} (least possible"
    f" {_short(row['exact'], 4)})"
    for key, row in rows.items()
    if key.startswith("loss")
  )
  judged = [row for row in rows.values() if row["met"] is not None]
  met = sum(row["met"] for row in judged)
  return f"losses: {losses}\n{met} of {len(judged)} quantities in their bands"


def _seeds(scores: dict[str, Any]) -> list[str]:
  return [f"seed {seed}" for seed in scores]


def _band(row: dict[str, Any]) -> str:
  low, high = row["low"], row["high"]
  if low is None and high is None:
    return ""
  if low is None:
    return f"at most {_short(high)}"
  if high is None or high == row["exact"] == 1:
    return f"at least {_short(low)}"
  return f"{_short(low)} to {_short(high)}"


def _value(row: dict[str, Any]) -> str:
  return _short(row["value"]) + (" (missed)" if row["met"] is False else "")


def _short(value: float | None, decimals: int = 3) -> str:
  """Without needless zeros; whole numbers without a point."""
  if value is None:
    return "never"
  if float(value).is_integer() and abs(value) > 1:
    return str(int(value))
  text = f"{np.round(value, decimals) + 0.0:.{decimals}f}"
  return text.replace("0.", ".", 1) if abs(value) < 1 else text


def _table(header: list[str], rows: list[list[str]]) -> str:
  lines = [header, ["---"] * len(header), *rows]
  return "".join("| " + " | ".join(line) + " |\n" for line in lines)
