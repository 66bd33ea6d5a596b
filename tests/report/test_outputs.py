"""Figures and page are written whatever a run does not contain."""

import hashlib
from html import parser
import json
import re

import numpy as np
import pytest
import xarray as xr

from icl_graphs.report import figures, html, view
from report import synthetic
from tests import browser

FIGURES = ["emergence", "energy", "layers", "accuracy", "spectrum"]
VOID = {"meta", "input", "br"}
NASTY = "</script><script>alert(1)</script>"


class Page(parser.HTMLParser):
  """Checks that elements close in order; collects text and data."""

  def __init__(self, text):
    super().__init__()
    self.open, self.tags, self.scripts, self.words = [], [], [], []
    self.feed(text)
    self.close()
    assert self.open == []

  def handle_starttag(self, tag, attrs):
    self.tags.append((tag, dict(attrs)))
    if tag not in VOID:
      self.open.append(tag)

  def handle_endtag(self, tag):
    assert self.open.pop() == tag

  def handle_data(self, data):
    if self.open and self.open[-1] == "script":
      self.scripts.append(data)
    elif not self.open or self.open[-1] != "style":
      self.words.append(data)

  @property
  def data(self):
    def refuse(name):
      raise ValueError(name)

    return json.loads(self.scripts[0], parse_constant=refuse)


def summaries(tree):
  return {
    one.spec: synthetic.summary(one.dataset, one.layer)
    for one in view.views(tree)
  }


def write(tree, out, summary=None, run=None):
  summary = summaries(tree) if summary is None else summary
  path = html.write(tree, summary, run or {"model": "tiny", "seed": 0}, out)
  text = path.read_text(encoding="utf-8")
  return text, Page(text)


def single(dataset):
  return xr.DataTree.from_dict({"grid:3x3": dataset})


def small(**kwargs):
  settings = {"layers": 3, "windows": (20,), "contexts": (5, 20, 60)}
  return synthetic.dataset(
    "grid:3x3", *synthetic.grid(3), **(settings | {"length": 60} | kwargs)
  )


def bare():
  """What an analysis of someone else's class means holds: one cell, no null."""
  dataset = small(layers=1, contexts=(1,))
  kept = dataset.drop_vars(
    [name for name in dataset.data_vars if "time" in dataset[name].dims]
  )
  kept = kept.drop_dims("time")
  for name, variable in kept.data_vars.items():
    if "stat" in variable.dims:
      kept[name] = variable.where(kept["stat"] == "value")
  return kept


def holes():
  """Early contexts without a picture, later ones with rare words."""
  dataset = small()
  for name, variable in dataset.data_vars.items():
    if "context" in variable.dims and variable.dtype == float:
      early = dataset["context"] == 5
      empty = 0.0 if name == "count" else np.nan
      dataset[name] = variable.where(~early, empty)
  dataset["enough"][:, 1, :2] = False
  return dataset


def test_figures_are_written(tree, tmp_path):
  paths = figures.write(tree, tmp_path)
  graphs = ["grid_4x4", "ring_10", "a_graph_that_never_forms"]
  expected = [f"{graph}_{name}.png" for graph in graphs for name in FIGURES]
  assert [path.name for path in paths] == expected
  for path in paths:
    assert path.read_bytes().startswith(b"\x89PNG")


def test_figures_are_deterministic(tmp_path):
  marks = []
  for folder in ("a", "b"):
    paths = figures.write(single(small(layers=1)), tmp_path / folder)
    marks.append([hashlib.sha256(p.read_bytes()).digest() for p in paths])
  assert marks[0] == marks[1] and len(marks[0]) == len(FIGURES)


def test_page_is_whole_and_self_contained(tree, tmp_path):
  text, page = write(tree, tmp_path)
  data = page.data
  assert [graph["spec"] for graph in data["graphs"]] == [
    one.spec for one in view.views(tree)
  ]
  assert "http" not in text
  assert not [tag for tag, _ in page.tags if tag in ("link", "img", "iframe")]
  assert not [attrs for _, attrs in page.tags if "src" in attrs]
  assert len(text) < 2e6
  first = data["graphs"][0]
  assert np.shape(first["pictures"][0]["points"]) == (2, 4, 6, 32)
  assert np.shape(first["measures"][0]["value"]) == (2, 4, 6)
  assert first["control"]["measures"] and not data["graphs"][1]["control"]
  ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
  assert len(ids) == len(set(ids))
  used = set(re.findall(r"byId\('([\w-]+)'\)", text))
  assert used <= set(ids)


def test_page_states_the_verdict(tree, tmp_path):
  _, page = write(tree, tmp_path)
  text = " ".join(" ".join(page.words).split())
  assert text.count("Structure present") == 2
  assert text.count("No structure shown") == 1
  assert "Predictions not distinguishable from chance" in text


