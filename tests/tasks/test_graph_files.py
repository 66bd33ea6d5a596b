"""Graphs from files: real ones, every accepted form, every refusal."""

import networkx
import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.tasks import graphs

_TRIANGLE = np.ones((3, 3)) - np.eye(3)


@pytest.mark.parametrize(
  "name, options, nodes, edges, diameter",
  [
    ("west-oakland-streets", "", 51, 65, 12),
    ("karate-club", "", 34, 78, 5),
    ("florentine-families", "", 15, 20, 5),
    ("country-borders", ":largest", 134, None, 18),
    ("word-ladder-4", "", 489, 1172, None),
  ],
)
def test_real_graphs(shared, name, options, nodes, edges, diameter):
  path = shared / "data" / "graphs" / f"{name}.edges.csv"
  graph = graphs.parse(f"file:{path}{options}")
  assert graph.n == nodes
  assert edges is None or graph.edge_count == edges
  assert set(np.unique(graph.weights)) == {1.0}
  if diameter:
    found = networkx.from_numpy_array(graph.adjacency)
    assert networkx.diameter(found) == diameter


def test_names_keep_commas_and_blanks(shared):
  path = shared / "data" / "graphs" / "country-borders.edges.csv"
  graph = graphs.parse(f"file:{path}:largest")
  assert "Palestine, State of" in graph.node_names
  with pytest.raises(errors.InputError, match="components.*:largest"):
    graphs.parse(f"file:{path}")


@pytest.mark.parametrize(
  "text",
  [
    "a,b\nb,c\nc,a\n",
    "a b\nb c\nc a",
    "a\tb\nb\tc\nc\ta\n",
    "# three friends\n\na, b\nb, c\n c,a\n",
    "source,target\na,b\nb,c\nc,a\n",
    "Source,Target,length\na,b,7\nb,c,8\nc,a,9\n",
    "\ufeffa,b\nb,c\nc,a\n",
    "a,b\nb,a\nb,c\nc,b\nc,a\na,c\n",
    "a,b,1\nb,c,1.0\nc,a,1\n",
  ],
)
def test_edge_lists(tmp_path, text):
  path = tmp_path / "graph.csv"
  path.write_text(text, encoding="utf-8")
  graph = graphs.parse(f"file:{path}")
  assert graph.node_names == ("a", "b", "c") and not graph.directed
  np.testing.assert_array_equal(graph.adjacency, _TRIANGLE)


def test_weights_by_header_and_direction(tmp_path):
  path = tmp_path / "graph.csv"
  path.write_text("source,target,name,weight\na,b,x,2\nb,c,y,3\nc,a,z,4\n")
  expected = np.array([[0, 2, 0], [0, 0, 3], [4, 0, 0]])
  graph = graphs.parse(f"file:{path}:directed")
  assert graph.directed
  np.testing.assert_array_equal(graph.adjacency, expected)
  graph = graphs.parse(f"file:{path}")
  np.testing.assert_array_equal(graph.adjacency, expected + expected.T)


def test_largest_strong_component_keeps_the_order(tmp_path):
  path = tmp_path / "graph.txt"
  path.write_text("z c\nc b\nb a\na c\n")
  graph = graphs.parse(f"file:{path}:directed:largest")
  assert graph.node_names == ("c", "b", "a")


@pytest.mark.parametrize("directed", [False, True])
def test_graphml(tmp_path, directed):
  original = networkx.DiGraph() if directed else networkx.Graph()
  original.add_nodes_from(["b", "a", "c"])
  original.add_weighted_edges_from([("a", "b", 2.5), ("b", "c", 1.0)])
  original.add_edge("c", "a")
  path = tmp_path / "graph.graphml"
  networkx.write_graphml(original, path)
  graph = graphs.parse(f"file:{path}")
  assert graph.node_names == ("b", "a", "c") and graph.directed == directed
  np.testing.assert_array_equal(
    graph.adjacency, networkx.to_numpy_array(original)
  )


@pytest.mark.parametrize(
  "name, text, fragments",
  [
    ("g.csv", "a,b\nb\n", ["line 2", "1 columns"]),
    ("g.csv", "a,b\nb,c,1,2\n", ["line 2", "4 columns"]),
    ("g.csv", "# x\na,b,1\nb,c,heavy\n", ["line 3", "'heavy'"]),
    ("g.csv", "a,b,1\nb,c,\n", ["line 2", "''"]),
    ("g.csv", "a,b,0\n", ["weight 0.0", "positive"]),
    ("g.csv", "a,b,-2\n", ["weight -2.0"]),
    ("g.csv", "a,b,nan\n", ["weight nan"]),
    ("g.csv", "a,b,1\nb,a,2\n", ["given twice", "1.0 and 2.0"]),
    ("g.csv", "a,a\na,b\n", ["self loop", "lazy"]),
    ("g.csv", "a,b\nc,d\n", ["2 components", ":largest"]),
    ("g.csv", "", ["no edges"]),
    ("g.csv", "source,target\n", ["no nodes"]),
    ("g.csv", 'a,"b\n', ["cannot read"]),
    ("g.graphml", "<graphml>", ["cannot read"]),
    ("g.graphml", "a,b", ["cannot read"]),
  ],
)
def test_bad_files(tmp_path, name, text, fragments):
  path = tmp_path / name
  path.write_text(text)
  with pytest.raises(errors.InputError) as caught:
    graphs.parse(f"file:{path}")
  for fragment in [*fragments, str(path)]:
    assert fragment in str(caught.value)


def test_files_that_are_not_there_or_not_text(tmp_path):
  with pytest.raises(errors.InputError, match="no file 'absent.csv'"):
    graphs.parse("file:absent.csv")
  with pytest.raises(errors.InputError, match="file:PATH"):
    graphs.parse("file:")
  with pytest.raises(errors.InputError, match="no file"):
    graphs.parse(f"file:{tmp_path}")
  path = tmp_path / "binary.csv"
  path.write_bytes(b"\xff\xfe\x00,\x00")
  with pytest.raises(errors.InputError, match="cannot read"):
    graphs.parse(f"file:{path}")
