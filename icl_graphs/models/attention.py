"""Causal self-attention: one function in front of every way to compute it.

Legend of the einsums: b batch, t query position, s key position, k key/value
heads, g query heads per key/value head, h head size.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

# Scores of a few blocks against all their keys are the largest arrays alive.
QUERY_BLOCK = 256
# Enough to save nearly half of the products; more would only be traced.
_MOST_GROUPS = 16


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
  prefix: about half the products of the full square, and a few arrays of
  [B, N, block, T] at most. Differentiable.

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

  def mix(start, stop, block):
    """Queries start..stop-1, a block at a time, with keys 0..stop-1."""
    keys, values = key[:, :stop], value[:, :stop]

    def one_block(first):
      queries = jax.lax.dynamic_slice_in_dim(grouped, first, block, axis=1)
      scores = jnp.einsum(
        "btkgh,bskh->bkgts",
        queries,
        keys,
        precision=precision,
        preferred_element_type=jnp.float32,
      )
      visible = causal_mask(first, block, stop)[None, None, None]
      scores = jnp.where(visible, scores * scale, -jnp.inf)
      weights = jax.nn.softmax(scores, axis=-1).astype(value.dtype)
      return jnp.einsum(
        "bkgts,bskh->btkgh", weights, values, precision=precision
      )

    if stop - start == block:
      return one_block(start)
    mixed = jax.lax.map(one_block, jnp.arange(start, stop, block))
    return jnp.moveaxis(mixed, 0, 1).reshape(
      batch, stop - start, *grouped.shape[2:]
    )

  # Blocks in a loop share their memory; written out, a scheduler may compute
  # them all at once. So: a few loops, each with the keys of its last block.
  full = time // query_block
  step = max(2, -(-full // _MOST_GROUPS)) * query_block
  parts = [
    mix(start, min(start + step, full * query_block), query_block)
    for start in range(0, full * query_block, step)
  ]
  if time % query_block:
    parts.append(mix(full * query_block, time, time % query_block))
  mixed = jnp.concatenate(parts, axis=1)
  return mixed.reshape(batch, time, num_heads, head_size)


def causal_mask(
  first: Int[Array, ""] | int, queries: int, keys: int
) -> Bool[Array, "queries keys"]:
  """Whether query first + i sees key j."""
  return jnp.arange(keys)[None, :] <= first + jnp.arange(queries)[:, None]
