"""Directions of hidden states that carry parts of a graph, as orthonormal rows.

Mode k of the graph, z_k, has the direction Hc' z_k in the space of the class
means Hc (centred over nodes). Directions of several modes are not orthogonal to
each other, so the span of a set of modes is what is made orthonormal.

Legend: n nodes, D width, R rank, `...` layers.
"""

from typing import NamedTuple

from jaxtyping import Float
import numpy as np

from icl_graphs.analysis import geometry


class Subspace(NamedTuple):
  """A named set of directions.

  Attributes:
    name: for readers.
    modes: vectors over nodes [n, R], orthonormal columns; their span under
      Hc' is the subspace. None where it is not made of modes.
    rows: orthonormal directions at every layer.
  """

  name: str
  modes: np.ndarray | None
  rows: Float[np.ndarray, "... R D"]

  @property
  def rank(self) -> int:
    """R, directions."""
    return self.rows.shape[-2]


GRAPH_PLANE, PARITY, TOP = "graph plane (z2, z3)", "parity", "PC1-2"
EVERY, REST = "all class means", "class means except the plane"


def of_modes(
  means: Float[np.ndarray, "... n D"], modes: Float[np.ndarray, "n R"]
) -> Float[np.ndarray, "... R D"]:
  """Orthonormal rows that span the directions of modes over nodes."""
  centred = means - means.mean(axis=-2, keepdims=True)
  directions = np.swapaxes(centred, -1, -2) @ modes
  return np.swapaxes(np.linalg.qr(directions)[0], -1, -2)


def principal(
  means: Float[np.ndarray, "... n D"],
) -> Float[np.ndarray, "... n-1 D"]:
  """Unit principal directions of the class means, largest variance first."""
  centred = means - means.mean(axis=-2, keepdims=True)
  _, _, directions = np.linalg.svd(centred, full_matrices=False)
  return directions[..., : means.shape[-2] - 1, :]


def of_graph(
  means: Float[np.ndarray, "... n D"], frame: geometry.Frame
) -> list[Subspace]:
  """What can be taken away of a graph: planes, modes, everything.

  Args:
    means: class means, n - 1 <= D.
    frame: of the graph.

  Returns:
    The graph plane, parity (of bipartite graphs), every other eigenspace of the
    Laplacian, PC1-2, all n - 1 directions, and these without the graph plane.
  """
  modes, space = frame.modes.vectors, frame.modes.space
  plane = modes[:, 1:][:, space[1:] <= space[2]]
  found = [(GRAPH_PLANE, plane)]
  if frame.parity is not None:
    _, vectors = np.linalg.eigh(frame.parity)
    found.append((PARITY, vectors[:, -1:]))
  for number in range(1, space[-1] + 1):
    inside = modes[:, space == number]
    if space[2] > 1 or number > 1:
      value = frame.modes.values[space == number][0]
      found.append((f"eigenspace {value:.2f}", inside))
  made = [Subspace(name, z, of_modes(means, z)) for name, z in found]
  every = principal(means)
  plane_rows = made[0].rows
  return [
    *made,
    Subspace(TOP, None, every[..., :2, :]),
    Subspace(EVERY, None, every),
    Subspace(REST, None, outside(every, plane_rows)),
  ]


def outside(
  whole: Float[np.ndarray, "... R D"], part: Float[np.ndarray, "... r D"]
) -> Float[np.ndarray, "... R-r D"]:
  """Orthonormal rows of span(whole) that are orthogonal to span(part).

  Args:
    whole: orthonormal rows.
    part: orthonormal rows inside span(whole).
  """
  within = part @ np.swapaxes(whole, -1, -2)
  *_, directions = np.linalg.svd(within, full_matrices=True)
  return directions[..., part.shape[-2] :, :] @ whole


def random_inside(
  means: Float[np.ndarray, "... n D"], rank: int, seed: int
) -> Float[np.ndarray, "... rank D"]:
  """Orthonormal rows that span the directions of random modes over nodes.

  The modes are the same at all layers, as those of the graph are: what is taken
  away at several layers is one thing.
  """
  rng = np.random.default_rng(seed)
  return of_modes(means, rng.normal(size=(means.shape[-2], rank)))


def random_anywhere(
  width: int, rank: int, seed: int
) -> Float[np.ndarray, "rank D"]:
  """Orthonormal rows of a uniformly random subspace of D = width dimensions."""
  rng = np.random.default_rng(seed)
  return np.linalg.qr(rng.normal(size=(width, rank)))[0].T
