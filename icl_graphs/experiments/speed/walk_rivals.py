"""Samplers of plain walks that do not use jax, as well as they can be written.

All of them return nodes [length, B] or [B, length], start at uniform nodes and
draw whatever random numbers they can in one block.

Legend: n nodes, K largest number of neighbours, B walks.
"""

from collections.abc import Callable
import math
import random

import networkx
import numpy as np

from icl_graphs.tasks import graphs

Sampler = Callable[[int, int], np.ndarray]


def numpy_general(graph: graphs.Graph, seed: int) -> Sampler:
  """Any weights: numbers are compared with cumulative probabilities."""
  neighbours, weights, _ = _padded(graph)
  cumulative = np.cumsum(weights, axis=1)
  cumulative /= cumulative[:, -1:]

  def follow(here, uniforms):
    passed = uniforms[:, None] >= cumulative[here]
    return neighbours[here, passed.sum(axis=1)]

  return _step_by_step(graph, seed, follow)


def numpy_unweighted(graph: graphs.Graph, seed: int) -> Sampler:
  """Equal weights: a number times the degree is the neighbour's place."""
  neighbours, _, degree = _padded(graph)

  def follow(here, uniforms):
    return neighbours[here, (uniforms * degree[here]).astype(np.int64)]

  return _step_by_step(graph, seed, follow)


def numpy_common_multiple(graph: graphs.Graph, seed: int) -> Sampler:
  """Equal weights and few degrees: neighbours repeated to one row length.

  With L the least common multiple of the degrees, every node has L equally
  likely entries, and a step is one addition and one look-up without temporary
  arrays. The fastest numpy sampler that we could write.
  """
  neighbours, _, degree = _padded(graph)
  multiple = math.lcm(*map(int, np.unique(degree)))
  if multiple > 255:
    raise ValueError(f"{graph.spec}: degrees have the multiple {multiple}")
  table = np.stack(
    [
      np.repeat(row[:d], multiple // d)
      for row, d in zip(neighbours, degree, strict=True)
    ],
    axis=1,
  )
  table = table.reshape(-1).astype(np.int32)
  generator = np.random.Generator(np.random.SFC64(seed))

  def sample(count, length):
    place = generator.integers(multiple, size=(length, count), dtype=np.uint8)
    place = place.astype(np.int32)
    place *= graph.n
    nodes = np.empty((length, count), np.int32)
    nodes[0] = generator.integers(graph.n, size=count)
    here = nodes[0]
    for row, following in zip(place[1:], nodes[1:], strict=True):
      np.add(row, here, out=row)
      table.take(row, out=following, mode="clip")
      here = following
    return nodes

  return sample


def pure_python(graph: graphs.Graph, seed: int) -> Sampler:
  """Walk by walk over lists of neighbours (equal weights)."""
  neighbours = [[] for _ in range(graph.n)]
  for i, j in graph.arcs.tolist():
    neighbours[i].append(j)
  choice = random.Random(seed).choice

  def sample(count, length):
    walks = []
    for _ in range(count):
      node = choice(range(graph.n))
      walk = [node]
      for _ in range(length - 1):
        node = choice(neighbours[node])
        walk.append(node)
      walks.append(walk)
    return np.array(walks)

  return sample


def networkx_walker(graph: graphs.Graph, seed: int) -> Sampler:
  """Walk by walk over a `networkx.Graph`, as its users write it."""
  found = networkx.Graph(graph.arcs.tolist())
  generator = random.Random(seed)

  def sample(count, length):
    walks = []
    for _ in range(count):
      walk = [generator.randrange(graph.n)]
      for _ in range(length - 1):
        walk.append(generator.choice(list(found.neighbors(walk[-1]))))
      walks.append(walk)
    return np.array(walks)

  return sample


def _step_by_step(graph, seed, follow) -> Sampler:
  """All walks at once: follow(nodes [B], uniforms [B]) to the next nodes."""
  generator = np.random.default_rng(seed)

  def sample(count, length):
    uniforms = generator.random((length, count))
    nodes = np.empty((length, count), np.int32)
    nodes[0] = generator.integers(graph.n, size=count)
    for time in range(1, length):
      nodes[time] = follow(nodes[time - 1], uniforms[time])
    return nodes

  return sample


def _padded(graph):
  """Neighbours [n, K], their weights (0 on padding), degrees [n]."""
  sources, targets = graph.arcs.T
  degree = np.bincount(sources, minlength=graph.n)
  slots = np.arange(len(sources)) - (np.cumsum(degree) - degree)[sources]
  neighbours = np.zeros((graph.n, degree.max()), np.int64)
  weights = np.zeros(neighbours.shape)
  neighbours[sources, slots] = targets
  weights[sources, slots] = graph.weights
  return neighbours, weights, degree
