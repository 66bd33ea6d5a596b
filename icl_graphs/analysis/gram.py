"""Inner products between class means, the one observation all metrics share.

Sums over occurrences are additive, so they are kept per group of walks; any
weighting of the groups then gives class means, and their Gram matrix, without
going back to the activations.
"""

from jaxtyping import Float, Int, Shaped
import numpy as np

from icl_graphs import errors

# Rows whose variance is a smaller share of their size than this are equal up
# to rounding.
COINCIDE = 1e-13


def from_rows(
  rows: Float[np.ndarray, "*batch n D"],
) -> Float[np.ndarray, "*batch n n"]:
  """Inner products of the rows, in float64."""
  rows = np.asarray(rows, np.float64)
  return rows @ np.swapaxes(rows, -1, -2)


def class_sums(
  activations: Float[np.ndarray, "T D"],
  nodes: Int[np.ndarray, " T"],
  num_nodes: int,
  num_groups: int = 1,
) -> tuple[Float[np.ndarray, "G n D"], Int[np.ndarray, "G n"]]:
  """Sums and counts of activations per node and contiguous block of time.

  Args:
    activations: one vector per position, finite.
    nodes: node at each position; -1 leaves a position out.
    num_nodes: n.
    num_groups: G equal blocks of consecutive positions. Blocks are only
      approximately independent: neighbouring positions share context, so
      intervals over blocks are somewhat too narrow when T / G is small.

  Raises:
    InputError: shapes disagree, a node is out of range, fewer positions than
      groups, or an activation is not finite.
  """
  activations = np.asarray(activations, np.float64)
  nodes = np.asarray(nodes)
  if activations.ndim != 2:
    raise errors.InputError(
      f"activations have shape {activations.shape}; expected [T, D]"
    )
  if nodes.shape != activations.shape[:1]:
    raise errors.InputError(
      f"{len(activations)} activations but nodes of shape {nodes.shape}; "
      "give one node per position"
    )
  if not np.isfinite(activations).all():
    bad = np.flatnonzero(~np.isfinite(activations).all(axis=1))
    raise errors.InputError(
      f"activations are not finite at {len(bad)} positions (first: {bad[0]})"
    )
  if nodes.size and (nodes.min() < -1 or nodes.max() >= num_nodes):
    raise errors.InputError(
      f"node ids run from {nodes.min()} to {nodes.max()} but the graph has "
      f"nodes 0 to {num_nodes - 1}"
    )
  if not 1 <= num_groups <= len(nodes):
    raise errors.InputError(
      f"cannot split {len(nodes)} positions into {num_groups} groups"
    )
  sums = np.zeros((num_groups, num_nodes, activations.shape[1]))
  count = np.zeros((num_groups, num_nodes), np.int64)
  for group, block in enumerate(
    np.array_split(np.arange(len(nodes)), num_groups)
  ):
    kept = block[nodes[block] >= 0]
    np.add.at(sums[group], nodes[kept], activations[kept])
    np.add.at(count[group], nodes[kept], 1)
  return sums, count


def from_sums(
  sums: Float[np.ndarray, "*batch G n D"],
) -> Float[np.ndarray, "*batch G n G n"]:
  """Inner products between the class sums of all groups."""
  *batch, groups, nodes, width = sums.shape
  flat = from_rows(np.reshape(sums, (*batch, groups * nodes, width)))
  return flat.reshape(*batch, groups, nodes, groups, nodes)


def pooled(
  products: Float[np.ndarray, "*batch G n G n"],
  count: Shaped[np.ndarray, "*batch G n"],
  weights: Float[np.ndarray, "R G"] | None = None,
) -> tuple[Float[np.ndarray, "... n n"], Float[np.ndarray, "... n"]]:
  """Gram matrix of class means pooled over groups, h_i = S_i / c_i.

  Args:
    products: inner products of per-group class sums S_gi.
    count: terms in those sums, c_gi.
    weights: R weightings w of the groups: S_i = sum_g w_g S_gi and
      c_i = sum_g w_g c_gi. None pools all groups once.

  Returns:
    (gram [*batch, R, n, n], counts [*batch, R, n]), without the R axis when
    `weights` is None. Rows and columns of a node that never occurs are NaN.
  """
  products = np.asarray(products, np.float64)
  count = np.asarray(count, np.float64)
  groups, nodes = count.shape[-2:]
  single = weights is None
  weights = np.ones((1, groups)) if single else np.asarray(weights, np.float64)
  pairs = (weights[:, :, None] * weights[:, None, :]).reshape(-1, groups**2)
  by_pair = np.moveaxis(products, -2, -3).reshape(
    *products.shape[:-4], groups**2, nodes**2
  )
  total = weights @ count
  with np.errstate(divide="ignore"):
    scale = np.where(total > 0, 1 / total, np.nan)
  sums = (pairs @ by_pair).reshape(*total.shape, nodes)
  gram = sums * scale[..., :, None] * scale[..., None, :]
  return (gram[..., 0, :, :], total[..., 0, :]) if single else (gram, total)


