"""Graphs made from a graph: nodes renamed, or some of the edges left out."""

from jaxtyping import Int
import networkx
import numpy as np

from icl_graphs import errors
from icl_graphs.tasks import graphs

_TRIES = 400


def relabelled(
  graph: graphs.Graph, places: Int[np.ndarray, " n"], spec: str | None = None
) -> graphs.Graph:
  """The same shape on other nodes: node i of the graph becomes places[i]."""
  adjacency = np.zeros_like(graph.adjacency)
  adjacency[np.ix_(places, places)] = graph.adjacency
  made = graphs.from_adjacency(adjacency, spec=spec or f"{graph.spec} renamed")
  return made


def ring(order: tuple[int, ...], spec: str = "ring") -> graphs.Graph:
  """The ring that visits the nodes in this order and returns.

  Raises:
    InputError: fewer than three nodes.
  """
  if len(order) < 3:
    raise errors.InputError(f"a ring of {len(order)} nodes; at least 3")
  adjacency = np.zeros((len(order),) * 2)
  after = np.roll(order, -1)
  adjacency[order, after] = adjacency[after, order] = 1
  return graphs.from_adjacency(adjacency, spec=spec)


def rival(graph: graphs.Graph, seed: int) -> Int[np.ndarray, " n"]:
  """Places for a copy of a graph that shares as few edges with it as found.

  Random renamings, each improved by swaps of two nodes until none helps.

  Args:
    graph: undirected.
    seed: of the renamings.
  """
  rng = np.random.default_rng(seed)
  linked = graph.adjacency != 0
  best, least = None, np.inf
  for _ in range(_TRIES):
    places = rng.permutation(graph.n)
    common = _common(linked, places)
    improved = True
    while improved and common:
      improved = False
      for i, j in rng.permutation(_pairs(graph.n)).tolist():
        places[[i, j]] = places[[j, i]]
        swapped = _common(linked, places)
        if swapped < common:
          common, improved = swapped, True
          break
        places[[i, j]] = places[[j, i]]
    if common < least:
      best, least = places.copy(), common
    if not least:
      break
  return best


def _pairs(n):
  return np.stack(np.triu_indices(n, 1), axis=1)


def _common(linked, places) -> int:
  """Edges of the renamed graph that the graph has, each counted twice."""
  return int((linked[np.ix_(places, places)] & linked).sum())


def held_out(
  graph: graphs.Graph, count: int, seed: int
) -> tuple[graphs.Graph, Int[np.ndarray, "count 2"]]:
  """Leaves out random edges without which the graph is still connected.

  Returns:
    (the graph without them, the edges).

  Raises:
    InputError: directed, or so many edges cannot be spared.
  """
  if graph.directed:
    raise errors.InputError(
      f"graph {graph.spec!r} is directed; edges are held out of undirected ones"
    )
  rng = np.random.default_rng(seed)
  edges = graph.arcs[graph.arcs[:, 0] < graph.arcs[:, 1]]
  left = networkx.Graph()
  left.add_nodes_from(range(graph.n))
  left.add_edges_from(edges.tolist())
  removed = []
  for edge in rng.permutation(edges).tolist():
    if len(removed) == count:
      break
    left.remove_edge(*edge)
    if networkx.is_connected(left):
      removed.append(edge)
    else:
      left.add_edge(*edge)
  if len(removed) < count:
    raise errors.InputError(
      f"graph {graph.spec!r} stays connected without {len(removed)} of its"
      f" {graph.edge_count} edges, not without {count}; hold out fewer"
    )
  adjacency = graph.adjacency.copy()
  gone = np.array(removed, np.int32).reshape(-1, 2)
  adjacency[gone[:, 0], gone[:, 1]] = adjacency[gone[:, 1], gone[:, 0]] = 0
  spec = f"{graph.spec} without {count} edges"
  return graphs.from_adjacency(adjacency, spec=spec), gone
