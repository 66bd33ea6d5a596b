"""Host memory and time that loading takes, in a process of its own.

python tests/loading_memory.py --gigabytes=1 --dtype=bfloat16,float32

writes a random bfloat16 checkpoint of about that size (or takes --folder) and
prints, as a line of JSON per dtype and place: bytes of the parameters, of the
largest of them, bytes the host held beyond the parameters at the worst moment,
and seconds. `--place` is "one" device, "everywhere" (replicated on four) or
"heads" (heads and MLP spread over four). On a CPU the parameters are in the
host's memory themselves.
"""

import argparse
import ctypes
import gc
import json
import os
import pathlib
import sys
import tempfile
import time

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=4"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import jax  # noqa: E402
import numpy as np  # noqa: E402

from icl_graphs.models import checkpoint, families  # noqa: E402
from tests import host_memory, random_checkpoint  # noqa: E402


def heads(path: str, shape: tuple[int, ...]) -> jax.sharding.Sharding:
  """Heads and MLP width over all devices, the rest everywhere."""
  mesh = jax.sharding.Mesh(np.array(jax.devices()), ("model",))
  spec = [None] * len(shape)
  if path.endswith("kernel"):
    is_output = "attention/output" in path or "mlp/down" in path
    spec[1 if is_output else 2] = "model"
  return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*spec))


def everywhere(path: str, shape: tuple[int, ...]) -> jax.sharding.Sharding:
  """Replicated."""
  del path, shape
  mesh = jax.sharding.Mesh(np.array(jax.devices()), ("data",))
  return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())


PLACES = {"one": None, "everywhere": everywhere, "heads": heads}


def config_of_size(gigabytes: float) -> dict:
  """A Llama of about that size in bfloat16; a sixth of it is the embedding."""
  layers = 8
  width = round((gigabytes * 1e9 / 2 / 120) ** 0.5 / 64) * 64
  return random_checkpoint.LLAMA_3_2_1B | {
    "hidden_size": width,
    "intermediate_size": 4 * width,
    "num_hidden_layers": layers,
    "num_attention_heads": width // 16,
    "num_key_value_heads": width // 16,
    "head_dim": 16,
    "vocab_size": max(300, 16 * width),
  }


def _settle():
  """Lets go of everything that is freed already."""
  gc.collect()
  # What other threads have freed is let go of in later calls.
  for _ in range(3):
    jax.device_put(np.zeros(3)).block_until_ready()
    time.sleep(0.1)
  # The C library keeps freed memory for later allocations.
  ctypes.CDLL(None).malloc_trim(0)


def measure(folder: pathlib.Path, dtype: str, place: str) -> dict:
  """Loads twice and watches the second time, when all is compiled."""
  config = families.read_config(folder)
  rule = PLACES[place]
  for _ in range(2):
    params = None
    _settle()
    before = host_memory.now()["anonymous"]
    begin = time.perf_counter()
    with host_memory.watched() as peak:
      params = checkpoint.load(folder, config, dtype, rule)
    seconds = time.perf_counter() - begin
  leaves = jax.tree.leaves(params)
  total = sum(leaf.nbytes for leaf in leaves)
  return {
    "dtype": dtype,
    "place": place,
    "parameters": total,
    "largest": max(leaf.nbytes for leaf in leaves),
    "beyond": peak["anonymous"] - before - total,
    "resident": peak["resident"],
    "seconds": round(seconds, 2),
  }


def main():
  parser = argparse.ArgumentParser()
  parser.add_argument("--gigabytes", type=float, default=1.0)
  parser.add_argument("--folder", type=pathlib.Path)
  parser.add_argument("--dtype", default="bfloat16")
  parser.add_argument("--place", default=",".join(PLACES))
  options = parser.parse_args()
  with tempfile.TemporaryDirectory() as temporary:
    folder = options.folder
    if folder is None:
      folder = pathlib.Path(temporary)
      random_checkpoint.write(folder, config_of_size(options.gigabytes))
    for dtype in options.dtype.split(","):
      for place in options.place.split(","):
        print(json.dumps(measure(folder, dtype, place)), flush=True)


if __name__ == "__main__":
  main()
