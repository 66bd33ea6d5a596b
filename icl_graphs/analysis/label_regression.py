"""How much of activations the words around them explain, by exact regression.

Least squares on labels needs no activations, only their sums per label: with
Z the one-hot base labels and Y the activations, the design X = Z A of any model
has X'Y = A' Z'Y, and the explained sum of squares is

  tr(W (Z'Y)(Z'Y)')   with   W = A (A' Z'Z A)^+ A'.

Sums add over walks and devices; their Gram matrix (Z'Y)(Z'Y)' and the counts
Z'Z weigh groups of walks afterwards, which gives intervals. The decomposition
is that of A. Arditi, "In-context learning of representations can be explained
by induction circuits" (ICLR Blogposts 2026), with the next word added: a walk
chooses it after the activation, so that given the current word it explains
nothing, whatever the model.

Base labels: the c pairs (previous, current word) that the graph allows, then
the n next words. Legend: G groups, R weightings of them, m = c + n.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jaxtyping import Float, Int, Shaped
import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import gram as gram_lib

CURRENT, PREVIOUS, NEXT = "current", "previous", "next"
ADDITIVE, BIGRAM = "current + previous", "bigram"
WITH_NEXT, ALL = "current + next", "current + previous + next"
DESIGNS = (CURRENT, PREVIOUS, NEXT, ADDITIVE, BIGRAM, WITH_NEXT, ALL)


class Cells(NamedTuple):
  """Pairs of words that follow one another.

  previous, current: [c] nodes; index: [n, n] the cell of (previous, current),
  -1 where the graph has no such step.
  """

  previous: Int[np.ndarray, " c"]
  current: Int[np.ndarray, " c"]
  index: Int[np.ndarray, "n n"]

  @property
  def labels(self) -> int:
    """m, base labels."""
    return len(self.previous) + len(self.index)


class Fit(NamedTuple):
  """Of one design: adjusted R^2, plain R^2 and rank, the mean included."""

  adjusted: Float[np.ndarray, "..."]
  plain: Float[np.ndarray, "..."]
  rank: Int[np.ndarray, "..."]


def cells(adjacency: Shaped[np.ndarray, "n n"]) -> Cells:
  """Cells of a graph: its directed edges, in reading order."""
  linked = np.asarray(adjacency) != 0
  previous, current = np.nonzero(linked)
  index = np.full(linked.shape, -1)
  index[previous, current] = np.arange(len(previous))
  return Cells(previous, current, index)


def designs(made: Cells) -> dict[str, Float[np.ndarray, "m k"]]:
  """The matrix A of every design in `DESIGNS`."""
  nodes, count = len(made.index), len(made.previous)
  blocks = {
    PREVIOUS: np.eye(nodes)[made.previous],
    CURRENT: np.eye(nodes)[made.current],
    BIGRAM: np.eye(count),
  }
  below = {k: np.pad(v, ((0, nodes), (0, 0))) for k, v in blocks.items()}
  below[NEXT] = np.pad(np.eye(nodes), ((count, 0), (0, 0)))
  parts = {
    ADDITIVE: (CURRENT, PREVIOUS),
    WITH_NEXT: (CURRENT, NEXT),
    ALL: (CURRENT, PREVIOUS, NEXT),
  }
  return {
    name: np.hstack([below[part] for part in parts.get(name, (name,))])
    for name in DESIGNS
  }


def counts(
  made: Cells, cell: Int[np.ndarray, " N"], following: Int[np.ndarray, " N"]
) -> Float[np.ndarray, "m m"]:
  """Z'Z of N observations.

  Args:
    made: of the graph.
    cell: of every observation.
    following: the next word's node.
  """
  first = len(made.previous)
  together = np.zeros((made.labels, made.labels))
  for a, b in (
    (cell, cell),
    (cell, first + following),
    (first + following, cell),
    (first + following, first + following),
  ):
    np.add.at(together, (a, b), 1)
  return together


def pooled(
  products: Float[np.ndarray, "*batch G m G m"],
  together: Float[np.ndarray, "*batch G m m"],
  squares: Float[np.ndarray, "*batch G"],
  weights: Float[np.ndarray, "R G"] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Weighs groups: ((Z'Y)(Z'Y)', Z'Z, sum |y|^2), each with an axis R.

  Args:
    products: Gram matrix of the sums of activations per group and label.
    together: Z'Z per group.
    squares: sum of squared norms of activations per group.
    weights: of the groups; None weighs all of them once, without the axis R.
  """
  groups, labels = together.shape[-3:-1]
  single = weights is None
  weights = np.ones((1, groups)) if single else np.asarray(weights, np.float64)
  both = (weights[:, :, None] * weights[:, None, :]).reshape(-1, groups**2)
  by_pair = np.moveaxis(np.asarray(products, np.float64), -2, -3)
  by_pair = by_pair.reshape(*by_pair.shape[:-4], groups**2, labels**2)
  summed = (both @ by_pair).reshape(*by_pair.shape[:-2], -1, labels, labels)
  counted = weights @ together.reshape(*together.shape[:-2], labels**2)
  counted = counted.reshape(*together.shape[:-3], -1, labels, labels)
  total = np.asarray(squares, np.float64) @ weights.T
  if single:
    return summed[..., 0, :, :], counted[..., 0, :, :], total[..., 0]
  return summed, counted, total


