"""When curves over context length move, and which moves first.

An event is the context at which a curve has made a stated share of its whole
change, from its value at the first context to its extreme value. Shares are
fixed beforehand: `HALF` says when a curve moves, `SETTLED` when it is done.
Curves come with bootstrap replicates over the same groups of walks, so that
lags between events are paired. Letters: R the estimate and its replicates,
L layers, W windows, C contexts, G groups, n nodes, T time.
"""

from jaxtyping import Bool, Float, Int, Shaped
import numpy as np

from icl_graphs.analysis import accuracy, energy, nulls, transitions
from icl_graphs.analysis import gram as gram_lib

HALF, SETTLED = 0.5, 0.9
# Accuracy at one context is averaged over contexts within this factor.
NEARBY = 1.12


def energy_curves(
  products: Float[np.ndarray, "L W C G n G n"],
  count: Shaped[np.ndarray, "W C G n"],
  adjacency: Float[np.ndarray, "n n"],
  hidden_size: int,
  resamples: int,
  seed: int,
) -> dict[str, Float[np.ndarray, "R L W C"]]:
  """Every energy of the estimate and of bootstrap replicates over groups.

  Args:
    products: inner products of class sums per group.
    count: terms in those sums.
    adjacency: of the graph.
    hidden_size: width of the class means.
    resamples: R - 1 bootstrap draws.
    seed: of the draws; the one that `accuracy_curve` gets.

  Returns:
    by name of `energy.NAMES`; NaN where a replicate misses a node.
  """
  groups = count.shape[-2]
  weights = _weights(groups, resamples, seed)
  cells = products.shape[:3]
  found = {name: np.empty((len(weights), *cells)) for name in energy.NAMES}
  for cell in np.ndindex(cells):
    gram, _ = gram_lib.pooled(
      np.asarray(products[cell]), count[cell[1:]], weights
    )
    for name, values in energy.energies(gram, adjacency, hidden_size).items():
      found[name][(slice(None), *cell)] = values
  return found


def accuracy_curve(
  values: Float[np.ndarray, "walk T"],
  walk_group: Int[np.ndarray, " walk"],
  contexts: Int[np.ndarray, " C"],
  window: int | None,
  resamples: int,
  seed: int,
) -> Float[np.ndarray, "R C"]:
  """Accuracy of the estimate and of bootstrap replicates over groups.

  Args:
    values: at t = 1..T; NaN where not scored.
    walk_group: group of each walk.
    contexts: at which the curve is wanted.
    window: average over the last `window` positions, as class means do, so
      that an energy of the same window is delayed as much; None: over contexts
      within the factor `NEARBY`.
    resamples, seed: as in `energy_curves`.

  Returns:
    NaN where nothing is scored.
  """
  sums, known = accuracy.group_totals(values, walk_group)
  time = np.arange(1, values.shape[1] + 1)
  contexts = np.asarray(contexts)[:, None]
  if window is None:
    inside = (time >= contexts / NEARBY) & (time <= contexts * NEARBY)
  else:
    inside = (time > contexts - window) & (time <= contexts)
  member = inside.T.astype(np.float64)
  return transitions.resampled(sums @ member, known @ member, resamples, seed)


def usable(curves: Float[np.ndarray, "R ..."]) -> Bool[np.ndarray, "..."]:
  """Where the estimate is known and few replicates miss a word."""
  curves = np.asarray(curves)
  few = np.isnan(curves).mean(axis=0) <= nulls.MAX_MISSING
  return few & np.isfinite(curves[0])


def reached(
  curves: Float[np.ndarray, "R C"],
  contexts: Int[np.ndarray, " C"],
  share: float,
  *,
  rising: bool,
) -> Float[np.ndarray, " R"]:
  """First context at which a share of the whole change is behind.

  The change is from the first context with values to the highest (rising) or
  lowest value; between contexts the curve is a line over log context.

  Args:
    curves: the estimate and its replicates; contexts that are not `usable`
      are left out, so that all start at the same one.
    contexts: ascending.
    share: above 0, at most 1.
    rising: False for curves that fall.

  Returns:
    NaN where a curve does not change that way, or holds a NaN there.
  """
  curves = np.asarray(curves, np.float64)
  kept = usable(curves)
  if not kept.any():
    return np.full(len(curves), np.nan)
  values = curves[:, kept] * (1 if rising else -1)
  log_t = np.log(np.asarray(contexts, np.float64)[kept])
  progress = values - values[:, :1]
  whole = progress.max(axis=1)
  with np.errstate(divide="ignore", invalid="ignore"):
    progress = progress / np.where(whole > 0, whole, np.nan)[:, None]
  beyond = progress >= share
  rows = np.arange(len(values))
  after = beyond.argmax(axis=1)
  before = np.maximum(after - 1, 0)
  low, high = progress[rows, before], progress[rows, after]
  with np.errstate(divide="ignore", invalid="ignore"):
    part = np.where(high > low, (share - low) / (high - low), 0)
  at = log_t[before] + part * (log_t[after] - log_t[before])
  known = beyond.any(axis=1) & np.isfinite(progress).all(axis=1)
  return np.where(known, np.exp(at), np.nan)


def timed(
  curves: Float[np.ndarray, "R C"],
  contexts: Int[np.ndarray, " C"],
  share: float,
  groups: int,
  *,
  rising: bool,
) -> transitions.Estimate:
  """An event with its interval, for `transitions.lag`; see `reached`."""
  at = reached(curves, contexts, share, rising=rising)
  ends = (float(contexts[0]), float(contexts[-1]))
  return transitions.estimate(at, groups, bounds=ends)


def change(
  curves: Float[np.ndarray, "R ..."], groups: int
) -> tuple[
  Float[np.ndarray, "..."],
  Float[np.ndarray, "..."],
  Float[np.ndarray, "..."],
]:
  """An estimate with its interval from its replicates: (value, low, high)."""
  low, high = nulls.interval(curves[0], curves[1:], groups)
  return curves[0], low, high


def _weights(groups: int, resamples: int, seed: int) -> np.ndarray:
  drawn = nulls.bootstrap_weights(groups, resamples, seed)
  return np.concatenate([np.ones((1, groups)), drawn])
