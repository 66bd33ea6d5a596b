"""Experiments on coin flips as a user starts them, on the bundled model."""

import json

import pytest

from icl_graphs.experiments import catalogue
from tests import programs

SMALL = (
  *("--percents=20,50", "--sequences=8", "--judged=6", "--tree=2"),
  "--resamples=10",
)


def test_a_small_run_is_complete_and_goes_on(tmp_path):
  out = f"--out={tmp_path}"
  done = programs.launch("coins", out, "--figure=selection", *SMALL)
  assert done.returncode == 0, done.stderr
  asked = ["selection"]
  for name in asked:
    record = json.loads((tmp_path / name / "outcome.json").read_text())
    assert record["claims"] and record["name"] == name
    assert (tmp_path / name / "measurements.nc").stat().st_size
    for figure in record["figures"]:
      assert (tmp_path / name / figure["file"]).stat().st_size
  page = (tmp_path / "report.html").read_text()
  assert catalogue.PAPER_TWO.about.question in page and "http" not in page
  assert json.loads((tmp_path / "run.json").read_text())
  assert not (tmp_path / "work").exists()
  before = (tmp_path / "selection" / "outcome.json").stat().st_mtime_ns
  again = programs.again("launch.coins", out, "--figure=selection", *SMALL)
  assert again.returncode == 0, again.stderr
  assert (tmp_path / "selection" / "outcome.json").stat().st_mtime_ns == before
  summary = json.loads((tmp_path / "summary.json").read_text())
  assert list(summary) == asked


def test_list_names_every_experiment():
  done = programs.again("launch.coins", "--list")
  lines = done.stdout.splitlines()
  assert [line.split()[0] for line in lines] == [*catalogue.PAPER_TWO.recipes]


@pytest.mark.parametrize(
  ("flag", "message"),
  [
    ("--figure=judgement", "judgement"),
    ("--model=bundled:walks", "bundled:walks"),
    ("--percents=half", "half"),
    ("--form=chat", "--form=raw"),
  ],
)
def test_bad_input_is_refused(tmp_path, flag, message):
  out = tmp_path / "run"
  refused = programs.again("launch.coins", f"--out={out}", flag)
  assert refused.returncode == 2, refused.stderr
  assert message in refused.stderr and "Traceback" not in refused.stderr
  assert not out.exists()
