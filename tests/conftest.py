"""Strict numerics and several devices for every test.

Several CPU devices exist even on one core, so that code for many devices runs
everywhere. Rank promotion raises: an accidental broadcast is a bug. Implicit
mixtures of dtypes raise too.
"""

import os
import pathlib
import tempfile

# Both are read when jax and huggingface_hub are first imported.
os.environ["XLA_FLAGS"] = (
  os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=4"
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("MPLBACKEND", "Agg")
# As in `launch`.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Small programs are more work to optimise than to run. What is compared with
# transformers while it is timed is compiled as for a user (`tests.programs`).
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
# What is compiled once serves every worker and every program started by tests,
# until these tests end; the workers are told by the process that starts them.
if "PYTEST_XDIST_WORKER" not in os.environ:
  _COMPILED = tempfile.TemporaryDirectory(prefix="icl_graphs-compiled-")
  os.environ["JAX_COMPILATION_CACHE_DIR"] = _COMPILED.name
  os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

import jax  # noqa: E402
import pytest  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

pytest_plugins = ["tests.tiny_model"]

_SHARED = pathlib.Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
  """Folder of real data beside the repository; skips where it is absent."""
  if not (_SHARED / "data").is_dir():
    pytest.skip("no folder `shared` beside the repository")
  return _SHARED


@pytest.fixture(scope="session")
def stories(shared) -> pathlib.Path:
  """A small trained Llama checkpoint with transformers' outputs for it."""
  return shared / "data" / "stories260K"
