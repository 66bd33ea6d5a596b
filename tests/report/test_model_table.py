"""One row per model, one per claim, whatever each of them measured."""

import json

from PIL import Image
import pytest

from icl_graphs import errors
from icl_graphs.report import model_table


def finished(folder, model, verdict, energy, extra=()):
  folder.mkdir()
  claims = [{"text": "A mesh | forms.", "verdict": verdict, "reason": "<why>"}]
  claims += [
    {"text": text, "verdict": "shown", "reason": "so"} for text in extra
  ]
  claims = [claim | {"criterion": "beyond its null"} for claim in claims]
  numbers = {"grid:4x4 energy_relative": energy, "grid:4x4 onset": 37}
  summary = {
    "emergence": {
      "title": "The graph appears",
      "claims": claims,
      "numbers": numbers,
    }
  }
  (folder / "summary.json").write_text(json.dumps(summary))
  (folder / "run.json").write_text(json.dumps({"model": model}))
  return folder


WANTED = model_table.Headlines(
  "Headline numbers",
  (
    ("emergence", "grid:4x4 energy_relative", "relative energy, grid"),
    ("emergence", "grid:4x4 accuracy_full", "accuracy, grid"),
    ("judgment", "median_n50", "median n50"),
  ),
  "How to read <them>.",
)


@pytest.fixture
def folders(tmp_path):
  full = {"value": 0.84, "low": 0.83, "high": 0.85, "null": 1.0}
  return [
    finished(tmp_path / "a", "one", "shown", full, extra=("Only here.",)),
    finished(tmp_path / "b", "two", "cannot tell", {"value": None}),
  ]


def test_rows_are_models_and_claims(folders):
  models = model_table.read(folders)
  numbers = model_table.headlines(models, WANTED)
  assert numbers.header == ("model", "relative energy, grid")
  measured = model_table.Cell("0.840", ("[0.830, 0.850]", "(1.00)"))
  assert [row[1] for row in numbers.rows] == [measured, model_table.Cell("–")]
  assert [row[0].text for row in numbers.rows] == ["one", "two"]
  assert model_table.headlines(models[1:], WANTED) is None
  verdicts = model_table.verdicts(models)
  assert verdicts.header[2:] == ("one", "two", "shown on")
  assert [[cell.text for cell in row][1:] for row in verdicts.rows] == [
    ["A mesh | forms.", "shown", "cannot tell", "1 of 2"],
    ["Only here.", "shown", "–", "1 of 1"],
  ]


def test_nulls_with_limits_are_told_by_these(tmp_path):
  energy = {"value": -0.2, "null": 0.0, "null_low": -0.1, "null_high": 0.1}
  folder = finished(tmp_path / "a", "one", "shown", energy)
  table = model_table.headlines(model_table.read([folder]), WANTED)
  assert table.rows[0][1].beside == ("(-0.100 to 0.100)",)


def test_files_are_escaped(folders, tmp_path):
  def draw(models, out):
    assert [model.folder for model in models] == folders
    Image.new("RGB", (4, 4), "white").save(out / "a.png")
    return [{"file": "a.png", "caption": "<b>Curves", "alt": "white"}]

  plain, marked = model_table.write(folders, tmp_path, [WANTED], draw)
  text = plain.read_text("utf-8")
  assert "A mesh \\| forms." in text
  assert text.count("\n| ") == 2 * 2 + 2 + 2
  assert "| one | 0.840 [0.830, 0.850] (1.00) |" in text
  assert "Criterion: beyond its null." in text
  assert text.count("\n- one: *shown.*") == 2
  assert "\n- two: *cannot tell.* <why>" in text
  page = marked.read_text("utf-8")
  assert 'class="unknown" title="&lt;why&gt;"' in page
  for raw in ("<why>", "<them>", "<b>Curves"):
    assert raw not in page
  assert page.startswith("<!doctype html>") and "data:image/png" in page
  assert "![white](a.png)" in text and "How to read <them>." in text


def test_models_of_one_name_are_told_apart(tmp_path):
  folders = [
    finished(tmp_path / name, "walks", "shown", 0.8) for name in ("0", "1")
  ]
  names = [model.name for model in model_table.read(folders)]
  assert names == ["walks (0)", "walks (1)"]
  folders = []
  for place in "ab":
    (tmp_path / place).mkdir()
    folders.append(
      finished(tmp_path / place / "coins", "/far/away/walks", "shown", 0.8)
    )
  names = [model.name for model in model_table.read(folders)]
  assert names == ["walks (a/coins)", "walks (b/coins)"]


def test_unfinished_folders_are_named(tmp_path):
  with pytest.raises(errors.InputError, match="summary.json"):
    model_table.read([tmp_path])
  with pytest.raises(errors.InputError, match="no folder"):
    model_table.read([])
