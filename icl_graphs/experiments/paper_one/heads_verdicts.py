"""What the ablation of heads shows, judged by criteria stated here."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from icl_graphs.analysis import walk_bootstrap
from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_one import heads_conditions as kinds
from icl_graphs.experiments.paper_one import heads_tables as tables

# Of its clean value: what is left of a geometry that survives, or breaks.
SURVIVES, BREAKS = 0.9, 0.5
_ABLATIONS = (kinds.ZERO, kinds.MEAN)

_DROPS = (
  "accuracy at the end of the context falls more than under each of the random"
  " sets of as many heads, by zero and by mean ablation, at the largest size"
  " with random sets (intervals of the paired differences above 0)"
)
_CLAIMS = {
  "drop " + kinds.INDUCTION: (
    "Without the induction heads the model predicts neighbours worse than"
    " without as many random ones.",
    _DROPS,
  ),
  "drop " + kinds.PREVIOUS: (
    "Without the previous-token heads the model predicts neighbours worse than"
    " without as many random ones.",
    _DROPS,
  ),
  "survives": (
    "The geometry survives without the induction heads.",
    "at the same size, zero ablation: the smaller principal cosine of the"
    f" class means keeps at least {SURVIVES:.0%} of its clean value (lower end"
    " of its interval), which is itself beyond its null; some of the heads lie"
    " before the hidden state that is looked at",
  ),
  "breaks": (
    "The geometry breaks without the previous-token heads.",
    "there, the smaller principal cosine falls below"
    f" {BREAKS:.0%} of its clean value (upper end of its interval) and below"
    " that of every random set (intervals apart)",
  ),
}
FIGURES = (
  recipe.Figure(
    "heads_scores.png",
    "How much every head attends to the previous token (left), and from a"
    " token's second occurrence to what followed its first one (right), on"
    " random tokens that are repeated once. Dark heads do little else.",
    "Heat maps of the scores of all heads, block by head.",
  ),
  recipe.Figure(
    "heads_accuracy.png",
    "Probability that the model gives to the neighbours of the current word"
    " (whole vocabulary) when the outputs of the highest heads are replaced by"
    " zero (left) or by their mean over other walks (right). Above: at the end"
    " of the context, by number of heads; bands are 95% bootstrap intervals"
    " over walks, dashes single random sets. Below: over the context.",
    "Accuracy against the number of ablated heads, and against context.",
  ),
  recipe.Figure(
    "heads_geometry.png",
    "How well the class means lie on the graph without the highest heads:"
    " the smaller cosine between their first two components and the graph's"
    " slowest modes (1: the graph), the energy relative to its value without"
    " structure (low: the graph), and the correlation of distances (1: the"
    " graph). Bands: 95% bootstrap intervals over groups of walks; grey: range"
    " of the clean class means with permuted words.",
    "Three measures of geometry against the number of ablated heads.",
  ),
)
NOTES = (
  "Heads are scored on random tokens, as published; a model of few words has"
  " read no such sequences, and its scores are given as they are.",
  "The published run takes up to 32 of 1,024 heads (3%). A small model has so"
  " few that a handful is a large share of it; sizes are powers of two up to"
  " half of its heads, and what is judged is the largest size for which as"
  " many other heads are left to compare with.",
  "Zero ablation takes a head's average output away too, which later blocks"
  " rely on; mean ablation leaves it, as measured on other walks. Later heads"
  " may make up for those that are gone.",
  "Heads in blocks after a hidden state cannot touch it: the geometry of the"
  " last hidden state is given beside that of the report layer.",
)


def judge(
  conditions: Sequence[kinds.Condition], measured: xr.Dataset
) -> dict[str, Any]:
  """Accuracy at the end and its loss, with intervals over walks.

  Args:
    conditions: of the sweep.
    measured: of the recipe.

  Returns:
    "final": [3, condition] value, low and high of the full accuracy over the
    last words; "restricted" likewise; "random": by (size, ablation), of the
    mean over random sets; "excess": by (list, size, ablation), what is lost
    beyond each random set [3, seed]; "judged": the size.
  """
  last = slice(-measured.attrs["last"], None)
  seed = measured.attrs["seed"]
  per_walk = measured["accuracy_full"].values[..., last].mean(axis=-1)
  restricted = measured["accuracy_restricted"].values[..., last].mean(axis=-1)

  def mean(values, bounds=(0.0, 1.0)):
    return np.stack(walk_bootstrap.mean(values, seed=seed, bounds=bounds))

  summary = {
    "final": mean(per_walk),
    "restricted": mean(restricted),
    "judged": kinds.matched(conditions),
    "random": {},
    "excess": {},
  }
  for size in sorted({c.size for c in conditions if c.size}):
    for ablation in _ABLATIONS:
      drawn = kinds.find(conditions, kinds.RANDOM, size, ablation)
      if not drawn:
        continue
      control = per_walk[:, drawn]
      summary["random"][size, ablation] = mean(control.mean(axis=1))
      for kind in kinds.LISTS:
        (own,) = kinds.find(conditions, kind, size, ablation)
        more = control - per_walk[:, [own]]
        summary["excess"][kind, size, ablation] = mean(more, (-1.0, 1.0))
  return summary


def outcome(
  conditions: Sequence[kinds.Condition],
  measured: xr.Dataset,
  summary: Mapping[str, Any],
) -> recipe.Outcome:
  """Claims, numbers, tables, and what the figures show."""
  if summary["judged"]:
    claims = (
      *(_drop(kind, summary, conditions) for kind in kinds.LISTS),
      _survives(conditions, measured, summary["judged"]),
      _breaks(conditions, measured, summary["judged"]),
    )
  else:
    claims = recipe.cannot(
      "the model has too few heads to compare with", *_CLAIMS.values()
    ).claims
  return recipe.Outcome(
    claims=claims,
    numbers=tables.numbers(conditions, measured, summary),
    figures=FIGURES,
    tables=(
      tables.ablations(conditions, measured, summary),
      tables.highest(conditions, measured),
    ),
    measurements=measured,
    notes=(
      *NOTES,
      f"{len(conditions)} configurations on {measured.sizes['walk']} walks ran"
      f" {measured.attrs['work']:.0%} of the layers that they have one by one:"
      " what two of them share is computed once.",
    ),
  )


def _drop(kind, summary, conditions):
  size = summary["judged"]
  reasons = []
  for ablation in _ABLATIONS:
    (own,) = kinds.find(conditions, kind, size, ablation)
    value, low, _ = summary["excess"][kind, size, ablation]
    weakest = int(np.argmin(low))
    reasons.append(
      f"{ablation} ablation {tables.show(summary['final'][:, own])}, random"
      f" heads {tables.show(summary['random'][size, ablation])}, least loss"
      f" beyond a random set {value[weakest]:.3f} (from {low[weakest]:.3f})"
    )
  met = [
    size
    for size in _matched_sizes(conditions)
    if all(
      (summary["excess"][kind, size, ablation][1] > 0).all()
      for ablation in _ABLATIONS
    )
  ]
  return recipe.Claim(
    *_CLAIMS["drop " + kind],
    recipe.SHOWN if size in met else recipe.NOT_SHOWN,
    f"{size} heads, clean {tables.show(summary['final'][:, 0])}: "
    + "; ".join(reasons)
    + f". {_met(met, conditions)}",
  )


def _matched_sizes(conditions):
  return sorted({c.size for c in conditions if c.kind == kinds.RANDOM})


def _met(sizes, conditions):
  """For which numbers of heads a criterion is met."""
  shown = ", ".join(map(str, sizes)) or "none"
  tried = ", ".join(map(str, _matched_sizes(conditions)))
  return f"The criterion is met at {shown} of the sizes {tried}."


def _survives(conditions, measured, size):
  claim = _CLAIMS["survives"]
  layer = measured.attrs["report_layer"]
  clean = tables.cosine(measured, 0)
  found = {
    k: kinds.find(conditions, kinds.INDUCTION, k, kinds.ZERO)[0]
    for k in _matched_sizes(conditions)
  }
  before = sum(block < layer for block, _ in conditions[found[size]].heads)
  numbers = (
    f"Hidden state {layer}, {size} heads of which {before} lie before it:"
    f" cosine {tables.named(tables.cosine(measured, found[size]))}, clean"
    f" {tables.named(clean)}, null up to {clean['null_high']:.3f}."
  )
  if not clean["value"] > clean["null_high"]:
    return recipe.Claim(
      *claim, recipe.CANNOT_TELL, f"No geometry to begin with. {numbers}"
    )
  if not before:
    return recipe.Claim(
      *claim, recipe.CANNOT_TELL, f"None of the heads can touch it. {numbers}"
    )
  met = [
    k
    for k, own in found.items()
    if tables.cosine(measured, own)["low"] >= SURVIVES * clean["value"]
  ]
  return recipe.Claim(
    *claim,
    recipe.SHOWN if size in met else recipe.NOT_SHOWN,
    f"{numbers} {_met(met, conditions)}",
  )


def _breaks(conditions, measured, size):
  claim = _CLAIMS["breaks"]
  clean = tables.cosine(measured, 0)
  met = []
  for k in _matched_sizes(conditions):
    (own,) = kinds.find(conditions, kinds.PREVIOUS, k, kinds.ZERO)
    high = tables.cosine(measured, own)["high"]
    drawn = [
      tables.cosine(measured, one)
      for one in kinds.find(conditions, kinds.RANDOM, k, kinds.ZERO)
    ]
    apart = all(high < one["low"] for one in drawn)
    if high < BREAKS * clean["value"] and apart:
      met.append(k)
    if k == size:
      numbers = (
        f"Hidden state {measured.attrs['report_layer']}, {size} heads: cosine"
        f" {tables.named(tables.cosine(measured, own))}, clean"
        f" {tables.named(clean)}, random sets "
        + ", ".join(f"{one['value']:.3f}" for one in drawn)
        + f", null up to {clean['null_high']:.3f}."
      )
  if not clean["value"] > clean["null_high"]:
    return recipe.Claim(
      *claim, recipe.CANNOT_TELL, f"No geometry to begin with. {numbers}"
    )
  return recipe.Claim(
    *claim,
    recipe.SHOWN if size in met else recipe.NOT_SHOWN,
    f"{numbers} {_met(met, conditions)}",
  )
