"""The graph families: each turns its arguments into a networkx graph.

Every builder returns the graph in the node order that words follow, with the
family's natural drawing where there is one (y upwards).
"""

from collections.abc import Callable
import dataclasses
import itertools

from jaxtyping import Float
import networkx
import numpy as np

from icl_graphs import errors

MAX_NODES = 20_000
# Families whose edges may grow with the square of the nodes.
MAX_DENSE_NODES = 2_000


@dataclasses.dataclass(frozen=True)
class Drawing:
  """A graph and float64 [n, 2] positions in its node order, or None."""

  graph: networkx.Graph
  positions: Float[np.ndarray, "n 2"] | None = None


@dataclasses.dataclass(frozen=True)
class Family:
  """`form` is the spec's syntax; `construct` takes its parsed arguments."""

  form: str
  meaning: str
  example: str
  construct: Callable[..., Drawing]
  random: bool = False

  def build(self, spec: str, arguments: str) -> Drawing:
    """Raises InputError, naming the spec, the form and an example."""
    fields = arguments.split(":")
    forms = self.form.split(":")[1:]
    if len(fields) != len(forms) or not all(fields):
      raise errors.InputError(self._message(spec, "wrong number of arguments"))
    try:
      return self.construct(
        *(
          _PARSERS[form](field)
          for form, field in zip(forms, fields, strict=True)
        )
      )
    except (ValueError, networkx.NetworkXError) as error:
      raise errors.InputError(self._message(spec, str(error))) from error

  def _message(self, spec: str, problem: str) -> str:
    return (
      f"bad graph spec {spec!r}: {problem}; the form is {self.form}"
      f" ({self.meaning}), e.g. {self.example}"
    )


def connected_seed(family: str, arguments: str) -> str:
  """A connected spec with one of the next twenty seeds, or ''."""
  if not FAMILIES[family].random:
    return ""
  head, _, seed = arguments.rpartition(":")
  for other in range(int(seed) + 1, int(seed) + 21):
    spec = f"{family}:{head}:{other}"
    drawing = FAMILIES[family].build(spec, f"{head}:{other}")
    if networkx.is_connected(drawing.graph):
      return spec
  return ""


def _integer(text: str) -> int:
  if not (text.isascii() and text.isdigit()):
    raise ValueError(f"{text!r} is not a whole number of at least 0")
  if len(text) > 9:
    raise ValueError(f"{text!r} is too large")
  return int(text)


def _sides(text: str) -> tuple[int, int]:
  fields = text.split("x")
  if len(fields) != 2:
    raise ValueError(f"{text!r} is not of the form 4x4")
  return _integer(fields[0]), _integer(fields[1])


def _integers(text: str) -> tuple[int, ...]:
  return tuple(_integer(field) for field in text.split(","))


def _probability(text: str) -> float:
  try:
    value = float(text)
  except ValueError:
    value = -1.0
  if not 0 <= value <= 1:
    raise ValueError(f"{text!r} is not a probability between 0 and 1")
  return value


_PARSERS = {
  "ROWSxCOLUMNS": _sides,
  "PATHxRING": _sides,
  "BRANCHINGxDEPTH": _sides,
  "NODES": _integer,
  "DIMENSION": _integer,
  "DEGREE": _integer,
  "SEED": _integer,
  "OFFSET,...": _integers,
  "SIZE,...": _integers,
  "P": _probability,
  "P_IN": _probability,
  "P_OUT": _probability,
}


def _require(condition: bool, problem: str) -> None:
  if not condition:
    raise ValueError(problem)


def _check_size(nodes: int, minimum: int = 2, limit: int = MAX_NODES) -> None:
  _require(nodes >= minimum, f"at least {minimum} nodes are needed")
  _require(nodes <= limit, f"{nodes} nodes are more than {limit}")


def _renumbered(graph: networkx.Graph, names: list) -> networkx.Graph:
  """The graph with its nodes inserted in the order of `names`."""
  ordered = networkx.Graph()
  ordered.add_nodes_from(names)
  ordered.add_edges_from(graph.edges)
  return ordered


