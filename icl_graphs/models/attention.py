"""Causal self-attention: one function in front of every way to compute it.

Legend of the einsums: b batch, t query position, s key position, k key/value
heads, g query heads per key/value head, h head size.
"""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from icl_graphs import errors
from icl_graphs.models import config as config_lib
from icl_graphs.models import layers

# Scores of a few blocks against all their keys are the largest arrays alive.
QUERY_BLOCK = 256
# On a CPU: scores of a block of queries of a few heads, which fit its caches.
_CPU_QUERY_BLOCK = 128
_CPU_SCORES = 2**20
_CPU_MOST_BLOCKS = 32
# Enough to save nearly half of the products; more would only be traced.
_MOST_GROUPS = 16
# What cuDNN's kernels take; Hopper's also take 256.
_CUDNN_HEAD_SIZE = 128
_CUDNN_HOPPER_HEAD_SIZE = 256


def check(
  config: config_lib.DecoderConfig, dtype: str, device: jax.Device
) -> None:
  """Refuses a backend that cannot do what this model needs on this device.

  Args:
    config: with the backend asked for.
    dtype: of the parameters.
    device: one of those the model will run on.

  Raises:
    errors.InputError: naming the backend and what it cannot do.
  """
  if config.backend == "reference":
    return
  lacks = []
  kind = getattr(device, "device_kind", "")
  if config.backend == "cpu":
    if device.platform == "cpu":
      return
    lacks = [f"the device {device.platform}"]
  elif dtype == "float32":
    lacks.append("float32 (choose --dtype=bfloat16)")
  if config.backend == "cudnn":
    if device.platform != "gpu":
      lacks.append(f"the device {device.platform}")
    if config.attention_softcap is not None:
      lacks.append("an attention softcap")
    hopper = any(name in kind for name in ("H100", "H200", "GH200"))
    most = _CUDNN_HOPPER_HEAD_SIZE if hopper else _CUDNN_HEAD_SIZE
    if config.head_size > most or config.head_size % 8:
      lacks.append(f"head size {config.head_size}")
  if config.backend == "tokamax":
    if device.platform not in ("gpu", "tpu"):
      lacks.append(f"the device {device.platform}")
    try:
      import tokamax  # noqa: F401, an optional extra
    except ImportError as error:
      raise errors.InputError(
        "the attention backend tokamax is not installed: pip install"
        " 'icl_graphs[tokamax]', or choose --attention=reference"
      ) from error
  if lacks:
    raise errors.InputError(
      f"the attention backend {config.backend} does not support"
      f" {', '.join(lacks)}; choose --attention=reference"
    )


def suited(
  config: config_lib.DecoderConfig,
  dtype: str,
  device: jax.Device,
  split: bool = False,
) -> str:
  """The backend to choose for this model where nothing else is asked for.

  Args:
    config: its own backend is ignored.
    dtype: of the parameters.
    device: one of those the model will run on.
    split: heads are spread over devices, which a loop over heads would undo.
  """
  if device.platform == "cpu":
    return "reference" if split else "cpu"
  try:
    check(dataclasses.replace(config, backend="cudnn"), dtype, device)
  except errors.InputError:
    return "reference"
  return "cudnn"


def attention(
  query: Float[Array, "B T N H"],
  key: Float[Array, "B T K H"],
  value: Float[Array, "B T K H"],
  *,
  scale: float,
  window: int | None = None,
  softcap: float | None = None,
  precision: str = "highest",
  backend: str = "reference",
  query_block: int = QUERY_BLOCK,
) -> Float[Array, "B T N H"]:
  """Each position attends to itself and to what came before it.

  Args:
    query: N heads; heads n * N/K to (n + 1) * N/K - 1 share key/value head n.
    key: K heads.
    value: K heads.
    scale: multiplies the scores.
    window: how many positions are seen, the query's own included; None for all.
    softcap: c in c * tanh(score / c), applied before the mask; None without.
    precision: of the products when the inputs are float32.
    backend: "reference" (everything, everywhere), "cpu" (everything, for a
      CPU's caches), "cudnn" or "tokamax"; see `check` for what they lack. None
      falls back to another.
    query_block: queries whose scores exist at once (reference).

  Returns:
    Mixed values per query head, in the dtype of the inputs; the softmax is
    computed in float32.
  """
  if backend == "cudnn":
    return jax.nn.dot_product_attention(
      query,
      key,
      value,
      scale=scale,
      is_causal=True,
      local_window_size=None if window is None else (window - 1, 0),
      implementation="cudnn",
    )
  if backend == "tokamax":
    import tokamax

    return tokamax.dot_product_attention(
      query,
      key,
      value,
      scale=scale,
      is_causal=True,
      local_window_size=None if window is None else (window - 1, 0),
      logits_soft_cap=softcap,
      # Named, because the default may end in a full matrix of scores.
      implementation=("mosaic", "triton"),
    )
  same = {
    "scale": scale,
    "window": window,
    "softcap": softcap,
    "precision": precision,
  }
  if backend == "cpu":
    return _few_heads(query, key, value, **same)
  return _reference(query, key, value, query_block=query_block, **same)


