"""Measures speed: python -m launch.benchmark --what=minimization

Compares 4,096 restarts of 1,000 steps on a 4 x 4 grid (64 dimensions) in one
call with batched torch (from the tests, where torch is a requirement) and with
numpy restart by restart.
"""

import dataclasses
import importlib

from absl import flags
import jax
import numpy as np

from icl_graphs import errors
from icl_graphs.experiments import speed
from icl_graphs.report import run_folder
from launch import program

_WHAT = flags.DEFINE_enum(
  "what", None, ["minimization"], "What to measure.", required=True
)
_OUT = flags.DEFINE_string("out", None, "Folder for benchmark.json.")
_TORCH = flags.DEFINE_bool("torch", True, "Compare with torch.")
_DEFAULT = speed.Minimization()
for _field, _text in (
  ("restarts", "Restarts in one call."),
  ("steps", "Steps of descent."),
  ("repeats", "Interleaved repeats."),
  ("torch_steps", "Steps measured in torch, then scaled."),
  ("numpy_restarts", "Restarts measured in numpy, then scaled."),
  ("numpy_steps", "Steps measured in numpy, then scaled."),
):
  flags.DEFINE_integer(_field, getattr(_DEFAULT, _field), _text, lower_bound=1)


def main(_):
  out = None if _OUT.value is None else run_folder.open_folder(_OUT.value)
  settings = dataclasses.replace(
    _DEFAULT,
    **{
      field.name: flags.FLAGS[field.name].value
      for field in dataclasses.fields(_DEFAULT)
      if field.name in flags.FLAGS
    },
  )
  baseline = _torch_baseline() if _TORCH.value else None
  devices = jax.local_devices()
  mesh = jax.sharding.Mesh(np.array(devices), ("data",))
  print(
    f"{settings.restarts:,} restarts x {settings.steps:,} steps on "
    f"{settings.graph}, {settings.width} dimensions, float32, "
    f"{len(devices)} x {devices[0].device_kind}"
  )
  timings = speed.minimization(settings, baseline, mesh)
  print(speed.table(timings))
  if out is not None:
    content = dataclasses.asdict(settings) | {
      one.name: {"median": one.median, "seconds": one.seconds}
      | ({"scaled_by": one.scale} if one.scale != 1 else {})
      for one in timings
    }
    run_folder.write_json(out / "benchmark.json", run_folder.describe(content))


def _torch_baseline():
  try:
    return importlib.import_module("tests.theory.torch_baseline")
  except ImportError as error:
    raise errors.InputError(
      "the comparison with torch needs requirements-test.txt and a checkout "
      f"with its tests ({error}); or give --notorch"
    ) from error


if __name__ == "__main__":
  program.run(main)