def _circle(nodes: int) -> Float[np.ndarray, "n 2"]:
  # Clockwise from twelve o'clock, like the hours or the days of a calendar.
  angle = np.pi / 2 - 2 * np.pi * np.arange(nodes) / nodes
  return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _grid(sides: tuple[int, int]) -> Drawing:
  rows, columns = sides
  _check_size(rows * columns)
  graph = networkx.grid_2d_graph(rows, columns)
  row, column = np.divmod(np.arange(rows * columns), columns)
  return Drawing(graph, np.stack([column, -row], axis=1).astype(float))


def _torus(sides: tuple[int, int]) -> Drawing:
  rows, columns = sides
  _require(min(sides) >= 3, "both sides of a torus must be at least 3")
  _check_size(rows * columns)
  graph = networkx.grid_2d_graph(rows, columns, periodic=True)
  row, column = np.divmod(np.arange(rows * columns), columns)
  # A doughnut seen at an angle; the small turn keeps mirror images apart.
  around = 2 * np.pi * column / columns + 0.2
  across = 2 * np.pi * row / rows + 0.35
  radius = 2 + np.cos(across)
  x = radius * np.cos(around)
  y = 0.75 * radius * np.sin(around) + 0.66 * np.sin(across)
  return Drawing(graph, np.stack([x, y], axis=1))


def _cylinder(sides: tuple[int, int]) -> Drawing:
  rows, columns = sides
  _require(columns >= 3, "the ring of a cylinder needs at least 3 nodes")
  _check_size(rows * columns)
  graph = networkx.grid_2d_graph(rows, columns, periodic=(False, True))
  row, column = np.divmod(np.arange(rows * columns), columns)
  return Drawing(graph, _circle(columns)[column] * (1.0 + row)[:, None])


def _lattice(
  build: Callable[[int, int], networkx.Graph], sides: tuple[int, int]
) -> Drawing:
  _require(min(sides) >= 1, "both sides must be at least 1")
  _check_size(2 * (sides[0] + 1) * (sides[1] + 1))
  graph = build(*sides)
  names = sorted(graph.nodes)
  positions = np.array([graph.nodes[name]["pos"] for name in names])
  return Drawing(_renumbered(graph, names), positions)


def _hexagonal(sides: tuple[int, int]) -> Drawing:
  return _lattice(networkx.hexagonal_lattice_graph, sides)


def _triangular(sides: tuple[int, int]) -> Drawing:
  return _lattice(networkx.triangular_lattice_graph, sides)


def _ring(nodes: int) -> Drawing:
  _check_size(nodes, minimum=3)
  return Drawing(networkx.cycle_graph(nodes), _circle(nodes))


def _line(nodes: int) -> Drawing:
  _check_size(nodes)
  positions = np.stack([np.arange(nodes), np.zeros(nodes)], axis=1)
  return Drawing(networkx.path_graph(nodes), positions)


def _tree(shape: tuple[int, int]) -> Drawing:
  branching, depth = shape
  _require(branching >= 1 and depth >= 1, "branching and depth start at 1")
  _require(depth <= 64, "a depth above 64 is too large")
  _check_size(sum(branching**level for level in range(depth + 1)))
  graph = networkx.balanced_tree(branching, depth)
  level = networkx.single_source_shortest_path_length(graph, 0)
  width = branching**depth
  positions = []
  for peers in range(depth + 1):
    span = width / branching**peers
    count = branching**peers
    positions += [((k + 0.5) * span, -float(peers)) for k in range(count)]
  if list(level.values()) != sorted(level.values()):
    raise AssertionError("balanced_tree no longer numbers level by level")
  return Drawing(graph, np.array(positions))


def _hypercube(dimension: int) -> Drawing:
  _require(1 <= dimension <= 14, "the dimension must be between 1 and 14")
  names = list(itertools.product((0, 1), repeat=dimension))
  graph = networkx.hypercube_graph(dimension) if dimension > 1 else None
  if graph is None:
    # networkx labels the two nodes of the one-dimensional cube 0 and 1.
    graph = networkx.Graph([((0,), (1,))])
  k = np.arange(dimension)
  angle = np.pi * (k + 0.5) / dimension
  # Unequal lengths, so that no two corners fall on one point.
  axes = (1 + k / dimension)[:, None] * np.stack(
    [np.cos(angle), np.sin(angle)], axis=1
  )
  return Drawing(_renumbered(graph, names), np.array(names, float) @ axes)


