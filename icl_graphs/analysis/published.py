"""The quantities published of Llama-3.1-8B on the 4x4 grid, from arrays.

The same functions read a user's run and the released measurements.
"""

from collections.abc import Sequence

from jaxtyping import Float, Int
import numpy as np

from icl_graphs.analysis import energy, geometry, label_regression, nulls, pca
from icl_graphs.analysis import gram as gram_lib

# Words counted from 1, both ends included.
RANGES = (
  (8, 12),
  (45, 55),
  (90, 110),
  (180, 220),
  (450, 550),
  (900, 1100),
  (1201, 1400),
)
SINGLE = (1, 10, 50, 100, 200, 500, 1000)
VISITS = (0, 1, 2, 3, 5, 10, 20, 30, 50)
LAST = 200
_RELABELLINGS = 2000
_NULLS = (
  "energy_ratio",
  "distance_correlation",
  "fiedler_power",
  "parity_power",
)
_DESIGNS = {
  "r2_current": label_regression.CURRENT,
  "r2_previous": label_regression.PREVIOUS,
  "r2_additive": label_regression.ADDITIVE,
  "r2_bigram": label_regression.BIGRAM,
}


def earlier_visits(nodes: Int[np.ndarray, "B T"]) -> Int[np.ndarray, "B T"]:
  """How often each word's node occurred before, in its walk."""
  nodes = np.asarray(nodes)
  before = np.zeros(nodes.shape, int)
  for node in np.unique(nodes):
    here = nodes == node
    before[here] = (np.cumsum(here, axis=1) - 1)[here]
  return before


def accuracy(
  full: Float[np.ndarray, "B T"], nodes: Int[np.ndarray, "B T"]
) -> dict[str, float]:
  """Mean accuracy by context length and by earlier visits.

  Args:
    full: probability of the neighbours of the current node, whole vocabulary.
    nodes: of the walks.

  Returns:
    `t A-B`, `t A` and `v N`, for every entry of the constants above.
  """
  full = np.asarray(full, np.float64)
  mean = full.mean(axis=0)
  visits = earlier_visits(nodes)
  return (
    {f"t {a}-{b}": float(mean[a - 1 : b].mean()) for a, b in RANGES}
    | {f"t {t}": float(mean[t - 1]) for t in SINGLE}
    | {f"v {v}": float(full[visits == v].mean()) for v in VISITS}
  )


def final_accuracy(full: Float[np.ndarray, "B T"]) -> float:
  """Mean over the last 200 words, as for ablations."""
  return float(np.asarray(full, np.float64)[:, -LAST:].mean())


def cosines(
  activations: Float[np.ndarray, "T D"],
  nodes: Int[np.ndarray, " T"],
  adjacency: Float[np.ndarray, "n n"],
) -> tuple[float, float]:
  """Principal cosines of the class means' first two components, larger first.

  Raises:
    InputError: as `gram.class_sums`.
  """
  found = geometry.measure(
    _gram(activations, nodes, len(adjacency)),
    geometry.frame(adjacency),
    activations.shape[1],
  )
  return float(found["principal_cosine_1"]), float(found["principal_cosine_2"])


def representation(
  activations: Float[np.ndarray, "T D"],
  nodes: Int[np.ndarray, " T"],
  adjacency: Float[np.ndarray, "n n"],
  seed: int = 0,
) -> dict[str, float]:
  """Everything published about one hidden state at one walk's last words.

  Args:
    activations: of the hidden state.
    nodes: of the words.
    adjacency: of the graph.
    seed: of the relabellings behind the nulls.

  Returns:
    Names of `geometry`, and `energy_frobenius_null`, `mean_share`, `pc1` to
    `pc4`, `half_...` (split halves: alternate occurrences), `null_...` and
    `null_sd_...`, and adjusted `r2_...`.

  Raises:
    InputError: as `gram.class_sums` and `label_regression.of_activations`.
  """
  width = activations.shape[1]
  frame = geometry.frame(adjacency)
  gram = _gram(activations, nodes, len(adjacency))
  axes = pca.axes(gram)
  found = geometry.measure(gram, frame, width, axes)
  none = energy.no_structure(gram, adjacency, width)
  found["energy_frobenius_null"] = none["energy_frobenius"]
  found["mean_share"] = gram_lib.mean_share(gram)
  explained = pca.explained_ratio(axes, 4)
  found |= {f"pc{k}": ratio for k, ratio in enumerate(explained, 1)}
  halves = geometry.measure(
    _between_halves(activations, nodes, len(adjacency)), frame, width
  )
  for name in ("energy_ratio", "fiedler_power"):
    found[f"half_{name}"] = halves[name]
  labels = nulls.permutations(len(adjacency), _RELABELLINGS, seed)
  chance = geometry.measure(*_relabelled(gram, axes, labels, frame, width))
  for name in _NULLS:
    found[f"null_{name}"] = chance[name].mean()
    found[f"null_sd_{name}"] = chance[name].std()
  fits = label_regression.of_activations(activations, nodes, adjacency)
  found |= {name: fits[one].adjusted for name, one in _DESIGNS.items()}
  return {name: float(value) for name, value in found.items()}


def _relabelled(gram, axes, labels, frame, width):
  moved, moved_axes = nulls.relabelled(gram, axes, labels)
  return moved, frame, width, moved_axes


def _gram(activations, nodes, count):
  sums, terms = gram_lib.class_sums(activations, nodes, count)
  gram, _ = gram_lib.pooled(gram_lib.from_sums(sums), terms)
  return gram


def _between_halves(activations, nodes, count):
  """Products of class means over odd and over even occurrences, both ways."""
  odd = earlier_visits(np.asarray(nodes)[None])[0] % 2
  means = []
  for half in (0, 1):
    kept = np.where(odd == half, nodes, -1)
    sums, terms = gram_lib.class_sums(activations, kept, count)
    with np.errstate(invalid="ignore"):
      means.append(sums[0] / terms[0][:, None])
  products = means[0] @ means[1].T
  return (products + products.T) / 2


def head_scores(
  scores: Float[np.ndarray, "L N"], heads: Sequence[tuple[int, int]]
) -> list[float]:
  """Scores of heads (layer, head); NaN where the model has no such head."""
  layers, count = scores.shape
  return [
    float(scores[one]) if one[0] < layers and one[1] < count else float("nan")
    for one in heads
  ]
