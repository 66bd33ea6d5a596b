"""Figures of the ring of phases, from what was measured.

Legend: R concepts, J contexts (j flips after the first period), n numbers of
flips.
"""

from collections.abc import Mapping
import pathlib

from jaxtyping import Float
import numpy as np

from icl_graphs.analysis import concepts, phases
from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_two import (
  over_concepts,
  phase_claims,
  phase_reads,
)
from icl_graphs.report.paper_two import phases as figures

DRAWN = "11000110"
DEPTH = 6  # of the concept probability
# Flips after the first period, of the pictures.
_PICTURED = (0, 4, 8, 12, 20, 36)


def draw(
  folder: pathlib.Path,
  found: phase_claims.Found,
  means: Mapping[str, phase_reads.Means],
  predicted: Mapping[str, Float[np.ndarray, "R n"]],
) -> None:
  """Writes `FIGURES`.

  Args:
    folder: of the recipe.
    found: measures of the geometry.
    means: class means, by condition.
    predicted: concept probability after 0 to n - 1 flips, by predictor.
  """
  place = phase_reads.CONCEPTS.index(DRAWN)
  number = len(DRAWN)
  grams = {
    name: one.gram[place, :, :, :number, :number] for name, one in means.items()
  }
  last = grams["concept"].shape[1]
  figures.pictures(
    folder / "pictures.png",
    grams["concept"],
    found.geometry["concept"]["energy_relative"][place],
    DRAWN,
    [j for j in _PICTURED if j < last],
    found.layer,
  )
  figures.curves(
    folder / "curves.png",
    np.arange(last),
    {
      name: _means(found, _aligned(curves, found.sizes, last))
      for name, curves in predicted.items()
    },
    _chance(),
    {
      name: {
        key: _means(found, one[key][:, found.layer]) for key in figures.CURVES
      }
      for name, one in found.geometry.items()
    },
    phase_claims.limits(found),
    found.n50 - found.sizes,
  )
  figures.spectra(
    folder / "spectra.png",
    number + np.arange(last),
    {
      name: phases.ring_power(gram[found.layer]) for name, gram in grams.items()
    },
    phases.flat_power(number),
    DRAWN,
    found.layer,
    float(found.n50[place]),
  )
  figures.layers(
    folder / "layers.png",
    {
      name: _means(found, one["energy_beyond"][:, :, -1])
      for name, one in found.geometry.items()
    },
    float(found.recent.mean()),
    {
      name: phases.ring_power(gram[found.layer, -1])
      for name, gram in grams.items()
    },
    phases.flat_power(number),
    DRAWN,
    found.layer,
  )


def _chance() -> float:
  """Concept probability of fair flips, mean over concepts."""
  return float(
    np.mean([concepts.chance(name, DEPTH) for name in phase_reads.CONCEPTS])
  )


def _means(found, values) -> np.ndarray:
  """Means over concepts with their intervals, of every column: [3, columns]."""
  columns = [
    over_concepts.mean(column, found.resamples, found.seed)
    for column in values.T
  ]
  return np.array(columns).T


def _aligned(curves, sizes, count) -> np.ndarray:
  """Concept probability j flips after the first period, [R, J]."""
  aligned = np.full((len(curves), count), np.nan)
  for row, size in enumerate(sizes):
    known = curves[row, size : size + count]
    aligned[row, : len(known)] = known
  # A mean over other concepts is another mean.
  aligned[:, np.isnan(aligned).any(axis=0)] = np.nan
  return aligned


FIGURES = (
  recipe.Figure(
    "pictures.png",
    f"The phases of the concept {DRAWN} as the model reads it over and over,"
    " drawn as in paper one: each dot is the mean hidden state, where the flip"
    " after this phase is predicted, over the last period and all starting"
    " phases; first two principal components; filled: Tails, hollow: Heads;"
    " lines: the ring of phases; numbers: order round the ring. Columns: flips"
    " read. Energy below 1 means that neighbours on the ring lie closer than in"
    " random orders.",
    "Pictures of the phases by layer and context.",
  ),
  recipe.Figure(
    "curves.png",
    "Mean over all concepts, with 95% intervals over concepts, against the"
    " flips after the first period. Top: probability that the next 6 flips go"
    " on with the concept; beside it, where it is known, the exact Bayesian"
    " answer; dotted: fair flips. Second: energy of the ring of phases at the"
    " report layer, without what the flip just read tells; grey band: 95% of"
    " random orders that keep every flip. Below: the two flips themselves, as"
    " the share of the variance of hidden states at flips that is between Heads"
    " and Tails, and as the distance of their means over the root mean square"
    " length of a hidden state. Fair flips got the same phase labels. Vertical"
    " line: mean n50 of the model, over the concepts that have one.",
    "Concept probability, ring energy and the two flips against context.",
  ),
  recipe.Figure(
    "spectra.png",
    f"How the variance of the class means of {DRAWN} splits into waves round"
    " the ring as the context grows, at the report layer: a ring has it at one"
    " wave. Dotted: no structure (lower line: the last wave, which has half as"
    " many modes). Vertical line, if there is one: n50 of this concept.",
    "Share of variance by waves round the ring against context.",
  ),
  recipe.Figure(
    "layers.png",
    "Left: energy of the ring at the longest context by layer; dashed: what the"
    " last three flips alone would give. Right: how the variance of the class"
    f" means of {DRAWN} splits into waves round the ring at the report layer;"
    " a ring has it at one wave; black dots: no structure.",
    "Ring energy by layer, and spectrum round the ring.",
  ),
)
