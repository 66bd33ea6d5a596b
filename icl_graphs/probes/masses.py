"""How likely the next token is to be one of a set, over the full vocabulary."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped
import numpy as np

from icl_graphs import errors
from icl_graphs.probes import readout

Sets = tuple[tuple[int, ...], ...]


def check(sets: Sets, vocab_size: int) -> None:
  """Refuses sets that overlap, are empty or leave the vocabulary.

  Raises:
    errors.InputError: naming the token ids.
  """
  flat = [token for one in sets for token in one]
  if not sets or not all(sets):
    raise errors.InputError("every set of tokens needs at least one token")
  if twice := sorted({token for token in flat if flat.count(token) > 1}):
    raise errors.InputError(
      f"the token ids {twice} are in two sets; their probability cannot be"
      " told apart"
    )
  if beyond := [token for token in flat if not 0 <= token < vocab_size]:
    raise errors.InputError(
      f"the token ids {beyond} are not in the vocabulary of {vocab_size}"
    )


def from_logits(
  logits: Float[Array, "*B V"], sets: Sets
) -> Float[Array, "*B S"]:
  """Log-probability of every set, from float32 logits of all tokens."""
  chosen = jnp.take(logits, _ids(sets), axis=-1)
  total = jax.nn.logsumexp(logits, axis=-1, keepdims=True)
  return _pooled(chosen, sets) - total


def log_masses(
  final: Shaped[Array, "B T D"],
  unembedding: Shaped[Array, "V D"],
  sets: Sets,
  *,
  softcap: float | None = None,
  backend: str = "reference",
) -> Float[Array, "B T S"]:
  """Log-probability that the next token is in a set, for S disjoint sets.

  Args:
    final: hidden states after the final norm.
    unembedding, softcap, backend: as in `readout.node_log_probs`.
    sets: token ids, accepted by `check`.
  """
  log_probs = readout.node_log_probs(
    final, unembedding, _ids(sets), softcap=softcap, backend=backend
  )
  return _pooled(log_probs, sets)


def _ids(sets):
  return np.concatenate([np.asarray(one, np.int32) for one in sets])


def _pooled(log_probs, sets):
  ends = np.cumsum([len(one) for one in sets])[:-1]
  parts = jnp.split(log_probs, ends, axis=-1)
  return jnp.stack([jax.nn.logsumexp(one, axis=-1) for one in parts], axis=-1)
