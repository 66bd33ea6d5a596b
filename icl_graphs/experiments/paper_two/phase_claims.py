"""Whether the ring of phases forms, and when.

Legend: R concepts, K hidden states, J contexts (j flips after the first
period).
"""

from collections.abc import Mapping
from typing import NamedTuple

from jaxtyping import Float, Int
import numpy as np

from icl_graphs.analysis import nulls, thresholds
from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_two import over_concepts

# Variance that is a smaller share of the size than this is rounding.
LEAST = 1e-6
# The ring forms "at" the transition if it does so within so many flips.
NEAR = 3.0

_RING = (
  "The phases of a repeated concept come to lie on a ring (a question of this"
  " project: paper one's geometry on paper two's task).",
  "report layer (block at four fifths of the depth), at the separators, mean"
  " over concepts of the ring energy beyond the flip just read (1: no ring) at"
  " the longest context: below the lowest 2.5% of random orders of the phases"
  " that keep every flip; and below its value in the first period, for fair"
  " flips with the same labels, with random weights, and for the last three"
  " flips alone (95% intervals over concepts of the differences below 0)",
)
_WHEN = (
  "The ring forms where generation switches to the concept.",
  "if there is a ring: mean over concepts of (flips at which half of the"
  " energy's fall is reached for good, less half a period) - n50 of the concept"
  " probability; its 95% interval holds 0 and lies within"
  f" {NEAR:g} flips of it",
)


class Found(NamedTuple):
  """Everything measured.

  Attributes:
    sizes: P of the concepts.
    layer: the report layer.
    geometry: "concept", "fair flips" and "random weights", each measure to
      [R, K, J].
    order: mean ring energy over concepts in random orders that keep flips.
    recent: ring energy of the last three flips.
    n50: of the concept probability, in flips; NaN for never.
    resamples, seed: of the bootstrap over concepts.
  """

  sizes: Int[np.ndarray, " R"]
  layer: int
  geometry: Mapping[str, Mapping[str, Float[np.ndarray, "R K J"]]]
  order: Float[np.ndarray, "draws J"]
  recent: Float[np.ndarray, " R"]
  n50: Float[np.ndarray, " R"]
  resamples: int
  seed: int

  def mean(self, values: Float[np.ndarray, " R"]) -> over_concepts.Mean:
    """Mean over concepts with its interval."""
    return over_concepts.mean(values, self.resamples, self.seed)

  def energy(self, name: str = "concept") -> Float[np.ndarray, "R J"]:
    """Ring energy beyond the flip just read, at the report layer."""
    return self.geometry[name]["energy_beyond"][:, self.layer]


def limits(found: Found) -> Float[np.ndarray, "2 J"]:
  """Of the mean energy in random orders of the phases."""
  return np.stack(nulls.limits(found.order))


def differences(found: Found) -> dict[str, over_concepts.Mean]:
  """Energy at the end less that of every control."""
  energy = found.energy()[:, -1]
  controls = {
    "the first period": found.energy()[:, 0],
    "fair flips": found.energy("fair flips")[:, -1],
    "random weights": found.energy("random weights")[:, -1],
    "the last three flips": found.recent,
  }
  return {
    name: found.mean(energy - values) for name, values in controls.items()
  }


def forms_at(found: Found) -> Float[np.ndarray, " R"]:
  """Flips at which half of the energy's fall is reached for good.

  Counted to the middle of the window, which is the last period. NaN where the
  energy does not fall.
  """
  energy = found.energy()
  fall = energy[:, :1] - energy[:, -1:]
  falls = np.isfinite(fall) & (fall > 0)
  share = (energy[:, :1] - energy) / np.where(falls, fall, np.nan)
  steps = np.arange(energy.shape[1], dtype=float)
  after = thresholds.crossing(share, steps)
  return after + found.sizes - (found.sizes - 1) / 2


