"""The same walks in several conditions, compared walk group by walk group.

Groups are resampled alike in every condition, so that differences between
conditions are paired.
"""

from collections.abc import Mapping

from jaxtyping import Float
import numpy as np
import xarray as xr

from icl_graphs.analysis import accuracy, distances, energy, nulls
from icl_graphs.analysis import gram as gram_lib

NAMES = ("energy_ratio", "distance_correlation", "accuracy_restricted")
STATS = ("value", "low", "high", "null", "null_low", "null_high")
_PERMUTATIONS = 1000


def replicates(
  ds: xr.Dataset, layer: int, window: int, weights: Float[np.ndarray, "R G"]
) -> Float[np.ndarray, "name C R"]:
  """`NAMES` at every context under every weighting of the groups.

  Args:
    ds: observations of one condition, see `measurements.derive`.
    layer: label of the hidden state.
    window: label of the window; accuracy is averaged over the same words.
    weights: of the groups.
  """
  cell = ds.sel(layer=layer, window=window)
  grams = (
    cell["gram"].transpose("context", "group", "node", "group_", "node_").values
  )
  count = cell["count"].transpose("context", "group", "node").values
  adjacency = ds["adjacency"].values
  steps = distances.hops(adjacency)
  found = np.full((len(NAMES), len(grams), len(weights)), np.nan)
  for c, products in enumerate(grams):
    pooled, _ = gram_lib.pooled(products, count[c], weights)
    width = int(ds.attrs["hidden_size"])
    energies = energy.energies(pooled, adjacency, width)
    found[0, c] = energies["energy_ratio"]
    found[1, c] = distances.correlation(pooled, steps)
  parts = [
    accuracy.group_totals(ds[name].values, ds["walk_group"].values)[0]
    for name in ("accuracy_full", "node_mass")
  ]
  for c, last in enumerate(ds["context"].values):
    words = slice(max(0, int(last) - window), int(last))
    full, mass = (weights @ part[:, words].sum(axis=1) for part in parts)
    found[2, c] = full / np.where(mass > 0, mass, np.nan)
  return found


def relabelled(
  ds: xr.Dataset, layer: int, window: int, seed: int
) -> Float[np.ndarray, "name C 3"]:
  """Mean and limits of `NAMES` when nodes are relabelled.

  Of accuracy, what a word that is not the current one gets: the density of the
  graph times what other words get, without a spread.
  """
  cell = ds.sel(layer=layer, window=window)
  adjacency = ds["adjacency"].values
  steps, width = distances.hops(adjacency), int(ds.attrs["hidden_size"])
  labels = nulls.permutations(len(adjacency), _PERMUTATIONS, seed)
  result = np.full((len(NAMES), cell.sizes["context"], 3), np.nan)
  for c in range(cell.sizes["context"]):
    at = cell.isel(context=c)
    gram, _ = gram_lib.pooled(
      at["gram"].transpose("group", "node", "group_", "node_").values,
      at["count"].transpose("group", "node").values,
    )
    moved = gram[labels[:, :, None], labels[:, None, :]]
    ratio = energy.energies(moved, adjacency, width)["energy_ratio"]
    for k, draws in enumerate((ratio, distances.correlation(moved, steps))):
      result[k, c] = draws.mean(), *nulls.limits(draws)
    last = int(at["context"])
    words = slice(max(0, last - window), last)
    null = ds["null_mass"].values[:, words].sum()
    result[2, c] = null / ds["node_mass"].values[:, words].sum()
  return result


def compare(
  observed: Mapping[str, xr.Dataset],
  layer: int,
  window: int,
  *,
  resamples: int,
  seed: int,
) -> xr.Dataset:
  """Every condition with its interval and null, and all paired differences.

  Args:
    observed: condition to observations of the same walks.
    layer, window: see `replicates`.
    resamples: of the groups.
    seed: of all draws.

  Returns:
    `measured` (condition, name, context, stat of `STATS`) and `difference`
    (condition, condition_, name, context, limit), the first condition minus
    the second.
  """
  first = next(iter(observed.values()))
  groups = len(np.unique(first["walk_group"].values))
  weights = np.concatenate(
    [np.ones((1, groups)), nulls.bootstrap_weights(groups, resamples, seed)]
  )
  drawn = np.stack(
    [replicates(ds, layer, window, weights) for ds in observed.values()]
  )
  null = np.stack(
    [relabelled(ds, layer, window, seed) for ds in observed.values()]
  )

  def with_interval(values):
    moved = np.moveaxis(values, -1, 0)
    limits = nulls.interval(moved[0], moved[1:], groups)
    return np.stack([moved[0], *limits], axis=-1)

  apart = drawn[:, None] - drawn[None]
  return xr.Dataset(
    {
      "measured": (
        ("condition", "name", "context", "stat"),
        np.concatenate([with_interval(drawn), null], axis=-1),
      ),
      "difference": (
        ("condition", "condition_", "name", "context", "limit"),
        with_interval(apart),
      ),
    },
    coords={
      "condition": list(observed),
      "condition_": list(observed),
      "name": list(NAMES),
      "context": first["context"].values,
      "stat": list(STATS),
      "limit": list(STATS[:3]),
    },
  )
