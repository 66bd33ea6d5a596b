"""Predictors of accuracy, fitted and scored on different walks."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from jaxtyping import Float, Int
import numpy as np
from scipy import optimize

from icl_graphs import errors
from icl_graphs.analysis import nulls
from icl_graphs.theory import predictors

# Sparse evidence before this; every reader is wrong there in its own way.
FIRST = 5
FOLDS = 4
ALPHAS = np.geomspace(0.01, 20, 60)
DECAYS = 1 - np.geomspace(1e-4, 0.2, 8)
STRENGTHS = np.geomspace(0.05, 400, 40)
TITLES = {
  "one_shot": "seen once, if words were iid",
  "two_shot": "seen twice, if words were iid",
  "seen_once": "seen once, on these walks",
  "seen_twice": "seen twice, on these walks",
  "bayes": "Bayes bigram",
  "bayes_symmetric": "Bayes bigram, both directions",
  "bayes_recency": "Bayes bigram, recent steps weigh more",
  "bayes_mixture": "Bayes bigram over a mixed prior",
  "oracle": "knows the graph",
}


class Fitted(NamedTuple):
  """One predictor against measured accuracies.

  r2, low, high: held-out share of the variance about the mean accuracy of the
  walks fitted on; positions weigh 1/t, so that every octave of context counts
  alike; interval over walks. parameters: fitted to all walks. curve: [time],
  its mean over walks with these.
  """

  name: str
  title: str
  r2: float
  low: float
  high: float
  parameters: dict[str, float]
  curve: Float[np.ndarray, " time"]


def fit(
  accuracy: Float[np.ndarray, "walk time"],
  nodes: Int[np.ndarray, "walk time"],
  adjacency: Float[np.ndarray, "n n"],
  seed: int = 0,
  resamples: int = 1000,
) -> list[Fitted]:
  """Fits every predictor, best held-out R2 first.

  Args:
    accuracy: probability on the true neighbours, NaN where not scored.
    nodes: the walks, -1 off nodes.
    adjacency: of the graph.
    seed: of the folds and of the bootstrap over walks.
    resamples: for the intervals.

  Raises:
    InputError: shapes differ, fewer than four walks, or nothing scored.
  """
  accuracy = np.asarray(accuracy, np.float64)
  nodes = np.asarray(nodes)
  if accuracy.shape != nodes.shape:
    raise errors.InputError(
      f"accuracies of shape {accuracy.shape} but walks of shape {nodes.shape}; "
      "give one accuracy per position"
    )
  if len(nodes) < FOLDS:
    raise errors.InputError(
      f"{len(nodes)} walks cannot be cross-validated; give at least {FOLDS}"
    )
  length = nodes.shape[1]
  use = np.isfinite(accuracy) & (nodes >= 0)
  use[:, : min(FIRST - 1, length - 1)] = False
  if not use.any(axis=1).all():
    raise errors.InputError("some walk has no scored position; leave it out")
  weights = use / np.arange(1, length + 1)
  target = np.where(use, accuracy, 0.0)
  work = _Work(target, weights, _folds(len(nodes), seed))
  result = []
  for name, options in _options(nodes, adjacency):
    result.append(_best(name, options, work, use, seed, resamples))
  counts = predictors.count(nodes, adjacency)
  result.append(_mixture(counts, len(adjacency), work, use, seed, resamples))
  return sorted(result, key=lambda one: -one.r2)


class _Work(NamedTuple):
  target: Float[np.ndarray, "walk time"]
  weights: Float[np.ndarray, "walk time"]
  fold: Int[np.ndarray, " walk"]

  def errors(self, guess: np.ndarray) -> Float[np.ndarray, " walk"]:
    residual = np.where(self.weights > 0, guess - self.target, 0)
    return (self.weights * residual**2).sum(axis=1)

  def about_mean(self) -> Float[np.ndarray, " walk"]:
    """Error of the mean accuracy of the other folds' walks."""
    sums = (self.weights * self.target).sum(axis=1)
    size = self.weights.sum(axis=1)
    result = np.zeros(len(sums))
    for k in range(FOLDS):
      others = self.fold != k
      mean = sums[others].sum() / size[others].sum()
      inside = ~others
      residual = np.where(self.weights > 0, self.target - mean, 0)
      result[inside] = (self.weights * residual**2).sum(axis=1)[inside]
    return result


def _folds(walks: int, seed: int) -> Int[np.ndarray, " walk"]:
  return np.random.default_rng(seed).permutation(np.arange(walks) % FOLDS)


_Option = tuple[dict[str, float], Callable[[], np.ndarray]]


