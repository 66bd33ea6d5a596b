"""Every rival account over a grid of its parameters, ready to be fitted.

A grid makes fitting a lookup: thousands of resampled spectra are fitted at
once, and no fit can stop in a local minimum. Steps are finer than what a held-
out score can tell apart.
"""

from collections.abc import Callable, Sequence
import dataclasses
import itertools

from jaxtyping import Float
import numpy as np

from icl_graphs.analysis import geometry
from icl_graphs.analysis import gram as gram_lib
from icl_graphs.theory import mixing

TITLES = {
  "flat": "no structure",
  "shared_mixing": "neighbour mixing, same space, one round",
  "shared_mixing_rounds": "neighbour mixing, same space, k rounds",
  "independent_mixing": "neighbour mixing, separate space, one round",
  "independent_mixing_rounds": "neighbour mixing, separate spaces, k rounds",
  "partial_overlap": "neighbour mixing, overlapping space",
  "previous_token": "previous words copied, on these walks",
  "induction": "followers of earlier occurrences copied, on these walks",
  "heat_flow": "heat flow",
  "heat_flow_floor": "heat flow over a floor of word identity",
  "spectral_embedding": "energy minimum (spectral embedding)",
  "spectral_embedding_floor": "energy minimum over a floor of word identity",
  "low_frequency": "low-frequency bias growing with depth",
}
# Of what is mixed in, and overlap of its space with the words' own.
AMOUNTS, OVERLAPS = np.geomspace(0.1, 10, 24), np.linspace(0, 1, 11)


@dataclasses.dataclass(frozen=True, eq=False)
class Candidates:
  """One account at T parameter points.

  values: [T, p], one column per name in `parameters`. grams: [T, n, n], or
  [L, T, n, n] where the prediction differs between layers; such an account
  has one parameter point for all layers together.
  """

  name: str
  parameters: tuple[str, ...]
  values: Float[np.ndarray, "T p"]
  grams: Float[np.ndarray, "*layers T n n"]

  @property
  def across_layers(self) -> bool:
    return self.grams.ndim == 4


def of_graph(
  graph: geometry.Frame, depths: Sequence[float] = ()
) -> list[Candidates]:
  """The accounts that need no more than the graph.

  Args:
    graph: from `geometry.frame`.
    depths: hidden state over number of layers, one per layer compared;
      `low_frequency`, which is about their differences, needs two or more.
  """
  nodes = len(graph.adjacency)
  values = graph.modes.values
  times = np.geomspace(0.02 / values[-1], 4 / values[1], 48)
  floors = np.geomspace(0.02, 20, 10)
  # Whole eigenspaces only: parts of them are averages of these.
  last = np.flatnonzero(np.diff(graph.modes.space))
  modes = [int(k) for k in last if k > 0]
  modes = modes[:10] + [nodes - 1] if modes else [nodes - 1]
  decays = (1.0, 0.9, 0.8, 0.65, 0.5)
  found = [
    _grid("flat", lambda: mixing.flat(graph)),
    _grid(
      "shared_mixing",
      lambda alpha: mixing.shared_mixing(graph, alpha),
      # Smoothing: neighbours together weigh no more than the word itself.
      # Heavier ones are `partial_overlap` at rho = 1.
      alpha=np.geomspace(0.02, 1, 60),
    ),
    _grid(
      "shared_mixing_rounds",
      lambda alpha, rounds: mixing.shared_mixing(graph, alpha, int(rounds)),
      alpha=np.geomspace(0.02, 1, 24),
      rounds=(2, 3, 4, 6, 8),
    ),
    _grid(
      "independent_mixing",
      lambda alpha: mixing.independent_mixing(graph, alpha),
      alpha=np.geomspace(0.05, 20, 60),
    ),
    _grid(
      "independent_mixing_rounds",
      lambda alpha, rounds: mixing.independent_mixing(
        graph, alpha, int(rounds)
      ),
      alpha=np.geomspace(0.05, 3, 24),
      rounds=(2, 3, 4, 6, 8),
    ),
    _grid(
      "partial_overlap",
      lambda alpha, rho: mixing.partial_overlap(graph, alpha, rho),
      alpha=AMOUNTS,
      rho=OVERLAPS,
    ),
    _grid("heat_flow", lambda tau: mixing.heat_flow(graph, tau), tau=times),
    _grid(
      "heat_flow_floor",
      lambda tau, floor: mixing.heat_flow(graph, tau, floor),
      tau=times[::2],
      floor=floors,
    ),
    _grid(
      "spectral_embedding",
      lambda modes, decay: mixing.spectral_embedding(graph, int(modes), decay),
      modes=modes,
      decay=decays,
    ),
    _grid(
      "spectral_embedding_floor",
      lambda modes, decay, floor: mixing.spectral_embedding(
        graph, int(modes), decay, floor
      ),
      modes=modes[:6],
      decay=decays,
      floor=floors,
    ),
  ]
  if len(set(depths)) >= 2:
    layers = [
      _grid(
        "low_frequency",
        lambda rate, floor, depth=depth: mixing.low_frequency(
          graph, rate, floor, depth
        ),
        rate=times[::2],
        floor=floors,
      )
      for depth in depths
    ]
    grams = np.stack([one.grams for one in layers])
    found.append(dataclasses.replace(layers[0], grams=grams))
  return found


def of_walks(
  count: Float[np.ndarray, "G n"], **copied: Float[np.ndarray, "G n n"]
) -> list[Candidates]:
  """The accounts that copy words on the actual walks.

  `mixing.copying` with group g's own copied words, seen through products
  between different groups as the observations are: with e_i the word itself
  and f_gi what its occurrences in group g copied on average, the Gram matrix is
  I + alpha rho (<e, f> + <f, e>) + alpha^2 <f, f>.

  Args:
    count: occurrences per group and node.
    **copied: name to sums over occurrences of copied words (`copies.Copies`).
  """
  groups, nodes = count.shape
  eye = np.eye(nodes)
  alpha, rho = (
    axis.ravel() for axis in np.meshgrid(AMOUNTS, OVERLAPS, indexing="ij")
  )
  found = []
  for name, sums in copied.items():
    features = np.concatenate([count[:, :, None] * eye, sums], axis=-1)
    own, other = features[..., :nodes], features[..., nodes:]
    cross, square = (
      gram_lib.between_groups(
        np.einsum("gik,hjk->gihj", left, other), count, np.ones((1, groups))
      )[0]
      for left in (own, other)
    )
    grams = (
      eye
      + (alpha * rho)[:, None, None] * (cross + cross.T)
      + (alpha**2)[:, None, None] * square
    )
    values = np.stack([alpha, rho], axis=-1)
    found.append(Candidates(name, ("alpha", "rho"), values, grams))
  return found


def _grid(
  name: str, account: Callable[..., mixing.Account], **axes
) -> Candidates:
  points = list(itertools.product(*axes.values()))
  grams = np.stack([account(*point).gram for point in points])
  return Candidates(
    name,
    tuple(axes),
    np.array(points, np.float64).reshape(len(points), len(axes)),
    grams,
  )
