"""Do class means of the phases of a repeated word lie on a ring?

Legend: P phases, R words, J contexts.
"""

from collections.abc import Sequence

from jaxtyping import Float
import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import energy, geometry, nulls, spectrum

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


def measure(
  gram: Float[np.ndarray, "*batch P P"], size: Float[np.ndarray, "*batch"]
) -> dict[str, Float[np.ndarray, "*batch"]]:
  """Measures of the geometry that do not depend on the common mean.

  Args:
    gram: inner products of the class means after centring.
    size: mean squared norm of the hidden states themselves.

  Returns:
    `energy_relative` (1: no structure), `fiedler_power`,
    `principal_cosine_2`, `distance_correlation`, `pc12_variance`; NaN where all
    class means coincide but for rounding.
  """
  number = gram.shape[-1]
  known = np.trace(gram, axis1=-2, axis2=-1) > ROUNDING * number * size
  # A regular simplex in place of what is left out.
  filled = np.where(known[..., None, None], gram, np.eye(number))
  found = geometry.measure(filled, geometry.frame(ring(number)), number)
  names = (
    *("energy_relative", "fiedler_power", "principal_cosine_2"),
    *("distance_correlation", "pc12_variance"),
  )
  return {name: np.where(known, found[name], np.nan) for name in names}


def relabelled_energy(
  gram: Float[np.ndarray, "J P P"], count: int, seed: int
) -> Float[np.ndarray, "draws J"]:
  """Relative energy under random orders of the phases."""
  number = gram.shape[-1]
  orders = nulls.permutations(number, count, seed)
  moved = gram[:, orders[:, :, None], orders[:, None, :]]
  found = energy.energies(moved, ring(number), number)["energy_relative"]
  return found.T


def recent_flips_energy(word: Sequence[int], recent: int = 3) -> float:
  """Relative energy of phases that are known by their last flips alone.

  Phases with the same last flips coincide, all others are equally far apart:
  what a model shows that knows no phase and looks at few flips.
  """
  flips = np.asarray(word)
  seen = np.stack([np.roll(flips, shift) for shift in range(recent)], axis=1)
  same = (seen[:, None] == seen[None]).all(axis=-1).astype(float)
  number = len(flips)
  return float(energy.energies(same, ring(number), 1)["energy_relative"])


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