def _circulant(nodes: int, offsets: tuple[int, ...]) -> Drawing:
  _check_size(nodes, minimum=3, limit=MAX_DENSE_NODES)
  _require(
    all(1 <= offset <= nodes // 2 for offset in offsets),
    f"offsets must be between 1 and {nodes // 2}",
  )
  graph = networkx.circulant_graph(nodes, list(offsets))
  return Drawing(graph, _circle(nodes))


def _mobius(nodes: int) -> Drawing:
  _require(nodes % 2 == 0 and nodes >= 6, "an even number of 6 or more nodes")
  return _circulant(nodes, (1, nodes // 2))


def _complete(nodes: int) -> Drawing:
  _check_size(nodes, limit=MAX_DENSE_NODES)
  return Drawing(networkx.complete_graph(nodes), _circle(nodes))


def _regular(nodes: int, degree: int, seed: int) -> Drawing:
  _check_size(nodes, limit=MAX_DENSE_NODES)
  graph = networkx.random_regular_graph(degree, nodes, seed=seed)
  return Drawing(_renumbered(graph, list(range(nodes))))


def _gnp(nodes: int, probability: float, seed: int) -> Drawing:
  _check_size(nodes, limit=MAX_DENSE_NODES)
  return Drawing(networkx.gnp_random_graph(nodes, probability, seed=seed))


def _blocks(
  sizes: tuple[int, ...], inside: float, between: float, seed: int
) -> Drawing:
  _require(min(sizes) >= 1, "every block needs at least one node")
  _check_size(sum(sizes), limit=MAX_DENSE_NODES)
  table = np.full((len(sizes), len(sizes)), between)
  np.fill_diagonal(table, inside)
  graph = networkx.stochastic_block_model(sizes, table.tolist(), seed=seed)
  return Drawing(_renumbered(graph, list(range(sum(sizes)))))


FAMILIES: dict[str, Family] = {
  form.partition(":")[0]: Family(form, meaning, example, construct, random)
  for form, meaning, example, construct, random in (
    ("grid:ROWSxCOLUMNS", "square grid", "grid:4x4", _grid, False),
    ("ring:NODES", "cycle", "ring:10", _ring, False),
    ("hex:ROWSxCOLUMNS", "hexagonal lattice", "hex:3x3", _hexagonal, False),
    ("line:NODES", "path", "line:16", _line, False),
    ("torus:ROWSxCOLUMNS", "grid that wraps", "torus:4x4", _torus, False),
    (
      "triangular:ROWSxCOLUMNS",
      "triangular lattice",
      "triangular:4x4",
      _triangular,
      False,
    ),
    ("tree:BRANCHINGxDEPTH", "balanced tree", "tree:2x3", _tree, False),
    ("hypercube:DIMENSION", "hypercube", "hypercube:4", _hypercube, False),
    ("cylinder:PATHxRING", "path times ring", "cylinder:5x5", _cylinder, False),
    (
      "circulant:NODES:OFFSET,...",
      "ring with chords",
      "circulant:12:1,2",
      _circulant,
      False,
    ),
    ("mobius:NODES", "Mobius ladder", "mobius:8", _mobius, False),
    ("complete:NODES", "all pairs joined", "complete:8", _complete, False),
    (
      "regular:NODES:DEGREE:SEED",
      "random regular",
      "regular:16:3:0",
      _regular,
      True,
    ),
    ("gnp:NODES:P:SEED", "random edges", "gnp:16:0.25:1", _gnp, True),
    (
      "sbm:SIZE,...:P_IN:P_OUT:SEED",
      "stochastic blocks",
      "sbm:8,8:0.6:0.05:0",
      _blocks,
      True,
    ),
  )
}
