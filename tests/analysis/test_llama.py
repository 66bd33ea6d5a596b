"""Published numbers of Llama-3.1-8B on the 4x4 grid, hidden state 26."""

import json

import numpy as np
import planted
import pytest

from icl_graphs.analysis import geometry, gram, nulls, pca
from tests import programs

# Half a unit of the last digit printed.
GOLDEN = {
  "energy_edge": (270.4, 0.05),
  "energy_ratio": (0.162, 5e-4),
  "energy_centred": (2.59, 5e-3),
  "energy_degree": (0.892, 5e-4),
  "energy_frobenius": (1.234e-4, 5e-8),
  "principal_cosine_1": (0.986, 5e-4),
  "principal_cosine_2": (0.982, 5e-4),
  "distance_correlation": (0.822, 5e-4),
  "fiedler_power": (0.353, 5e-4),
  "parity_power": (0.087, 5e-4),
  "pc12_variance": (0.361, 1e-3),
  "energy_relative": (0.81, 5e-3),
}
NULLS = {
  "energy_ratio": (0.200, 0.007),
  "distance_correlation": (0.0, 0.10),
  "fiedler_power": (0.132, 0.024),
  "parity_power": (0.066, 0.017),
  "principal_cosine_2": (0.14, 0.11),
}


@pytest.fixture(scope="module")
def folder(shared):
  return shared / "data" / "llama31-8b-grid"


@pytest.fixture(scope="module")
def products(folder):
  with np.load(folder / "pca.npz") as stored:
    return gram.from_rows(stored["class_means"])


def test_published_values(products):
  frame = geometry.frame(planted.grid())
  found = geometry.measure(products, frame, 4096)
  for name, (value, tolerance) in GOLDEN.items():
    assert found[name] == pytest.approx(value, abs=tolerance), name
  np.testing.assert_allclose(gram.mean_share(products), 0.805, atol=5e-4)
  np.testing.assert_allclose(
    pca.explained_ratio(pca.axes(products), 4),
    [0.196, 0.165, 0.100, 0.074],
    atol=6e-4,
  )


def test_published_nulls(products):
  frame = geometry.frame(planted.grid())
  moved, axes = nulls.relabelled(
    products, pca.axes(products), nulls.permutations(16, 4000, 0)
  )
  found = geometry.measure(moved, frame, 4096, axes)
  for name, (mean, spread) in NULLS.items():
    assert found[name].mean() == pytest.approx(mean, abs=0.004), name
    assert found[name].std() == pytest.approx(spread, rel=0.1), name


def test_principal_directions_are_the_released_ones(folder, products):
  with np.load(folder / "pca.npz") as stored:
    means, directions = stored["class_means"], stored["pca_dirs"]
  scores = (means - means.mean(0)).astype(float) @ directions.T
  found = pca.scores(pca.axes(products), 2)
  for k in range(2):
    cosine = found[:, k] @ scores[:, k]
    cosine /= np.linalg.norm(found[:, k]) * np.linalg.norm(scores[:, k])
    assert abs(cosine) == pytest.approx(1, abs=1e-5)


def analyze(out, *flags):
  return programs.launch("analyze", f"--out={out}", *flags)


def check_summary(out):
  summary = json.loads((out / "summary.json").read_text())["grid:4x4"]
  for name, (value, tolerance) in GOLDEN.items():
    found = summary[name]["value"]
    assert found == pytest.approx(value, abs=tolerance), name
  for name, (mean, _) in NULLS.items():
    assert summary[name]["null"] == pytest.approx(mean, abs=0.006), name
  for name in ("report.html", "run.json", "measurements.nc"):
    assert (out / name).stat().st_size > 0
  assert list(out.glob("*.png"))
  assert not list(out.glob("*.partial")) + list(out.glob(".*"))
  return summary


def test_program_on_class_means(folder, tmp_path):
  flags = f"--activations={folder / 'pca.npz'}", "--graph=grid:4x4"
  done = analyze(tmp_path / "out", *flags)
  assert done.returncode == 0, done.stderr
  summary = check_summary(tmp_path / "out")
  assert summary["energy_ratio"]["low"] is None
  assert "0.162" in done.stdout


def test_program_on_activations_gives_intervals_too(folder, tmp_path):
  done = analyze(
    tmp_path / "out",
    f"--activations={folder / 'pca.npz'}",
    f"--nodes={folder / 'sequence.json'}",
    "--words=paper30",
    "--last=200",
    "--layer=26",
    "--graph=grid:4x4",
  )
  assert done.returncode == 0, done.stderr
  summary = check_summary(tmp_path / "out")
  assert summary["report_layer"] == 26
  assert summary["smallest_count"] == 5
  for name in GOLDEN:
    entry = summary[name]
    assert entry["low"] < entry["value"] < entry["high"], name
  # The whole interval is clear of the null.
  assert summary["energy_relative"]["high"] < 0.9
