"""Class means and predictions against two graphs on the same words.

Groups of walks have graphs of their own, so that an average over groups is one
over assignments of words to nodes too. Legend: G groups, E = 2 graphs, T words,
P draws of chance.
"""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Float
import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import geometry, nulls
from icl_graphs.analysis import gram as gram_lib

NAMES = (
  "energy_centred",
  "energy_relative",
  "distance_correlation",
  "principal_cosine_1",
  "principal_cosine_2",
  "fiedler_power",
)


class Measured(NamedTuple):
  """Measures of both graphs, group by group.

  Attributes:
    values: name to [E, X, K, C, G].
    chance: name to [P, E, X, C] in one layer: nodes relabelled in every group,
      mean over groups.
    between: [X, K, C, G, 2], cosines of the principal angles between the
      directions of width D that the two graphs' slow modes take.
    between_chance: [P, X, C, 2] in that layer, the second graph relabelled.
  """

  values: dict[str, Float[np.ndarray, "E X K C G"]]
  chance: dict[str, Float[np.ndarray, "P E X C"]]
  between: Float[np.ndarray, "X K C G 2"]
  between_chance: Float[np.ndarray, "P X C 2"]


def measure(
  grams: Float[np.ndarray, "X K C G n n"],
  adjacency: Float[np.ndarray, "G E n n"],
  hidden_size: int,
  layer: int,
  permutations: int,
  seed: int,
) -> Measured:
  """How every group's class means lie on each of its two graphs.

  Args:
    grams: inner products of each group's class means, in X conditions, K layers
      and C contexts.
    adjacency: of its graphs.
    hidden_size: width of the class means.
    layer: place of the layer in which chance is worked out.
    permutations: P.
    seed: of them.
  """
  values = on_both(grams, adjacency, hidden_size)
  between, by_group, between_chance = [], [], []
  for g, pair in enumerate(adjacency):
    gram = grams[..., g, :, :]
    frames = [geometry.frame(one) for one in pair]
    slow = [_slow(frame) for frame in frames]
    between.append(directions_cosines(gram, *slow))
    labels = nulls.permutations(gram.shape[-1], permutations, seed + g)
    gram = gram[:, layer]
    between_chance.append(
      [directions_cosines(gram, slow[0], slow[1][names]) for names in labels]
    )
    moved = gram[..., labels[:, :, None], labels[:, None, :]]
    by_group.append(
      [geometry.measure(moved, frame, hidden_size) for frame in frames]
    )
  chance = {
    name: np.mean([[one[name] for one in pair] for pair in by_group], axis=0)
    for name in NAMES
  }
  return Measured(
    values,
    {name: np.moveaxis(draws, -1, 0) for name, draws in chance.items()},
    np.stack(between, axis=-2),
    np.mean(between_chance, axis=0),
  )


def _slow(frame: geometry.Frame) -> Float[np.ndarray, "n k"]:
  """Basis of the whole eigenspaces that cover z2 and z3."""
  modes = frame.modes
  return modes.vectors[:, 1:][:, modes.space[1:] <= modes.space[2]]


def directions_cosines(
  gram: Float[np.ndarray, "*cell n n"],
  first: Float[np.ndarray, "n k"],
  second: Float[np.ndarray, "n m"],
) -> Float[np.ndarray, "*cell 2"]:
  """Principal cosines between span(Hc' Z_A) and span(Hc' Z_B), larger first.

  The directions in activation space along which two sets of patterns over the
  words vary. 1 where the class means use the same directions for both.

  Args:
    gram: H H', not centred.
    first, second: orthonormal centred patterns Z_A, Z_B.
  """
  centred = gram_lib.centre(np.where(np.isfinite(gram), gram, 0))
  roots = []
  for basis in (first, second):
    values, vectors = np.linalg.eigh(basis.T @ centred @ basis)
    floor = 1e-12 * np.maximum(values.max(axis=-1, keepdims=True), 1e-300)
    scale = np.where(values > floor, 1 / np.sqrt(np.maximum(values, floor)), 0)
    roots.append((vectors * scale[..., None, :]) @ np.swapaxes(vectors, -1, -2))
  cross = roots[0] @ (first.T @ centred @ second) @ roots[1]
  cosines = np.linalg.svd(cross, compute_uv=False)[..., :2]
  known = np.isfinite(gram).all(axis=(-2, -1))[..., None]
  return np.where(known, np.clip(cosines, 0, 1), np.nan)


def preference(
  mass: Float[np.ndarray, "*rows E T"], floor: float = 1e-6
) -> Float[np.ndarray, "*rows T"]:
  """Log-odds of the second graph's neighbours against the first's.

  The graphs share no edge. Probabilities below `floor` count as `floor`.
  """
  logs = np.log(np.maximum(mass, floor))
  return logs[..., 1, :] - logs[..., 0, :]


def slope(
  x: Float[np.ndarray, " X"], y: Float[np.ndarray, "... X"]
) -> Float[np.ndarray, "..."]:
  """Least-squares slope of y against x.

  Raises:
    InputError: x does not vary.
  """
  centred = x - x.mean()
  if not (centred**2).sum() > 0:
    raise errors.InputError("a slope needs at least two different places")
  return y @ centred / (centred**2).sum()


def smoothed(
  curve: Float[np.ndarray, "... T"], width: int
) -> Float[np.ndarray, "... T"]:
  """Mean of the last `width` values up to each place; fewer at the start."""
  total = np.cumsum(curve, axis=-1)
  ends = np.arange(1, curve.shape[-1] + 1)
  starts = np.maximum(ends - width, 0)
  padded = np.concatenate([np.zeros_like(total[..., :1]), total], axis=-1)
  return (padded[..., ends] - padded[..., starts]) / (ends - starts)


def first_reach(
  curve: Float[np.ndarray, "... T"], level: Float[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
  """Words until a curve first reaches a level, 1 at its first place.

  Infinite where it never does.
  """
  above = curve >= np.asarray(level)[..., None]
  found = above.argmax(axis=-1) + 1.0
  return np.where(above.any(axis=-1), found, np.inf)


def crossing(
  places: Float[np.ndarray, " C"], difference: Float[np.ndarray, "... C"]
) -> Float[np.ndarray, "..."]:
  """Where a difference first goes from positive to not positive, linearly.

  The first place where it is not positive from the start; infinite where it
  stays positive.
  """
  difference = np.asarray(difference, np.float64)
  low = difference <= 0
  k = low.argmax(axis=-1)
  before = np.maximum(k - 1, 0)
  at = np.take_along_axis(difference, k[..., None], -1)[..., 0]
  last = np.take_along_axis(difference, before[..., None], -1)[..., 0]
  drop = np.where(last > at, last - at, 1.0)
  share = np.where(k > 0, last / drop, 0.0)
  found = places[before] + share * (places[k] - places[before])
  return np.where(low.any(axis=-1), found, np.inf)


def on_both(
  grams: Float[np.ndarray, "*cell G n n"],
  adjacency: Float[np.ndarray, "G E n n"],
  hidden_size: int,
) -> dict[str, Float[np.ndarray, "E *cell G"]]:
  """Measures of every group's class means on each of its two graphs."""
  found = [
    [
      geometry.measure(
        grams[..., g, :, :], geometry.frame(adjacency[g, e]), hidden_size
      )
      for g in range(len(adjacency))
    ]
    for e in range(adjacency.shape[1])
  ]
  return {
    name: np.stack(
      [np.stack([one[name] for one in graph], axis=-1) for graph in found]
    )
    for name in NAMES
  }


def weighted(
  values: Float[np.ndarray, "... G"], weights: Float[np.ndarray, " G"]
) -> Float[np.ndarray, "..."]:
  """Weighted mean over groups; a group that is NaN in a cell is left out."""
  known = np.isfinite(values)
  size = known @ weights
  total = np.where(known, values, 0) @ weights
  return total / np.where(size > 0, size, np.nan)


def statistic_over_groups(
  statistic: Callable[[Float[np.ndarray, " G"]], float],
  groups: int,
  resamples: int,
  seed: int,
) -> Float[np.ndarray, " 3"]:
  """A statistic of weighted groups with its 95% interval: value, low, high.

  As `nulls.interval`; plain percentiles where some draws are infinite, which
  stands for a time that is never reached and may be a limit.

  Args:
    statistic: of weights that sum to 1.
    groups: G.
    resamples: draws.
    seed: of them.
  """
  weights = nulls.bootstrap_weights(groups, resamples, seed) / groups
  draws = np.array([float(statistic(one)) for one in weights])
  value = float(statistic(np.full(groups, 1 / groups)))
  # inf - inf, where two times are never reached, says nothing.
  known = draws[~np.isnan(draws)]
  if not known.size:
    return np.array([value, np.nan, np.nan])
  if np.isfinite(known).all() and np.isfinite(value):
    limits = nulls.interval(np.array(value), known, groups)
    return np.array([value, *map(float, limits)])
  low, high = np.quantile(known, [0.025, 0.975], method="nearest")
  return np.array([value, low, high])


def over_groups(
  values: Float[np.ndarray, "... G"],
  resamples: int,
  seed: int,
  bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Float[np.ndarray, "... 3"]:
  """Mean over groups with its 95% interval: value, low, high.

  Groups that are NaN in a cell are left out of it.
  """
  values = np.asarray(values, np.float64)
  groups = values.shape[-1]
  weights = nulls.bootstrap_weights(groups, resamples, seed)
  known = np.isfinite(values)
  filled = np.where(known, values, 0)
  with np.errstate(invalid="ignore", divide="ignore"):
    value = filled.sum(axis=-1) / known.sum(axis=-1)
    draws = (filled @ weights.T) / (known @ weights.T)
  low, high = nulls.interval(
    value, np.moveaxis(draws, -1, 0), groups, bounds=bounds
  )
  return np.stack([value, low, high], axis=-1)


def by_group(
  rows: Float[np.ndarray, "R ..."], groups: int
) -> Float[np.ndarray, "... G"]:
  """Mean over the rows of each group; row i belongs to group i mod G."""
  member = np.arange(len(rows)) % groups
  return np.stack(
    [np.nanmean(rows[member == g], axis=0) for g in range(groups)], axis=-1
  )
