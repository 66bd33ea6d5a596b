"""Patching and steering between two graphs over the same words.

After arXiv 2605.08405: at the last word of a walk on graph A, the residual is
replaced by that of a walk on graph B that ends at the same word, or moved along
the difference of the class means of both graphs; does the model then predict
B's neighbours?

Legend: R pairs of walks, C changes, L layers, n nodes.
"""

import functools
import pathlib
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int
import numpy as np
import xarray as xr

from icl_graphs.analysis import targets
from icl_graphs.experiments import graph_subject, recipe
from icl_graphs.experiments.paper_one import (
  class_means,
  hidden_states,
  patching_verdicts,
)
from icl_graphs.models import decoder
from icl_graphs.probes import edits, last_token, readout
from icl_graphs.report.paper_one import patching as figures
from icl_graphs.tasks import graph_edits, graphs, prompts

SPEC = "grid:4x4"
RIVAL_SEED, DRAW_SEED = 0, 54
BETAS = (0.5, 1.0, 2.0, 4.0)
MEANS_WALKS = 64  # of each graph
# What the residual is patched with, and what it is steered along.
PATCHES = ("B-walk", "other A-walk", "random")
STEERS = ("B - A", "B - A of another word", "random")


class Changes(NamedTuple):
  """One change of the last residual per entry.

  Attributes:
    state: hidden state where it is made.
    vector: which of the bank's vectors is added; see `bank`.
    beta: multiples of it.
  """

  state: Int[Array, " C"]
  vector: Int[Array, " C"]
  beta: Float[Array, " C"]


class Fixed(NamedTuple):
  """What all pairs share.

  Attributes:
    changes: to make.
    difference: class means of B minus those of A.
  """

  changes: Changes
  difference: Float[Array, "L+1 n D"]


def run(
  subject: graph_subject.GraphSubject, folder: pathlib.Path
) -> recipe.Outcome:
  """Patches and steers at several hidden states."""
  plan, first = subject.plan(SPEC)
  places = graph_edits.rival(first, RIVAL_SEED)
  second = graph_edits.relabelled(first, places, f"{SPEC} renamed")
  count = max(first.n, subject.settings.walks)
  window = plan.words // 2
  means = [
    class_means.estimate(
      *(subject, f"class means of {graph.spec}", plan, graph),
      **{"first": 3 * count, "count": MEANS_WALKS, "window": window},
    )[0]
    for graph in (first, second)
  ]
  index = np.arange(count)
  ends = (index % first.n).astype(np.int32)
  shift = np.random.default_rng([subject.settings.seed, DRAW_SEED])
  seed = subject.settings.seed
  rows = {
    "walk": class_means.sample(first, seed, index, plan, ends),
    "donor": class_means.sample(second, seed, count + index, plan, ends),
    "other": class_means.sample(first, seed, 2 * count + index, plan, ends),
    "shuffled": (
      (ends + shift.integers(1, first.n, count)) % first.n
    ).astype(np.int32),
    "index": index.astype(np.int32),
  }  # fmt: skip
  changes = make_changes(plan.decoder.num_layers, subject.report_layer)
  _, found = subject.evaluate(
    "patching",
    functools.partial(_step, plan.decoder, plan.layout),
    rows,
    Fixed(changes, (means[1] - means[0]).astype(np.float32)),
    words=3 * plan.words,
  )
  measured = _measured(found, changes, (first, second), ends, subject)
  return patching_verdicts.outcome(measured, figures.write(measured, folder))


def make_changes(layers: int, report_layer: int) -> Changes:
  """Every patch and every steering strength at every hidden state."""
  every = [
    (state, vector, beta)
    for state in hidden_states.some(layers, report_layer)
    for vector, beta in (
      *((k, 1.0) for k in range(len(PATCHES))),
      *((len(PATCHES) + k, b) for k in range(len(STEERS)) for b in BETAS),
    )
  ]
  state, vector, beta = zip(*every, strict=True)
  return Changes(
    np.array(state, np.int32), np.array(vector, np.int32),
    np.array(beta, np.float32),
  )  # fmt: skip


def bank(
  last: Float[Array, "L+1 B D"],
  donor: Float[Array, "L+1 B D"],
  other: Float[Array, "L+1 B D"],
  steer: Float[Array, "L+1 B D"],
  shuffled: Float[Array, "L+1 B D"],
  gaussian: Float[Array, "2 L+1 B D"],
) -> Float[Array, "V L+1 B D"]:
  """What can be added to the last residual: `PATCHES`, then `STEERS`.

  Adding the difference to a donor puts the donor in the residual's place. The
  random vectors have the length of the first of their kind.

  Args:
    last: residuals of the walks that are changed.
    donor: of walks on the other graph.
    other: of other walks on the same graph.
    steer: difference of class means at the current word.
    shuffled: the same at another word.
    gaussian: directions, of any length.
  """
  last = last.astype(jnp.float32)
  patch = donor.astype(jnp.float32) - last

  def same_length(vector, direction):
    norms = [
      jnp.linalg.norm(x, axis=-1, keepdims=True) for x in (vector, direction)
    ]
    return direction * (norms[0] / norms[1])

  return jnp.stack(
    [
      patch,
      other.astype(jnp.float32) - last,
      same_length(patch, gaussian[0]),
      steer,
      shuffled,
      same_length(steer, gaussian[1]),
    ]
  )


