"""How alike two sets of class means are, from their Gram matrices.

All ignore rotation, scale and the common mean. Gram matrices free of sampling
noise may have small negative eigenvalues; where a root is needed these count
as zero. NaN where either side has no variance.
"""

from jaxtyping import Float
import numpy as np

from icl_graphs.analysis import gram as gram_lib
from icl_graphs.analysis import pca, spectrum

NAMES = (
  "principal_cosine_1",
  "principal_cosine_2",
  "procrustes_r2",
  "linear_cka",
  "distance_agreement",
)


def compare(
  observed: Float[np.ndarray, "*batch n n"],
  predicted: Float[np.ndarray, "*batch n n"],
) -> dict[str, Float[np.ndarray, "*batch"]]:
  """Every measure of `NAMES` between two sets of class means."""
  cosines = principal_cosines(observed, predicted)
  return {
    "principal_cosine_1": cosines[..., 0],
    "principal_cosine_2": cosines[..., 1],
    "procrustes_r2": procrustes_r2(observed, predicted),
    "linear_cka": linear_cka(observed, predicted),
    "distance_agreement": distance_agreement(observed, predicted),
  }


def linear_cka(
  observed: Float[np.ndarray, "*batch n n"],
  predicted: Float[np.ndarray, "*batch n n"],
) -> Float[np.ndarray, "*batch"]:
  """|Hc' Yc|_F^2 / (|Hc Hc'|_F |Yc Yc'|_F), Kornblith et al. 2019."""
  a, b = gram_lib.centre(observed), gram_lib.centre(predicted)
  return _ratio(_dot(a, b), np.sqrt(_dot(a, a) * _dot(b, b)))


def procrustes_r2(
  observed: Float[np.ndarray, "*batch n n"],
  predicted: Float[np.ndarray, "*batch n n"],
) -> Float[np.ndarray, "*batch"]:
  """Share of variance explained after the best rotation and scale.

  |Hc' Yc|_*^2 / (|Hc|_F^2 |Yc|_F^2), with the nuclear norm from the Gram
  matrices: tr sqrt(Ky^1/2 Kh Ky^1/2).
  """
  values, vectors = np.linalg.eigh(gram_lib.centre(predicted))
  root = (vectors * np.sqrt(np.maximum(values, 0))[..., None, :]) @ np.swapaxes(
    vectors, -1, -2
  )
  known = np.isfinite(observed).all(axis=(-2, -1))
  seen = gram_lib.centre(np.where(known[..., None, None], observed, 0))
  values_seen, vectors_seen = np.linalg.eigh(seen)
  kept = np.maximum(values_seen, 0)
  seen = (vectors_seen * kept[..., None, :]) @ np.swapaxes(vectors_seen, -1, -2)
  product = np.linalg.eigvalsh(root @ seen @ root)
  nuclear = np.sqrt(np.maximum(product, 0)).sum(axis=-1)
  size = kept.sum(axis=-1) * np.maximum(values, 0).sum(axis=-1)
  return _ratio(nuclear**2, np.where(known, size, np.nan))


def distance_agreement(
  observed: Float[np.ndarray, "*batch n n"],
  predicted: Float[np.ndarray, "*batch n n"],
) -> Float[np.ndarray, "*batch"]:
  """Pearson correlation of observed with predicted distances over pairs.

  NaN for a prediction of equal distances (no structure).
  """
  upper = np.triu_indices(observed.shape[-1], 1)
  a, b = (
    np.sqrt(gram_lib.squared_distances(gram)[..., *upper])
    for gram in (observed, predicted)
  )
  level = np.sqrt((b**2).sum(axis=-1))
  a = a - a.mean(axis=-1, keepdims=True)
  b = b - b.mean(axis=-1, keepdims=True)
  spread = np.sqrt((b**2).sum(axis=-1))
  both = np.sqrt((a**2).sum(axis=-1)) * spread
  return _ratio((a * b).sum(axis=-1), np.where(spread > 1e-9 * level, both, 0))


def principal_cosines(
  observed: Float[np.ndarray, "*batch n n"],
  predicted: Float[np.ndarray, "*batch n n"],
) -> Float[np.ndarray, "*batch 2"]:
  """Cosines between the observed PC 1-2 and the predicted ones, larger first.

  The prediction takes part with the whole eigenspaces of its first two
  principal components; NaN where these are all there is.
  """
  seen = pca.axes(observed)
  variances, vectors = np.linalg.eigh(gram_lib.centre(predicted))
  variances, vectors = variances[..., ::-1], vectors[..., ::-1]
  # 1e-8: ties as in the spectra of graphs.
  tied = variances >= variances[..., 1:2] * (1 - 1e3 * spectrum.TIE_TOLERANCE)
  basis = vectors * tied[..., None, :]
  projector = basis @ np.swapaxes(basis, -1, -2)
  first, second = seen.vectors[..., 0], seen.vectors[..., 1]
  mapped = np.einsum("...ij,...j->...i", projector, first)
  a, c = (mapped * first).sum(-1), (mapped * second).sum(-1)
  b = np.einsum("...i,...ij,...j->...", second, projector, second)
  middle, half = (a + b) / 2, np.hypot((a - b) / 2, c)
  squares = np.stack([middle + half, middle - half], axis=-1)
  all_tied = tied.sum(axis=-1) >= observed.shape[-1] - 1
  return np.where(all_tied[..., None], np.nan, np.sqrt(np.clip(squares, 0, 1)))


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
  return (a * b).sum(axis=(-2, -1))


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
  return numerator / np.where(denominator > 0, denominator, np.nan)
