"""One pure function from a range of walk indices to observations.

Walks are sampled, written as tokens, read by the model and reduced in a single
program: nothing but indices goes in, nothing but reduced measurements comes
out. The function names no device axis, so `parallel` may map it anywhere.
"""

from collections.abc import Callable
import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int
import numpy as np

from icl_graphs.models import config as config_lib
from icl_graphs.models import decoder
from icl_graphs.probes import class_sums, readout
from icl_graphs.tasks import graphs, prompts, walks

Params = Any
Part = Callable[[Float[Array, "B T D"]], Float[Array, "B T D"]]
PAIR_ROLES = ("both", "first", "second")


class Sums(NamedTuple):
  """The additive part: adds over batches, devices and hosts.

  Attributes:
    hidden: class sums of every kept hidden state, per segment of the context.
    count: number of terms in them.
  """

  hidden: Float[Array, "K S G n D"]
  count: Float[Array, "S G n"]


class PerWalk(NamedTuple):
  """The part kept for every walk; see `readout.Scores`."""

  nodes: Int[Array, "B T"]
  accuracy_full: Float[Array, "B T"]
  node_mass: Float[Array, "B T"]
  null_mass: Float[Array, "B T"]


@dataclasses.dataclass(frozen=True)
class Plan:
  """What a pass computes; hashable, one compilation per plan.

  Attributes:
    decoder: model configuration.
    layout: how walks are written as tokens.
    sums: which class sums to keep.
    layers: K hidden states to keep, 0 (embedding) to L.
    words: length of every sequence in words or, in pair mode, tokens after BOS.
    law: how a step of a walk is drawn; pairs are always one plain step.
    pair_role: in pair mode, occurrences that enter the class sums: "both",
      "first" or "second" word of a pair.
    accuracy: whether next words are scored. If not, nothing is unembedded and
      blocks beyond the deepest of `layers` are not run.
  """

  decoder: config_lib.DecoderConfig
  layout: prompts.Layout
  sums: class_sums.ClassSums
  layers: tuple[int, ...]
  words: int
  law: walks.StepLaw = walks.StepLaw()
  pair_role: str = "both"
  accuracy: bool = True

  @property
  def running(self) -> config_lib.DecoderConfig:
    """The decoder without the blocks that are not needed; see `needed`."""
    depth = self.decoder.num_layers
    if not self.accuracy:
      depth = max(1, *self.layers)
    return dataclasses.replace(
      self.decoder, num_layers=depth, sliding=self.decoder.sliding[:depth]
    )

  def build(self, part: Part) -> Callable[..., tuple[Sums, PerWalk]]:
    """See `run.Plan`."""
    return build(self, part)


def needed(plan: Plan, params: Params) -> Params:
  """Parameters of the whole model without those of blocks that do not run."""
  depth = plan.running.num_layers
  if depth == plan.decoder.num_layers:
    return params
  blocks = jax.tree.map(lambda leaf: leaf[:depth], params["blocks"])
  return params | {"blocks": blocks}


class Task(NamedTuple):
  """A graph as arrays, and the seed of the walks on it.

  Attributes:
    table: neighbours of every node.
    edges: edges[i, j] is true when a step from i to j follows the graph.
    seed: walks depend on it and on their index only.
  """

  table: walks.TransitionTable
  edges: Bool[Array, "n n"]
  seed: Int[Array, ""]


def task(graph: graphs.Graph, seed: int) -> Task:
  """Bundles a parsed graph and the seed of its walks."""
  return Task(
    walks.transition_table(graph),
    np.asarray(graph.adjacency) > 0,
    np.asarray(seed, np.uint32),
  )


def sample(plan: Plan, work: Task, walk_index: Int[Array, " B"]):
  """Samples the walks with these indices and writes them as tokens."""
  if plan.layout.mode == "pairs":
    tokens_per_pair = 2 + (plan.layout.separator_id is not None)
    pairs = -(-plan.words // tokens_per_pair)
    nodes = walks.sample_pairs(work.table, work.seed, walk_index, pairs=pairs)
  else:
    nodes = walks.sample_walks(
      work.table, work.seed, walk_index, length=plan.words, law=plan.law
    )
  batch = prompts.assemble(plan.layout, nodes)
  positions = plan.layout.offset + plan.words
  return prompts.Batch(*(x[:, :positions] for x in batch))


def observe(
  plan: Plan,
  params: Params,
  batch: prompts.Batch,
  edges: Bool[Array, "n n"],
  walk_index: Int[Array, " B"],
  valid: Bool[Array, " B"],
  part: Part = lambda hidden: hidden,
) -> tuple[Sums, PerWalk]:
  """Reads sequences with the model and reduces what it thinks.

  Args:
    plan: what to compute.
    params: decoder parameters that are `needed`.
    batch: tokens, nodes and scored positions.
    edges: steps that follow the graph.
    walk_index: decides the group of every sequence.
    valid: false for padding sequences, which enter no sum.
    part: places the hidden states that enter the sums; see `Spread.part`.

  Returns:
    Class sums, and scores at every word (BOS dropped).
  """
  sums, nodes, log_probs = read(plan, params, batch, walk_index, valid, part)
  if log_probs is None:
    off = jnp.full(nodes.shape, jnp.nan, jnp.float32)
    return sums, PerWalk(nodes, off, off, off)
  scored = batch.scored[:, plan.layout.offset :]
  return sums, PerWalk(nodes, *readout.score(log_probs, nodes, scored, edges))


def read(
  plan: Plan,
  params: Params,
  batch: prompts.Batch,
  walk_index: Int[Array, " B"],
  valid: Bool[Array, " B"],
  part: Part = lambda hidden: hidden,
) -> tuple[Sums, Int[Array, "B T"], Float[Array, "B T n"] | None]:
  """As `observe`, with what is expected of every node instead of scores.

  Returns:
    Class sums; nodes at every word (BOS dropped); log-probabilities of the node
    words there over the whole vocabulary, None where `plan.accuracy` is off.
  """
  model = decoder.Decoder(plan.running, plan.layers)
  groups = class_sums.one_hot_groups(plan.sums, walk_index, valid)
  summed = batch.nodes
  if plan.pair_role != "both":
    first = batch.scored if plan.pair_role == "first" else ~batch.scored
    summed = jnp.where(first, summed, -1)

  # Once, in the dtype of the hidden states: inside `reduce` it would be made
  # again for every layer.
  dtype = decoder.unembedding(params, plan.decoder).dtype
  members = class_sums.one_hot_nodes(plan.sums, summed, dtype)

  def reduce(hidden):
    return class_sums.segment_sums(plan.sums, part(hidden), members, groups)

  final, sums = model.apply({"params": params}, batch.tokens, reduce)
  counts = class_sums.segment_counts(plan.sums, members, groups)

  words = slice(plan.layout.offset, None)
  nodes = batch.nodes[:, words]
  if not plan.accuracy:
    return Sums(sums, counts), nodes, None
  log_probs = readout.node_log_probs(
    final[:, words],
    decoder.unembedding(params, plan.decoder),
    np.asarray(plan.layout.node_token_ids, np.int32),
    softcap=plan.decoder.logit_softcap,
    backend=plan.decoder.backend,
  )
  return Sums(sums, counts), nodes, log_probs


def build(
  plan: Plan, part: Part = lambda hidden: hidden
) -> Callable[..., tuple[Sums, PerWalk]]:
  """Returns step(params, task, walk_index [B], valid [B]); see `observe`."""

  def step(params, work, walk_index, valid):
    batch = sample(plan, work, walk_index)
    return observe(plan, params, batch, work.edges, walk_index, valid, part)

  return step
