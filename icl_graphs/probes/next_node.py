"""Class sums of hidden states and of next-node distributions, side by side."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int
import numpy as np

from icl_graphs.models import config as config_lib
from icl_graphs.models import decoder
from icl_graphs.probes import class_sums, readout


class Sums(NamedTuple):
  """Per segment, group and current node.

  Attributes:
    hidden: sums of every hidden state.
    probs: sums of the distribution of the next node, restricted to the n node
      words.
    count: number of terms in both.
  """

  hidden: Float[Array, "L1 S G n D"]
  probs: Float[Array, "S G n n"]
  count: Float[Array, "S G n"]


def step(
  config: config_lib.DecoderConfig,
  spec: class_sums.ClassSums,
  node_token_ids: tuple[int, ...],
  params: decoder.Params,
  fixed: tuple,
  rows: dict[str, Int[Array, "..."]],
  valid: Bool[Array, " B"],
) -> tuple[Sums, tuple]:
  """What the model predicts at every node, and how it represents it.

  Args:
    config: of the model.
    spec: segments, groups and nodes.
    node_token_ids: of the n node words.
    params: of the model.
    fixed: nothing.
    rows: `tokens` [B, P]; `nodes` [B, P], -1 off words; `group` [B].
    valid: rows that count.

  Returns:
    Sums, and nothing per row.
  """
  del fixed
  groups = class_sums.one_hot_groups(spec, rows["group"], valid)
  unembedding = decoder.unembedding(params, config)
  members = class_sums.one_hot_nodes(spec, rows["nodes"], unembedding.dtype)

  def observe(hidden):
    return class_sums.segment_sums(spec, hidden, members, groups)

  final, hidden = decoder.Decoder(config).apply(
    {"params": params}, rows["tokens"], observe
  )
  log_probs = readout.node_log_probs(
    final,
    unembedding,
    np.asarray(node_token_ids, np.int32),
    softcap=config.logit_softcap,
    backend=config.backend,
  )
  # The full vocabulary's normaliser cancels.
  probs = jax.nn.softmax(log_probs, axis=-1)
  at_node = members.astype(jnp.float32)
  return Sums(
    hidden,
    class_sums.segment_sums(spec, probs, at_node, groups),
    class_sums.segment_counts(spec, at_node, groups),
  ), ()
