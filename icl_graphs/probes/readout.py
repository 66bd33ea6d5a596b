"""Next-word probabilities on the node words, exact over the full vocabulary.

Only n columns of the logits are kept, with the log-sum-exp over the whole
vocabulary. Logits exist for one chunk of tokens at a time: no [B, T, V] tensor.

Definitions (science of arXiv 2501.00070's code): the full accuracy at a word is
the softmax mass over the whole vocabulary on the neighbours of the current
node; `node_mass` is the mass on all node words; the restricted accuracy, a
softmax over the node words only, is their exact ratio.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from icl_graphs.models import layers

# Logits of one chunk stay near 64 MB in float32, unless that left so few tokens
# that reading the unembedding would take as long as using it.
_CHUNK_ELEMENTS = 2**24
_LEAST_CHUNK = 256
# On a CPU the hidden states of a chunk stay in its caches, whole vectors of
# them: 2,048 wide, 128 tokens run at 200 GFLOP/s, 96 or 256 at 175.
_CPU_ELEMENTS = 2**18
_CPU_MULTIPLE, _CPU_LEAST_CHUNK = 64, 128


class Scores(NamedTuple):
  """Per position; NaN where the next word is not scored.

  Attributes:
    accuracy_full: probability of stepping along an edge of the graph.
    node_mass: probability of any node word.
    null_mass: what `accuracy_full` becomes on average over all relabellings of
      the graph's nodes: edge density times the mass on the other nodes.
  """

  accuracy_full: Float[Array, "B T"]
  node_mass: Float[Array, "B T"]
  null_mass: Float[Array, "B T"]


def node_log_probs(
  final: Shaped[Array, "B T D"],
  unembedding: Shaped[Array, "V D"],
  node_token_ids: Int[Array, " n"],
  *,
  softcap: float | None = None,
  backend: str = "reference",
  chunk: int | None = None,
) -> Float[Array, "B T n"]:
  """Full-vocabulary log-probabilities of the node words at every position.

  Args:
    final: hidden states after the final norm.
    unembedding: rows of the output layer.
    node_token_ids: token of each node.
    softcap: of the model's logits; None where they are not capped.
    backend: of the decoder; "cpu" takes chunks for a CPU's caches.
    chunk: tokens whose logits exist at once; default by backend.

  Returns:
    log p(word of node | context), in float32.
  """
  rows, total = _in_chunks(
    lambda logits: (
      jnp.take(logits, node_token_ids, axis=0).T,
      jax.nn.logsumexp(logits, axis=0),
    ),
    *(final, unembedding, softcap, backend, chunk),
  )
  return rows - total[..., None]


def log_sum_exp(
  final: Shaped[Array, "B T D"],
  unembedding: Shaped[Array, "V D"],
  *,
  softcap: float | None = None,
  backend: str = "reference",
  chunk: int | None = None,
) -> Float[Array, "B T"]:
  """Of the logits over the whole vocabulary; arguments as `node_log_probs`."""

  def reduce(logits):
    return jax.nn.logsumexp(logits, axis=0)

  return _in_chunks(reduce, final, unembedding, softcap, backend, chunk)


def most_likely(
  final: Shaped[Array, "B T D"],
  unembedding: Shaped[Array, "V D"],
  count: int,
  *,
  softcap: float | None = None,
  backend: str = "reference",
  chunk: int | None = None,
) -> tuple[Int[Array, "B T k"], Float[Array, "B T k"]]:
  """The `count` likeliest tokens at every position, likeliest first.

  Args:
    count: k.
    final, unembedding, softcap, backend, chunk: as in `node_log_probs`.

  Returns:
    Token ids, and their log-probabilities over the whole vocabulary.
  """

  def reduce(logits):
    values, tokens = jax.lax.top_k(logits.T, count)
    return tokens, values, jax.nn.logsumexp(logits, axis=0)

  tokens, values, total = _in_chunks(
    reduce, final, unembedding, softcap, backend, chunk
  )
  return tokens, values - total[..., None]


def _chunk(tokens: int, unembedding: Array, backend: str) -> int:
  """Tokens at once: as even as can be, because padding is work."""
  vocabulary, width = unembedding.shape
  most = max(_LEAST_CHUNK, _CHUNK_ELEMENTS // vocabulary)
  multiple = 1
  if backend == "cpu":
    most = min(_CPU_ELEMENTS // width, _CHUNK_ELEMENTS // vocabulary)
    most = max(_CPU_LEAST_CHUNK, most // _CPU_MULTIPLE * _CPU_MULTIPLE)
    multiple = _CPU_MULTIPLE if tokens > most else 1
  even = -(-tokens // -(-tokens // most))
  return -(-even // multiple) * multiple


def _in_chunks(reduce, final, unembedding, softcap, backend, chunk):
  """reduce(logits [V, chunk]) at every token, some tokens after the others."""
  *lead, width = final.shape
  tokens = math.prod(lead)
  chunk = chunk or _chunk(tokens, unembedding, backend)
  chunks = -(-tokens // chunk)
  flat = final.reshape(tokens, width)
  if missing := chunks * chunk - tokens:
    flat = jnp.pad(flat, ((0, missing), (0, 0)))
  precision = jax.lax.Precision.HIGHEST if final.dtype == jnp.float32 else None

  def one_chunk(hidden):
    logits = jnp.einsum(
      "td,vd->vt",
      hidden,
      unembedding,
      precision=precision,
      preferred_element_type=jnp.float32,
    )
    return reduce(layers.capped(logits, softcap))

  reduced = jax.lax.map(one_chunk, flat.reshape(chunks, chunk, width))
  return jax.tree.map(
    lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:tokens].reshape(
      *lead, *leaf.shape[2:]
    ),
    reduced,
  )


def score(
  log_probs: Float[Array, "B T n"],
  nodes: Int[Array, "B T"],
  scored: Bool[Array, "B T"],
  edges: Bool[Array, "n n"],
) -> Scores:
  """Reduces node log-probabilities to accuracies.

  Args:
    log_probs: `node_log_probs`.
    nodes: current node, -1 off nodes.
    scored: positions whose next word the graph determines.
    edges: edges[i, j] is true when a step from i to j is allowed.
  """
  num_nodes = edges.shape[0]
  probs = jnp.exp(log_probs)
  current = jnp.maximum(nodes, 0)
  allowed = jnp.take(edges.astype(probs.dtype), current, axis=0)
  accuracy = jnp.sum(probs * allowed, axis=-1)
  mass = jnp.sum(probs, axis=-1)
  stay = jnp.take_along_axis(probs, current[..., None], axis=-1)[..., 0]
  density = jnp.sum(edges) / (num_nodes * (num_nodes - 1))
  null = density.astype(probs.dtype) * (mass - stay)
  off = jnp.logical_not(scored)
  nan = jnp.asarray(jnp.nan, probs.dtype)
  return Scores(*(jnp.where(off, nan, x) for x in (accuracy, mass, null)))
