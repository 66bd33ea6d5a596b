"""Every core is a device for a small model, and only then."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import sys
import jax
from icl_graphs.models import weight_files
from launch import cores
weight_files.total_bytes = lambda folder: int(sys.argv[2])
cores.share([sys.argv[1]])
print(jax.device_count())
"""


@pytest.mark.parametrize(
  "size, changes, cores",
  [
    (3_000_000, {}, len(os.sched_getaffinity(0))),
    (10**10, {}, 1),
    (3_000_000, {"JAX_NUM_CPU_DEVICES": "3"}, 3),
    (
      3_000_000,
      {"XLA_FLAGS": "--xla_force_host_platform_device_count=5"},
      5,
    ),
  ],
)
def test_devices(tiny_model, size, changes, cores):
  environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
  done = subprocess.run(
    [sys.executable, "-c", SCRIPT, str(tiny_model), str(size)],
    env=environment | {"JAX_PLATFORMS": "cpu"} | changes,
    capture_output=True,
    text=True,
    timeout=120,
  )
  assert done.stdout.strip() == str(cores), done.stderr