class Projectors(NamedTuple):
  """What a fit needs of the labels alone, for all layers.

  weights: W of every design; rank: of every design; mean: W of the mean alone;
  number: of observations.
  """

  weights: Mapping[str, Float[np.ndarray, "*batch m m"]]
  rank: Mapping[str, Int[np.ndarray, "*batch"]]
  mean: Float[np.ndarray, "*batch m m"]
  number: Float[np.ndarray, "*batch"]


def projectors(
  made: Cells,
  together: Float[np.ndarray, "*batch m m"],
  names: Sequence[str] = DESIGNS,
) -> Projectors:
  """Prepares fits.

  Args:
    made: of the graph.
    together: Z'Z.
    names: designs to fit.
  """
  weights, rank = {}, {}
  every = designs(made)
  for name in names:
    matrix = every[name]
    inner = matrix.T @ together @ matrix
    inverse = _inverse(inner)
    weights[name] = matrix @ inverse @ matrix.T
    # The trace of a projector is its rank.
    found = np.einsum("...ij,...ji->...", inverse, inner)
    rank[name] = np.rint(found).astype(int)
  ones = np.zeros(made.labels)
  ones[: len(made.previous)] = 1
  number = together @ ones @ ones
  mean = (
    np.outer(ones, ones) / np.where(number > 0, number, np.nan)[..., None, None]
  )
  return Projectors(weights, rank, mean, number)


def _inverse(inner: np.ndarray) -> np.ndarray:
  """Pseudo-inverse; at once where labels exclude one another."""
  diagonal = np.diagonal(inner, axis1=-2, axis2=-1)
  if np.count_nonzero(inner) != np.count_nonzero(diagonal):
    return np.linalg.pinv(inner, hermitian=True, rcond=1e-10)
  with np.errstate(divide="ignore"):
    inverse = np.where(diagonal > 0, 1 / diagonal, 0)
  return inverse[..., None] * np.eye(inner.shape[-1])


def fit(
  prepared: Projectors,
  summed: Float[np.ndarray, "*batch m m"],
  total: Float[np.ndarray, "*batch"],
) -> dict[str, Fit]:
  """R^2 of every design prepared, over all D coordinates together.

  R^2 = 1 - SSE / SST about the mean activation; adjusted,
  1 - (SSE / (N - rank)) / (SST / (N - 1)).

  Args:
    prepared: from `projectors` of the same observations.
    summed: (Z'Y)(Z'Y)'.
    total: sum of squared norms.

  Returns:
    NaN where activations do not vary or observations are too few.
  """

  def explained(weights):
    return np.einsum("...ij,...ij->...", weights, summed)

  about_mean = total - explained(prepared.mean)
  known = about_mean > gram_lib.COINCIDE * np.abs(total)
  about_mean = np.where(known, about_mean, np.nan)
  result = {}
  for name, rank in prepared.rank.items():
    left = total - explained(prepared.weights[name])
    free = np.where(prepared.number > rank, prepared.number - rank, np.nan)
    ratio = left / about_mean
    adjusted = 1 - ratio * (prepared.number - 1) / free
    result[name] = Fit(adjusted, 1 - ratio, rank)
  return result


def of_activations(
  activations: Float[np.ndarray, "T D"],
  nodes: Int[np.ndarray, " T"],
  adjacency: Shaped[np.ndarray, "n n"],
) -> dict[str, Fit]:
  """Fits of a single walk's activations, previous and next words within it.

  Designs without the next word use activations 2 to T, those with it 2 to
  T - 1.

  Raises:
    InputError: shapes disagree, or the nodes are no walk on the graph.
  """
  activations = np.asarray(activations, np.float64)
  nodes, made = np.asarray(nodes), cells(adjacency)
  if nodes.shape != activations.shape[:1]:
    raise errors.InputError(
      f"{len(activations)} activations but nodes of shape {nodes.shape}; give "
      "one node per activation"
    )
  cell = made.index[nodes[:-1], nodes[1:]]
  if (cell < 0).any():
    raise errors.InputError(
      f"the graph has no edge for step {int((cell < 0).argmax())} of the nodes;"
      " give the nodes of a walk in order"
    )
  result = {}
  for stop in (len(nodes), len(nodes) - 1):
    # The next word of the last activation is not known: any will do where
    # designs do not read it.
    following = np.append(nodes[2:], 0)[: stop - 1]
    rows, part = activations[1:stop], cell[: stop - 1]
    labels = np.zeros((len(rows), made.labels))
    labels[np.arange(len(rows)), part] = 1
    labels[np.arange(len(rows)), len(made.previous) + following] = 1
    fits = fit(
      projectors(made, counts(made, part, following)),
      gram_lib.from_rows(labels.T @ rows),
      (rows**2).sum(),
    )
    for name, one in fits.items():
      if name not in result or NEXT in name:
        result[name] = one
  return result
