"""Attention heads: their scores, and what is lost without the highest ones.

A. Arditi, ICLR Blogposts 2026 (andyrdt/iclr_induction): induction heads and
previous-token heads both carry the prediction of neighbours, but only the
latter the geometry. All ablations are one sweep (`probes.sweep`).
"""

import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from icl_graphs import errors
from icl_graphs.analysis import accuracy, measurements
from icl_graphs.analysis import gram as gram_lib
from icl_graphs.engine import forward
from icl_graphs.experiments import graph_subject, recipe
from icl_graphs.experiments.paper_one import heads_conditions as kinds
from icl_graphs.experiments.paper_one import heads_tables as tables
from icl_graphs.experiments.paper_one import heads_verdicts as verdicts
from icl_graphs.models import decoder
from icl_graphs.probes import class_sums, heads, readout, sweep
from icl_graphs.report.paper_one import heads as figures

SPEC = "grid:4x4"
SCORED, STRETCH = 32, 32  # sequences, and tokens that are repeated once
MEAN_WALKS = 32
LAST = 200  # words whose accuracy is averaged, of the published ablations
# Mean outputs are those of walks that are not ablated.
_OTHERS = 2**24
# Walks that a CPU takes at a time: with them, everything stays in its caches.
CPU_WALKS = 2