def _reference(
  query, key, value, *, scale, window, softcap, precision, query_block
):
  """Queries are taken in blocks, each with the keys that it may see.

  About half the products of the full square, or a band of it under a window,
  and a few arrays of [B, N, block, T] at most. Differentiable.
  """
  batch, time, num_heads, head_size = query.shape
  grouped = query.reshape(batch, time, key.shape[2], -1, head_size)

  def mix(start, stop, block, width):
    """Queries start..stop-1 by blocks, each with `width` keys up to its end."""

    def one_block(first):
      begin = jnp.maximum(first + block - width, 0) if width < stop else 0
      queries = jax.lax.dynamic_slice_in_dim(grouped, first, block, axis=1)
      keys, values = (
        jax.lax.dynamic_slice_in_dim(array, begin, width, axis=1)
        for array in (key, value)
      )
      scores = products("btkgh,bskh->bkgts", queries, keys, precision)
      visible = causal_mask(first - begin, block, width, window)
      weights = softmax(scores, visible[None, None, None], scale, softcap)
      return mixture("bkgts,bskh->btkgh", weights, values, precision)

    if stop - start == block:
      return one_block(start)
    mixed = jax.lax.map(one_block, jnp.arange(start, stop, block))
    return jnp.moveaxis(mixed, 0, 1).reshape(
      batch, stop - start, *grouped.shape[2:]
    )

  # Blocks in a loop share their memory; written out, a scheduler may compute
  # them all at once. So: a few loops, each with the keys of its last block.
  full = time // query_block * query_block
  step = max(2, -(-full // query_block // _MOST_GROUPS)) * query_block
  band = time if window is None else window - 1 + query_block
  parts, start = [], 0
  while start < full:
    stop = min(start + step, full)
    if band < stop:
      # From here on every block has a band of the same width: one loop.
      stop = full
    parts.append(mix(start, stop, query_block, min(band, stop)))
    start = stop
  if full < time:
    rest = time - full
    width = time if window is None else min(time, window - 1 + rest)
    parts.append(mix(full, time, rest, width))
  mixed = jnp.concatenate(parts, axis=1)
  return mixed.reshape(batch, time, num_heads, head_size)


def _few_heads(query, key, value, *, scale, window, softcap, precision):
  """The same for a CPU: a loop over few heads whose scores stay in its caches.

  Blocks of queries are written out, so that each has exactly the keys it may
  see. Sums of exponentials divide the mixed values, not the weights.
  """
  batch, time, num_heads, head_size = query.shape
  kv_heads = key.shape[2]
  sharing = num_heads // kv_heads
  block = -(-time // _CPU_MOST_BLOCKS // _CPU_QUERY_BLOCK) * _CPU_QUERY_BLOCK
  block = min(time, max(block, _CPU_QUERY_BLOCK))
  together = max(1, _CPU_SCORES // (sharing * block * time))
  together = min(together, batch * kv_heads)
  while batch * kv_heads % together:
    together -= 1

  def heads_first(array, per_head):
    array = array.reshape(batch, time, kv_heads, per_head, head_size)
    array = jnp.moveaxis(array, 1, 3)
    return array.reshape(-1, together, per_head, time, head_size)

  def mix(arrays):
    queries, keys, values = arrays
    keys, values = keys[:, 0], values[:, 0]
    return jnp.concatenate(
      [
        one_block(queries, keys, values, start, min(start + block, time))
        for start in range(0, time, block)
      ],
      axis=2,
    )

  def one_block(queries, keys, values, start, stop):
    first = 0 if window is None else max(0, start - window + 1)
    scores = products(
      *("kgth,ksh->kgts", queries[:, :, start:stop], keys[:, first:stop]),
      precision,
    )
    visible = causal_mask(start - first, stop - start, stop - first, window)
    scores = _seen(scores, visible[None, None], scale, softcap)
    weights = jnp.exp(scores - jnp.max(scores, axis=-1, keepdims=True))
    total = jnp.sum(weights, axis=-1, keepdims=True)
    mixed = jnp.einsum(
      "kgts,ksh->kgth",
      weights.astype(values.dtype),
      values[:, first:stop],
      precision=_precision(values, precision),
      preferred_element_type=jnp.float32,
    )
    return (mixed / total).astype(values.dtype)

  arrays = (
    heads_first(query, sharing),
    heads_first(key, 1),
    heads_first(value, 1),
  )
  mixed = jax.lax.map(mix, arrays)
  mixed = mixed.reshape(batch, kv_heads, sharing, time, head_size)
  return jnp.moveaxis(mixed, 3, 1).reshape(query.shape)


def _precision(array, precision):
  return precision if array.dtype == jnp.float32 else "default"


def products(
  einsum: str, queries: Array, keys: Array, precision: str
) -> Float[Array, "..."]:
  """Scores before scaling, float32."""
  return jnp.einsum(
    einsum,
    queries,
    keys,
    precision=_precision(queries, precision),
    preferred_element_type=jnp.float32,
  )


def mixture(
  einsum: str, weights: Array, values: Array, precision: str
) -> Float[Array, "..."]:
  """Values mixed with weights, in the dtype of the values."""
  weights = weights.astype(values.dtype)
  return jnp.einsum(
    einsum, weights, values, precision=_precision(values, precision)
  )


def softmax(
  scores: Float[Array, "B K G T S"],
  visible: Bool[Array, "*#B #K #G T S"],
  scale: float,
  softcap: float | None,
) -> Float[Array, "B K G T S"]:
  """Scaled, capped and masked scores as weights, float32."""
  return jax.nn.softmax(_seen(scores, visible, scale, softcap), axis=-1)


def _seen(scores, visible, scale, softcap):
  """Scores as they enter the softmax."""
  scores = layers.capped(scores * scale, softcap)
  return jnp.where(visible, scores, -jnp.inf)


def causal_mask(
  first: Int[Array, ""] | int,
  queries: int,
  keys: int,
  window: int | None = None,
) -> Bool[Array, "queries keys"]:
  """Whether query first + i sees key j: j <= first + i < j + window."""
  here = first + jnp.arange(queries)[:, None]
  there = jnp.arange(keys)[None, :]
  visible = there <= here
  return visible if window is None else visible & (here < there + window)
