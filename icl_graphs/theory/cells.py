"""One window and context: all layers against all accounts.

Letters: K accounts, L layers, S eigenspaces, X splits in both directions.
Every array of a result starts with [K, L] or [L]; a last axis of six is
`STATS`.
"""

from collections.abc import Sequence
import dataclasses

from jaxtyping import Float
import numpy as np

from icl_graphs.analysis import gram as gram_lib
from icl_graphs.analysis import nulls
from icl_graphs.theory import candidates as candidates_lib
from icl_graphs.theory import eigenspaces, held_out, scoring, similarity

STATS = ("value", "low", "high", "null", "null_sd", "p")
# Likeness of whole configurations is slow; its null and its interval make do
# with fewer draws.
_PICTURE_DRAWS = 40
_FLAT = (0.0, 0.0, 0.0, 0.0, 0.0, np.nan)


@dataclasses.dataclass(frozen=True)
class Draws:
  """How much is drawn: splits into halves, reweighings, relabellings."""

  splits: int
  resamples: int
  permutations: int
  seed: int
  similarity_null: bool


class Frame:
  """What all cells of a graph share: two sets of eigenspaces."""

  def __init__(self, graph):
    self.walk = eigenspaces.walk(graph)
    self.laplacian = eigenspaces.laplacian(graph)


def compare(
  products: Float[np.ndarray, "L G n G n"],
  count: Float[np.ndarray, "G n"],
  accounts: Sequence[candidates_lib.Candidates],
  predicted: Sequence[held_out.Predicted],
  frame: Frame,
  draws: Draws,
) -> dict[str, np.ndarray] | None:
  """Everything `comparison.compare` returns about one window and context.

  None where nodes are too rare for two halves.
  """
  splits = held_out.halves(count, draws.splits, draws.seed)
  if splits is None:
    return None
  train, test = held_out.grams(products, count, splits)
  directions = 2 * len(splits)
  value = scoring.Scored(train, test, predicted, frame.walk, directions)
  weights = held_out.resampling(len(count), draws.resamples, draws.seed)
  boots = scoring.drawn(
    weights,
    lambda part: held_out.grams(
      products, count, part[:, None, None, :] * splits
    ),
    predicted,
    frame.walk,
    directions,
  )
  labels = nulls.permutations(count.shape[1], draws.permutations, draws.seed)
  chance = scoring.drawn(
    labels,
    lambda part: tuple(
      scoring.relabelled(half, part) for half in (train, test)
    ),
    predicted,
    frame.walk,
    directions,
    value.flat_error,
  )
  result = {"ceiling": value.ceiling[:, 0]}
  for name in scoring.NAMES:
    found = value.scores[name][..., 0]
    result[name] = _stats(found, boots[name], chance[name], len(count))
    result[f"{name}_behind"] = _behind(found, boots[name], len(count))
  again = None
  if draws.similarity_null:
    few = weights[:_PICTURE_DRAWS, None, None, :]
    again = held_out.grams(products, count, few * splits[:1])
  result |= _likeness(
    *(train, test, accounts, predicted, value, frame, draws, again),
    len(count),
  )
  return result | _spectra(
    gram_lib.between_groups(products, count, np.ones((1, len(count)))),
    gram_lib.between_groups(products, count, weights),
    labels,
    accounts,
    predicted,
    frame,
    len(count),
  )


def _stats(found, boots, chance, groups) -> np.ndarray:
  low, high = nulls.interval(found, np.moveaxis(boots, -1, 0), groups)
  # The best of all accounts on the same relabelling, so that trying many
  # accounts makes none look better.
  best = np.where(np.isfinite(chance), chance, -np.inf).max(axis=0)
  p = _p_value(found, best)
  spread = chance.mean(axis=-1), chance.std(axis=-1)
  result = np.stack([found, low, high, *spread, p], axis=-1)
  # Flat, the first account, scores zero by definition, not by rounding.
  result[0] = np.where(np.isfinite(found[0])[..., None], _FLAT, np.nan)
  return result


def _p_value(found: np.ndarray, chance: np.ndarray) -> np.ndarray:
  """Share of draws, the observation included, that reach the value."""
  reached = (chance >= found[..., None] - 1e-12).sum(axis=-1)
  p = (1 + reached) / (1 + chance.shape[-1])
  return np.where(np.isfinite(found), p, np.nan)


