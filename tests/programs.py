"""Starting programs as a user would."""

import os
import pathlib
import subprocess
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]

# Programs are started again and again with the same shapes.
_COMPILED = tempfile.TemporaryDirectory(prefix="icl_graphs-compiled-")


def launch(program: str, *flags: str, wait: bool = True):
  """Starts `python -m launch.PROGRAM`; see `start`."""
  return start(f"launch.{program}", *flags, wait=wait)


def start(module: str, *flags: str, wait: bool = True):
  """Starts `python -m MODULE` on two devices.

  Returns:
    What came of it, or the running process where `wait` is false.
  """
  command = [sys.executable, "-W", "error::DeprecationWarning:icl_graphs"]
  environment = os.environ | {
    "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    "JAX_PLATFORMS": "cpu",
    "JAX_COMPILATION_CACHE_DIR": _COMPILED.name,
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
  }
  process = subprocess.Popen(
    [*command, "-m", module, *flags],
    cwd=REPOSITORY,
    env=environment,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  if not wait:
    return process
  output, problems = process.communicate(timeout=300)
  return subprocess.CompletedProcess(
    command, process.returncode, output, problems
  )
