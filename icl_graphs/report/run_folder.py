"""A run is a folder: configuration, measurements, headline, figures, page.

  run.json          settings, seeds, versions, device, commit
  measurements.nc   one group per graph (xarray DataTree, NetCDF-4)
  summary.json      graph to flat headline numbers
  *.png, report.html

Every file is written whole or not at all (`atomic`).
"""

from collections.abc import Mapping
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np
import xarray as xr

import icl_graphs
from icl_graphs import atomic, errors
from icl_graphs.report import figures, html, packing, tables

MEASUREMENTS, SUMMARY, RUN = "measurements.nc", "summary.json", "run.json"
_PACKAGES = ("numpy", "jax", "jaxlib", "flax", "xarray", "transformers")


def open_folder(path: str | os.PathLike) -> pathlib.Path:
  """Makes the folder if need be and checks that files can be written there.

  Raises:
    InputError: it cannot be made or written to.
  """
  folder = pathlib.Path(path)
  try:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
      pass
  except OSError as error:
    raise errors.InputError(
      f"cannot write to {folder}: {error.strerror or error}; choose another "
      "--out"
    ) from error
  return folder


def group_name(spec: str) -> str:
  """Name of a graph's group in the measurements file (no slashes there)."""
  return spec.replace("/", "|")


def write_json(path: pathlib.Path, content: Any) -> None:
  """Writes strict JSON: NaN and infinity become null, numpy becomes plain."""
  text = json.dumps(_plain(content), indent=2, allow_nan=False)
  atomic.write_text(path, text + "\n")


def write_measurements(
  path: pathlib.Path, measured: Mapping[str, xr.Dataset] | xr.DataTree
) -> None:
  """Writes one group per graph; Gram matrices as `packing` has them.

  Args:
    path: the NetCDF file.
    measured: graph spec to dataset, or a tree with one child per graph.
  """
  if not isinstance(measured, xr.DataTree):
    measured = tree(measured)
  packed = measured.map_over_datasets(packing.pack)
  with atomic.replaced(path) as partial:
    packed.to_netcdf(partial, engine="h5netcdf")


def read_tree(path: str | os.PathLike) -> xr.DataTree:
  """Measurements as they were written, controls included, in memory.

  Raises:
    InputError: no such file, or not a measurements file.
  """
  try:
    with xr.open_datatree(path, engine="h5netcdf") as stored:
      return stored.load().map_over_datasets(packing.unpack)
  except (OSError, ValueError) as error:
    raise errors.InputError(
      f"cannot read measurements from {path}: {error}"
    ) from error


def read_measurements(path: str | os.PathLike) -> dict[str, xr.Dataset]:
  """Graph spec to its dataset, loaded into memory.

  Raises:
    InputError: no such file, or not a measurements file.
  """
  return {
    str(child.attrs.get("graph", name)): child.to_dataset()
    for name, child in read_tree(path).children.items()
  }


def tree(measured: Mapping[str, xr.Dataset]) -> xr.DataTree:
  """Datasets by graph spec as one tree."""
  return xr.DataTree.from_dict(
    {group_name(spec): dataset for spec, dataset in measured.items()}
  )


def describe(settings: Mapping[str, Any]) -> dict[str, Any]:
  """What run.json holds: settings and the circumstances of the run."""
  return dict(settings) | {
    "command": [pathlib.Path(sys.argv[0]).name, *sys.argv[1:]],
    "started": datetime.datetime.now(datetime.UTC).isoformat("T", "seconds"),
    "versions": {
      "icl_graphs": icl_graphs.__version__,
      "python": platform.python_version(),
      **{name: _version(name) for name in _PACKAGES},
    },
    "commit": _commit(),
    "device": _device(),
  }


def write_results(
  folder: pathlib.Path,
  measured: Mapping[str, xr.Dataset] | xr.DataTree,
  summary: Mapping[str, Mapping[str, Any]],
) -> None:
  """Writes measurements, summary, figures and page; prints the table.

  The folder holds run.json already; the page shows it.
  """
  if not isinstance(measured, xr.DataTree):
    measured = tree(measured)
  write_measurements(folder / MEASUREMENTS, measured)
  write_json(folder / SUMMARY, summary)
  figures.write(measured, folder)
  settings = json.loads((folder / RUN).read_text(encoding="utf-8"))
  html.write(measured, _plain(summary), settings, folder)
  for spec, entries in summary.items():
    print(f"\n{spec}\n{tables.headline(_plain(entries))}")
  print(f"\nReport: {folder / 'report.html'}")


def _plain(value: Any) -> Any:
  if isinstance(value, Mapping):
    return {str(key): _plain(entry) for key, entry in value.items()}
  if isinstance(value, np.ndarray | np.generic):
    value = value.tolist()
  if isinstance(value, list | tuple):
    return [_plain(entry) for entry in value]
  if isinstance(value, float):
    return value if np.isfinite(value) else None
  if value is None or isinstance(value, bool | int | str):
    return value
  return str(value)


def _version(package: str) -> str | None:
  try:
    return importlib.metadata.version(package)
  except importlib.metadata.PackageNotFoundError:
    return None


def _commit() -> str | None:
  """Commit of the checkout this package runs from; None if it is none."""
  root = pathlib.Path(icl_graphs.__file__).parent.parent
  if not (root / ".git").exists():
    return None
  try:
    asked = subprocess.run(
      [
        "git",
        "-C",
        str(root),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
      ],
      capture_output=True,
      text=True,
      timeout=10,
    )
  except (OSError, subprocess.SubprocessError):
    return None
  return asked.stdout.strip() or None


def _device() -> str | None:
  """Kind and number of accelerators; None where JAX was not used."""
  if "jax" not in sys.modules:
    return None
  devices = sys.modules["jax"].devices()
  return f"{len(devices)} x {devices[0].device_kind}"
