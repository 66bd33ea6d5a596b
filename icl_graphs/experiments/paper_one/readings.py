"""Sequences over several graphs at once, read through the one engine.

Recipes about two graphs share this: walks are drawn inside the step, class sums
come from `forward.read`, and every position is scored against several sets of
edges. Shapes: B rows, T words, n nodes, G groups, E sets of edges.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int
import numpy as np

from icl_graphs.engine import forward, observations
from icl_graphs.probes import class_sums, readout
from icl_graphs.tasks import mixed_walks, prompts, transitions, walks


class Ring(NamedTuple):
  """One graph to walk on or to take pairs from.

  Attributes:
    table: of the graph, [n, K].
    edges: [E, n, n] bool, sets of edges to score.
    seed: of the walks.
  """

  table: transitions.TransitionTable
  edges: Bool[Array, "E n n"]
  seed: Int[Array, ""]


class Mixed(NamedTuple):
  """Pairs of graphs, one pair per group of walks.

  Attributes:
    table: [G, 2, n, K].
    edges: [G, E, n, n] bool, sets of edges to score.
    seed: of the walks.
    second: [T], probability that the step out of a word follows the second
      graph; see `mixed_walks`.
  """

  table: transitions.TransitionTable
  edges: Bool[Array, "G E n n"]
  seed: Int[Array, ""]
  second: Float[Array, " T"]


class Scores(NamedTuple):
  """Per row; NaN where the next word is not scored.

  Attributes:
    nodes: [B, T], -1 off nodes.
    mass: [B, E, T], probability of a step along each set of edges.
    total: [B, T], probability of any node word.
  """

  nodes: Int[Array, "B T"]
  mass: Float[Array, "B E T"]
  total: Float[Array, "B T"]


def read_ring(
  plan: forward.Plan,
  params: forward.Params,
  fixed: Ring,
  rows: Int[Array, " B"],
  valid: Bool[Array, " B"],
) -> tuple[forward.Sums, Scores]:
  """Step over walks, or pairs, whose first words are spread over the nodes.

  Row i begins at node (i // G) mod n, so that n rows of a group hold every node
  at the first word.
  """
  start = (rows // plan.sums.num_groups) % plan.sums.num_nodes
  if plan.layout.mode == "pairs":
    pairs = -(-plan.words // (2 + (plan.layout.separator_id is not None)))
    nodes = walks.sample_pairs(
      fixed.table, fixed.seed, rows, pairs=pairs, start=start
    )
  else:
    nodes = walks.sample_walks(
      fixed.table, fixed.seed, rows, length=plan.words, start=start
    )
  batch = prompts.assemble(plan.layout, nodes)
  batch = prompts.Batch(
    *(part[:, : plan.layout.offset + plan.words] for part in batch)
  )
  edges = jnp.broadcast_to(fixed.edges, (len(rows), *fixed.edges.shape))
  return _read(plan, params, batch, edges, rows, valid)


def read_mixed(
  plan: forward.Plan,
  params: forward.Params,
  fixed: Mixed,
  rows: Int[Array, " B"],
  valid: Bool[Array, " B"],
) -> tuple[forward.Sums, Scores]:
  """Step over walks that mix or switch the two graphs of their group."""
  group = rows % plan.sums.num_groups
  table = jax.tree.map(lambda leaf: leaf[group], fixed.table)
  nodes = mixed_walks.sample(
    table, fixed.seed, rows, fixed.second, length=plan.words
  )
  batch = prompts.assemble(plan.layout, nodes)
  return _read(plan, params, batch, fixed.edges[group], rows, valid)


def _read(plan, params, batch, edges, rows, valid):
  """Class sums, and scores against edges [B, E, n, n]."""
  sums, nodes, log_probs = forward.read(plan, params, batch, rows, valid)
  scored = batch.scored[:, plan.layout.offset :]

  def of_row(log_probs, nodes, scored, edges):
    return jax.vmap(
      lambda one: readout.score(log_probs[None], nodes[None], scored[None], one)
    )(edges)

  found = jax.vmap(of_row)(log_probs, nodes, scored, edges)
  # [B, E, 1, T]
  return sums, Scores(
    nodes, found.accuracy_full[:, :, 0], found.node_mass[:, 0, 0]
  )


def products(
  plan: forward.Plan, sums: forward.Sums
) -> tuple[Float[np.ndarray, "K C G n G n"], Float[np.ndarray, "C G n"]]:
  """Inner products of class sums in the plan's first window, and counts."""
  spec = plan.sums
  found = [
    observations.gram(class_sums.windowed(spec, layer, axis=0)[0])
    for layer in sums.hidden
  ]
  return np.stack(found), class_sums.windowed(spec, sums.count, axis=0)[0]


def own_grams(
  plan: forward.Plan, sums: forward.Sums
) -> Float[np.ndarray, "K C G n n"]:
  """Gram matrix of the class means of every group on its own.

  NaN for nodes that a group never met in a window.
  """
  spec = plan.sums
  count = class_sums.windowed(spec, sums.count, axis=0)[0]
  scale = np.where(count > 0, 1 / np.maximum(count, 1), np.nan)[..., None]
  result = []
  for layer in sums.hidden:
    means = class_sums.windowed(spec, layer, axis=0)[0] * scale
    result.append(means @ np.swapaxes(means, -1, -2))
  return np.stack(result)


def last_fifth(scores: Any) -> Float[np.ndarray, "..."]:
  """Mean over the scored positions of the last fifth of the time axis."""
  length = scores.shape[-1]
  return np.nanmean(scores[..., length - max(1, length // 5) :], axis=-1)
