"""A Bayesian reader of walks over two graphs that lets old steps fade.

It counts steps between words, each worth `decay` as much after every further
word, over a Dirichlet prior: `predictors.bayes`, against both graphs at once.
decay = 1 counts all steps alike, as if the graph never changed.
"""

from typing import NamedTuple

from jaxtyping import Float, Int
import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import nulls
from icl_graphs.theory import accuracy_fit

# Half-lives of about 2 to 700 words, and no forgetting.
DECAYS = np.concatenate([1 - np.geomspace(0.3, 1e-3, 24), [1.0]])
ALPHAS = np.geomspace(0.003, 10, 24)
FOLDS = 4
FIRST = accuracy_fit.FIRST


class Reader(NamedTuple):
  """A fitted reader.

  Attributes:
    alpha: prior weight of every word.
    decay: per word.
    decay_low, decay_high: 95% interval over groups of walks.
    r2, r2_low, r2_high: held-out share of the variance about the mean curve of
      the walks fitted on, of both graphs' probabilities.
    gain: r2 less that of the best reader that forgets nothing: value, low,
      high.
    curves: [R, E, T], its probabilities with these parameters.
    lasting: the same of the best reader that forgets nothing.
  """

  alpha: float
  decay: float
  decay_low: float
  decay_high: float
  r2: float
  r2_low: float
  r2_high: float
  gain: tuple[float, float, float]
  curves: Float[np.ndarray, "R E T"]
  lasting: Float[np.ndarray, "R E T"]


def fit(
  mass: Float[np.ndarray, "R E T"],
  nodes: Int[np.ndarray, "R T"],
  adjacency: Float[np.ndarray, "G E n n"],
  *,
  resamples: int = 200,
  seed: int = 0,
) -> Reader:
  """Fits prior and decay to what was expected of both graphs' neighbours.

  Args:
    mass: probability of the neighbours in each graph, among node words.
    nodes: the walks.
    adjacency: of the graphs of each group; row i belongs to group i mod G.
    resamples: bootstrap over groups.
    seed: of it.

  Raises:
    InputError: fewer than four groups, or shapes that disagree.
  """
  groups, length = len(adjacency), mass.shape[-1]
  if groups < FOLDS:
    raise errors.InputError(
      f"{groups} groups of walks cannot be cross-validated; give {FOLDS}"
    )
  if mass.shape[::2] != nodes.shape:
    raise errors.InputError(
      f"probabilities of shape {mass.shape} but walks of shape {nodes.shape}"
    )
  use = np.arange(length) >= min(FIRST - 1, length - 1)
  member = np.arange(len(nodes)) % groups
  losses = np.zeros((groups, len(DECAYS), len(ALPHAS)))
  linked = np.asarray(adjacency)[member] != 0
  degree = _degree(linked, nodes)
  n = linked.shape[-1]

  def expected(counts, alpha):
    return (alpha * degree + counts[1]) / (alpha * n + counts[0][:, None])

  for d, decay in enumerate(DECAYS):
    counts = _counts(nodes, linked, float(decay))
    for a, alpha in enumerate(ALPHAS):
      error = (expected(counts, float(alpha)) - mass)[..., use]
      each = np.nansum(error**2, axis=(1, 2))
      losses[:, d, a] = np.bincount(member, each, groups)
  base = _about_mean(mass[..., use], member, groups)
  weights = np.concatenate(
    [np.ones((1, groups)), nulls.bootstrap_weights(groups, resamples, seed)]
  )
  decays = DECAYS[_best(np.tensordot(weights, losses, 1))[0]]
  held = _held_out(losses, groups, seed)
  lasting = _held_out(losses[:, -1:], groups, seed)
  scores = np.stack(
    [1 - weights @ x / (weights @ base) for x in (held, lasting)]
  )
  d, a = (int(x[0]) for x in _best(losses.sum(axis=0)[None]))
  still = int(losses[:, -1].sum(axis=0).argmin())
  found = [
    expected(_counts(nodes, linked, float(DECAYS[place])), float(alpha))
    for place, alpha in ((d, ALPHAS[a]), (-1, ALPHAS[still]))
  ]
  return Reader(
    float(ALPHAS[a]),
    float(DECAYS[d]),
    *_interval(DECAYS[d], decays[1:], groups, (0.0, 1.0)),
    float(scores[0, 0]),
    *_interval(scores[0, 0], scores[0, 1:], groups),
    (
      float(scores[0, 0] - scores[1, 0]),
      *_interval(
        scores[0, 0] - scores[1, 0], scores[0, 1:] - scores[1, 1:], groups
      ),
    ),
    *found,
  )


def _interval(value, draws, groups, bounds=(-np.inf, np.inf)):
  low, high = nulls.interval(np.array(value), draws, groups, bounds=bounds)
  return float(low), float(high)


def _best(losses):
  """Places of the least loss of [R, D, A]."""
  flat = losses.reshape(len(losses), -1).argmin(axis=1)
  return np.unravel_index(flat, losses.shape[1:])


def _held_out(losses, groups, seed):
  """Loss of each group with the parameters that suit the other folds."""
  fold = np.random.default_rng(seed).permutation(np.arange(groups) % FOLDS)
  held = np.zeros(groups)
  for k in range(FOLDS):
    d, a = _best(losses[fold != k].sum(axis=0)[None])
    held[fold == k] = losses[fold == k, d[0], a[0]]
  return held


def _about_mean(mass, member, groups):
  """Squared error of each group about the mean curve of the others."""
  result = np.zeros(groups)
  for g in range(groups):
    inside = member == g
    mean = np.nanmean(mass[~inside], axis=0)
    result[g] = np.nansum((mass[inside] - mean) ** 2)
  return result


def _degree(linked, nodes):
  """Neighbours of every word in each graph, [R, E, T]."""
  rows = np.arange(len(nodes))[:, None]
  return np.moveaxis(linked.sum(axis=-1)[rows, :, nodes], -1, 1)


def _counts(nodes, linked, decay):
  """As `predictors.count`, for graphs of every walk's own.

  Returns:
    Steps out of the current word [R, T], and those of them along an edge of
    each graph [R, E, T].
  """
  walks, length = nodes.shape
  rows = np.arange(walks)
  number, n = linked.shape[1:3]
  # The last entry counts all steps, the others those along edges.
  sums = np.zeros((walks, n, number + 1))
  found = np.zeros((walks, number + 1, length))
  for t in range(length):
    here = nodes[:, t]
    if t:
      before = nodes[:, t - 1]
      sums *= decay
      sums[rows, before, :number] += linked[rows, :, before, here]
      sums[rows, before, number] += 1
    found[..., t] = sums[rows, here]
  return found[:, number], found[:, :number]
