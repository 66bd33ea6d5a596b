import numpy as np
import xarray as xr

from icl_graphs.report import packing, run_folder

DIMS = ("layer", "window", "context", "group", "node", "group_", "node_")


def dataset(symmetric=True, contexts=30):
  rng = np.random.default_rng(0)
  rows = rng.normal(size=(2, 1, contexts, 8 * 16, 12))
  rows[..., 3, :] = 0
  gram = (rows @ np.swapaxes(rows, -1, -2)).astype(np.float32)
  gram = (gram + np.swapaxes(gram, -1, -2)) / 2
  gram[0, 0, 0, 5] = gram[0, 0, 0, :, 5] = np.nan
  if not symmetric:
    gram[1, 0, 1, 0, 1] *= np.float32(1 + 1e-7)
  gram = gram.reshape(2, 1, contexts, 8, 16, 8, 16)
  words = [f"w{i}" for i in range(16)]
  return xr.Dataset(
    {"gram": (DIMS, gram), "adjacency": (("node", "node_"), np.eye(16))},
    coords={
      **{"layer": [0, 3], "window": [50], "context": np.arange(contexts)},
      **{"group": range(8), "group_": range(8)},
      **{"node": words, "node_": words},
    },
    attrs={"graph": "grid:4x4"},
  )


def test_what_is_read_is_what_was_measured(tmp_path):
  path = tmp_path / "measurements.nc"
  for symmetric in (True, False):
    given = dataset(symmetric)
    run_folder.write_measurements(path, {"grid:4x4": given})
    found = run_folder.read_measurements(path)["grid:4x4"]
    xr.testing.assert_identical(found, given)
    assert found["gram"].dtype == np.float32


def test_any_order_of_dimensions_is_the_same():
  given = dataset()
  turned = given.transpose("node_", "context", ...)
  found = packing.unpack(packing.pack(turned))
  xr.testing.assert_identical(found["gram"], given["gram"])


def test_the_file_is_less_than_half(tmp_path):
  given = dataset()
  run_folder.write_measurements(tmp_path / "m.nc", {"grid:4x4": given})
  # Random numbers compress worst; the triangle alone is 0.504.
  size = (tmp_path / "m.nc").stat().st_size
  assert size < 0.5 * given["gram"].nbytes
  with xr.open_datatree(tmp_path / "m.nc") as tree:
    assert "read_measurements" in tree["grid:4x4"]["gram_lower"].attrs["about"]


def test_a_control_is_packed_too(tmp_path):
  tree = xr.DataTree.from_dict(
    {"grid:4x4": dataset(), "grid:4x4/random_weights": dataset()}
  )
  run_folder.write_measurements(tmp_path / "m.nc", tree)
  with xr.open_datatree(tmp_path / "m.nc") as stored:
    control = stored["grid:4x4"]["random_weights"].to_dataset()
  assert "gram" not in control and "gram_lower" in control


def test_other_datasets_pass_through():
  plain = xr.Dataset({"energy": ("layer", [1.0])})
  assert packing.pack(plain) is plain and packing.unpack(plain) is plain
