"""Comparing with theory as a user starts it."""

import json

from tests.programs import again, launch


def test_llama_against_every_account(shared, tmp_path):
  folder = shared / "data" / "llama31-8b-grid"
  done = launch(
    "minimize",
    *(f"--compare={folder}/pca.npz", f"--nodes={folder}/sequence.json"),
    *("--graph=grid:4x4", "--words=paper30", "--last=200", "--layer=26"),
    *("--permutations=120", "--resamples=40", f"--out={tmp_path}"),
  )
  assert done.returncode == 0, done.stderr
  summary = json.loads((tmp_path / "summary.json").read_text())["grid:4x4"]
  assert summary["accounts"]["partial_overlap"]["score"] > 0.85
  assert summary["report_layer"] == 26
  assert "Best on held-out walks" in done.stdout
  assert (tmp_path / "report.html").stat().st_size > 0
  assert json.loads((tmp_path / "run.json").read_text())["last"] == 200


def test_refuses_with_status_2(tmp_path):
  for flags, message in (
    (("--compare=nothing",), "there is no file or folder nothing"),
    ((), "give --graph to minimise on, or --compare"),
  ):
    refused = again("launch.minimize", f"--out={tmp_path}", *flags)
    assert refused.returncode == 2, refused.stderr
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr
