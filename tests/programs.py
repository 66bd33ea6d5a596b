"""Starting programs as a user would."""

import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]


def launch(program: str, *flags: str, wait: bool = True):
  """Starts `python -m launch.PROGRAM`; see `start`."""
  return start(f"launch.{program}", *flags, wait=wait)


def start(module: str, *flags: str, wait: bool = True):
  """Starts `python -m MODULE` on two devices.

  Returns:
    What came of it, or the running process where `wait` is false.
  """
  process = _python("-m", module, *flags, stderr=subprocess.PIPE)
  if not wait:
    return process
  output, problems = process.communicate(timeout=300)
  return subprocess.CompletedProcess(
    process.args, process.returncode, output, problems
  )


def again(module: str, *flags: str):
  """The same, two to three seconds sooner: see `tests.forked`.

  For refusals and later runs of a program that another test starts as a user
  does, which sees what this does not: whether it imports what it needs.
  """
  with tempfile.TemporaryDirectory() as folder:
    output, problems = (pathlib.Path(folder) / name for name in ("out", "err"))
    asked = {"flags": flags, "output": str(output), "problems": str(problems)}
    server = _server(module)
    print(json.dumps(asked), file=server.stdin, flush=True)
    status = server.stdout.readline()
    return subprocess.CompletedProcess(
      [module, *flags], int(status), output.read_text(), problems.read_text()
    )


@functools.cache
def _server(module: str) -> subprocess.Popen:
  # Ends with this process, which holds the other end of its standard input.
  return _python("-m", "tests.forked", module, stdin=subprocess.PIPE)


def _python(*arguments: str, **pipes) -> subprocess.Popen:
  environment = os.environ | {
    "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    "JAX_PLATFORMS": "cpu",
  }
  if "launch.benchmark" in arguments:
    environment["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "0"
  return subprocess.Popen(
    [sys.executable, "-W", "error::DeprecationWarning:icl_graphs", *arguments],
    cwd=REPOSITORY,
    env=environment,
    stdout=subprocess.PIPE,
    text=True,
    **pipes,
  )
