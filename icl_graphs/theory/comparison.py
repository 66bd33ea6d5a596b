"""Observed class means against every rival account, held out and with nulls.

An account's parameters are fitted to the signed power spectrum of half of the
groups of walks, and the account so fitted is scored on the other half. Gram
matrices come from products between different groups only, so sampling noise
counts neither as structure nor against it.

The primary score is the held-out R2 of the signed spectrum against a flat one;
the second is the held-out Gaussian log-likelihood of everything the Gram matrix
holds. Nulls repeat the whole procedure, fit included, with relabelled nodes.
Intervals reweigh the groups. They are about other walks over the same words:
with few words, chance likeness between words is for the null to judge.
"""

from collections.abc import Sequence
import dataclasses

import numpy as np
import xarray as xr

from icl_graphs import errors
from icl_graphs.analysis import geometry
from icl_graphs.theory import candidates as candidates_lib
from icl_graphs.theory import cells, copies, held_out, scoring, similarity

CELL = ("layer", "window", "context")
_DIMS = (
  {
    name: ("account", *CELL, "stat")
    for name in (*scoring.NAMES, *similarity.NAMES)
  }
  | {f"{name}_behind": ("account", *CELL, "stat") for name in scoring.NAMES}
  | {
    "ceiling": CELL,
    "contrast": (*CELL, "stat"),
    "power": (*CELL, "space", "stat"),
    "predicted_power": ("account", *CELL, "space"),
    "laplacian_power": (*CELL, "smoothness"),
    "predicted_laplacian_power": ("account", *CELL, "smoothness"),
  }
)


@dataclasses.dataclass(frozen=True)
class Settings:
  """Numbers of draws: at the reported window and last context, and elsewhere.

  splits: into halves of the groups. resamples: reweighings of the groups.
  permutations: relabellings of the nodes.
  """

  splits: int = 8
  resamples: int = 200
  permutations: int = 400
  splits_elsewhere: int = 4
  draws_elsewhere: int = 40
  seed: int = 0


def compare(
  raw: xr.Dataset,
  settings: Settings | None = None,
  report_layer: int | None = None,
  report_window: int | None = None,
) -> xr.Dataset:
  """Compares every layer, window and context of one graph with the accounts.

  Args:
    raw: observations as `measurements.derive` takes them: `gram`, `count`,
      `adjacency`. Where walks are known (`nodes` and `walk_group`, or
      `recorded_nodes`), the accounts that copy words on them take part.
    settings: numbers of draws.
    report_layer: label; the last by default.
    report_window: label; the first by default.

  Returns:
    Over (account, layer, window, context, stat) with the stats of
    `cells.STATS`: `score`, `log_likelihood` and every name of
    `similarity.NAMES`. p is the share of relabellings on which any account
    reaches the value, so that trying many accounts gains nothing.
    `score_behind`, `log_likelihood_behind`: what the best account has over this
    one, paired. `ceiling` (layer, window, context): score of the other half
    itself as the prediction. `power` and `predicted_power` over the
    eigenspaces of the walk matrix (`space`, with coordinates mu and
    multiplicity), `laplacian_power` and `predicted_laplacian_power` over those
    of the Laplacian (`smoothness`), `contrast` of the signed spectrum, and
    `parameter_...`, all from all groups together. NaN where nodes are too rare
    for two halves.

  Raises:
    InputError: sizes differ, values are not finite, the graph cannot be used
      (negative weights, not connected, too small), fewer than four groups.
  """
  settings = settings or Settings()
  graph, products, count = _checked(raw)
  layers, windows, contexts = (raw[dim].values.tolist() for dim in CELL)
  at_layer = _label(layers, report_layer, layers[-1], "layer")
  at_window = _label(windows, report_window, windows[0], "window")
  depth = max(int(raw.attrs.get("layers", max(layers))), 1)
  frame = cells.Frame(graph)
  fixed = candidates_lib.of_graph(graph, [k / depth for k in layers])
  fixed_predicted = [held_out.predict(one, frame.walk) for one in fixed]
  copied = _copies(raw, windows, contexts, count)
  found = {}
  names = [one.name for one in fixed]
  for w, c in np.ndindex(len(windows), len(contexts)):
    accounts, predicted = list(fixed), list(fixed_predicted)
    if copied is not None:
      walked = candidates_lib.of_walks(
        count[w, c],
        previous_token=copied.previous[w, c],
        induction=copied.induction[w, c],
      )
      accounts += walked
      predicted += [held_out.predict(one, frame.walk) for one in walked]
    names = [one.name for one in accounts]
    reported = windows[w] == at_window and c == len(contexts) - 1
    found[w, c] = cells.compare(
      products[:, w, c],
      count[w, c],
      accounts,
      predicted,
      frame,
      _draws(settings, reported),
    )
  if all(cell is None for cell in found.values()):
    raise errors.InputError(
      "some node is too rare to be seen by two groups in each half of the "
      "walks, at every context; give more walks or more groups (--groups)"
    )
  coords = {
    **{dim: raw[dim].values for dim in CELL},
    "account": names,
    "stat": list(cells.STATS),
    "mu": ("space", frame.walk.values),
    "multiplicity": ("space", frame.walk.multiplicity),
    "eigenvalue": ("smoothness", frame.laplacian.values),
  }
  kept = ("graph", "model", "mode", "counts_known", "hidden_size")
  attrs = {name: raw.attrs[name] for name in kept if name in raw.attrs}
  attrs |= {
    "report_layer": at_layer,
    "report_window": at_window,
    "groups": count.shape[2],
    **{f"draws_{k}": v for k, v in dataclasses.asdict(settings).items()},
  }
  return _assembled(found, (len(windows), len(contexts)), coords, attrs)