def _behind(found, boots, groups) -> np.ndarray:
  """By how much each account trails the best, paired: value, low, high."""
  best = np.where(np.isfinite(found), found, -np.inf).argmax(axis=0)[None]
  gap = np.take_along_axis(found, best, 0) - found
  pairs = np.take_along_axis(boots, best[..., None], 0) - boots
  low, high = nulls.interval(gap, np.moveaxis(pairs, -1, 0), groups)
  return _padded(gap, low, high)


def _padded(*known: np.ndarray) -> np.ndarray:
  unknown = np.full_like(known[0], np.nan)
  missing = [unknown] * (len(STATS) - len(known))
  return np.stack([*known, *missing], axis=-1)


def _per_layer(account: candidates_lib.Candidates) -> np.ndarray:
  return account.grams if account.across_layers else account.grams[None]


def _likeness(
  train, test, accounts, predicted, value, frame, draws, boots, groups
) -> dict[str, np.ndarray]:
  """Likeness of each fitted account with the half it was not fitted on.

  Its null and its interval refit on one split, both ways.

  Args:
    boots: Gram matrices to fit and to score on, by replicate and way; or None.
  """
  nodes, halves = train.shape[-1], train.shape[1] // 2
  chance = None
  if draws.similarity_null:
    labels = nulls.permutations(nodes, _PICTURE_DRAWS, draws.seed + 1)
    chance = [
      scoring.relabelled(gram[:, [0, halves]], labels) for gram in (train, test)
    ]

  def refitted(account, one, fitted, scored):
    """By measure: [L, draws], the mean of both ways."""
    power = eigenspaces.powers(fitted, frame.walk)
    chosen = held_out.fit(power, one, frame.walk.multiplicity)
    found = similarity.compare(
      scored, held_out.take(_per_layer(account), chosen)
    )
    return {
      name: column.reshape(len(column), -1, 2).mean(axis=-1)
      for name, column in found.items()
    }

  columns = {name: [] for name in similarity.NAMES}
  for account, one, chosen in zip(
    accounts, predicted, value.chosen, strict=True
  ):
    found = similarity.compare(test, held_out.take(_per_layer(account), chosen))
    if chance is not None:
      null = refitted(account, one, *chance)
      again = refitted(account, one, *boots)
    for name in similarity.NAMES:
      seen = found[name].mean(axis=-1)
      row = np.full((len(seen), len(STATS)), np.nan)
      row[:, 0] = seen
      if chance is not None:
        least = -1.0 if name == "distance_agreement" else 0.0
        row[:, 1], row[:, 2] = nulls.interval(
          seen, again[name].T, groups, bounds=(least, 1.0)
        )
        row[:, 3], row[:, 4] = null[name].mean(-1), null[name].std(-1)
        row[:, 5] = _p_value(seen, null[name])
      columns[name].append(row)
  return {name: np.stack(rows) for name, rows in columns.items()}


def _spectra(
  gram, replicates, labels, accounts, predicted, frame, groups
) -> dict[str, np.ndarray]:
  """Spectra of all groups together, observed and fitted, for the eye."""
  spaces = frame.walk
  power = eigenspaces.powers(gram, spaces)
  boots = np.moveaxis(eigenspaces.powers(replicates, spaces), 1, 0)
  low, high = nulls.interval(power[:, 0], boots, groups)
  seen = eigenspaces.contrast(power[:, 0], spaces)
  limits = nulls.interval(seen, eigenspaces.contrast(boots, spaces), groups)
  chance = eigenspaces.contrast(
    eigenspaces.powers(scoring.relabelled(gram, labels), spaces), spaces
  )
  spread = chance.mean(axis=-1), chance.std(axis=-1)
  contrast = [seen, *limits, *spread, _p_value(seen, chance)]
  guess, smooth, values = [], [], {}
  for k, (account, one) in enumerate(zip(accounts, predicted, strict=True)):
    chosen = held_out.fit(power, one, spaces.multiplicity)
    guess.append(held_out.take(one.power, chosen)[:, 0])
    fitted = held_out.take(_per_layer(account), chosen)[:, 0]
    smooth.append(eigenspaces.powers(fitted, frame.laplacian))
    for p, name in enumerate(account.parameters):
      shape = (len(accounts), len(gram))
      column = values.setdefault(f"parameter_{name}", np.full(shape, np.nan))
      column[k] = account.values[chosen[:, 0], p]
  return values | {
    "power": _padded(power[:, 0], low, high),
    "contrast": np.stack(contrast, axis=-1),
    "predicted_power": np.stack(guess),
    "laplacian_power": eigenspaces.powers(gram, frame.laplacian)[:, 0],
    "predicted_laplacian_power": np.stack(smooth),
  }
