import json
import os
import pathlib

import numpy as np
import pytest
import xarray as xr

from icl_graphs import errors
from icl_graphs.report import run_folder


def dataset(spec):
  return xr.Dataset(
    {
      "energy": (("layer", "stat"), np.array([[1.0, np.nan]])),
      "enough": (("node",), np.array([True, False])),
    },
    coords={"layer": [3], "stat": ["value", "low"], "node": ["käse", "sun"]},
    attrs={"graph": spec, "hidden_size": 8},
  )


def test_measurements_come_back_as_they_were(tmp_path):
  specs = ("grid:4x4", "file:some/folder/graph.csv", "circulant:12:1,2")
  given = {spec: dataset(spec) for spec in specs}
  path = tmp_path / "measurements.nc"
  run_folder.write_measurements(path, given)
  found = run_folder.read_measurements(path)
  assert list(found) == list(specs)
  for spec in specs:
    xr.testing.assert_identical(found[spec], given[spec])


def test_json_is_strict(tmp_path):
  path = tmp_path / "a.json"
  run_folder.write_json(
    path,
    {
      "nan": np.float32(np.nan),
      "number": np.float64(0.5),
      "whole": np.int64(3),
      "flag": np.bool_(True),
      "list": (1, np.inf, None),
      "array": np.arange(2),
      "path": pathlib.PurePosixPath("x"),
    },
  )
  assert json.loads(path.read_text()) == {
    "nan": None,
    "number": 0.5,
    "whole": 3,
    "flag": True,
    "list": [1, None, None],
    "array": [0, 1],
    "path": "x",
  }


def test_a_failed_write_leaves_the_old_file_and_no_scraps(
  tmp_path, monkeypatch
):
  path = tmp_path / "summary.json"
  run_folder.write_json(path, {"old": 1})

  def fail(*_):
    raise OSError("disk full")

  monkeypatch.setattr(os, "fsync", fail)
  with pytest.raises(OSError, match="disk full"):
    run_folder.write_json(path, {"new": 2})
  assert json.loads(path.read_text()) == {"old": 1}
  assert [file.name for file in tmp_path.iterdir()] == ["summary.json"]


def test_folder_is_made_and_left_empty(tmp_path):
  folder = run_folder.open_folder(tmp_path / "a" / "b")
  assert folder.is_dir() and not list(folder.iterdir())


def test_folder_that_cannot_be_written_is_refused(tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(errors.InputError, match="choose another --out"):
    run_folder.open_folder(tmp_path / "file" / "inside")


def test_missing_or_foreign_measurements_are_refused(tmp_path):
  with pytest.raises(errors.InputError, match="cannot read measurements"):
    run_folder.read_measurements(tmp_path / "absent.nc")
  (tmp_path / "text.nc").write_text("not netcdf")
  with pytest.raises(errors.InputError, match="cannot read measurements"):
    run_folder.read_measurements(tmp_path / "text.nc")


def test_describe_names_versions_and_keeps_settings():
  found = run_folder.describe({"seed": 3, "graphs": ("ring:10",)})
  assert found["seed"] == 3
  assert found["versions"]["numpy"] == np.__version__
  assert found["versions"]["icl_graphs"]
