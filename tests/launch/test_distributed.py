"""Two hosts of two devices each, as a user starts them."""

import os
import signal
import socket
import time

import numpy as np

from icl_graphs.experiments import graph_tracing, tracing_settings
from icl_graphs.report import run_folder
from tests.programs import launch

SMALL = (
  "--graphs=grid:3x3",
  "--walks=96",
  "--groups=4",
  "--context=60",
  "--contexts=20,60",
  "--windows=20",
  "--resamples=5",
  "--norandom_weights_control",
)


def start_hosts(out, *flags, each=((), ())):
  """Starts hosts that look for each other; `each` has flags of their own."""
  with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
  return [
    launch(
      *("trace", f"--out={out}", "--distributed", f"--num_hosts={len(each)}"),
      *(f"--host={host}", f"--coordinator=127.0.0.1:{port}"),
      *flags,
      *own,
      wait=False,
    )
    for host, own in enumerate(each)
  ]


def ended(hosts, seconds=200):
  """Exit statuses and standard errors."""
  results = [host.communicate(timeout=seconds) for host in hosts]
  return [host.returncode for host in hosts], [error for _, error in results]


def until_saved(hosts, file):
  """Waits until unfinished work is saved once more."""
  before = file.stat().st_mtime_ns if file.exists() else 0
  deadline = time.monotonic() + 200
  while not file.exists() or file.stat().st_mtime_ns == before:
    assert time.monotonic() < deadline
    assert all(host.poll() is None for host in hosts), ended(hosts)
    time.sleep(0.002)


def test_killed_hosts_end_the_run_which_resumes(tiny_model, tmp_path):
  flags = (f"--model={tiny_model}", *SMALL, "--batch_size=1")
  for killed in (0, 1):
    hosts = start_hosts(
      tmp_path, *flags, "--save_seconds=0", "--lost_seconds=10"
    )
    until_saved(hosts, tmp_path / "unfinished-grid:3x3.npz")
    os.kill(hosts[killed].pid, signal.SIGKILL)
    statuses, problems = ended(hosts)
    assert statuses[killed] == -signal.SIGKILL
    # Ours, or that of jax's own watch over the hosts.
    status, problem = statuses[1 - killed], problems[1 - killed]
    assert status in (3, -signal.SIGABRT), problem
    lost = ("another host stopped", "another task died")
    assert any(words in problem for words in lost), problem
    assert not (tmp_path / "summary.json").exists()
  statuses, problems = ended(start_hosts(tmp_path, *flags))
  assert statuses == [0, 0], problems
  names = {path.name for path in tmp_path.iterdir()}
  assert {"measurements.nc", "summary.json", "report.html"} <= names
  assert not any(name.startswith("unfinished") for name in names)
  compare(tmp_path, expected(tiny_model, tmp_path / "alone"))


def expected(model, out):
  """The same by one host with two devices."""
  out.mkdir()
  settings = tracing_settings.Settings(
    model=str(model),
    graphs=("grid:3x3",),
    walks=96,
    groups=4,
    context=60,
    contexts=(20, 60),
    windows=(20,),
    resamples=5,
    batch_size=16,
    devices=2,
    random_weights_control=False,
  )
  prepared = tracing_settings.prepare(settings)
  tree = graph_tracing.observe(prepared, out, save_seconds=1e9)
  return tree["grid:3x3"].to_dataset()


def compare(out, alone):
  got = run_folder.read_measurements(out / "measurements.nc")["grid:3x3"]
  np.testing.assert_array_equal(got.nodes, alone.nodes)
  np.testing.assert_array_equal(got["count"], alone["count"])
  # Float32 sums in another order, and packed on disk.
  scale = np.abs(alone.gram.values).max()
  np.testing.assert_allclose(got.gram, alone.gram, atol=2e-5 * scale)
  np.testing.assert_allclose(got.accuracy_full, alone.accuracy_full, atol=1e-5)


def test_hosts_with_different_flags_are_refused(tiny_model, tmp_path):
  flags = (f"--model={tiny_model}", *SMALL)
  hosts = start_hosts(tmp_path, *flags, each=(["--seed=0"], ["--seed=1"]))
  statuses, problems = ended(hosts)
  assert statuses == [2, 2], problems
  assert all("different settings" in problem for problem in problems)