def between_groups(
  products: Float[np.ndarray, "*batch G n G n"],
  count: Shaped[np.ndarray, "G n"],
  weights: Float[np.ndarray, "R G"],
) -> Float[np.ndarray, "*batch R n n"]:
  """Gram matrix of class means free of sampling noise: no group meets itself.

  K_ij = sum_{a != b} w_a w_b S_ai' S_bj / sum_{a != b} w_a w_b c_ai c_bj. What
  is noise in one group is unrelated to any other group, so that K estimates
  the products of the means behind the samples without bias. It can therefore
  have negative eigenvalues. Needs independent groups.

  Args:
    products: inner products of per-group class sums S_gi.
    count: terms in those sums, c_gi.
    weights: R weightings of the groups, not negative.

  Returns:
    NaN for pairs of nodes that no two different groups hold.
  """
  products = np.asarray(products, np.float64)
  count, weights = np.asarray(count, np.float64), np.asarray(weights, float)
  groups, nodes = count.shape
  pairs = weights[:, :, None] * weights[:, None, :] * (1 - np.eye(groups))
  pairs = pairs.reshape(-1, groups**2)
  by_pair = np.moveaxis(products, -2, -3).reshape(
    *products.shape[:-4], groups**2, nodes**2
  )
  terms = count[:, None, :, None] * count[None, :, None, :]
  terms = pairs @ terms.reshape(groups**2, nodes**2)
  gram = (pairs @ by_pair) / np.where(terms > 0, terms, np.nan)
  return gram.reshape(*gram.shape[:-1], nodes, nodes)


def centre(
  gram: Float[np.ndarray, "*batch n n"],
) -> Float[np.ndarray, "*batch n n"]:
  """Gram matrix after subtracting the unweighted mean of the n rows."""
  rows = gram.mean(axis=-1, keepdims=True)
  return (
    gram
    - rows
    - gram.mean(axis=-2, keepdims=True)
    + rows.mean(axis=-2, keepdims=True)
  )


def squared_distances(
  gram: Float[np.ndarray, "*batch n n"],
) -> Float[np.ndarray, "*batch n n"]:
  """Squared Euclidean distances between rows; rounding never below zero."""
  norms = np.diagonal(gram, axis1=-2, axis2=-1)
  squares = norms[..., :, None] + norms[..., None, :] - 2 * gram
  return np.maximum(squares, 0)


def trace(gram: Float[np.ndarray, "*batch n n"]) -> Float[np.ndarray, "*batch"]:
  """Sum of the diagonal, the squared Frobenius norm of the rows."""
  return np.trace(gram, axis1=-2, axis2=-1)


def variance(
  gram: Float[np.ndarray, "*batch n n"],
) -> Float[np.ndarray, "*batch"]:
  """|Hc|_F^2 of the centred rows; NaN where all rows coincide."""
  total = trace(gram)
  about_mean = total - gram.mean(axis=(-2, -1)) * gram.shape[-1]
  return np.where(about_mean > COINCIDE * total, about_mean, np.nan)


def inner(
  gram: Float[np.ndarray, "*batch n n"], matrix: Float[np.ndarray, "n n"]
) -> Float[np.ndarray, "*batch"]:
  """tr(H' M H) = sum_ij M_ij gram_ij for a symmetric matrix M over nodes."""
  flat = gram.reshape(*gram.shape[:-2], -1)
  return flat @ matrix.reshape(-1)


def mean_share(
  gram: Float[np.ndarray, "*batch n n"],
) -> Float[np.ndarray, "*batch"]:
  """s = n |mean row|^2 / |H|_F^2, the share of the common mean."""
  return gram.mean(axis=(-2, -1)) * gram.shape[-1] / trace(gram)
