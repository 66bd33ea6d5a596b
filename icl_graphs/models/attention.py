"""Causal self-attention: one function in front of every way to compute it.

Legend of the einsums: b batch, t query position, s key position, k key/value
heads, g query heads per key/value head, h head size.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

# Scores of one block against all its keys are the largest array that exists.
QUERY_BLOCK = 256


def attention(
  query: Float[Array, "B T N H"],
  key: Float[Array, "B T K H"],
  value: Float[Array, "B T K H"],
  *,
  scale: float,
  precision: str = "highest",
  query_block: int = QUERY_BLOCK,
) -> Float[Array, "B T N H"]:
  """Each position attends to itself and to everything before it.

  Queries are taken in blocks and a block only meets the keys of its causal
  prefix: half the products of the full square, and scores of [B, N, block, T]
  at most. Differentiable.

  Args:
    query: N heads; heads n * N/K to (n + 1) * N/K - 1 share key/value head n.
    key: K heads.
    value: K heads.
    scale: multiplies the scores.
    precision: of the products when the inputs are float32.
    query_block: queries whose scores exist at once.

  Returns:
    Mixed values per query head, in the dtype of the inputs; the softmax is
    computed in float32.
  """
  batch, time, num_heads, head_size = query.shape
  num_kv_heads = key.shape[2]
  grouped = query.reshape(batch, time, num_kv_heads, -1, head_size)
  if query.dtype != jnp.float32:
    precision = "default"
  blocks = []
  for start in range(0, time, query_block):
    stop = min(start + query_block, time)
    scores = jnp.einsum(
      "btkgh,bskh->bkgts",
      grouped[:, start:stop],
      key[:, :stop],
      precision=precision,
      preferred_element_type=jnp.float32,
    )
    visible = causal_mask(start, stop)[None, None, None]
    scores = jnp.where(visible, scores * scale, -jnp.inf)
    weights = jax.nn.softmax(scores, axis=-1).astype(value.dtype)
    blocks.append(
      jnp.einsum(
        "bkgts,bskh->btkgh", weights, value[:, :stop], precision=precision
      )
    )
  mixed = jnp.concatenate(blocks, axis=1) if len(blocks) > 1 else blocks[0]
  return mixed.reshape(batch, time, num_heads, head_size)


def causal_mask(start: int, stop: int):
  """[stop - start, stop] bool: queries start..stop-1 against keys 0..stop-1."""
  return jnp.arange(stop)[None, :] <= jnp.arange(start, stop)[:, None]
