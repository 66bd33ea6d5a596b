"""Vectors that re-encode the current word as another one, along components.

The recipe of the released code of arXiv 2501.00070 (`intervene`, as described
by others): at hidden state l, with unit principal components e_1..e_N of the
class means of a walk, the last residual r, the mean h* of the target's word and
the unit unembedding row u* of that word,

  v_l = sum_{k <= N} [(h* - r) . e_k] e_k - N u*

is added to r. Here every component has its weight, and the last term its own,
so that each part of the recipe can be taken alone.

Legend: B walks, C conditions, L layers, P components, S directions drawn,
D width, T time, n nodes.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from icl_graphs.probes import symmetric

_HIGHEST = jax.lax.Precision.HIGHEST
# Components with less than this share of the variance are rounding.
_LEAST_SHARE = 1e-9


class Conditions(NamedTuple):
  """What is added to the last residual, condition by condition.

  Attributes:
    weights: of each component's term; 1 for k <= N in the recipe.
    unembedding: multiples of u* that are added; -N in the recipe.
    layers: hidden states where the vector is added.
    shuffled: h* is the mean of another node than the target.
    drawn: 0 for the vector itself; s > 0 for a Gaussian direction, number s,
      of the vector's length instead of the vector.
  """

  weights: Float[Array, "C P"]
  unembedding: Float[Array, " C"]
  layers: Bool[Array, "C L+1"]
  shuffled: Bool[Array, " C"]
  drawn: Int[Array, " C"]


class Components(NamedTuple):
  """Principal components of class means.

  Attributes:
    directions: unit vectors, largest variance first; 0 where there is none.
    ratio: share of the variance of the means.
  """

  directions: Float[Array, "*batch P D"]
  ratio: Float[Array, "*batch P"]


def last_means(
  hidden: Float[Array, "B T D"], nodes: Int[Array, "B T"], window: int, n: int
) -> Float[Array, "B n D"]:
  """Mean hidden state per node over each walk's own last positions, float32.

  Args:
    hidden: of one layer.
    nodes: at every position; -1 for none.
    window: positions.
    n: nodes of the graph.

  Returns:
    0 for a node that is not in the window; see `present`.
  """
  members = jax.nn.one_hot(nodes[:, -window:], n, dtype=hidden.dtype)
  sums = jnp.einsum(
    "btn,btd->bnd",
    members,
    hidden[:, -window:],
    precision=_HIGHEST,
    preferred_element_type=jnp.float32,
  )
  count = jnp.sum(members.astype(jnp.float32), axis=1)
  return sums / jnp.maximum(count, 1)[..., None]


def present(nodes: Int[Array, "B T"], window: int, n: int) -> Bool[Array, " B"]:
  """Whether every node occurs among the last positions of a walk."""
  members = nodes[:, -window:, None] == jnp.arange(n)[None, None]
  return jnp.all(jnp.any(members, axis=1), axis=-1)


def components(means: Float[Array, "*batch n D"], count: int) -> Components:
  """The first principal components of class means, centred over the nodes.

  Args:
    means: one row per node.
    count: P, at most n.
  """
  centred = means - jnp.mean(means, axis=-2, keepdims=True)
  gram = jnp.einsum("...id,...jd->...ij", centred, centred, precision=_HIGHEST)
  variances, vectors = symmetric.eigh(gram)
  variances = jnp.maximum(variances, 0)
  total = jnp.sum(variances, axis=-1, keepdims=True)
  ratio = (variances / jnp.where(total > 0, total, 1))[..., :count]
  rows = jnp.einsum(
    "...ik,...id->...kd",
    vectors[..., :count],
    centred,
    precision=_HIGHEST,
  )
  norms = jnp.linalg.norm(rows, axis=-1, keepdims=True)
  real = (ratio > _LEAST_SHARE)[..., None]
  return Components(jnp.where(real, rows / jnp.where(real, norms, 1), 0), ratio)


def vectors(
  conditions: Conditions,
  means: Float[Array, "L+1 B n D"],
  last: Float[Array, "L+1 B D"],
  target: Int[Array, " B"],
  other: Int[Array, " B"],
  word: Float[Array, "B D"],
  gaussian: Float[Array, "S L+1 B D"],
) -> tuple[Float[Array, "L+1 B C D"], Float[Array, "L+1 B P"]]:
  """What every condition adds to the last residual of every walk.

  Args:
    conditions: P of their components are taken.
    means: class means of each walk, at every hidden state.
    last: hidden states at the last position.
    target: node that the current word is to be taken for.
    other: node whose mean stands in for the target's where that is shuffled.
    word: unembedding row of the target's word, of any length.
    gaussian: directions for the norm-matched control, of any length.

  Returns:
    The vectors, and the share of variance of every component.
  """
  found = components(means, conditions.weights.shape[1])

  def along(node):
    mean = jnp.take_along_axis(means, node[None, :, None, None], axis=2)
    away = mean[:, :, 0] - last.astype(jnp.float32)
    return jnp.einsum(
      "lbd,lbpd->lbp", away, found.directions, precision=_HIGHEST
    )

  terms = jnp.where(
    conditions.shuffled[None, None, :, None],
    along(other)[:, :, None],
    along(target)[:, :, None],
  )
  made = jnp.einsum(
    "lbcp,lbpd->lbcd",
    terms * conditions.weights[None, None],
    found.directions,
    precision=_HIGHEST,
  )
  word = word.astype(jnp.float32)
  word /= jnp.linalg.norm(word, axis=-1, keepdims=True)
  made += (conditions.unembedding[None, :, None] * word[:, None])[None]
  norms = jnp.linalg.norm(made, axis=-1, keepdims=True)
  drawn = gaussian / jnp.linalg.norm(gaussian, axis=-1, keepdims=True)
  picked = jnp.take(drawn, jnp.maximum(conditions.drawn - 1, 0), axis=0)
  picked = jnp.moveaxis(picked, 0, 2)
  random = conditions.drawn[None, None, :, None] > 0
  made = jnp.where(random, picked * norms, made)
  where = conditions.layers.T[:, None, :, None]
  return jnp.where(where, made, 0), found.ratio