def claims(found: Found) -> tuple[recipe.Claim, ...]:
  """The ring, then its time."""
  ring = _ring(found)
  return ring, _when(found, ring.verdict)


def _ring(found: Found) -> recipe.Claim:
  energy = found.mean(found.energy()[:, -1])
  low, high = limits(found)[:, -1]
  apart = differences(found)
  said = "; ".join(f"less {name}: {one.text()}" for name, one in apart.items())
  reason = (
    f"Ring energy {energy.text()}, random orders {low:.2f} to {high:.2f};"
    f" {said}."
  )
  if not np.isfinite([energy.value, low]).all():
    return recipe.Claim(
      *(*_RING, recipe.CANNOT_TELL), "No energy could be measured."
    )
  if energy.value >= low or any(one.value >= 0 for one in apart.values()):
    return recipe.Claim(*_RING, recipe.NOT_SHOWN, reason)
  clear = all(one.high < 0 for one in apart.values())
  return recipe.Claim(
    *_RING, recipe.SHOWN if clear else recipe.CANNOT_TELL, reason
  )


def _when(found: Found, ring: str) -> recipe.Claim:
  lag = found.mean(forms_at(found) - found.n50)
  reason = (
    f"The energy's half-way point is {lag.text(1)} flips after n50 (concepts"
    " whose energy falls and whose n50 is reached)."
  )
  if not np.isfinite(lag.low):
    reason = "The energy falls and n50 is reached for too few concepts."
  if ring != recipe.SHOWN:
    reason = f"There is no ring of which to tell the time. {reason}"
  if ring != recipe.SHOWN or not np.isfinite(lag.low):
    return recipe.Claim(*_WHEN, recipe.CANNOT_TELL, reason)
  inside = lag.low <= 0 <= lag.high and max(-lag.low, lag.high) <= NEAR
  if inside:
    return recipe.Claim(*_WHEN, recipe.SHOWN, reason)
  apart = lag.low > 0 or lag.high < 0
  return recipe.Claim(
    *_WHEN, recipe.NOT_SHOWN if apart else recipe.CANNOT_TELL, reason
  )


def numbers(found: Found) -> dict:
  """Means over concepts at the report layer, at the longest context."""
  low, high = limits(found)[:, -1]
  result = {"report_layer": found.layer}
  for name, one in found.geometry.items():
    for key, values in one.items():
      for place, when in ((0, "first period"), (-1, "end")):
        mean = found.mean(values[:, found.layer, place])
        result[f"{key}, {name}, {when}"] = mean._asdict()
  result["energy_beyond, concept, end"] |= {
    "null": float(found.order[:, -1].mean()),
    "null_low": float(low),
    "null_high": float(high),
  }
  result["energy_beyond, last three flips"] = float(found.recent.mean())
  result["n50"] = found.mean(found.n50)._asdict()
  result["energy half-way"] = found.mean(forms_at(found))._asdict()
  result["half-way less n50"] = found.mean(
    forms_at(found) - found.n50
  )._asdict()
  return result


def by_layer(found: Found) -> recipe.Table:
  """Every layer, so that nothing depends on the report layer unseen."""
  rows = []
  layers = found.geometry["concept"]["energy_beyond"].shape[1]
  for layer in range(layers):
    cells = [
      found.mean(one[key][:, layer, -1])
      for key in ("energy_beyond", "energy_relative", "phase_share")
      for one in found.geometry.values()
    ]
    name = "embedding" if layer == 0 else str(layer)
    name += " (report)" if layer == found.layer else ""
    rows.append(
      (
        name,
        *("-" if np.isnan(one.value) else one.text() for one in cells),
      )
    )
  header = [
    f"{key}, {name}"
    for key in ("ring energy", "plain relative energy", "share of phases")
    for name in found.geometry
  ]
  return recipe.Table(
    "At the longest context, by layer (mean over concepts)",
    ("layer", *header),
    tuple(rows),
  )
