"""Do class means of the phases of a repeated word lie on a ring?

Legend: P phases, R words, J contexts.
"""

from collections.abc import Sequence

from jaxtyping import Float
import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import geometry, spectrum

# Variation that is a smaller share of the size than this is rounding.
ROUNDING = 1e-9


def ring(phases: int) -> Float[np.ndarray, "P P"]:
  """Adjacency of a ring.

  Raises:
    InputError: fewer than four phases; all orders of three are one ring.
  """
  if phases < 4:
    raise errors.InputError(
      f"{phases} phases make no ring that their order could spoil; take a word"
      " of at least 4"
    )
  step = np.roll(np.eye(phases), 1, axis=1)
  return step + step.T


def layout(phases: int) -> Float[np.ndarray, "P 2"]:
  """Places on a circle, the first on top, clockwise."""
  angle = 2 * np.pi * np.arange(phases) / phases
  return np.stack([np.sin(angle), np.cos(angle)], axis=1)


def beyond_flips(
  gram: Float[np.ndarray, "*batch P P"], word: Sequence[int]
) -> Float[np.ndarray, "*batch P P"]:
  """Inner products of what class means are beside their own flip's mean.

  The flip just read tells phases apart without any knowledge of the phase, and
  long runs of a word alone make that look like a ring.

  Args:
    gram: inner products of the class means.
    word: the flip of every phase.
  """
  flips = np.asarray(word)
  same = (flips[:, None] == flips[None]).astype(float)
  keep = np.eye(len(flips)) - same / same.sum(axis=1)
  return keep @ gram @ keep


def beyond_energy(
  rest: Float[np.ndarray, "*batch P P"], word: Sequence[int]
) -> Float[np.ndarray, "*batch"]:
  """Energy on the ring over its mean in orders that keep every flip.

  The mean is exact: phases change places among the Heads, and among the Tails.

  Args:
    rest: from `beyond_flips`.
    word: the flip of every phase.
  """
  flips = np.asarray(word)
  number = len(flips)
  size = np.diagonal(rest, axis1=-2, axis2=-1)
  near = np.roll(flips, -1)
  expected = np.zeros(rest.shape[:-2])
  for flip in (0, 1):
    mine = flips == flip
    count = mine.sum()
    total = (size * mine).sum(axis=-1)
    pairs = (mine & (near == flip)).sum()
    ends = (mine != (near == flip)).sum()
    expected += 2 * total * pairs / max(count - 1, 1) + total * ends / max(
      count, 1
    )
  step = np.roll(np.arange(number), -1)
  across = rest[..., np.arange(number), step].sum(axis=-1)
  energy = 2 * size.sum(axis=-1) - 2 * across
  return energy / np.where(expected > 0, expected, np.nan)


def measure(
  gram: Float[np.ndarray, "*batch P P"],
  size: Float[np.ndarray, "*batch"],
  word: Sequence[int],
) -> dict[str, Float[np.ndarray, "*batch"]]:
  """Measures of the geometry that do not depend on the common mean.

  Args:
    gram: inner products of the class means after centring.
    size: mean squared norm of the hidden states themselves.
    word: the flip of every phase.

  Returns:
    `energy_beyond` (1: no ring beyond the flip just read), `energy_relative`
    (1: no structure), `fiedler_power`, `principal_cosine_2`,
    `distance_correlation`, `pc12_variance`; NaN where all class means coincide
    but for rounding.
  """
  number = gram.shape[-1]
  least = ROUNDING * number * size
  known = np.trace(gram, axis1=-2, axis2=-1) > least
  # A regular simplex in place of what is left out.
  filled = np.where(known[..., None, None], gram, np.eye(number))
  found = geometry.measure(filled, geometry.frame(ring(number)), number)
  names = (
    *("energy_relative", "fiedler_power", "principal_cosine_2"),
    *("distance_correlation", "pc12_variance"),
  )
  rest = beyond_flips(filled, word)
  more = known & (np.trace(rest, axis1=-2, axis2=-1) > least)
  beyond = np.where(more, beyond_energy(rest, word), np.nan)
  return {"energy_beyond": beyond} | {
    name: np.where(known, found[name], np.nan) for name in names
  }


def reordered_energy(
  gram: Float[np.ndarray, "J P P"], word: Sequence[int], count: int, seed: int
) -> Float[np.ndarray, "draws J"]:
  """`energy_beyond` in random orders of the phases that keep every flip."""
  flips = np.asarray(word)
  rng = np.random.default_rng(seed)
  orders = np.tile(np.arange(len(flips)), (count, 1))
  for flip in (0, 1):
    mine = flips == flip
    orders[:, mine] = rng.permuted(orders[:, mine], axis=1)
  rest = beyond_flips(gram, flips)
  moved = rest[:, orders[:, :, None], orders[:, None, :]]
  return beyond_energy(moved, flips).T


def recent_flips_energy(word: Sequence[int], recent: int = 3) -> float:
  """`energy_beyond` of phases that are known by their last flips alone.

  Phases with the same last flips coincide, all others are equally far apart:
  what a model shows that knows no phase and looks at few flips.
  """
  flips = np.asarray(word)
  seen = np.stack([np.roll(flips, shift) for shift in range(recent)], axis=1)
  same = (seen[:, None] == seen[None]).all(axis=-1).astype(float)
  return float(beyond_energy(beyond_flips(same, flips), flips))


def ring_power(
  gram: Float[np.ndarray, "*batch P P"],
) -> Float[np.ndarray, "*batch waves"]:
  """Share of the variance of the class means by waves around the ring.

  For 1 to P // 2 waves: both modes of a wave together.
  """
  number = gram.shape[-1]
  power = spectrum.power(gram, spectrum.laplacian_modes(ring(number)))
  waves = (np.arange(number - 1) + 2) // 2
  return np.stack(
    [
      power[..., waves == wave].sum(axis=-1)
      for wave in range(1, number // 2 + 1)
    ],
    axis=-1,
  )


def flat_power(phases: int) -> Float[np.ndarray, " waves"]:
  """`ring_power` without structure: in proportion to the number of modes."""
  waves = np.arange(1, phases // 2 + 1)
  return np.where(2 * waves == phases, 1, 2) / (phases - 1)
