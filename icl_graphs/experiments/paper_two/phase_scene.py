"""The phases of every concept, for the viewer of the page.

Legend: R concepts, K hidden states, J contexts, P phases.
"""

from typing import Any

from jaxtyping import Float
import numpy as np

from icl_graphs.analysis import nulls, pca, phases
from icl_graphs.experiments.paper_one import emergence
from icl_graphs.experiments.paper_two import phase_claims, phase_reads
from icl_graphs.report import alignment
from icl_graphs.tasks import coins

# Every so many flips, and at most so many hidden states.
_EVERY, _LAYERS = 3, 9
_ORDERS = 200


def scene(
  means: phase_reads.Means,
  found: phase_claims.Found,
  probability: Float[np.ndarray, "R n"],
) -> tuple[dict[str, Any], ...]:
  """A ring per concept; see `paper_one.emergence.scene` for what is in it.

  Args:
    means: of the concepts' own phases.
    found: their measures.
    probability: that the concept goes on, after 0 to n - 1 flips.
  """
  return tuple(
    _one(name, row, means, found, probability[row])
    for row, name in enumerate(phase_reads.CONCEPTS)
  )


def _one(name, row, means, found, probability) -> dict[str, Any]:
  number = len(name)
  contexts = np.arange(0, means.gram.shape[2], _EVERY)
  last = means.gram.shape[1] - 1
  spread = np.linspace(1, last, min(_LAYERS, last)).astype(int)
  layers = np.unique([*spread, found.layer])
  of = np.ix_(layers, contexts)
  gram = means.gram[row, :, :, :number, :number][of]
  energy = found.geometry["concept"]["energy_relative"][row][of]
  layout = phases.layout(number)
  known = np.isfinite(energy)[..., None, None]
  scores = pca.scores(pca.axes(np.where(known, gram, 0)), 2)
  scores = np.where(known, scores, np.nan)
  report = int(np.flatnonzero(layers == found.layer)[0])
  turned = scores @ alignment.rotations(scores, layout, report)
  flips = contexts + number
  likely = np.append(probability, np.nan)
  return {
    "graph": f"ring of {name}",
    "words": [
      f"{phase + 1} {coins.WORDS[flip]}"
      for phase, flip in enumerate(coins.bits(name).tolist())
    ],
    "edges": [[phase, (phase + 1) % number] for phase in range(number)],
    "positions": emergence.fitted(layout),
    "layers": layers,
    "contexts": flips,
    "unit": "flips",
    "report_layer": found.layer,
    "xy": [[emergence.fitted(one) for one in part] for part in turned],
    "accuracy": emergence.rounded(likely[np.minimum(flips, len(probability))]),
    "accuracy_name": "probability that the concept goes on",
    "energy": emergence.rounded(energy),
    "null_energy": emergence.rounded(
      np.where(np.isfinite(energy), _lowest(gram, found.seed), np.nan)
    ),
    "null_name": "random orders of the phases",
  }


def _lowest(gram: Float[np.ndarray, "K J P P"], seed: int) -> np.ndarray:
  """Lower limit of the relative energy in random orders, [K, J]."""
  number = gram.shape[-1]
  orders = nulls.permutations(number, _ORDERS, seed)
  across = gram[..., orders, np.roll(orders, -1, axis=1)].sum(axis=-1)
  size = np.trace(gram, axis1=-2, axis2=-1)[..., None]
  # Over all orders, the mean of a ring's energy is 2 P / (P - 1) traces.
  expected = np.where(size > 0, 2 * size * number / (number - 1), np.nan)
  return nulls.limits(np.moveaxis((2 * size - 2 * across) / expected, -1, 0))[0]