def run(
  subject: graph_subject.GraphSubject, folder: pathlib.Path
) -> recipe.Outcome:
  """Scores all heads, ablates the highest and random ones.

  Raises:
    InputError: the model has no room for the sequences that heads are scored
      on.
  """
  config, settings = subject.decoder, subject.settings
  if config.max_positions < 2 * STRETCH:
    raise errors.InputError(
      f"heads are scored on {2 * STRETCH} tokens, the model reads"
      f" {config.max_positions}; take a model with longer contexts"
    )
  words, window = subject.context, subject.report_window
  plan, graph = subject.plan(SPEC, contexts=(words,), windows=(window,))
  scored = _scores(subject)
  mean = scored.mean(axis=0)
  conditions = kinds.make(config, heads.ranked(mean[1]), heads.ranked(mean[0]))
  task = forward.task(graph, settings.seed)
  sums, _ = subject.evaluate(
    "mean head outputs",
    functools.partial(mean_step, plan),
    np.arange(min(settings.walks, MEAN_WALKS), dtype=np.int32) + _OTHERS,
    task,
    words=words,
  )
  tree = kinds.as_tree(conditions, config, sums["outputs"] / sums["count"])
  observed = tuple(sorted({subject.report_layer, config.num_layers}))
  walks = np.arange(max(settings.groups, settings.walks // 2), dtype=np.int32)
  on_cpu = subject.model.spread.devices[0].platform == "cpu"
  sums, found = subject.evaluate(
    "head ablation",
    functools.partial(step, plan, observed),
    walks,
    (task, tree),
    words=words * len(conditions),
    batch_size=settings.batch_size or (CPU_WALKS if on_cpu else None),
  )
  measured = _measured(conditions, scored, sums, found, graph, config, settings)
  measured = measured.assign_coords(hidden_state=list(observed))
  measured.attrs |= {
    "graph": graph.spec,
    "report_layer": subject.report_layer,
    "window": window,
    "last": min(LAST, max(1, words // 5)),
    "seed": settings.seed,
    "layers": config.num_layers,
    "work": tree.work,
  }
  summary = verdicts.judge(conditions, measured)
  figures.write(folder, measured, summary)
  return verdicts.outcome(conditions, measured, summary)


def _scores(subject: graph_subject.GraphSubject) -> np.ndarray:
  """[sequence, previous-token and induction, L, N]."""
  _, found = subject.evaluate(
    "head scores",
    functools.partial(_score_step, subject.decoder),
    heads.repeated_tokens(
      subject.decoder.vocab_size, SCORED, STRETCH, subject.settings.seed
    ),
    words=2 * STRETCH,
  )
  return np.asarray(found, np.float64)


def _score_step(config, params, fixed, tokens, valid):
  del fixed, valid  # Nothing is shared, nor added up.
  patterns = heads.previous_token(), heads.induction(STRETCH)
  return (), heads.scores(config, params, tokens, patterns)


def mean_step(plan, params, task, index, valid):
  """Head outputs at the words of other walks, summed."""
  batch = forward.sample(plan, task, index)
  counted = (batch.nodes >= 0) & valid[:, None]
  outputs = heads.output_sums(plan.decoder, params, batch.tokens, counted)
  return {"outputs": outputs, "count": jnp.sum(counted)}, ()


def step(plan, observed, params, fixed, index, valid):
  """Accuracies of every walk and class sums, by condition.

  Args:
    plan: of walks with one context and one window.
    observed: hidden states whose class sums are kept.
    params: of the model.
    fixed: a `forward.Task` and a `sweep.Tree`.
    index, valid: of the walks, see `forward.observe`.

  Returns:
    Sums "hidden" [K, C, G, n, D] and "count" [G, n]; per walk "full" and "mass"
    [B, C, T] of `readout.Scores`.
  """
  task, tree = fixed
  batch = forward.sample(plan, task, index)
  finish, observe, count = readers(plan, params, task, batch, index, valid)
  scores, hidden = sweep.read(
    plan.decoder, params, batch.tokens, tree, finish, observe, observed
  )
  sums = {"hidden": jnp.stack(hidden), "count": count}
  return sums, jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, 1), scores)


def readers(plan, params, task, batch, index, valid):
  """What is read of final and of other hidden states, and class counts."""
  groups = class_sums.one_hot_groups(plan.sums, index, valid)
  unembedding = decoder.unembedding(params, plan.decoder)
  members = class_sums.one_hot_nodes(plan.sums, batch.nodes, unembedding.dtype)
  words = slice(plan.layout.offset, None)

  def finish(final):
    log_probs = readout.node_log_probs(
      final[:, words],
      unembedding,
      np.asarray(plan.layout.node_token_ids, np.int32),
      softcap=plan.decoder.logit_softcap,
      backend=plan.decoder.backend,
    )
    scores = readout.score(
      log_probs, batch.nodes[:, words], batch.scored[:, words], task.edges
    )
    return {"full": scores.accuracy_full, "mass": scores.node_mass}

  def observe(hidden):
    # One context and one window: a single segment.
    return class_sums.segment_sums(plan.sums, hidden, members, groups)[0]

  count = class_sums.segment_counts(plan.sums, members, groups)[0]
  return finish, observe, count


def _measured(conditions, scored, sums, found, graph, config, settings):
  """Curves per walk, and the geometry of every condition's class means."""
  full = np.asarray(found["full"], np.float64)
  curve = "walk", "condition", "word"
  return xr.Dataset(
    {
      "score": (("sequence", "pattern", "layer", "head"), scored),
      "accuracy_full": (curve, full),
      "accuracy_restricted": (curve, accuracy.restricted(full, found["mass"])),
      **_geometry(sums, graph, config, settings),
    },
    {
      "pattern": [kinds.PREVIOUS, kinds.INDUCTION],
      "kind": ("condition", [one.kind for one in conditions]),
      "size": ("condition", [one.size for one in conditions]),
      "ablation": ("condition", [one.ablation for one in conditions]),
      "draw": ("condition", [one.seed for one in conditions]),
      "heads": (
        "condition",
        [" ".join(f"{a}.{b}" for a, b in one.heads) for one in conditions],
      ),
      "word": np.arange(1, full.shape[-1] + 1),
      "stat": list(measurements.STATS),
    },
  )


def _geometry(sums, graph, config, settings):
  """`GEOMETRY` (hidden_state, condition, stat) of pooled class means."""
  hidden = np.asarray(sums["hidden"], np.float64)
  states, conditions = hidden.shape[:2]
  # Every condition is measured as if it were a layer of its own.
  grams = gram_lib.from_sums(hidden.reshape(-1, *hidden.shape[2:]))
  raw = xr.Dataset(
    {
      "gram": (
        ("layer", "window", "context", "group", "node", "group_", "node_"),
        grams[:, None, None],
      ),
      "count": (
        ("window", "context", "group", "node"),
        np.asarray(sums["count"])[None, None],
      ),
      "adjacency": (("node", "node_"), np.asarray(graph.adjacency)),
    },
    {"layer": np.arange(len(grams)), "window": [0], "context": [0]},
    {"hidden_size": config.hidden_size},
  )
  derived = measurements.derive(
    raw,
    resamples=settings.resamples,
    permutations=settings.resamples,
    seed=settings.seed,
  )
  return {
    name: (
      ("hidden_state", "condition", "stat"),
      derived[name].values.reshape(states, conditions, -1),
    )
    for name in tables.GEOMETRY
  }


RECIPE = recipe.Recipe(
  name="heads",
  title="Attention heads: scores and ablation",
  question=(
    "Which heads copy what followed a word before, which look at the previous"
    " word, and what is lost without them: predictions, geometry or both?"
  ),
  source="A. Arditi, ICLR Blogposts 2026; mean ablation is ours",
  run=run,
)
