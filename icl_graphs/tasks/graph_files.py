"""Graphs from files: GraphML, or an edge list of two or three columns."""

import csv
import pathlib
from xml.etree import ElementTree

import networkx

from icl_graphs import errors
from icl_graphs.tasks import graph_families

FORM = "file:PATH[:directed][:largest]"
MEANING = (
  "GraphML (.graphml, .xml) or an edge list, e.g. file:borders.csv:largest"
)
_OPTIONS = ("directed", "largest")


def read(spec: str, arguments: str) -> graph_families.Drawing:
  """Reads `PATH[:directed][:largest]`.

  An edge list has one edge per line, `source target [weight]`, separated by
  commas, tabs or blanks. Lines that start with # are skipped. A first line
  that begins `source,target` is a header: then the weight is the column named
  `weight`, if any, and other columns are ignored. `:directed` reads each line
  as an arc; GraphML says itself whether it is directed. An edge may be listed
  in both directions if its weights agree. `:largest` keeps the largest
  (strongly) connected component. Nodes keep the order of the file.

  Raises:
    InputError: missing or unreadable file, a malformed line (with its number),
      conflicting or non-positive weights, a self loop.
  """
  path, options = _split_options(arguments)
  if not path:
    raise errors.InputError(
      f"bad graph spec {spec!r}: the form is {FORM} ({MEANING})"
    )
  if not pathlib.Path(path).is_file():
    raise errors.InputError(f"graph {spec!r}: there is no file {path!r}")
  try:
    if pathlib.Path(path).suffix.lower() in (".graphml", ".xml"):
      graph = _simple(spec, networkx.read_graphml(path))
    else:
      graph = _read_edge_list(spec, path, "directed" in options)
  except errors.InputError:
    raise
  except (
    OSError,
    ValueError,
    KeyError,
    csv.Error,
    networkx.NetworkXError,
    ElementTree.ParseError,
  ) as error:
    raise errors.InputError(
      f"graph {spec!r}: cannot read {path!r}: {error}"
    ) from error
  if "largest" in options and graph.number_of_nodes():
    graph = _largest_component(graph)
  if graph.number_of_nodes() > graph_families.MAX_NODES:
    raise errors.InputError(
      f"graph {spec!r} has {graph.number_of_nodes()} nodes, more than"
      f" {graph_families.MAX_NODES}"
    )
  return graph_families.Drawing(graph)


def _split_options(arguments: str) -> tuple[str, set[str]]:
  path, options = arguments, set()
  while path.rpartition(":")[2] in _OPTIONS and ":" in path:
    path, _, option = path.rpartition(":")
    options.add(option)
  return path, options


def _largest_component(graph: networkx.Graph) -> networkx.Graph:
  components = (
    networkx.strongly_connected_components(graph)
    if graph.is_directed()
    else networkx.connected_components(graph)
  )
  kept = max(components, key=len)
  # Not `graph.subgraph`: its node order is not promised.
  smaller = graph.copy()
  smaller.remove_nodes_from([node for node in graph if node not in kept])
  return smaller


def _simple(spec: str, graph: networkx.Graph) -> networkx.Graph:
  simple = networkx.DiGraph() if graph.is_directed() else networkx.Graph()
  simple.add_nodes_from(graph.nodes)
  for source, target, weight in graph.edges(data="weight", default=1.0):
    _add_edge(spec, simple, source, target, weight)
  return simple


def _add_edge(
  spec: str,
  graph: networkx.Graph,
  source: str,
  target: str,
  weight: float,
) -> None:
  if graph.has_edge(source, target):
    before = graph.edges[source, target]["weight"]
    if before != weight:
      raise errors.InputError(
        f"graph {spec!r}: edge {source!r}-{target!r} is given twice, with"
        f" weights {before} and {weight}"
      )
  graph.add_edge(source, target, weight=weight)


def _read_edge_list(spec: str, path: str, directed: bool) -> networkx.Graph:
  graph = networkx.DiGraph() if directed else networkx.Graph()
  text = pathlib.Path(path).read_text(encoding="utf-8-sig")
  lines = [
    (number, line)
    for number, line in enumerate(text.splitlines(), start=1)
    if line.strip() and not line.lstrip().startswith("#")
  ]
  if not lines:
    raise errors.InputError(f"graph {spec!r}: {path!r} lists no edges")
  rows = list(_rows(lines))
  weight_column, expected = 2, (2, 3)
  header = [field.lower() for field in rows[0][1]]
  if header[:2] == ["source", "target"]:
    weight_column = header.index("weight") if "weight" in header else None
    expected = (len(header),)
    rows = rows[1:]
  for number, fields in rows:
    if len(fields) not in expected or not all(fields[:2]):
      raise errors.InputError(
        f"graph {spec!r}: line {number} of {path!r} has {len(fields)} columns"
        f" ({fields}); an edge is 'source target [weight]', or add a header"
        " that begins source,target"
      )
    weight = 1.0
    if weight_column is not None and weight_column < len(fields):
      try:
        weight = float(fields[weight_column])
      except ValueError:
        raise errors.InputError(
          f"graph {spec!r}: line {number} of {path!r}: the weight"
          f" {fields[weight_column]!r} is not a number"
        ) from None
    _add_edge(spec, graph, fields[0], fields[1], weight)
  return graph


def _rows(lines: list[tuple[int, str]]):
  first = lines[0][1]
  delimiter = next((mark for mark in ",\t" if mark in first), None)
  for number, line in lines:
    fields = (
      line.split()
      if delimiter is None
      else next(csv.reader([line], delimiter=delimiter, strict=True))
    )
    yield number, [field.strip() for field in fields]
