"""What patching and steering show, judged by criteria stated here."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from icl_graphs.analysis import moved, walk_bootstrap
from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_one import estimates
from icl_graphs.report import wording

_text = estimates.fixed

NEARLY_ALL, HARDLY = 0.8, 0.2
PATCHING = (
  "Patching the last word's residual at late layers moves nearly all of the "
  "preference from one graph to the other; a random vector of the same length "
  "and a patch from another walk on the same graph do not.",
  "At every hidden state tried in the last quarter of the depth before the "
  f"last one, the share moved is above {NEARLY_ALL:.0%} and both controls move "
  f"less than {HARDLY:.0%} either way, each with its whole 95% interval.",
)
STEERING = (
  "The difference between the class means of both graphs at the current word "
  "steers the model towards the other graph.",
  "Added once at the report layer, it moves more of the preference than the "
  "same difference at another word and than a random vector of its length: "
  "its share and both paired differences have 95% intervals above 0.",
)


def outcome(
  measured: xr.Dataset, captions: Mapping[str, str]
) -> recipe.Outcome:
  """Judges both claims and gathers numbers, tables and figures."""
  measured = with_shares(measured)
  return recipe.Outcome(
    claims=(_patching(measured), _steering(measured)),
    numbers=_numbers(measured),
    figures=recipe.captioned(captions),
    tables=(_patch_table(measured), _steer_table(measured)),
    measurements=measured,
    notes=_notes(measured),
  )


def with_shares(measured: xr.Dataset) -> xr.Dataset:
  """Adds the shares of the preference moved, with intervals over pairs."""
  clean = measured["clean"].values
  ends = clean[:, 0], clean[:, 1], measured.attrs["seed"]
  return measured.assign(
    patch_share=(
      ("stat", "state", "patch"),
      np.stack(moved.share(measured["patched"].values, *ends)),
    ),
    steer_share=(
      ("stat", "state", "along", "beta"),
      np.stack(moved.share(measured["steered"].values, *ends)),
    ),
  ).assign_coords(stat=["value", "low", "high"])


def late(measured: xr.Dataset) -> list[int]:
  """Hidden states tried in the last quarter of the depth, without the last."""
  layers = measured.attrs["layers"]
  return [
    int(k) for k in measured["state"].values if 0.75 * layers <= k < layers
  ]


def _distance(measured: xr.Dataset) -> walk_bootstrap.Estimate:
  """Mean preference for B of B-walks minus that of A-walks, in nats."""
  clean = measured["clean"].values
  return walk_bootstrap.mean(
    clean[:, 1] - clean[:, 0], seed=measured.attrs["seed"]
  )


def _patching(measured: xr.Dataset) -> recipe.Claim:
  distance, states = _distance(measured), late(measured)
  if not distance.low > 0:
    return recipe.Claim(
      *PATCHING,
      recipe.CANNOT_TELL,
      "The model itself does not prefer the graph that it walks on: the "
      f"preferences of B-walks and A-walks differ by {_text(distance)} nats.",
    )
  if not states:
    return recipe.Claim(
      *PATCHING,
      recipe.CANNOT_TELL,
      f"A model of {measured.attrs['layers']} blocks has no hidden state in "
      "the last quarter of its depth but the last.",
    )
  share = measured["patch_share"].sel(state=states).values
  shown = (share[1, :, 0] > NEARLY_ALL).all() and (
    np.abs(share[1:, :, 1:]) < HARDLY
  ).all()
  text = "; ".join(
    f"hidden state {state}: {_text(share[:, k, 0])}, another A-walk "
    f"{_text(share[:, k, 1])}, random {_text(share[:, k, 2])}"
    for k, state in enumerate(states)
  )
  return recipe.Claim(
    *PATCHING,
    recipe.SHOWN if shown else recipe.NOT_SHOWN,
    f"Share of {_text(distance)} nats moved: {text}.",
  )


def _steering(measured: xr.Dataset) -> recipe.Claim:
  if not _distance(measured).low > 0:
    return recipe.Claim(
      *STEERING,
      recipe.CANNOT_TELL,
      "The model itself does not prefer the graph that it walks on.",
    )
  at = {"state": measured.attrs["report_layer"], "beta": 1.0}
  share = measured["steer_share"].sel(at).values
  after = measured["steered"].sel(at).values
  gaps = [
    walk_bootstrap.mean(after[:, 0] - after[:, k], seed=measured.attrs["seed"])
    for k in (1, 2)
  ]
  shown = share[1, 0] > 0 and all(gap.low > 0 for gap in gaps)
  return recipe.Claim(
    *STEERING,
    recipe.SHOWN if shown else recipe.NOT_SHOWN,
    f"Share moved at hidden state {at['state']}: {_text(share[:, 0])}; the "
    f"difference at another word {_text(share[:, 1])} (paired difference "
    f"{_text(gaps[0])} nats), a random vector {_text(share[:, 2])} "
    f"({_text(gaps[1])} nats).",
  )


def _entry(stats) -> dict[str, float]:
  return dict(zip(("value", "low", "high"), map(float, stats), strict=True)) | {
    "null": 0.0
  }


def _numbers(measured: xr.Dataset) -> dict:
  clean = walk_bootstrap.mean(
    measured["clean"].values, seed=measured.attrs["seed"]
  )
  numbers = {
    "pairs_of_walks": measured.sizes["pair"],
    "shared_edges": measured.attrs["shared_edges"],
    "preference_nats": {
      run: clean.at(k) for k, run in enumerate(measured["run"].values.tolist())
    },
    "distance_nats": _distance(measured).at(),
  }
  for k, state in enumerate(measured["state"].values.tolist()):
    numbers[f"patched at hidden state {state}"] = {
      patch: _entry(measured["patch_share"].values[:, k, j])
      for j, patch in enumerate(measured["patch"].values.tolist())
    }
  at = measured["steer_share"].sel(state=measured.attrs["report_layer"])
  numbers["steered at the report layer"] = {
    along: {
      f"beta {beta:g}": _entry(at.values[:, j, b])
      for b, beta in enumerate(measured["beta"].values.tolist())
    }
    for j, along in enumerate(measured["along"].values.tolist())
  }
  return numbers


def _patch_table(measured: xr.Dataset) -> recipe.Table:
  names = measured["patch"].values.tolist()
  return recipe.Table(
    "Share of the preference for graph B moved by a patch (0: none, 1: as on "
    "a walk over B)",
    ("hidden state", *(f"patch: {name}" for name in names)),
    tuple(
      (
        str(state),
        *(
          _text(measured["patch_share"].values[:, k, j])
          for j in range(len(names))
        ),
      )
      for k, state in enumerate(measured["state"].values.tolist())
    ),
  )


def _steer_table(measured: xr.Dataset) -> recipe.Table:
  at = measured["steer_share"].sel(state=measured.attrs["report_layer"])
  return recipe.Table(
    "Share moved by adding beta times a difference of class means at hidden "
    f"state {measured.attrs['report_layer']}",
    ("along", *(f"beta {b:g}" for b in measured["beta"].values)),
    tuple(
      (
        along,
        *(_text(at.values[:, j, b]) for b in range(measured.sizes["beta"])),
      )
      for j, along in enumerate(measured["along"].values.tolist())
    ),
  )


def _notes(measured: xr.Dataset) -> tuple[str, ...]:
  a = measured.attrs
  length = measured["steer_length"].sel(along="B - A").values
  patch = measured["patch_length"].sel(patch="B-walk").values
  known = patch > 0  # Nothing differs at the embedding.
  share = wording.number(float(np.median(length[known] / patch[known])))
  return (
    f"Graph B is {a['graph']} with its nodes renamed so that it shares "
    f"{a['shared_edges']} of {a['edges']} edges with graph A; the preference "
    "is log p(neighbours in B only) - log p(neighbours in A only), over the "
    "whole vocabulary.",
    "The last position alone is changed, at one hidden state; both walks of a "
    "pair end at the same word. A patch at the last hidden state gives the "
    "B-walk's prediction by construction and says nothing.",
    "Class means for steering come from other walks; their difference is "
    f"{share} times as long as the difference that a patch makes.",
  )