def test_headline_layer_comes_from_the_summary(tmp_path):
  summary = {"grid:3x3": synthetic.summary(small(), layer=1)}
  _, page = write(single(small()), tmp_path, summary)
  assert page.data["graphs"][0]["report"]["layer"] == 1


def test_nothing_given_by_a_user_becomes_markup(tmp_path):
  dataset = small().assign_coords(node=[NASTY, "$x$", '"', *"abcdef"])
  dataset.attrs |= {"graph": NASTY, "model": "<b>m</b>"}
  tree = xr.DataTree.from_dict({"odd": dataset})
  text, page = write(tree, tmp_path, run={"<i>": NASTY, "list": ["<u>"]})
  assert page.data["graphs"][0]["words"][:2] == [NASTY, "$x$"]
  assert "alert(1)</script>" not in text
  tags = {tag for tag, _ in page.tags}
  assert not tags & {"u", "i"} - {"i"}
  assert [tag for tag, _ in page.tags].count("script") == 5
  assert figures.write(tree, tmp_path)


@pytest.mark.parametrize(
  ("make", "drawn"),
  [
    (bare, ["emergence", "energy", "spectrum"]),
    (holes, FIGURES),
    (lambda: small(windows=(10, 20, 30), layers=1), FIGURES),
    (lambda: small(contexts=(60,)), FIGURES),
  ],
  ids=["bare", "holes", "windows", "one context"],
)
def test_copes_with(make, drawn, tmp_path):
  tree = single(make())
  names = [path.name for path in figures.write(tree, tmp_path)]
  assert names == [f"grid_3x3_{name}.png" for name in drawn]
  _, page = write(tree, tmp_path)
  (graph,) = page.data["graphs"]
  assert (graph["accuracy"] is not None) == ("accuracy" in drawn)


def test_missing_cells_are_null_and_stated(tmp_path):
  _, page = write(single(holes()), tmp_path)
  (graph,) = page.data["graphs"]
  energy = graph["measures"][0]
  assert energy["value"][0][0][0] is None
  assert energy["value"][0][0][2] is not None
  assert graph["pictures"][0]["points"][0][0][0] == [None] * 18
  assert graph["counts"][0][0] == [0] * 9
  assert graph["enough"][0][1] == "001111111"


def test_no_numbers_at_all(tmp_path):
  dataset = small()[["adjacency", "position"]]
  tree = single(dataset)
  assert figures.write(tree, tmp_path) == []
  text, page = write(tree, tmp_path, summary={}, run={})
  assert page.data["graphs"][0]["measures"] == []
  assert "No headline numbers were recorded" in text


def test_directed_graph_draws_arrows_once(tmp_path):
  adjacency, place = synthetic.ring(5)
  dataset = synthetic.dataset(
    "ring:5", adjacency, place, layers=2, windows=(20,), contexts=(20,)
  )
  dataset["adjacency"] = dataset["adjacency"] * np.triu(np.ones((5, 5)))
  dataset.attrs["directed"] = 1
  tree = single(dataset)
  _, page = write(tree, tmp_path)
  assert page.data["graphs"][0]["edges"] == [
    [0, 1],
    [0, 4],
    [1, 2],
    [2, 3],
    [3, 4],
  ]
  assert figures.write(tree, tmp_path)


def test_same_name_twice_keeps_both_figures(tmp_path):
  tree = xr.DataTree.from_dict(
    {name: small(layers=2, contexts=(60,)) for name in "ab"}
  )
  paths = figures.write(tree, tmp_path)
  assert len(set(paths)) == 2 * len(FIGURES)


def test_bare_class_means_claim_no_context(tmp_path):
  dataset = bare().assign_attrs(counts_known=0)
  _, page = write(single(dataset), tmp_path)
  text = " ".join(" ".join(page.words).split())
  assert "of context, " not in text and "window 20" not in text
  assert page.data["graphs"][0]["counts"] is None
  assert figures.write(single(dataset), tmp_path)


def test_page_lives_in_a_browser(tree, tmp_path):
  path = html.write(tree, summaries(tree), {"model": "tiny"}, tmp_path)
  told = browser.use(
    path,
    """
    const drawing = () => document.getElementById('picture').innerHTML;
    const said = () => document.getElementById('readout').textContent;
    const before = said(), drawn = drawing();
    slideTo(document.getElementById('context'), 1);
    const context = said();
    slideTo(document.getElementById('layer'), 0);
    const layer = said();
    document.getElementById('tab-1').click();
    return {said: new Set([before, context, layer, said()]).size,
      dots: drawn.split('<circle').length - 1};
    """,
    tmp_path,
  )
  assert told["problems"] == []
  assert told["found"]["said"] == 4 and told["found"]["dots"] >= 16
