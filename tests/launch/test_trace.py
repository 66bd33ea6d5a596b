"""The main job as a user starts it: results, refusals, resuming."""

import json
import signal
import time

import numpy as np
import pytest
import xarray as xr

from icl_graphs.experiments import graph_tracing, tracing_settings
from icl_graphs.report import run_folder
from tests.programs import again, launch

SMALL = (
  "--graphs=grid:3x3,circulant:8:1,2",
  "--walks=24",
  "--groups=4",
  "--batch_size=2",
  "--context=90",
  "--windows=20,50",
  "--resamples=40",
)
KEYS = (
  "accuracy_full accuracy_restricted energy_edge energy_frobenius "
  "energy_centred energy_ratio energy_degree energy_relative "
  "distance_correlation principal_cosine_1 principal_cosine_2 fiedler_power "
  "parity_power pc12_variance"
).split()


@pytest.fixture(scope="module")
def finished(tiny_model, tmp_path_factory):
  """Folder of an uninterrupted run."""
  out = tmp_path_factory.mktemp("finished")
  done = launch("trace", f"--model={tiny_model}", f"--out={out}", *SMALL)
  assert done.returncode == 0, done.stderr
  return out


def test_folder_is_complete(finished):
  names = {path.name for path in finished.iterdir()}
  assert {"run.json", "summary.json", "measurements.nc", "report.html"} <= names
  assert any(name.endswith(".png") for name in names)
  assert not any(name.startswith(("unfinished", ".")) for name in names)
  summary = json.loads((finished / "summary.json").read_text())
  assert set(summary) == {"grid:3x3", "circulant:8:1,2"}
  for headline in summary.values():
    assert headline["report_layer"] == 2
    assert headline["window"] == 20
    for key in KEYS:
      assert {"value", "low", "high", "null"} <= set(headline[key])
      assert "random_weights" in headline[key]
  # An untrained model steps at chance and its own null says the same.
  accuracy = summary["grid:3x3"]["accuracy_restricted"]
  assert abs(accuracy["value"] - accuracy["null"]) < 0.1


def test_measurements_are_labelled(finished):
  with xr.open_datatree(finished / "measurements.nc") as tree:
    data = tree["grid:3x3"].to_dataset()
    assert data.layer.values.tolist() == [0, 1, 2]
    assert data.window.values.tolist() == [20, 50]
    assert data.node.values.tolist()[:3] == ["apple", "bird", "car"]
    assert data.sizes["walk"] == 24 and data.sizes["time"] == 90
    assert np.isfinite(data.energy_relative.sel(context=90)).all()
    assert "random_weights" in tree["grid:3x3"].children


def same_measurements(left, right):
  names = run_folder.read_measurements(left / "measurements.nc")
  others = run_folder.read_measurements(right / "measurements.nc")
  assert set(names) == set(others)
  return all(names[spec].equals(others[spec]) for spec in names)


def killed_after(saved, flags, out):
  """Starts the job and kills it as soon as a state of that name is there."""
  process = launch("trace", *flags, wait=False)
  deadline = time.monotonic() + 200
  while process.poll() is None and time.monotonic() < deadline:
    names = [path.name.replace(":", "-") for path in out.glob("unfin*npz")]
    if any(saved in name for name in names):
      process.send_signal(signal.SIGKILL)
      break
    time.sleep(0.002)
  process.communicate()
  assert process.returncode == -signal.SIGKILL
  assert not (out / "summary.json").exists()
  assert list(out.glob("unfinished-*.npz"))


def test_killed_run_resumes_to_the_same_numbers(finished, tiny_model, tmp_path):
  flags = (f"--model={tiny_model}", f"--out={tmp_path}", *SMALL)
  flags = (*flags, "--save_seconds=0")
  # In the first graph, and once more in the second.
  for saved in ("grid-3x3.npz", "circulant"):
    killed_after(saved, flags, tmp_path)
  resumed = again("launch.trace", *flags)
  assert resumed.returncode == 0, resumed.stderr
  assert same_measurements(finished, tmp_path)


def test_state_of_other_settings_is_refused(tiny_model, tmp_path):
  np.savez(tmp_path / "unfinished-grid:3x3.npz", fingerprint="other")
  flags = (f"--model={tiny_model}", f"--out={tmp_path}", *SMALL)
  refused = again("launch.trace", *flags)
  assert refused.returncode == 2
  assert "other settings" in refused.stderr


def test_bfloat16_agrees_with_float32(tmp_path):
  """Half precision from end to end: weights, activations, class sums."""
  settings = tracing_settings.Settings(
    graphs=("ring:10",),
    walks=16,
    groups=4,
    batch_size=8,
    context=100,
    contexts=(100,),
    windows=(50,),
    layers=(4,),
    resamples=20,
    random_weights_control=False,
  )
  prepared = tracing_settings.prepare(settings)
  tree = graph_tracing.observe(prepared, tmp_path, save_seconds=1e9)
  expected = graph_tracing.summarise(prepared, tree)["ring:10"]
  done = again(
    *("launch.trace", f"--out={tmp_path}/half", "--dtype=bfloat16"),
    "--graphs=ring:10",
    *("--walks=16", "--groups=4", "--batch_size=8", "--context=100"),
    *("--contexts=100", "--windows=50", "--layers=4", "--resamples=20"),
    "--norandom_weights_control",
  )
  assert done.returncode == 0, done.stderr
  text = (tmp_path / "half" / "summary.json").read_text()
  summary = json.loads(text)["ring:10"]
  assert summary["report_layer"] == expected["report_layer"] == 4
  for key in KEYS:
    # Rounding to 8 bits: measured at most .0015, and .004 of an energy.
    energy = key.startswith("energy")
    tolerance = {"rel": 0.01} if energy else {"abs": 0.01}
    value = expected[key]["value"]
    assert summary[key]["value"] == pytest.approx(value, **tolerance), key
  # It did run in the other precision.
  assert summary["energy_edge"]["value"] != expected["energy_edge"]["value"]


@pytest.mark.parametrize(
  "flags, message",
  [
    (["--context=200"], "128"),
    (["--out=/proc/nothing"], "/proc/nothing"),
    (["--wlaks=3"], "wlaks"),
    (["extra"], "extra"),
  ],
)
def test_refuses_with_status_2(tiny_model, tmp_path, flags, message):
  flags = [f"--model={tiny_model}", f"--out={tmp_path}", *SMALL, *flags]
  refused = again("launch.trace", *flags)
  assert refused.returncode == 2, refused.stderr
  assert message in refused.stderr
  assert "Traceback" not in refused.stderr
  assert not (tmp_path / "summary.json").exists()
