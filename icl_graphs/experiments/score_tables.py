"""Scores of a trained model as tables of its card: seeds, graphs, layers."""

import textwrap
from typing import Any

import numpy as np

from icl_graphs.experiments import trained_model

_TITLES = {
  "accuracy_full": "accuracy",
  "energy_relative": "relative energy",
  "distance_correlation": "distance correlation",
  "principal_cosine_1": "cosine 1",
  "principal_cosine_2": "cosine 2",
  "fiedler_power": "Fiedler power",
  "parity_power": "parity power",
}
_KINDS = {
  trained_model.NOUNS: "nouns at random",
  trained_model.PAPER: "the paper's, in order",
}


def markdown(scores: dict[str, Any]) -> str:
  """The section on scores.

  Args:
    scores: seed to what `trained_model.scores` returned, all with the same
      settings.
  """
  first = next(iter(scores.values()))
  layer = str(first["report_layer"])
  targets = ", ".join(
    f"{_TITLES[key]} at "
    + (f"least {_short(low)}" if low else f"most {_short(high)}")
    for key, (low, high) in trained_model.TARGETS.items()
  )
  missed = _missed(scores, layer)
  parts = [
    _ABOUT_SCORES.format(
      **first["settings"], report_layer=layer, seeds=", ".join(scores)
    ),
    _summary(scores, layer),
    _ABOUT_TARGETS.format(
      text=textwrap.fill(
        f"{targets}: met or not by the mean over the random assignments of "
        f"nouns at hidden state {layer}; then the other hidden states that "
        "meet all.",
        80,
      )
    ),
    _targets(scores, layer),
  ]
  if missed:
    parts.append(_TRADE_OFF)
  parts.append("### Every hidden state, nouns at random\n")
  for seed, of_seed in scores.items():
    parts += [f"Seed {seed}:\n", _every_layer(of_seed["graphs"])]
  return "\n".join(parts)


_ABOUT_SCORES = """## Scores

Plain walks, {walks} for each assignment of words to nodes. Accuracy:
probability on the neighbours of the current node over the whole vocabulary,
mean over the last fifth of {context} words. Geometry: class means over the last
{window} words at full context. Without structure relative energy is 1 and
distance correlation 0. *Nouns at random*: {assignments} assignments drawn from
all nouns, sixteen of which stood on one graph in training with a chance below
one in a million; *the paper's*: the words of the main job on the nodes in their
order. Every single value is in `scores.json`.

### Hidden state {report_layer}, training seeds {seeds}

The layer at four fifths of the depth, which the main job reports by default.
Mean ± standard deviation over the n assignments of all seeds.
"""
_ABOUT_TARGETS = """### Targets

{text}
"""
_TRADE_OFF = """Where a target is missed, this is the trade-off: the best
prediction of plain steps on a bipartite graph sets the two sides of its
checkerboard apart as firmly as it joins neighbours, so training that sharpens
accuracy feeds the parity mode, which raises the energy and takes principal
components from the graph's smooth modes. The mixed step laws of the training
buy geometry with accuracy.
"""


def brief(of_seed: dict[str, Any]) -> str:
  """A line per graph: the reported hidden state, nouns at random."""
  layer, lines = str(of_seed["report_layer"]), []
  for spec, kinds in of_seed["graphs"].items():
    entry = kinds[trained_model.NOUNS]
    numbers = ", ".join(
      f"{_TITLES[key]} {_mean(_number(entry, layer, key)['values'])}"
      for key in trained_model.TARGETS
    )
    missed = [_TITLES[key] for key in trained_model.missed(entry, layer)]
    lines.append(
      f"{spec}, hidden state {layer}: {numbers}; "
      f"targets missed: {', '.join(missed) or 'none'}"
    )
  return "\n".join(lines)


def _table(header: list[str], rows: list[list[str]]) -> str:
  lines = [header, ["---"] * len(header), *rows]
  return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _summary(scores: dict[str, Any], layer: str) -> str:
  rows = []
  for spec in _graphs(scores):
    for kind, title in _KINDS.items():
      entries = [
        found["graphs"][spec][kind]
        for found in scores.values()
        if kind in found["graphs"].get(spec, {})
      ]
      if not entries:
        continue
      cells = [
        _mean(
          [v for one in entries for v in _number(one, layer, key)["values"]]
        )
        for key in _TITLES
      ]
      count = sum(len(one["accuracy_full"]["values"]) for one in entries)
      rows.append([f"`{spec}`", title, str(count), *cells])
  return _table(["graph", "words", "n", *_TITLES.values()], rows)


def _targets(scores: dict[str, Any], layer: str) -> str:
  rows = []
  for spec in _graphs(scores):
    for seed, found in scores.items():
      if spec not in found["graphs"]:
        continue
      entry = found["graphs"][spec][trained_model.NOUNS]
      missed = [
        f"{_TITLES[key]} {_short(_number(entry, layer, key)['mean'])}"
        for key in trained_model.missed(entry, layer)
      ]
      others = [k for k in trained_model.meets_targets(entry) if k != layer]
      rows.append(
        [
          *(f"`{spec}`", seed, ", ".join(missed) or "all met"),
          ", ".join(others) or "none",
        ]
      )
  return _table(["graph", "seed", "missed", "all met elsewhere"], rows)


def _missed(scores: dict[str, Any], layer: str) -> bool:
  return any(
    trained_model.missed(kinds[trained_model.NOUNS], layer)
    for found in scores.values()
    for kinds in found["graphs"].values()
  )


def _every_layer(graphs: dict[str, Any]) -> str:
  """One row per graph and hidden state; accuracy is the model's, said once."""
  rows = []
  for spec, kinds in graphs.items():
    entry = kinds[trained_model.NOUNS]
    for place, layer in enumerate(entry["layers"]):
      cells = [
        ""
        if place and key in entry
        else _mean(_number(entry, layer, key)["values"])
        for key in _TITLES
      ]
      rows.append([f"`{spec}`" if not place else "", layer, *cells])
  return _table(["graph", "hidden state", *_TITLES.values()], rows)


def _graphs(scores: dict[str, Any]) -> list[str]:
  """Graphs of all seeds, in the order in which they come."""
  return list(
    dict.fromkeys(s for one in scores.values() for s in one["graphs"])
  )


def _number(entry: dict[str, Any], layer: str, key: str) -> dict[str, Any]:
  return entry[key] if key in entry else entry["layers"][layer][key]


def _mean(values: list[float | None]) -> str:
  """Mean ± standard deviation; no more than the mean of a single value."""
  if None in values:
    return ""
  spread = f" ± {_short(np.std(values, ddof=1))}" if len(values) > 1 else ""
  return _short(np.mean(values)) + spread


def _short(value: float | None) -> str:
  """Two or, below .1, three decimals, without the zero before the point."""
  if value is None:
    return "undefined"
  text = f"{value:.{2 if abs(value) >= 0.0995 else 3}f}"
  return text.replace("0.", ".", 1) if abs(value) < 1 else text
