"""Principal components of class means, from their Gram matrix."""

from typing import NamedTuple

from jaxtyping import Float
import numpy as np

from icl_graphs.analysis import gram as gram_lib


class Axes(NamedTuple):
  """Principal axes over nodes.

  vectors: [*batch, n, n] orthonormal columns u_k, largest variance first; the
    entry of largest magnitude in each column is positive.
  variances: [*batch, n] squared singular values S_k^2, descending, at least 0.
  """

  vectors: Float[np.ndarray, "*batch n n"]
  variances: Float[np.ndarray, "*batch n"]


def axes(gram: Float[np.ndarray, "*batch n n"]) -> Axes:
  """Left singular vectors and squared singular values of the centred rows.

  NaN where the Gram matrix has NaN (a node without occurrences).
  """
  known = np.isfinite(gram).all(axis=(-2, -1))
  centred = gram_lib.centre(np.where(known[..., None, None], gram, 0))
  variances, vectors = np.linalg.eigh(centred)
  variances = np.maximum(variances[..., ::-1], 0)
  vectors = vectors[..., ::-1]
  largest = np.abs(vectors).argmax(axis=-2)[..., None, :]
  sign = np.sign(np.take_along_axis(vectors, largest, axis=-2))
  missing = np.where(known, 0, np.nan)
  return Axes(
    vectors * sign + missing[..., None, None], variances + missing[..., None]
  )


def scores(found: Axes, components: int) -> Float[np.ndarray, "*batch n k"]:
  """S_k u_k for the first components; zero beyond the n there are."""
  keep = min(components, found.variances.shape[-1])
  values = found.vectors[..., :keep] * np.sqrt(
    found.variances[..., None, :keep]
  )
  return _padded(values, components)


def explained_ratio(
  found: Axes, components: int
) -> Float[np.ndarray, "*batch k"]:
  """S_k^2 / sum S^2 of the first components; NaN where all rows coincide."""
  total = found.variances.sum(axis=-1, keepdims=True)
  values = found.variances / np.where(total > 0, total, np.nan)
  return _padded(values[..., :components], components)


def _padded(values: np.ndarray, components: int) -> np.ndarray:
  short = components - values.shape[-1]
  return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, max(short, 0))])
