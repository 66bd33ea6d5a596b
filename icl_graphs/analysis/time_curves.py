"""Accuracy and its baselines against context length, labelled."""

import numpy as np
import xarray as xr

from icl_graphs import errors
from icl_graphs.analysis import accuracy, memorisation

FINALS = ("accuracy_full", "accuracy_restricted")


def accuracies(
  raw: xr.Dataset, resamples: int, headline_draws: int, seed: int
) -> xr.Dataset:
  """Accuracy and node mass by time, and accuracy over the last fifth.

  Args:
    raw: `accuracy_full`, `node_mass` and optionally `null_mass` (walk, time),
      NaN where not scored; `walk_group` (walk), else one group.
    resamples: bootstrap draws over groups for the curves.
    headline_draws: the same for the means over the last fifth.
    seed: of the draws.

  Returns:
    `accuracy_full_mean`, `accuracy_restricted_mean`, `node_mass_mean` (time,
    stat), `accuracy_full_final`, `accuracy_restricted_final` (stat). Their null
    is the mean over walks of the mass on neighbours in relabelled graphs, and
    `null_sd` its standard error over groups.
  """

  def read(name):
    return raw[name].transpose("walk", "time").values.astype(np.float64)

  full, mass = read("accuracy_full"), read("node_mass")
  values = {
    "accuracy_full": full,
    "accuracy_restricted": accuracy.restricted(full, mass),
    "node_mass": mass,
  }
  chance = {}
  if "null_mass" in raw:
    by_chance = read("null_mass")
    chance = {
      "accuracy_full": by_chance,
      "accuracy_restricted": accuracy.restricted(by_chance, mass),
    }
  groups = (
    raw["walk_group"].values
    if "walk_group" in raw
    else np.zeros(len(full), np.int64)
  )
  end = accuracy.last_fifth(full.shape[1])
  ds = xr.Dataset()
  for name, array in values.items():
    sums = accuracy.group_totals(array, groups)
    null = chance.get(name, np.full_like(array, np.nan))
    null_sums = accuracy.group_totals(null, groups)
    ds[f"{name}_mean"] = (
      ("time", "stat"),
      _with_null(*sums, *null_sums, resamples, seed),
    )
    if name in FINALS:
      finals = [part[:, end].sum(axis=1) for part in (*sums, *null_sums)]
      number = max(resamples, headline_draws)
      ds[f"{name}_final"] = (("stat",), _with_null(*finals, number, seed))
  return ds


def _with_null(
  sums, count, null_sums, null_count, resamples, seed
) -> np.ndarray:
  """[..., stat]; `null_sd` is the standard error of the null over groups.

  The null is the mean over all relabellings; there are no draws to take limits
  from.
  """
  found = accuracy.mean_with_interval(sums, count, resamples, seed)
  null = null_sums.sum(axis=0) / np.where(
    null_count.sum(axis=0) > 0, null_count.sum(axis=0), np.nan
  )
  spread = accuracy.standard_error(null_sums, null_count)
  unknown = np.full_like(spread, np.nan)
  return np.stack([*found, null, spread, unknown, unknown], axis=-1)


def baselines(raw: xr.Dataset, alpha: float) -> xr.Dataset:
  """What memory alone would score on the same walks.

  Args:
    raw: `nodes` (walk, time), -1 off nodes; `adjacency`; `accuracy_full`, where
      present, is NaN at positions to leave out.
    alpha: prior of the in-context bigram predictor.

  Returns:
    Along time: `memorisation_1shot` and `memorisation_2shot` (formulas for iid
    words, counting the words so far), `seen_once`, `seen_twice`, `bayes`.

  Raises:
    InputError: `nodes` do not fit the graph.
  """
  nodes = raw["nodes"].transpose("walk", "time").values.astype(np.int64)
  adjacency = raw["adjacency"].transpose("node", "node_").values
  n = len(adjacency)
  if nodes.size and (nodes.min() < -1 or nodes.max() >= n):
    raise errors.InputError(
      f"'nodes' run from {nodes.min()} to {nodes.max()}; the graph has 0 to "
      f"{n - 1}, and -1 marks positions without a node"
    )
  words = (nodes >= 0).cumsum(axis=1).mean(axis=0)
  found = memorisation.visits(nodes, adjacency)
  bayes = memorisation.bayes_accuracy(found, nodes, adjacency, alpha)
  if "accuracy_full" in raw:
    scored = np.isfinite(raw["accuracy_full"].transpose("walk", "time").values)
    bayes = np.where(scored, bayes, np.nan)
    nodes = np.where(scored, nodes, -1)
  known = np.isfinite(bayes)
  count = known.sum(axis=0)
  return xr.Dataset(
    {
      "memorisation_1shot": ("time", memorisation.iid_one_shot(words, n)),
      "memorisation_2shot": ("time", memorisation.iid_two_shot(words, n)),
      "seen_once": ("time", memorisation.fraction(found.seen >= 1, nodes)),
      "seen_twice": ("time", memorisation.fraction(found.seen >= 2, nodes)),
      "bayes": (
        "time",
        np.where(known, bayes, 0).sum(axis=0)
        / np.where(count > 0, count, np.nan),
      ),
    }
  )
