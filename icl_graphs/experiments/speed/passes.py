"""Our passes over a job: bare, useful, and scored at a few positions only."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from icl_graphs.experiments.speed import job as job_lib
from icl_graphs.models import config as config_lib
from icl_graphs.models import decoder
from icl_graphs.probes import class_sums, readout

Pass = Callable[..., object]


def bare(config: config_lib.DecoderConfig) -> Pass:
  """Blocks, final norm, log-sum-exp over the vocabulary; nothing captured."""

  def run(params, tokens, nodes, ids):
    del nodes, ids
    final, _ = decoder.Decoder(config).apply({"params": params}, tokens)
    head = decoder.unembedding(params, config)
    return readout.log_sum_exp(
      final, head, softcap=config.logit_softcap, backend=config.backend
    )

  return run


def useful(
  config: config_lib.DecoderConfig,
  sums: class_sums.ClassSums,
  *,
  axis: str,
  positions: np.ndarray | None = None,
) -> Pass:
  """Class means of all layers and log-probabilities of the node words.

  Args:
    config: of the model.
    sums: which class means.
    axis: of the devices that share the sequences.
    positions: where log-probabilities are wanted; default everywhere.

  Returns:
    run(params, tokens, nodes, node_token_ids) -> `job.Output`.
  """

  def run(params, tokens, nodes, ids):
    dtype = decoder.unembedding(params, config).dtype
    members = class_sums.one_hot_nodes(sums, nodes, dtype)
    groups = jnp.ones((tokens.shape[0], 1))

    def reduce(hidden):
      return class_sums.segment_sums(sums, hidden, members, groups)[:, 0]

    final, summed = decoder.Decoder(config).apply(
      {"params": params}, tokens, reduce
    )
    counts = class_sums.segment_counts(sums, members, groups)[:, 0]
    summed, counts = jax.lax.psum((summed, counts), axis)
    if positions is not None:
      final = jnp.take(final, positions, axis=1)
    log_probs = readout.node_log_probs(
      final,
      decoder.unembedding(params, config),
      ids,
      softcap=config.logit_softcap,
      backend=config.backend,
    )
    return job_lib.Output(*_means(sums, summed, counts), log_probs)

  return run


def _means(sums, summed, counts):
  """Segments to windows: [L+1, S, n, D] and [S, n] to means and counts."""
  inside = jnp.asarray(sums.segments_of_window, jnp.float32)
  precision = jax.lax.Precision.HIGHEST
  counts = jnp.einsum("wcs,sn->wcn", inside, counts, precision=precision)
  summed = jnp.einsum("wcs,lsnd->lwcnd", inside, summed, precision=precision)
  return summed / counts[None, ..., None], counts
