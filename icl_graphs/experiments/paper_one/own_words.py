"""Accuracies of walks that each have words of their own.

Every walk draws its words anew from all single-token concept words of the
packaged lists, so that differences between walks hold both sources of chance,
the walk and the words, and an interval over walks speaks of both. One compiled
program serves graphs of every size: a position is told the words that may
follow, not the graph. Letters: B walks, T words, N words to draw from, n nodes,
K largest number of neighbours.
"""

import functools
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int
import numpy as np

from icl_graphs import errors
from icl_graphs.experiments import graph_subject
from icl_graphs.models import config as config_lib
from icl_graphs.models import decoder
from icl_graphs.probes import readout
from icl_graphs.tasks import graphs, walks, words

# Neighbours per node, and nodes, that the one program has room for; graphs with
# more get a program of their own.
ROOM = 4
MOST_NODES = 128
# Rows of one call, the same everywhere: one program, and recipes that ask for
# the same walks share them.
CHUNK = 128
# Below this no range holds two breakpoints and their margins.
FEWEST_WORDS = 24
# Apart from the words of a run's own walks.
_WORD_STREAM = 0x776F7264


class Pool(NamedTuple):
  """Words that walks draw from: their text and token ids [N]."""

  words: tuple[str, ...]
  ids: Int[np.ndarray, " N"]


class Read(NamedTuple):
  """What was expected at every word, [B, T].

  nodes: of the walk. accuracy: probability on the neighbours of the current
  node over the whole vocabulary. back: on the word before, one of them, which
  needs no knowledge of the graph (0 at the first word). mass: on all words of
  the walk's graph.
  """

  nodes: Int[np.ndarray, "B T"]
  accuracy: Float[np.ndarray, "B T"]
  back: Float[np.ndarray, "B T"]
  mass: Float[np.ndarray, "B T"]


def pool(subject: graph_subject.GraphSubject) -> Pool:
  """The words of the subject's list that are one token each.

  Raises:
    InputError: the context is too short for what these walks are read for.
  """
  if subject.context < FEWEST_WORDS:
    raise errors.InputError(
      f"{subject.context} words of context are too few for a transition; at "
      f"least {FEWEST_WORDS} are needed (--context)"
    )
  known = words.usable(
    subject.tokenizer, words.concept_words(subject.settings.words)
  )
  return Pool(known, words.single_token_ids(subject.tokenizer, known))


def check(pool_: Pool, spec: str) -> graphs.Graph:
  """The graph, if there are words enough.

  Raises:
    InputError: there are not.
  """
  graph = graphs.parse(spec)
  if graph.n > len(pool_.words):
    raise errors.InputError(
      f"{spec} needs {graph.n} words and the model knows "
      f"{len(pool_.words)} single-token concept words; leave it out"
    )
  return graph


def _step(
  config: config_lib.DecoderConfig, offset: int, params, ids, row, valid
) -> tuple[tuple[()], tuple[Array, Array, Array]]:
  """See `masses`."""
  del valid
  model = decoder.Decoder(config, ())
  final, _ = model.apply({"params": params}, row["tokens"])
  return (), masses(config, offset, params, ids, row, final)


def masses(
  config: config_lib.DecoderConfig,
  offset: int,
  params: decoder.Params,
  ids: Int[Array, " N"],
  row: dict[str, Array],
  final: Float[Array, "B P D"],
) -> tuple[Float[Array, "B T"], Float[Array, "B T"], Float[Array, "B T"]]:
  """Mass on words that may follow, on the way back, on the walk's words.

  Args:
    config: of the model.
    offset: positions before the first word.
    params: of the model.
    ids: tokens of the words drawn from.
    row: see `rows`.
    final: hidden states after the final norm.
  """
  log_probs = readout.node_log_probs(
    final[:, offset:],
    decoder.unembedding(params, config),
    ids,
    softcap=config.logit_softcap,
    backend=config.backend,
  )
  probs = jnp.exp(log_probs)
  return (
    _total(probs, row["next"]),
    _total(probs, row["before"][..., None]),
    jnp.einsum("btn,bn->bt", probs, row["used"].astype(probs.dtype)),
  )


