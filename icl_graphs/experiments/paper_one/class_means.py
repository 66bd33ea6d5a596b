"""Class means of walks, as vectors: what interventions are made of."""

import functools
from typing import Any

import jax.numpy as jnp
from jaxtyping import Float, Int
import numpy as np

from icl_graphs import errors
from icl_graphs.engine import forward
from icl_graphs.experiments import graph_subject
from icl_graphs.models import decoder
from icl_graphs.probes import class_sums
from icl_graphs.tasks import graphs, prompts, walks


def estimate(
  subject: graph_subject.GraphSubject,
  name: str,
  plan: forward.Plan,
  graph: graphs.Graph,
  *,
  first: int,
  count: int,
  window: int,
  samples: int = 0,
) -> tuple[
  Float[np.ndarray, "L+1 n D"], Float[np.ndarray, "R L+1 samples D"] | None
]:
  """Mean hidden state per node over the last words of many walks.

  Args:
    subject: the model.
    name: of the measurement.
    plan: how walks are written; its length is theirs.
    graph: to walk on.
    first, count: walks `first` to `first + count - 1` of the subject's seed.
    window: last words of a walk that count.
    samples: words of every walk whose hidden states are returned as they are,
      evenly over the window.

  Returns:
    The means; the hidden states of R = count walks, or None.

  Raises:
    InputError: a node that no walk visits there.
  """
  nodes = sample(graph, subject.settings.seed, first + np.arange(count), plan)
  spec = class_sums.ClassSums(
    graph.n, 1, (plan.words,), (window,), plan.layout.offset
  )
  places = plan.layout.offset + plan.words - 1
  places -= np.arange(samples) * max(1, window // max(samples, 1))
  sums, some = subject.evaluate(
    name,
    functools.partial(
      _step, plan.decoder, plan.layout, spec, tuple(places.tolist())
    ),
    {"nodes": nodes},
    words=plan.words,
  )
  missing = np.flatnonzero(sums["count"] == 0)
  if len(missing):
    raise errors.InputError(
      f"nodes {missing.tolist()} of {graph.spec} do not occur in the last "
      f"{window} words of {count} walks; raise --walks or --context"
    )
  means = np.asarray(sums["hidden"], np.float64) / sums["count"][:, None]
  return means, some if samples else None


def sample(
  graph: graphs.Graph,
  seed: int,
  index: Int[np.ndarray, " R"],
  plan: forward.Plan,
  ends: Int[np.ndarray, " R"] | None = None,
) -> Int[np.ndarray, "R T"]:
  """Walks of the plan's length; with `ends`, walks that end at these nodes.

  A walk in equilibrium on an undirected graph reads the same backwards: one
  that ends at a node is one that starts there, turned round.

  Raises:
    InputError: `ends` on a directed graph.
  """
  if ends is not None and graph.directed:
    raise errors.InputError(
      f"graph {graph.spec!r} is directed; only walks on undirected graphs can "
      "be made to end at a given node"
    )
  nodes = walks.sample_walks(
    walks.transition_table(graph), seed, index, length=plan.words, start=ends
  )
  return np.asarray(nodes)[:, :: 1 if ends is None else -1]


def _step(
  config, layout, spec, places, params, fixed, rows, valid
) -> tuple[Any, Any]:
  """Class sums over the window, of all hidden states; some as they are."""
  del fixed
  batch = prompts.assemble(layout, rows["nodes"])
  groups = class_sums.one_hot_groups(
    spec, jnp.zeros(len(valid), jnp.int32), valid
  )

  def reduce(hidden):
    members = class_sums.one_hot_nodes(spec, batch.nodes, hidden.dtype)
    sums = class_sums.segment_sums(spec, hidden, members, groups)[0, 0]
    return sums, hidden[:, np.array(places, int)] if places else ()

  _, (sums, some) = decoder.Decoder(config).apply(
    {"params": params}, batch.tokens, reduce
  )
  members = class_sums.one_hot_nodes(spec, batch.nodes, jnp.float32)
  count = class_sums.segment_counts(spec, members, groups)[0, 0]
  some = jnp.moveaxis(some.astype(jnp.float32), 0, 1) if places else ()
  return {"hidden": sums, "count": count}, some
