"""Reproduction as a user starts it: names, refusals, pages, going on."""

import json

import pytest

from icl_graphs.experiments import catalogue
from tests.programs import again, launch

SMALL = ("--walks=16", "--groups=4", "--context=80", "--resamples=20")


@pytest.fixture(scope="module")
def finished(tiny_model, tmp_path_factory):
  out = tmp_path_factory.mktemp("reproduced")
  done = launch(
    "reproduce",
    f"--model={tiny_model}",
    f"--out={out}",
    "--figure=straightening,prompt_conditions",
    "--windows=20,50",
    *SMALL,
  )
  assert done.returncode == 0, done.stderr
  return out, done


def test_folder_is_complete(finished):
  out, done = finished
  for name in ("straightening", "prompt_conditions"):
    record = json.loads((out / name / "outcome.json").read_text())
    assert record["claims"] and record["name"] == name
    for figure in record["figures"]:
      assert (out / name / figure["file"]).stat().st_size
  assert {"summary.json", "run.json", "report.html"} <= {
    path.name for path in out.iterdir()
  }
  summary = json.loads((out / "summary.json").read_text())
  assert list(summary) == ["straightening", "prompt_conditions"]
  assert not (out / "work").exists()
  assert "Report:" in done.stdout and "cannot tell" in done.stdout


def test_what_is_done_is_not_run_again(finished, tiny_model):
  out, _ = finished
  before = (out / "straightening" / "outcome.json").stat().st_mtime_ns
  done = again(
    "launch.reproduce",
    f"--model={tiny_model}",
    f"--out={out}",
    "--figure=straightening",
    "--windows=20,50",
    *SMALL,
  )
  assert done.returncode == 0, done.stderr
  assert (out / "straightening" / "outcome.json").stat().st_mtime_ns == before
  assert list(json.loads((out / "summary.json").read_text())) == [
    "straightening",
    "prompt_conditions",
  ]


def test_folders_are_compared(finished, tmp_path):
  out, _ = finished
  done = again(
    "launch.reproduce", f"--compare={out},{out}", f"--out={tmp_path}"
  )
  assert done.returncode == 0, done.stderr
  assert "straight" in (tmp_path / "models.md").read_text().lower()
  page = (tmp_path / "models.html").read_text()
  assert page.startswith("<!doctype html>") and "http" not in page


def test_list_names_every_experiment():
  done = again("launch.reproduce", "--list")
  assert done.returncode == 0, done.stderr
  lines = done.stdout.splitlines()
  assert [line.split()[0] for line in lines] == [
    *catalogue.PAPER_ONE.recipes,
    *catalogue.PAPER_TWO.recipes,
  ]


@pytest.mark.parametrize(
  "flags, message",
  [
    (("--figure=emergance", "--out=x"), "emergance"),
    (("--out=x",), "nothing asked"),
    (("--all",), "no folder given"),
    (("--figure=heads", "--out=x", "--model=/no/such"), "does not exist"),
    (("--compare=/no/such", "--out=x"), "/no/such"),
  ],
)
def test_refuses_with_status_2(flags, message, tmp_path):
  flags = [flag.replace("--out=x", f"--out={tmp_path / 'x'}") for flag in flags]
  done = again("launch.reproduce", *flags)
  assert done.returncode == 2 and message in done.stderr
