"""Two rings over the same words: the calendar's, and the one of the context.

A ring known from pretraining may have power in every harmonic k of the
calendar, and for n = 7 the harmonics 1, 2 and 3 span all centred rows. A ring
of the context that skips days is then partly, or wholly, one of the calendar's
own harmonics, so that "components 3 and 4 show the context" can happen with no
learning from context. Everything here counts that overlap.

Orders list calendar indices along the context's ring. Legend: n words, K
harmonics of the calendar, K = n // 2; B orders.
"""

from collections.abc import Iterator, Sequence
import itertools

from jaxtyping import Float
import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import gram as gram_lib

# Directions of which less than this is left are spanned by the others.
_SPANNED = 1e-9
_TRIES = 20000


def harmonic(order: Sequence[int], k: int = 1) -> Float[np.ndarray, "n width"]:
  """Orthonormal cosine and sine of k turns along a ring; one column at k = n/2.

  Args:
    order: the words along the ring; row i of the result is word i.
    k: 1 to n // 2.
  """
  n = len(order)
  turns = np.zeros(n)
  turns[list(order)] = 2 * np.pi * k * np.arange(n) / n
  waves = np.stack([np.cos(turns), np.sin(turns)], axis=1)
  waves = waves[:, : 1 if 2 * k == n else 2]
  return waves / np.linalg.norm(waves, axis=0)


def projector(order: Sequence[int], k: int = 1) -> Float[np.ndarray, "n n"]:
  """Projector on the k-th harmonic of a ring."""
  waves = harmonic(order, k)
  return waves @ waves.T


def projectors(order: Sequence[int]) -> Float[np.ndarray, "K n n"]:
  """Projectors on all harmonics; they sum to the centring matrix."""
  count = len(order) // 2
  return np.stack([projector(order, k) for k in range(1, count + 1)])


def overlaps(order: Sequence[int]) -> Float[np.ndarray, " K"]:
  """How much of a context ring each harmonic of the calendar already is.

  o_k = |C' F_k|_F^2 / 2 for the first harmonic C of the order and the k-th of
  the calendar, F_k; they sum to 1. The project's specification, section 4.
  """
  ring, n = projector(order), len(order)
  return np.einsum("kij,ij->k", projectors(range(n)), ring) / 2


def ring_order(n: int, step: int) -> tuple[int, ...]:
  """The ring that goes on by `step` days at a time.

  Raises:
    InputError: the steps come back before all words are met.
  """
  if np.gcd(n, step) != 1:
    raise errors.InputError(
      f"steps of {step} do not meet all {n} words; take a step without common"
      " factors"
    )
  return tuple(int(i) for i in np.arange(n) * step % n)


def valid(order: Sequence[int]) -> bool:
  """Whether no two neighbours of the calendar are neighbours in the order."""
  n = len(order)
  steps = np.diff([*order, order[0]]) % n
  return not np.isin(steps, (1, n - 1)).any()


def valid_orders(n: int) -> list[tuple[int, ...]]:
  """All rings that keep neighbours of the calendar apart, each once.

  They begin with word 0; of a ring and its reverse only one is listed. 23 for
  n = 7.

  Raises:
    InputError: more than nine words, whose rings are too many to list.
  """
  if n > 9:
    raise errors.InputError(
      f"the rings of {n} words are too many to list; draw some of them"
    )
  found = []
  for rest in itertools.permutations(range(1, n)):
    order = (0, *rest)
    if rest[0] < rest[-1] and valid(order):
      found.append(order)
  return found


def drawn_orders(n: int, seed: int) -> Iterator[tuple[int, ...]]:
  """Valid rings among many drawn at random; may repeat."""
  rng = np.random.default_rng(seed)
  for _ in range(_TRIES):
    order = (0, *(1 + rng.permutation(n - 1)).tolist())
    if valid(order):
      yield order


def clearest(
  orders: Sequence[tuple[int, ...]], count: int | None = None
) -> list[tuple[int, ...]]:
  """The orders that are least of all any one harmonic of the calendar.

  Args:
    orders: to choose from.
    count: how many; by default all that tie for the lowest overlap.
  """
  ranked = sorted(orders, key=lambda order: (_worst(order), order))
  if count is not None:
    return ranked[:count]
  least = _worst(ranked[0])
  return [order for order in ranked if _worst(order) <= least]


