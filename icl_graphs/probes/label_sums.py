"""Sums of hidden states per label, for regressions on labels."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from icl_graphs.models import config as config_lib
from icl_graphs.models import decoder
from icl_graphs.probes import class_sums

Sums = tuple[Float[Array, "L1 S G m D"], Float[Array, "L1 S G"]]


def step(
  config: config_lib.DecoderConfig,
  spec: class_sums.ClassSums,
  params: decoder.Params,
  fixed: tuple,
  rows: dict[str, Int[Array, "..."]],
  valid: Bool[Array, " B"],
) -> tuple[Sums, tuple]:
  """Sums of activations per label, and of their squared norms, in float32.

  Args:
    config: of the model.
    spec: segments and groups; `num_nodes` is m, the number of labels.
    params: of the model.
    fixed: nothing.
    rows: `tokens` [B, P]; `labels` [B, T, k], the k labels of every word, all
      -1 where a word does not count; `group` [B].
    valid: rows that count.

  Returns:
    (sums [L+1, S, G, m, D], squares [L+1, S, G]), and nothing per row.
  """
  del fixed
  groups = class_sums.one_hot_groups(spec, rows["group"], valid)
  before = ((0, 0), (spec.offset, 0), (0, 0))
  labels = jnp.pad(rows["labels"], before, constant_values=-1)
  dtype = decoder.unembedding(params, config).dtype
  members = sum(
    jax.nn.one_hot(labels[..., k], spec.num_nodes, dtype=dtype)
    for k in range(labels.shape[-1])
  )
  counted = (labels[..., :1] >= 0).astype(jnp.float32)

  def observe(hidden):
    squares = jnp.sum(hidden.astype(jnp.float32) ** 2, axis=-1, keepdims=True)
    total = class_sums.segment_sums(spec, squares, counted, groups)
    summed = class_sums.segment_sums(spec, hidden, members, groups)
    return summed, total[..., 0, 0]

  _, sums = decoder.Decoder(config).apply(
    {"params": params}, rows["tokens"], observe
  )
  return sums, ()
