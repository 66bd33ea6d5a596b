"""Graphs named by a short spec string, in the node order of the paper.

`parse("grid:4x4")` gives a `Graph`: arcs with weights, names and a drawing.
Node i of the graph is the node that gets word i. Legend: n nodes, E arcs (an
undirected edge is two arcs).
"""

import dataclasses
import functools
import re

from jaxtyping import Float, Int
import networkx
import numpy as np

from icl_graphs import errors
from icl_graphs.tasks import graph_families, graph_files

# Kamada-Kawai is quadratic in memory and slow beyond this many nodes.
_MAX_SPRING_NODES = 250


@dataclasses.dataclass(frozen=True, eq=False)
class Graph:
  """A connected graph without self loops (laziness belongs to the walk).

  Attributes:
    spec: the string that names the graph.
    node_names: n names, in node order.
    arcs: int32 [E, 2], sorted: arc (i, j) leads from node i to node j. Both
      directions are listed when the graph is undirected.
    weights: float64 [E], positive; a step takes an arc with probability
      proportional to its weight.
    directed: whether some arc may lack its reverse.
    natural_positions: float64 [n, 2] or None, the family's own drawing.
  """

  spec: str
  node_names: tuple[str, ...]
  arcs: Int[np.ndarray, "E 2"]
  weights: Float[np.ndarray, " E"]
  directed: bool = False
  natural_positions: Float[np.ndarray, "n 2"] | None = None

  @property
  def n(self) -> int:
    """Number of nodes."""
    return len(self.node_names)

  @property
  def edge_count(self) -> int:
    """Number of edges; of arcs when directed."""
    return len(self.arcs) if self.directed else len(self.arcs) // 2

  @functools.cached_property
  def adjacency(self) -> Float[np.ndarray, "n n"]:
    """float64 [n, n]: entry (i, j) is the weight of arc i -> j, else zero."""
    adjacency = np.zeros((self.n, self.n))
    adjacency[self.arcs[:, 0], self.arcs[:, 1]] = self.weights
    adjacency.setflags(write=False)
    return adjacency

  @functools.cached_property
  def positions(self) -> Float[np.ndarray, "n 2"]:
    """float64 [n, 2]: where to draw each node, y upwards; deterministic."""
    if self.natural_positions is not None:
      return self.natural_positions
    graph = networkx.Graph()
    graph.add_nodes_from(range(self.n))
    graph.add_edges_from(self.arcs.tolist())
    if self.n <= _MAX_SPRING_NODES:
      layout = networkx.kamada_kawai_layout(graph, weight=None)
      return np.array([layout[i] for i in range(self.n)])
    return _spectral_positions(graph)


def parse(spec: str) -> Graph:
  """Builds the graph that a spec string names.

  Node orders follow the paper's released code: grids row by row, hexagonal and
  triangular lattices by i then j of networkx's (i, j) labels, every other
  family 0, 1, 2, ... as networkx numbers it. Files: order of the file.

  Args:
    spec: `family:arguments`, for instance `grid:4x4`, `ring:10`, `hex:3x3`,
      `gnp:16:0.25:7` or `file:PATH`; `families_text()` lists them all.

  Raises:
    InputError: unknown family, bad arguments, unreadable file, self loops, or
      a graph that is not connected (directed: not strongly connected).
  """
  family, _, arguments = spec.strip().partition(":")
  if family == "file":
    drawing = graph_files.read(spec, arguments)
  elif family in graph_families.FAMILIES:
    drawing = graph_families.FAMILIES[family].build(spec, arguments)
  else:
    raise errors.InputError(
      f"unknown graph family {family!r} in {spec!r}; choose one of:\n"
      f"{families_text()}"
    )
  _check_connected(spec, drawing.graph, family, arguments)
  return from_networkx(
    drawing.graph, spec=spec.strip(), positions=drawing.positions
  )


def split_specs(text: str) -> tuple[str, ...]:
  """Specs out of a list of them, between commas or semicolons.

  A comma inside a spec (circulant:12:1,2) is not followed by a family.
  """
  specs = re.split(r"[;,]\s*(?=[a-z_]+:)", text)
  return tuple(spec.strip(" ;,") for spec in specs)


def families_text() -> str:
  """One line per family: its form and an example, for help and errors."""
  lines = [
    f"  {family.form:<32}{family.meaning}, e.g. {family.example}"
    for family in graph_families.FAMILIES.values()
  ]
  return "\n".join([*lines, f"  {graph_files.FORM:<32}{graph_files.MEANING}"])


