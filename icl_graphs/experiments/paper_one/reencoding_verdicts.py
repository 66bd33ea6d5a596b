"""What the re-encoding experiment shows, judged by criteria stated here."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from icl_graphs.analysis import walk_bootstrap
from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_one import estimates
from icl_graphs.experiments.paper_one import reencoding_conditions as kinds
from icl_graphs.report import wording
from icl_graphs.report.paper_one import reencoding as figures

_text = estimates.fixed

FEWEST = 30  # walks, to say anything
TIMES = 2.0
CLAIM = (
  "Moving the last word's representation to another node's mean along the "
  "first two principal components makes the model predict that node's "
  "neighbours, far more than a random move of the same length or no move.",
  f"Hit@1 of the recipe is at least {TIMES:g} times that of random directions "
  "of the same length and of the clean run, and both paired differences have "
  "95% intervals above 0.",
)
CLAIM_PLANE = (
  "It is the position on the first two components that carries this, not any "
  "move nor the suppression of the target's own word.",
  "On neighbours of the target that are no neighbours of the current word, "
  "Hit@1 without the unembedding term exceeds that of the clean run, of a "
  "random direction of the same length and of the unembedding term alone, and "
  "the recipe exceeds itself with PCs 3-4, with PCs 5-6 and with shuffled "
  "target means: every paired difference has its 95% interval above 0.",
)


def outcome(
  measured: xr.Dataset, captions: Mapping[str, str]
) -> recipe.Outcome:
  """Judges both claims and gathers numbers, tables and figures."""
  return recipe.Outcome(
    claims=(_recipe(measured), _plane(measured)),
    numbers=_numbers(measured),
    figures=recipe.captioned(captions),
    tables=(_table(measured), _strata(measured)),
    measurements=measured,
    notes=_notes(measured),
  )


def _value(measured, index, metric) -> np.ndarray:
  """Value, low and high."""
  return measured["mean"].values[
    :, index, list(measured["metric"].values).index(metric)
  ]


def _difference(measured, one, other, metric) -> walk_bootstrap.Estimate:
  """Of two conditions on the same walks."""
  walks = measured["per_walk"].sel(metric=metric).values
  return walk_bootstrap.mean(
    walks[:, one] - walks[:, other], seed=measured.attrs["seed"]
  )


def _recipe(measured: xr.Dataset) -> recipe.Claim:
  at = figures.find(measured, kinds.RECIPE, 2)
  rivals = {
    "random directions": figures.find(measured, kinds.RANDOM, 2),
    "the clean run": figures.find(measured, kinds.CLEAN),
  }
  value = _value(measured, at, "hit_1")
  shown, parts = True, []
  for name, other in rivals.items():
    beside = _value(measured, other, "hit_1")
    gap = _difference(measured, at, other, "hit_1")
    shown &= bool(gap.low > 0 and value[0] >= TIMES * beside[0])
    parts.append(f"{name} {_text(beside)}, difference {_text(gap)}")
  return recipe.Claim(
    *CLAIM,
    recipe.SHOWN if shown else recipe.NOT_SHOWN,
    f"Hit@1 {_text(value)} of the recipe; {'; '.join(parts)}; a guess among "
    f"the node words {wording.number(measured.attrs['chance_hit_1'])}.",
  )


def _plane(measured: xr.Dataset) -> recipe.Claim:
  whole = figures.find(measured, kinds.RECIPE, 2)
  bare = figures.find(measured, kinds.BARE, 2)
  pairs = [
    (bare, figures.find(measured, kinds.CLEAN), "clean run"),
    (bare, figures.find(measured, kinds.BARE_RANDOM, 2), "random direction"),
    (bare, figures.find(measured, kinds.WORD_ONLY), "unembedding term alone"),
    (whole, figures.find(measured, kinds.OTHER_MEANS), "shuffled means"),
    *(
      (
        whole,
        figures.find(measured, kinds.components(first)),
        f"PCs {first}-{last}",
      )
      for first, last in kinds.PAIRS
    ),
  ]
  pairs = [pair for pair in pairs if pair[1] is not None]
  gaps = [
    _difference(measured, one, other, "new_hit_1") for one, other, _ in pairs
  ]
  shown = all(gap.low > 0 for gap in gaps)
  text = "; ".join(
    f"{name} {_text(gap)}" for gap, (*_, name) in zip(gaps, pairs, strict=True)
  )
  without, with_it = (
    _text(_value(measured, one, "new_hit_1")) for one in (bare, whole)
  )
  return recipe.Claim(
    *CLAIM_PLANE,
    recipe.SHOWN if shown else recipe.NOT_SHOWN,
    f"Hit@1 on new neighbours {without} without the unembedding term, "
    f"{with_it} with it; paired differences: {text}.",
  )


def _numbers(measured: xr.Dataset) -> dict:
  clean = figures.find(measured, kinds.CLEAN)
  numbers = {
    "walks": measured.sizes["walk"],
    "walks_skipped": measured.attrs["skipped"],
    "window": measured.attrs["window"],
    "hidden_states": measured.attrs["late"],
    "explained_ratio_pc12": float(
      measured["explained_ratio"]
      .sel(layer=[int(k) for k in measured.attrs["late"].split()])
      .values[:, :2]
      .sum(axis=1)
      .mean()
    ),
    "guess": {
      key: measured.attrs[f"chance_{key}"] for key in ("hit_1", "new_hit_1")
    },
  }
  for kind, index in figures.main(measured):
    numbers[kind] = {
      metric: dict(
        zip(
          ("value", "low", "high"),
          map(float, _value(measured, index, metric)),
          strict=True,
        )
      )
      | {"null": float(_value(measured, clean, metric)[0])}
      for metric in measured["metric"].values.tolist()
    }
  return numbers


_NAMES = {
  "hit_1": "Hit@1",
  "hit_3": "Hit@3",
  "mass": "neighbour mass",
  "new_hit_1": "Hit@1, new",
  "new_hit_3": "Hit@3, new",
  "new_mass": "mass, new",
}


def _table(measured: xr.Dataset) -> recipe.Table:
  length = measured["length"].values.max(axis=1)
  return recipe.Table(
    "Predictions after each change (N = 2; new: neighbours of the target that "
    "the current word lacks)",
    ("condition", *_NAMES.values(), "longest vector"),
    tuple(
      (
        kind,
        *(_text(_value(measured, index, metric)) for metric in _NAMES),
        f"{length[index]:.2f}",
      )
      for kind, index in figures.main(measured)
    ),
  )


def _strata(measured: xr.Dataset) -> recipe.Table:
  shown = {
    name: figures.find(measured, name, components)
    for name, components in (
      (kinds.RECIPE, 2),
      (kinds.BARE, 2),
      (kinds.RANDOM, 2),
      (kinds.CLEAN, None),
    )
  }
  values = measured["by_stratum"].sel(metric="new_hit_1").values
  return recipe.Table(
    "Hit@1 on new neighbours, by how far the target is from the current word",
    ("target at", "walks", *shown),
    tuple(
      (
        name,
        str(int(measured["walks"].values[row])),
        *(_text(values[:, row, index]) for index in shown.values()),
      )
      for row, name in enumerate(measured["stratum"].values.tolist())
    ),
  )


def _notes(measured: xr.Dataset) -> tuple[str, ...]:
  a = measured.attrs
  return (
    f"Hidden states {a['late']} are changed together: those after the last "
    "eighth of the blocks, at least two; the released code takes the last four "
    "of 32 blocks.",
    f"Class means are over the last {a['window']} words of each walk (released "
    "code: the last 1,000 of 2,001); "
    f"{a['skipped']} walks in which a node does not occur there are left out.",
    f"{measured.sizes['walk']} walks count (released code: 1,000).",
    "A share that is 0, or 1, in every walk has an interval without width.",
    "The recipe subtracts the target word's unit unembedding row once per "
    "component; its share of the effect is in the rows that take it alone or "
    "leave it out.",
  )
