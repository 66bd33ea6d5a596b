"""How principal components lie in the eigenspaces of the graph's Laplacian.

On square grids, rings and tori the smoothest eigenvalues are tied; single
eigenvectors are then an arbitrary choice and only whole eigenspaces can be
compared with (science of the project, 2.7 and 3.1).
"""

from typing import NamedTuple

from jaxtyping import Float, Shaped
import numpy as np

from icl_graphs.analysis import gram as gram_lib
from icl_graphs.analysis import nulls, pca, spectrum


class Matched(NamedTuple):
  """|cos(u_k, z_{k+1})| of the first components, NaN where z_{k+1} is tied.

  Each [..., K]; limit is the upper one of relabelled words, one-sided 2.5%.
  """

  value: Float[np.ndarray, "... K"]
  low: Float[np.ndarray, "... K"]
  high: Float[np.ndarray, "... K"]
  limit: Float[np.ndarray, "... K"]


def simple(modes: spectrum.Modes, components: int) -> np.ndarray:
  """[K] bool: whether the eigenvalue of z_{k+1} belongs to it alone."""
  space = modes.space[1 : components + 1]
  return (modes.space[:, None] == space).sum(axis=0) == 1


def by_vector(
  vectors: Float[np.ndarray, "*batch n n"],
  modes: spectrum.Modes,
  components: int,
) -> Float[np.ndarray, "*batch K"]:
  """|cos(u_k, z_{k+1})| for k = 1..K; NaN where z_{k+1} is tied."""
  inner = np.abs(
    (vectors[..., :components] * modes.vectors[:, 1 : components + 1]).sum(
      axis=-2
    )
  )
  return np.where(simple(modes, components), inner, np.nan)


def by_space(
  vectors: Float[np.ndarray, "*batch n n"],
  modes: spectrum.Modes,
  components: int,
) -> Float[np.ndarray, "*batch K S"]:
  """Share |Z_s' u_k|^2 of each component in each eigenspace but the first.

  Sums to 1 over the eigenspaces; by chance it is the dimension of the
  eigenspace over n - 1.
  """
  inner = np.swapaxes(vectors[..., :components], -1, -2) @ modes.vectors
  spaces = np.arange(1, modes.space[-1] + 1)
  member = (modes.space[:, None] == spaces).astype(np.float64)
  return inner**2 @ member


def matched(
  products: Float[np.ndarray, "G n G n"],
  count: Shaped[np.ndarray, "G n"],
  modes: spectrum.Modes,
  components: int,
  draws: int,
  seed: int,
) -> Matched:
  """`by_vector` of class means, with its interval and its null.

  Args:
    products: inner products of class sums per group of walks.
    count: terms in them.
    modes: of the graph's Laplacian.
    components: K.
    draws: bootstrap resamples over groups, and relabellings.
    seed: of both.
  """
  gram, _ = gram_lib.pooled(products, count)
  vectors = pca.axes(gram).vectors
  value = by_vector(vectors, modes, components)
  weights = nulls.bootstrap_weights(len(count), draws, seed)
  resampled, _ = gram_lib.pooled(products, count, weights)
  replicates = by_vector(pca.axes(resampled).vectors, modes, components)
  # Tied modes are NaN in all; they must not count as missing words.
  tied = ~simple(modes, components)
  replicates = np.where(tied, 0, replicates)
  low, high = nulls.interval(value, replicates, len(count), bounds=(0.0, 1.0))
  labels = nulls.permutations(len(vectors), draws, seed)
  _, limit = nulls.limits(by_vector(vectors[labels], modes, components))
  return Matched(
    value, np.where(tied, np.nan, low), np.where(tied, np.nan, high), limit
  )