def _options(nodes, adjacency) -> Iterator[tuple[str, list[_Option]]]:
  """Each predictor with its parameter points and their predictions."""
  n = len(adjacency)
  counts = predictors.count(nodes, adjacency)
  yield "one_shot", [({}, lambda: predictors.one_shot(counts, n))]
  yield "two_shot", [({}, lambda: predictors.two_shot(counts, n))]
  yield "seen_once", [({}, lambda: predictors.seen(counts, n, 1))]
  yield "seen_twice", [({}, lambda: predictors.seen(counts, n, 2))]
  yield "oracle", [({}, lambda: np.ones(nodes.shape))]
  for name, reader in (
    ("bayes", predictors.bayes),
    ("bayes_symmetric", predictors.bayes_symmetric),
  ):
    yield (
      name,
      [
        ({"alpha": float(a)}, lambda a=a, reader=reader: reader(counts, n, a))
        for a in ALPHAS
      ],
    )
  recent = []
  for decay in DECAYS:
    faded = predictors.count(nodes, adjacency, float(decay))
    recent += [
      (
        {"alpha": float(a), "decay": float(decay)},
        lambda a=a, faded=faded: predictors.bayes(faded, n, a),
      )
      for a in ALPHAS[::2]
    ]
  yield "bayes_recency", recent


def _best(name, options, work, use, seed, resamples) -> Fitted:
  losses = np.stack([work.errors(guess()) for _, guess in options])
  held = np.zeros(losses.shape[1])
  for k in range(FOLDS):
    inside = work.fold == k
    chosen = losses[:, ~inside].sum(axis=1).argmin()
    held[inside] = losses[chosen, inside]
  parameters, guess = options[int(losses.sum(axis=1).argmin())]
  return _fitted(name, held, parameters, guess(), work, use, seed, resamples)


class _Squares(NamedTuple):
  """Weighted error of each walk as a quadratic form in the prior's weights."""

  squares: Float[np.ndarray, "walk prior prior"]
  cross: Float[np.ndarray, "walk prior"]
  size: Float[np.ndarray, " walk"]

  def solve(self, kept: np.ndarray) -> np.ndarray:
    return _simplex(self.squares[kept].sum(0), self.cross[kept].sum(0))

  def errors(self, mix: np.ndarray) -> Float[np.ndarray, " walk"]:
    return self.size - 2 * self.cross @ mix + self.squares @ mix @ mix


def _mixture(counts, num_nodes, work, use, seed, resamples) -> Fitted:
  """Prior weights, not negative and summing to 1, for every strength."""
  priors = np.where(use[..., None], predictors.priors(counts, num_nodes), 0)
  out = np.where(use, counts.out, 0)
  forms = []
  for strength in STRENGTHS:
    parts = priors * (strength / (strength + out))[..., None]
    rest = work.target - np.where(use, counts.kept, 0) / (strength + out)
    weighted = work.weights[..., None] * parts
    forms.append(
      _Squares(
        np.swapaxes(weighted, 1, 2) @ parts,
        (np.swapaxes(weighted, 1, 2) @ rest[..., None])[..., 0],
        (work.weights * rest**2).sum(axis=1),
      )
    )

  def best(kept):
    mixes = [form.solve(kept) for form in forms]
    losses = [
      form.errors(mix)[kept].sum()
      for form, mix in zip(forms, mixes, strict=True)
    ]
    chosen = int(np.argmin(losses))
    return chosen, mixes[chosen]

  held = np.zeros(len(use))
  for k in range(FOLDS):
    inside = work.fold == k
    chosen, mix = best(~inside)
    held[inside] = forms[chosen].errors(mix)[inside]
  chosen, mix = best(np.ones(len(use), bool))
  strength = float(STRENGTHS[chosen])
  parameters = {"strength": strength} | dict(
    zip(predictors.PRIORS, mix.tolist(), strict=True)
  )
  guess = predictors.bayes_mixture(counts, num_nodes, strength, mix)
  return _fitted(
    "bayes_mixture", held, parameters, guess, work, use, seed, resamples
  )


def _simplex(squares: np.ndarray, cross: np.ndarray) -> np.ndarray:
  """Least squares over weights >= 0 with sum 1, from normal equations."""
  values, vectors = np.linalg.eigh(squares)
  root = np.sqrt(np.maximum(values, 0))
  kept = root > 1e-9 * root.max()
  rows = (vectors[:, kept] * root[kept]).T
  right = vectors[:, kept].T @ cross / root[kept]
  firm = 1e3 * root.max()
  found, _ = optimize.nnls(
    np.vstack([rows, np.full((1, len(cross)), firm)]), np.append(right, firm)
  )
  return found / found.sum()


def _fitted(
  name, held, parameters, guess, work, use, seed, resamples
) -> Fitted:
  base = work.about_mean()
  value = 1 - held.sum() / base.sum()
  drawn = nulls.bootstrap_weights(len(held), resamples, seed)
  low, high = nulls.interval(
    np.array(value), 1 - (drawn @ held) / (drawn @ base), len(held)
  )
  count = use.sum(axis=0)
  curve = np.where(use, guess, 0).sum(axis=0) / np.where(count, count, np.nan)
  return Fitted(
    name, TITLES[name], float(value), float(low), float(high), parameters, curve
  )