def added(
  changes: Changes, vectors: Float[Array, "V L+1 B D"]
) -> Float[Array, "L+1 BC D"]:
  """What every change adds, at its hidden state and nowhere else."""
  chosen = jnp.take(vectors, changes.vector, axis=0)
  chosen *= changes.beta[:, None, None, None]
  here = changes.state[:, None] == jnp.arange(vectors.shape[1])[None]
  chosen = jnp.where(here[:, :, None, None], chosen, 0)
  chosen = jnp.transpose(chosen, (1, 2, 0, 3))
  return chosen.reshape(len(chosen), -1, chosen.shape[-1])


def _step(config, layout, params, fixed, rows, valid):
  """Node log-probabilities of the clean runs and after every change."""
  del valid  # Nothing is added up over pairs.
  walk, donor, other = (
    prompts.assemble(layout, rows[name]) for name in ("walk", "donor", "other")
  )
  clean = last_token.read(config, params, walk.tokens)
  batch, changes = len(walk.tokens), len(fixed.changes.state)
  final, last = decoder.Decoder(config).apply(
    {"params": params},
    jnp.concatenate([donor.tokens, other.tokens]),
    lambda hidden: hidden[:, -1],
  )
  keys = jax.vmap(jax.random.fold_in, (None, 0))(
    jax.random.key(DRAW_SEED), rows["index"]
  )
  shape = (2, config.num_layers + 1, config.hidden_size)
  gaussian = jax.vmap(functools.partial(jax.random.normal, shape=shape))(keys)
  vectors = bank(
    *(clean.last, last[:, :batch], last[:, batch:]),
    jnp.take(fixed.difference, walk.nodes[:, -1], axis=1),
    jnp.take(fixed.difference, rows["shuffled"], axis=1),
    jnp.moveaxis(gaussian, 0, 2),
  )
  again = last_token.reread(
    *(config, params, clean),
    edits.Edits(add=added(fixed.changes, vectors)),
    changes,
  )
  runs = [clean.final, final[:batch, -1], final[batch:, -1]]
  log_probs = readout.node_log_probs(
    jnp.concatenate([jnp.stack(runs, axis=1), again], axis=1),
    decoder.unembedding(params, config),
    jnp.asarray(layout.node_token_ids, jnp.int32),
    softcap=config.logit_softcap,
    backend=config.backend,
  )
  lengths = jnp.linalg.norm(vectors, axis=-1)
  return (), {
    "clean": log_probs[:, : len(runs)],
    "changed": log_probs[:, len(runs) :],
    "length": jnp.transpose(lengths, (2, 0, 1)),
  }


def _measured(found, changes, pair: tuple[graphs.Graph, ...], ends, subject):
  """Preferences for B over A, [pair, state, change]."""
  linked = [np.asarray(graph.adjacency)[ends] > 0 for graph in pair]
  only_a, only_b = linked[0] & ~linked[1], linked[1] & ~linked[0]

  def preference(log_probs):
    return targets.preference(log_probs, only_b[:, None], only_a[:, None])

  clean, changed = preference(found["clean"]), preference(found["changed"])
  tried = np.unique(changes.state)
  changed = changed.reshape(len(ends), len(tried), -1)
  patches = len(PATCHES)
  steer = changed[:, :, patches:].reshape(*changed.shape[:2], len(STEERS), -1)
  shared = (pair[0].adjacency > 0) & (pair[1].adjacency > 0)
  length = found["length"].mean(axis=0)[:, tried]
  return xr.Dataset(
    {
      "clean": (("pair", "run"), clean),
      "patched": (("pair", "state", "patch"), changed[:, :, :patches]),
      "steered": (("pair", "state", "along", "beta"), steer),
      "patch_length": (("patch", "state"), length[:patches]),
      "steer_length": (("along", "state"), length[patches:]),
      "word": ("pair", ends),
    },
    {
      "run": ["A-walk", "B-walk", "other A-walk"],
      "state": tried,
      "patch": list(PATCHES),
      "along": list(STEERS),
      "beta": list(BETAS),
    },
    {
      "graph": pair[0].spec,
      "edges": pair[0].edge_count,
      "shared_edges": int(shared.sum()) // 2,
      "layers": subject.decoder.num_layers,
      "report_layer": subject.report_layer,
      "seed": subject.settings.seed,
    },
  )


RECIPE = recipe.Recipe(
  name="patching",
  title="Patching and steering between two graphs",
  question=(
    "Does the last word's representation carry which of two graphs over the "
    "same words the model goes on with?"
  ),
  source="Patching and steering after arXiv 2605.08405",
  run=run,
)
