"""Every core is a device for a small model, and only then."""

import os

import jax
import pytest

from icl_graphs import errors
from launch import cores

SMALL, LARGE = 3_000_000, 10**10
CORES = len(os.sched_getaffinity(0))


@pytest.fixture
def asked(monkeypatch):
  """Devices asked for; tests have theirs already."""
  found = {}
  monkeypatch.setattr(jax.config, "update", found.__setitem__)
  monkeypatch.delenv("XLA_FLAGS", raising=False)
  monkeypatch.delenv("JAX_NUM_CPU_DEVICES", raising=False)
  return found


@pytest.mark.parametrize(
  "sizes, variable, expected",
  [
    ((SMALL,), None, CORES),
    ((SMALL, SMALL), None, CORES),
    ((LARGE,), None, None),
    ((SMALL, LARGE), None, None),
    ((SMALL,), ("JAX_NUM_CPU_DEVICES", "3"), None),
    (
      (SMALL,),
      ("XLA_FLAGS", "--xla_force_host_platform_device_count=5"),
      None,
    ),
  ],
)
def test_devices(tiny_model, asked, monkeypatch, sizes, variable, expected):
  if variable:
    monkeypatch.setenv(*variable)
  told = iter(sizes)
  monkeypatch.setattr(
    cores.weight_files, "total_bytes", lambda folder: next(told)
  )
  cores.share([str(tiny_model)] * len(sizes))
  assert asked.get("jax_num_cpu_devices") == expected


def test_a_missing_model_is_named(asked):
  with pytest.raises(errors.InputError, match="/no/such"):
    cores.share(["/no/such"])


def test_damaged_weights_are_left_to_whoever_loads_them(asked, tmp_path):
  cores.share([str(tmp_path)])
  assert asked == {}