def _worst(order) -> float:
  # Rounded, so that orders that are rotations of each other tie.
  return round(float(overlaps(order).max()), 9)


def share(
  gram: Float[np.ndarray, "*batch n n"], inside: Float[np.ndarray, "n n"]
) -> Float[np.ndarray, "*batch"]:
  """Share of the variance between words that lies inside a subspace."""
  centred = gram_lib.centre(gram)
  return gram_lib.inner(centred, inside) / gram_lib.variance(gram)


def component_shares(
  vectors: Float[np.ndarray, "*batch n n"],
  inside: Float[np.ndarray, "n n"],
  pairs: int = 3,
) -> Float[np.ndarray, "*batch pairs"]:
  """How much of components 1-2, 3-4, ... lies inside a subspace.

  Args:
    vectors: orthonormal columns u_k, see `pca.axes`.
    inside: projector on the subspace; for a ring's pair the values are mean
      squared principal cosines.
    pairs: how many pairs of components.

  Returns:
    Half the squared length of both components inside; chance is width of the
    subspace over n - 1.
  """
  columns = vectors[..., : 2 * pairs]
  each = (columns * (inside @ columns)).sum(axis=-2)
  return each.reshape(*each.shape[:-1], pairs, 2).mean(axis=-1)


def residual(
  gram: Float[np.ndarray, "*batch n n"], removed: Float[np.ndarray, "n n"]
) -> Float[np.ndarray, "*batch n n"]:
  """The Gram matrix after a subspace of centred patterns is taken out."""
  n = gram.shape[-1]
  rest = np.eye(n) - np.full((n, n), 1 / n) - removed
  return rest @ gram @ rest


def unique(
  gram: Float[np.ndarray, "*batch n n"],
  pattern: Float[np.ndarray, "n n"],
  others: Float[np.ndarray, "K n n"],
) -> Float[np.ndarray, "*batch"]:
  """What a pattern adds that no mixture of the others has; sign kept.

  The centred Gram matrix is regressed on the identity, the others and the
  pattern at once; no order of components enters. The identity takes what sets
  all words apart alike.

  Args:
    gram: inner products of class means.
    pattern: symmetric matrix over words, such as a ring's projector.
    others: likewise, for instance all harmonics of the calendar.

  Returns:
    Correlation between the Gram matrix, freed of the identity, and the part of
    the pattern that neither the identity nor the others span: its square is the
    share of variance that the pattern alone explains. NaN where nothing is left
    of the pattern.
  """
  n = gram.shape[-1]
  centring = np.eye(n) - 1 / n
  flat = centring.reshape(1, -1)
  target = gram_lib.centre(gram).reshape(*gram.shape[:-2], n * n)
  target = target - _inside(target, flat)
  basis = np.concatenate([flat, others.reshape(len(others), -1)])
  left = pattern.reshape(-1)
  left = left - _inside(left, basis)
  length = np.linalg.norm(left)
  if length < _SPANNED * max(1, np.linalg.norm(pattern)):
    return np.full(gram.shape[:-2], np.nan)
  size = np.linalg.norm(target, axis=-1)
  return target @ (left / length) / np.where(size > 0, size, np.nan)


def explained(
  gram: Float[np.ndarray, "*batch n n"],
  patterns: Float[np.ndarray, "K n n"],
) -> Float[np.ndarray, "*batch"]:
  """Share of the Gram matrix, freed of the identity, that patterns explain.

  With all harmonics of a ring it says how far distances depend on the distance
  along that ring alone, whatever the power of each harmonic. Chance is the
  number of independent patterns, less one, over n (n - 1) / 2 - 1.
  """
  n = gram.shape[-1]
  centring = (np.eye(n) - 1 / n).reshape(1, -1)
  target = gram_lib.centre(gram).reshape(*gram.shape[:-2], n * n)
  target = target - _inside(target, centring)
  basis = np.concatenate([centring, patterns.reshape(len(patterns), -1)])
  fitted = _inside(target, basis)
  total = (target**2).sum(axis=-1)
  return (fitted**2).sum(axis=-1) / np.where(total > 0, total, np.nan)


def _inside(values, basis):
  """Projection of rows on the span of a basis that may be redundant."""
  left, size, rows = np.linalg.svd(basis, full_matrices=False)
  rows = rows[size > _SPANNED * size.max()]
  return values @ rows.T @ rows