def _total(
  probs: Float[Array, "B T N"], slots: Int[Array, "B T K"]
) -> Float[Array, "B T"]:
  slots = slots.astype(jnp.int32)
  taken = jnp.take_along_axis(probs, jnp.maximum(slots, 0), axis=-1)
  return jnp.sum(jnp.where(slots >= 0, taken, 0.0), axis=-1)


def sample(
  graph: graphs.Graph, count: int, length: int, seed: int
) -> Int[np.ndarray, "B T"]:
  """Walks 0 to count - 1 of a seed; one starts at every node in turn."""
  index = np.arange(count, dtype=np.int32)
  # Graphs of many sizes share a program.
  degree = int((graph.adjacency != 0).sum(axis=1).max())
  table = walks.transition_table(
    graph, max(graph.n, MOST_NODES), max(degree, ROOM)
  )
  return np.asarray(
    walks.sample_walks(
      table,
      seed,
      index,
      length=length,
      start=index % graph.n,
    )
  )


def neighbours(
  adjacency: Float[np.ndarray, "n n"], room: int = ROOM
) -> Int[np.ndarray, "n K"]:
  """Neighbours of every node, -1 where there are no more."""
  linked = np.asarray(adjacency) != 0
  room = max(room, int(linked.sum(axis=1).max()))
  table = np.full((len(linked), room), -1, np.int64)
  for node, row in enumerate(linked):
    found = np.flatnonzero(row)
    table[node, : len(found)] = found
  return table


def read(
  subject: graph_subject.GraphSubject,
  pool_: Pool,
  spec: str,
  *,
  count: int,
  seed: int | None = None,
) -> Read:
  """Reads walks over one graph, each with words of its own.

  Args:
    subject: the model.
    pool_: of its words.
    spec: of the graph.
    count: walks.
    seed: of walks and words; default the subject's.

  Raises:
    InputError: too few words for the graph.
  """
  graph = check(pool_, spec)
  seed = subject.settings.seed if seed is None else seed
  nodes = sample(graph, count, subject.context, seed)
  rng = np.random.default_rng((_WORD_STREAM, seed))
  slots = rng.permuted(
    np.tile(np.arange(len(pool_.words)), (count, 1)), axis=1
  )[:, : graph.n]
  step = functools.partial(_step, subject.decoder, len(subject.bos_ids))
  made = rows(pool_, subject.bos_ids, nodes, slots, graph.adjacency)
  parts = [
    subject.evaluate(
      f"{spec} walks from {first}",
      step,
      {name: part[first : first + CHUNK] for name, part in made.items()},
      pool_.ids,
      words=subject.context,
    )[1]
    for first in range(0, count, CHUNK)
  ]
  found = (np.concatenate(part) for part in zip(*parts, strict=True))
  return Read(nodes, *(part.astype(float) for part in found))


def rows(
  pool_: Pool,
  bos_ids: tuple[int, ...],
  nodes: Int[np.ndarray, "B T"],
  slots: Int[np.ndarray, "B n"],
  adjacency: Float[np.ndarray, "n n"],
) -> dict[str, np.ndarray]:
  """Walks as tokens, with the words that may follow each.

  Args:
    pool_: of words.
    bos_ids: before the first word.
    nodes: the walks.
    slots: place in the pool of each node's word, by walk.
    adjacency: of the graph.

  Returns:
    `tokens` [B, P], `next` [B, T, K] and `before` [B, T], places in the pool,
    -1 for none, `used` [B, N] bool, words of the walk's graph.
  """
  walk = np.arange(len(nodes))[:, None]
  opening = np.tile(np.array(bos_ids, np.int32), (len(nodes), 1))
  following = neighbours(adjacency)[nodes]
  places = slots[walk[..., None], np.maximum(following, 0)]
  used: Bool[np.ndarray, "B N"] = np.zeros((len(nodes), len(pool_.words)), bool)
  used[walk, slots] = True
  read = slots[walk, nodes]
  before = np.concatenate([np.full_like(read[:, :1], -1), read[:, :-1]], axis=1)
  return {
    "tokens": np.concatenate([opening, pool_.ids[read]], axis=1),
    "before": before.astype(np.int16),
    "next": np.where(following >= 0, places, -1).astype(np.int16),
    "used": used,
  }