def _draws(settings: Settings, reported: bool) -> cells.Draws:
  few = settings.draws_elsewhere
  return cells.Draws(
    settings.splits if reported else settings.splits_elsewhere,
    settings.resamples if reported else min(few, settings.resamples),
    settings.permutations if reported else min(few, settings.permutations),
    settings.seed,
    similarity_null=reported,
  )


def _assembled(found, shape, coords, attrs) -> xr.Dataset:
  """Results per window and context as one labelled dataset."""
  known = {at: cell for at, cell in found.items() if cell is not None}
  first = next(iter(known.values()))
  variables = {}
  for name, example in first.items():
    dims = _DIMS.get(name, ("account", *CELL))
    lead = dims.index("layer") + 1
    full = np.full(
      (*example.shape[:lead], *shape, *example.shape[lead:]), np.nan
    )
    for at, cell in known.items():
      full[(*[slice(None)] * lead, *at)] = cell[name]
    variables[name] = (dims, full)
  return xr.Dataset(variables, coords, attrs)


def _label(labels: Sequence, wanted, default, what: str):
  if wanted is None:
    return default
  if wanted not in labels:
    raise errors.InputError(
      f"{what} {wanted} was not observed; choose one of {list(labels)}"
    )
  return wanted


def _checked(raw: xr.Dataset):
  """(frame, products [L, W, C, G, n, G, n], count [W, C, G, n])."""
  for name in ("gram", "count", "adjacency"):
    if name not in raw:
      raise errors.InputError(f"the observations have no variable {name!r}")
  graph = geometry.frame(raw["adjacency"].values)
  nodes = len(graph.adjacency)
  products = raw["gram"].transpose(*CELL, "group", "node", "group_", "node_")
  products = products.values.astype(np.float64)
  count = raw["count"].transpose("window", "context", "group", "node").values
  if products.shape[-1] != nodes:
    raise errors.InputError(
      f"the activations are about {products.shape[-1]} nodes but the graph has "
      f"{nodes}; name the graph they come from"
    )
  if not np.isfinite(products).all():
    bad = ~np.isfinite(products).all(axis=tuple(range(1, 7)))
    raise errors.InputError(
      f"the activations of layers {raw['layer'].values[bad].tolist()} hold NaN "
      "or infinity; record them again, in float32 or bfloat16"
    )
  # Refuses too few groups before any work.
  held_out.halves(count[0, 0], 1, 0)
  return graph, products, count.astype(np.float64)


def _copies(raw, windows, contexts, count) -> copies.Copies | None:
  if "recorded_nodes" in raw:
    nodes = raw["recorded_nodes"].values[None]
    group = raw["recorded_group"].values[None]
  elif "nodes" in raw and "walk_group" in raw:
    nodes = raw["nodes"].transpose("walk", "time").values
    group = np.broadcast_to(raw["walk_group"].values[:, None], nodes.shape)
  else:
    return None
  if max(contexts) > nodes.shape[1]:
    return None
  found = copies.walk_copies(nodes, group, count.shape[-1], windows, contexts)
  # Class means of some occurrences only (first words of pairs, say) are about
  # other words than the walks show.
  same = found.count.shape == count.shape and np.allclose(found.count, count)
  return found if same else None