def from_networkx(
  graph: networkx.Graph,
  *,
  spec: str,
  positions: Float[np.ndarray, "n 2"] | None = None,
) -> Graph:
  """Any networkx graph as a `Graph`, in the graph's own node order.

  Args:
    graph: simple, with positive edge attribute `weight` (default 1).
    spec: what to call it in reports.
    positions: float64 [n, 2] to draw it, or None to compute a drawing.

  Raises:
    InputError: fewer than two nodes, self loops, weights that are not positive
      finite numbers, or not (strongly) connected.
  """
  if graph.number_of_nodes() < 2:
    raise errors.InputError(
      f"graph {spec!r} has {graph.number_of_nodes()} node(s); a walk needs at"
      " least 2"
    )
  _check_connected(spec, graph)
  index = {node: i for i, node in enumerate(graph.nodes)}
  arcs, weights = [], []
  for source, target, weight in graph.edges(data="weight", default=1.0):
    i, j = index[source], index[target]
    if i == j:
      raise errors.InputError(
        f"graph {spec!r} has a self loop at node {source!r}; remove it and use"
        " lazy walks (a stay probability) instead"
      )
    if not _is_positive(weight):
      raise errors.InputError(
        f"graph {spec!r}: edge {source!r}-{target!r} has weight {weight!r};"
        " weights must be positive finite numbers"
      )
    arcs.append((i, j))
    weights.append(float(weight))
    if not graph.is_directed():
      arcs.append((j, i))
      weights.append(float(weight))
  arcs = np.array(arcs, np.int32)
  order = np.lexsort((arcs[:, 1], arcs[:, 0]))
  return Graph(
    spec=spec,
    node_names=tuple(_name(node) for node in graph.nodes),
    arcs=arcs[order],
    weights=np.array(weights, np.float64)[order],
    directed=graph.is_directed(),
    natural_positions=positions,
  )


def from_adjacency(
  adjacency: Float[np.ndarray, "n n"], *, spec: str = "adjacency"
) -> Graph:
  """A `Graph` from float [n, n] weights; directed when not symmetric.

  Raises:
    InputError: not square, negative or not finite, a non-zero diagonal, or not
      (strongly) connected.
  """
  adjacency = np.asarray(adjacency, np.float64)
  if adjacency.ndim != 2 or adjacency.shape[0] != adjacency.shape[1]:
    raise errors.InputError(
      f"graph {spec!r}: an adjacency matrix must be square, not"
      f" {adjacency.shape}"
    )
  symmetric = np.array_equal(adjacency, adjacency.T)
  kind = networkx.Graph if symmetric else networkx.DiGraph
  graph = kind()
  graph.add_nodes_from(range(len(adjacency)))
  for i, j in np.argwhere(adjacency != 0).tolist():
    graph.add_edge(i, j, weight=adjacency[i, j])
  return from_networkx(graph, spec=spec)


def _check_connected(
  spec: str, graph: networkx.Graph, family: str = "", arguments: str = ""
) -> None:
  if graph.number_of_nodes() == 0:
    raise errors.InputError(f"graph {spec!r} has no nodes")
  if graph.is_directed():
    kind = "strongly connected"
    components = list(networkx.strongly_connected_components(graph))
  else:
    kind = "connected"
    components = list(networkx.connected_components(graph))
  if len(components) == 1:
    return
  largest = max(len(component) for component in components)
  if family == "file":
    remedy = "; append ':largest' to the spec to keep only that component"
  elif family in graph_families.FAMILIES:
    other = graph_families.connected_seed(family, arguments)
    remedy = (
      f"; another seed gives a connected one: {other}"
      if other
      else "; raise the probabilities (twenty further seeds fail as well)"
    )
  else:
    remedy = "; a walk cannot reach every node"
  raise errors.InputError(
    f"graph {spec!r} is not {kind}: it has {len(components)} components, the"
    f" largest with {largest} of {graph.number_of_nodes()} nodes{remedy}"
  )


def _is_positive(weight: object) -> bool:
  try:
    return bool(np.isfinite(float(weight)) and float(weight) > 0)
  except (TypeError, ValueError):
    return False


def _name(node: object) -> str:
  return ",".join(map(str, node)) if isinstance(node, tuple) else str(node)


def _spectral_positions(graph: networkx.Graph) -> Float[np.ndarray, "n 2"]:
  from scipy.sparse import linalg

  laplacian = networkx.laplacian_matrix(graph, weight=None).astype(float)
  # A fixed start vector, because the solver's default one is random. The tiny
  # shift makes the singular Laplacian solvable.
  start = np.cos(np.arange(graph.number_of_nodes()))
  _, vectors = linalg.eigsh(laplacian, k=3, sigma=-1e-6, v0=start)
  return vectors[:, 1:3]
