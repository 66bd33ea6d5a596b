"""Accounts fitted on some groups of walks and scored on the others.

Letters: L layers, R splits (or splits times replicates), T parameter points,
S eigenspaces, n nodes.
"""

from typing import NamedTuple

from jaxtyping import Float, Int
import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import gram as gram_lib
from icl_graphs.theory import candidates as candidates_lib
from icl_graphs.theory import eigenspaces

FEWEST_GROUPS = 4
# Tried when rare nodes rule most splits out.
_TRIES = 400
_LOSSES = 200_000
# Variance that the likelihood grants every mode, relative to the mean: what an
# account leaves empty then costs much, not everything.
LIKELIHOOD_FLOOR = 1e-3


def halves(
  count: Float[np.ndarray, "G n"], number: int, seed: int
) -> Float[np.ndarray, "R 2 G"] | None:
  """Random splits of the groups into two halves, as 0/1 weights.

  In each half, every pair of nodes is held by two different groups, so that
  `gram.between_groups` is defined.

  Args:
    count: occurrences per group and node.
    number: splits wanted.
    seed: of the splits.

  Returns:
    At most `number` splits; None if no split qualifies.

  Raises:
    InputError: fewer than four groups.
  """
  groups = len(count)
  if groups < FEWEST_GROUPS:
    raise errors.InputError(
      f"{groups} group{'s' * (groups != 1)} of walks cannot be cross-validated;"
      f" give at least {FEWEST_GROUPS} (--groups)"
    )
  rng = np.random.default_rng(seed)
  found: list[np.ndarray] = []
  for _ in range(_TRIES):
    first = np.zeros(groups)
    first[rng.permutation(groups)[: groups // 2]] = 1
    split = np.stack([first, 1 - first])
    held = split @ count
    pairs = held[:, :, None] * held[:, None, :] - np.einsum(
      "hg,gi,gj->hij", split, count, count
    )
    new = not any((split == old).all() for old in found)
    if new and (pairs > 0).all():
      found.append(split)
    if len(found) == number:
      break
  return np.stack(found) if found else None


def both_ways(
  gram: Float[np.ndarray, "*batch R 2 n n"],
) -> tuple[
  Float[np.ndarray, "*batch X n n"], Float[np.ndarray, "*batch X n n"]
]:
  """Gram matrices to fit on and to score on: each half serves as both.

  X = 2 R: first halves to fit and second to score, then the reverse.
  """
  first, second = gram[..., 0, :, :], gram[..., 1, :, :]
  return (
    np.concatenate([first, second], axis=-3),
    np.concatenate([second, first], axis=-3),
  )


class Predicted(NamedTuple):
  """What an account predicts at each parameter point, T of them.

  A is 1, or L where the prediction differs between layers. power: [A, T, S],
  normalised. inverse: [A, T, n * n], and log_volume: [A, T], of the centred
  Gram matrix scaled to mean variance 1.
  """

  power: Float[np.ndarray, "A T S"]
  inverse: Float[np.ndarray, "A T nn"]
  log_volume: Float[np.ndarray, "A T"]


def predict(
  account: candidates_lib.Candidates, spaces: eigenspaces.Eigenspaces
) -> Predicted:
  """Prepares an account for `fit` and `log_likelihood`."""
  grams = account.grams if account.across_layers else account.grams[None]
  nodes = grams.shape[-1]
  # Orthonormal basis of what is orthogonal to the common mean.
  basis = np.linalg.svd(np.ones((1, nodes)))[2][1:].T
  inside = basis.T @ grams @ basis
  scale = np.trace(inside, axis1=-2, axis2=-1)[..., None, None] / (nodes - 1)
  values, vectors = np.linalg.eigh(inside / scale)
  # Predictions for products between groups may have negative eigenvalues.
  values = np.maximum(values, 0) + LIKELIHOOD_FLOOR
  vectors = basis @ vectors
  inverse = (vectors / values[..., None, :]) @ np.swapaxes(vectors, -1, -2)
  return Predicted(
    eigenspaces.powers(grams, spaces),
    inverse.reshape(*inverse.shape[:-2], nodes * nodes),
    np.log(values).mean(axis=-1),
  )


def fit(
  power: Float[np.ndarray, "L X S"],
  predicted: Predicted,
  multiplicity: Int[np.ndarray, " S"],
) -> Int[np.ndarray, "L X"]:
  """Best parameter point by multiplicity-weighted squared error of powers.

  An account with predictions per layer gets one point for all layers.
  """
  weights = multiplicity.astype(np.float64)
  # A point without a prediction is never the best.
  known = np.isfinite(predicted.power).all(axis=-1)
  guess = np.where(known[..., None], predicted.power, 0)
  size = np.where(known, guess**2 @ weights, np.inf)
  scaled = -2 * power * weights
  best = np.zeros(power.shape[:2], np.int64)
  # In blocks that stay in the processor's cache: ten times as fast.
  step = max(1, _LOSSES // (len(power) * guess.shape[1]))
  for start in range(0, power.shape[1], step):
    block = slice(start, start + step)
    loss = scaled[:, block] @ np.swapaxes(guess, -1, -2) + size[:, None]
    if len(guess) > 1:
      loss = np.broadcast_to(loss.sum(axis=0), loss.shape)
    best[:, block] = loss.argmin(axis=-1)
  return best


def take(
  table: Float[np.ndarray, "A T ..."], chosen: Int[np.ndarray, "L X"]
) -> Float[np.ndarray, "L X ..."]:
  """Entries of a table of `Predicted` at the chosen parameter points."""
  layers = np.arange(len(chosen)) if len(table) > 1 else np.zeros(1, int)
  return table[layers[:, None], chosen]


def squared_error(
  power: Float[np.ndarray, "L X S"],
  guess: Float[np.ndarray, "L X S"] | float,
  multiplicity: Int[np.ndarray, " S"],
) -> Float[np.ndarray, "L X"]:
  """Sum over modes of the squared error of their powers."""
  return (power - guess) ** 2 @ multiplicity.astype(np.float64)


def log_likelihood(
  train: Float[np.ndarray, "L X n n"],
  test: Float[np.ndarray, "L X n n"],
  inverse: Float[np.ndarray, "L X nn"],
  log_volume: Float[np.ndarray, "L X"],
) -> Float[np.ndarray, "L X"]:
  """Held-out Gaussian log-likelihood beyond that of no structure.

  Columns of the centred class means are iid N(0, s^2 K) with the account's K
  and s^2 fitted on the first half; the same with K = I is subtracted. In nats
  per column and dimension (n - 1 of them), constants dropped.
  """
  nodes = train.shape[-1]
  own = _per_dimension(train, inverse), _per_dimension(test, inverse)
  eye = np.eye(nodes) - 1 / nodes
  flat = (
    _per_dimension(train, eye.reshape(-1)),
    _per_dimension(test, eye.reshape(-1)),
  )

  def likelihood(fitted, scored, volume):
    scale = np.where(fitted > 0, fitted, np.nan)
    return -0.5 * (volume + np.log(scale) + scored / scale)

  return likelihood(*own, log_volume) - likelihood(*flat, 0.0)


def _per_dimension(gram, inverse) -> np.ndarray:
  nodes = gram.shape[-1]
  flat = gram.reshape(*gram.shape[:-2], nodes * nodes)
  if inverse.ndim == 1:
    return flat @ inverse / (nodes - 1)
  return np.einsum("lxk,lxk->lx", flat, inverse) / (nodes - 1)


def resampling(groups: int, number: int, seed: int) -> Float[np.ndarray, "B G"]:
  """Random weights of the groups with mean 1, never zero.

  The Bayesian bootstrap: exponential weights leave every group, and so every
  rare node, in every replicate, which drawing with replacement would not.
  """
  drawn = np.random.default_rng(seed).exponential(size=(number, groups))
  return drawn / drawn.mean(axis=1, keepdims=True)


def grams(
  products: Float[np.ndarray, "L G n G n"],
  count: Float[np.ndarray, "G n"],
  weights: Float[np.ndarray, "*replicates R 2 G"],
) -> tuple[Float[np.ndarray, "L X n n"], Float[np.ndarray, "L X n n"]]:
  """Gram matrices to fit on and to score on, free of sampling noise.

  X runs over replicates, then directions, then splits.
  """
  flat = weights.reshape(-1, weights.shape[-1])
  nodes = count.shape[-1]
  found = gram_lib.between_groups(products, count, flat).reshape(
    len(products), -1, *weights.shape[-3:-1], nodes, nodes
  )
  train, test = both_ways(found)
  shape = (len(products), -1, nodes, nodes)
  return train.reshape(shape), test.reshape(shape)
