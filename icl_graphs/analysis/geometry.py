"""All measures of how class means lie on a graph, in one call."""

import dataclasses

from jaxtyping import Float
import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import distances, energy, pca, spectrum
from icl_graphs.analysis import gram as gram_lib

NAMES = (
  *energy.NAMES,
  "distance_correlation",
  "principal_cosine_1",
  "principal_cosine_2",
  "fiedler_power",
  "parity_power",
  "pc12_variance",
)

# Values each measure can take; intervals are cut there.
RANGES = {name: (0.0, np.inf) for name in energy.NAMES} | {
  "distance_correlation": (-1.0, 1.0),
  **dict.fromkeys(NAMES[len(energy.NAMES) + 1 :], (0.0, 1.0)),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
  """What a graph contributes to the measures, computed once.

  adjacency [n, n] symmetrised; hops [n, n]; modes of its Laplacian; fiedler
  [n, n], projector on the whole eigenspaces covering z2, z3; fiedler_weights
  [n, n]; parity [n, n] projector, None if the graph is not bipartite.
  """

  adjacency: np.ndarray
  hops: np.ndarray
  modes: spectrum.Modes
  fiedler: np.ndarray
  fiedler_weights: np.ndarray
  parity: np.ndarray | None


def frame(adjacency: Float[np.ndarray, "n n"]) -> Frame:
  """Prepares a graph.

  Raises:
    InputError: not square, negative or non-finite weights, fewer than three
      nodes, or not connected.
  """
  adjacency = np.asarray(adjacency, np.float64)
  if adjacency.ndim != 2 or adjacency.shape[0] != adjacency.shape[1]:
    raise errors.InputError(
      f"the adjacency has shape {adjacency.shape}; expected [n, n]"
    )
  if not (np.isfinite(adjacency).all() and (adjacency >= 0).all()):
    raise errors.InputError(
      "edge weights must be finite and not negative; energies and walks are "
      "undefined otherwise"
    )
  symmetric = energy.symmetrised(adjacency)
  modes = spectrum.laplacian_modes(symmetric)
  return Frame(
    adjacency=symmetric,
    hops=distances.hops(symmetric),
    modes=modes,
    fiedler=spectrum.fiedler_projector(modes),
    fiedler_weights=spectrum.fiedler_weights(modes),
    parity=spectrum.parity_projector(symmetric),
  )


def measure(
  gram: Float[np.ndarray, "*batch n n"],
  graph: Frame,
  hidden_size: int,
  axes: pca.Axes | None = None,
) -> dict[str, Float[np.ndarray, "*batch"]]:
  """Every measure in `NAMES` of the rows behind a Gram matrix.

  Args:
    gram: inner products of the class means, not centred beforehand.
    graph: from `frame`, same node order.
    hidden_size: width D of the class means.
    axes: their principal axes where already known.

  Returns:
    name to value; NaN where the Gram matrix has NaN and where a measure is
    undefined (parity power on a graph that is not bipartite, ratios when all
    rows coincide).
  """
  if gram.shape[-1] != len(graph.adjacency):
    raise errors.InputError(
      f"{gram.shape[-1]} class means but the graph has "
      f"{len(graph.adjacency)} nodes"
    )
  axes = pca.axes(gram) if axes is None else axes
  centred = gram_lib.centre(gram)
  variance = gram_lib.variance(gram)
  result = energy.energies(gram, graph.adjacency, hidden_size)
  result["distance_correlation"] = distances.correlation(gram, graph.hops)
  cosines = spectrum.principal_cosines(axes.vectors, graph.fiedler)
  defined = np.where(np.isnan(variance), np.nan, 0)
  result["principal_cosine_1"] = cosines[..., 0] + defined
  result["principal_cosine_2"] = cosines[..., 1] + defined
  result["fiedler_power"] = (
    gram_lib.inner(centred, graph.fiedler_weights) / variance
  )
  result["parity_power"] = (
    np.full_like(variance, np.nan)
    if graph.parity is None
    else gram_lib.inner(centred, graph.parity) / variance
  )
  result["pc12_variance"] = axes.variances[..., :2].sum(axis=-1) / variance
  return {name: result[name] for name in NAMES}
