"""What a forward pass has to compute, and what it takes.

Model FLOP utilisation compares the operations that the mathematics needs with
what the device's matrix products reach, so work that a program does in vain
(masked scores, padding, logits nobody asked for) lowers it.
"""

import ctypes
import gc
import os
import pathlib
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from icl_graphs.models import config as config_lib


def attended_pairs(time: int, window: int | None = None) -> int:
  """Pairs of a query and a key that causal attention over T tokens sees.

  Args:
    time: T.
    window: positions that are seen, the query's own included; None for all.
  """
  full = min(window or time, time)
  return full * (full + 1) // 2 + (time - full) * full


def forward_flops(
  config: config_lib.DecoderConfig,
  batch: int,
  time: int,
  scored: int | None = None,
) -> int:
  """Operations that B sequences of T tokens need: 2 per multiply-add.

  Counted are the matrix products of every block, 2 B T D (2 N H + 2 K H) for
  queries, keys, values and output and 2 B T D F times 3 (gated) or 2 for the
  MLP; attention, 4 B N H for every pair of a query and a key that it may see,
  no more (causal, and within the window of sliding layers); and the
  unembedding, 2 D V for every position that is scored. Norms, rotation, softmax
  and the reductions of hidden states are not.

  Args:
    config: of the model.
    batch: B.
    time: T.
    scored: positions of a sequence whose logits are needed; default T.
  """
  c = config
  heads = c.head_size * (2 * c.num_heads + 2 * c.num_kv_heads)
  mlp = c.mlp_size * (3 if c.gated else 2)
  per_token = 2 * c.hidden_size * (heads + mlp) * c.num_layers
  sliding = c.sliding or (False,) * c.num_layers
  pairs = sum(
    attended_pairs(time, c.window if slides else None) for slides in sliding
  )
  attention = 4 * c.num_heads * c.head_size * pairs
  scored = time if scored is None else scored
  unembedding = 2 * c.hidden_size * c.vocab_size * scored
  return batch * (time * per_token + attention + unembedding)


def ceiling_products(
  config: config_lib.DecoderConfig, tokens: int
) -> list[tuple[int, int, int]]:
  """Products (M, K, N) of this model, the best of which sets the ceiling.

  Rows come by several numbers: a device may be fastest on fewer than all.

  Args:
    config: of the model.
    tokens: rows at most.
  """
  wide, narrow = config.mlp_size, config.hidden_size
  rows = sorted({min(tokens, rows) for rows in (1024, 2048, 16384)})
  return [(m, k, n) for k, n in ((narrow, wide), (wide, narrow)) for m in rows]


def product(shape: tuple[int, int, int], dtype: str, precision: str):
  """A compiled matrix product of these sizes on random data, ready to run."""
  rows, inner, columns = shape
  left, right = jax.random.split(jax.random.key(0))
  left = jax.random.normal(left, (rows, inner), dtype)
  right = jax.random.normal(right, (inner, columns), dtype)

  @jax.jit
  def run(left, right):
    return jnp.matmul(left, right, precision=precision)

  run(left, right).block_until_ready()
  return lambda: run(left, right)


def compiled_bytes(compiled: Any) -> int | None:
  """Memory that a compiled program needs beyond its arguments, by its plan."""
  analysis = compiled.memory_analysis()
  if analysis is None:
    return None
  return int(analysis.temp_size_in_bytes + analysis.output_size_in_bytes)


def settle() -> None:
  """Gives memory that is free already back to the system."""
  gc.collect()
  try:
    ctypes.CDLL(None).malloc_trim(0)
  except (AttributeError, OSError):
    pass  # Another C library; what it keeps counts as held.


def host_bytes() -> dict[str, int] | None:
  """Resident memory of this process and its peak; None where not told.

  The peak counts from the last `reset_peak`, exactly, not by sampling.
  """
  try:
    text = pathlib.Path("/proc/self/status").read_text()
  except OSError:
    return None
  fields = {"now": "VmRSS", "peak": "VmHWM"}
  found = {key: re.search(rf"{f}:\s+(\d+)", text) for key, f in fields.items()}
  if None in found.values():
    return None
  return {key: 1024 * int(match[1]) for key, match in found.items()}


def reset_peak() -> bool:
  """Lets `host_bytes` count its peak from now on; false where not allowed."""
  try:
    pathlib.Path("/proc/self/clear_refs").write_text("5")
  except OSError:
    return False
  return os.name == "posix"


def device_peak_bytes(device: jax.Device) -> int | None:
  """Peak of an accelerator's allocator; None on a CPU."""
  stats = device.memory_stats()
  return None if stats is None else int(stats["peak_bytes_in_use"])


def relative_difference(left: np.ndarray, right: np.ndarray) -> float:
  """max |left - right| / max |right|, where both are numbers.

  Raises:
    ValueError: one of them is a number where the other is not.
  """
  known = np.isfinite(right)
  if not np.array_equal(known, np.isfinite(left)):
    raise ValueError("numbers in one of two results are missing in the other")
  if not known.any():
    return 0.0
  right = right[known].astype(np.float64)
  return float(np.abs(left[known] - right).max() / np.abs(right).max())
