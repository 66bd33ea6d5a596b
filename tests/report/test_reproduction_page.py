"""The page of a reproduction: whole, escaped, and alive in a browser."""

import re

import numpy as np
from PIL import Image
import pytest

from icl_graphs.report import reproduction
from tests import browser

NASTY = "</script><b>bold & brazen"


def claim(verdict, text="Energy falls."):
  return {
    "text": text,
    "criterion": "the interval excludes the null",
    "verdict": verdict,
    "reason": "0.81 [0.79, 0.83], null 1.00",
  }


def scene():
  generator = np.random.default_rng(0)
  xy = generator.normal(size=(2, 3, 4, 2)).round(3).tolist()
  xy[0][0] = None
  return {
    "graph": "ring:4",
    "words": ["milk", "opera", NASTY, "sun"],
    "edges": [[0, 1], [1, 2], [2, 3], [3, 0]],
    "positions": [[1, 0], [0, 1], [-1, 0], [0, -1]],
    "layers": [0, 4],
    "report_layer": 4,
    "contexts": [5, 50, 256],
    "xy": xy,
    "accuracy": [0.1, None, 0.9],
    "energy": [[1.0, 0.9, 0.8], [1.1, 0.7, 0.5]],
    "null_energy": [[0.9, 0.9, 0.9]] * 2,
  }


def record(verdict, **changes):
  return {
    "title": f"Title & {verdict}",
    "question": "Does it?",
    "source": "figure 1",
    "claims": [claim(verdict)],
    "numbers": {
      "energy_relative": {"value": 0.5, "low": 0.4, "high": 0.6, "null": 1.0},
      "plain": 3,
      "missing": {"value": None},
      "words": "none",
    },
    "figures": [],
    "tables": [],
    "notes": ["A limit."],
    "scene": [],
    "seconds": 6.0,
  } | changes


@pytest.fixture
def page(tmp_path):
  (tmp_path / "first").mkdir()
  Image.new("RGB", (4, 4), "white").save(tmp_path / "first" / "a.png")
  figure = {"file": "a.png", "caption": NASTY, "alt": "white"}
  table = {"title": "T", "header": ["graph", "n"], "rows": [["ring", "4"]]}
  records = {
    "first": record(
      "shown", figures=[figure], tables=[table], scene=[scene(), scene()]
    ),
    "second": record("not shown"),
    "third": record("cannot tell", claims=[claim("cannot tell", NASTY)] * 2),
  }
  about = reproduction.About("Does it?", "read words.", "Terms.")
  run = {"model": "tiny", "seed": 0}
  return reproduction.write(records, run, tmp_path, about)


def test_page_lives_in_a_browser(page, tmp_path):
  told = browser.use(
    page,
    """
    const scene = document.querySelector('[data-scene]');
    const drawing = () => scene.querySelector('svg').innerHTML;
    const before = drawing();
    slideTo(scene.querySelector('.scene-context'), 1);
    const context = drawing(), text = scene.querySelector('.scene-note')
      .textContent;
    slideTo(scene.querySelector('.scene-layer'), 0);
    const layer = drawing();
    slideTo(scene.querySelector('.scene-context'), 0);
    const empty = drawing();
    const links = [...document.querySelectorAll('nav a')].map(
      (a) => !!document.querySelector(a.getAttribute('href')));
    return {moved: new Set([before, context, layer, empty]).size, text,
      dots: before.split('<circle').length - 1, links,
      empty: empty.includes('not been seen'),
      bold: document.querySelectorAll('figcaption b, nav li li > span b b')
        .length,
      graphs: scene.querySelectorAll('option').length,
      pictures: [...document.images].map((i) => i.complete && i.naturalWidth)};
    """,
    tmp_path,
  )
  assert told["problems"] == []
  found = told["found"]
  assert found["moved"] == 4 and found["dots"] == 4 and found["empty"]
  assert found["text"] == "relative energy 0.70 (relabelled words: above 0.90)"
  assert found["links"] == [True] * 3
  assert found["bold"] == 0 and found["graphs"] == 2
  assert found["pictures"] == [4]


def test_page_counts_verdicts_and_loads_nothing(page):
  text = page.read_text(encoding="utf-8")
  squeezed = " ".join(text.split())
  for counted in ("1 shown", "1 not shown", "2 cannot tell"):
    assert f"</span> {counted}</span>" in squeezed
  assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
  assert NASTY not in text
  assert "[0.400, 0.600]" in text and "energy relative" in text
  # What is unknown has a dash; what is no number is left out.
  cells = re.findall(
    r'missing</th>((?:\s*<td class="number">[^<]*</td>)*)', text
  )
  assert [re.findall(">([^<]*)</td>", row) for row in cells] == [
    ["-", "", "-"]
  ] * 3
  assert ">words<" not in text


def test_verdicts_for_a_terminal():
  told = reproduction.verdicts({"first": record("shown")})
  assert told == "Title & shown\n  shown       Energy falls."
