"""The golden check: a run of Llama-3.1-8B beside its published numbers.

The walks are the published ones, so that the comparison is paired. Any model
that reads 1,400 words can be run through; only the published one can pass.
"""

import dataclasses
import functools
import pathlib
import random

import jax
import jax.numpy as jnp
import numpy as np

from icl_graphs import atomic, errors
from icl_graphs.analysis import published
from icl_graphs.engine import progress
from icl_graphs.experiments import golden_table as table
from icl_graphs.experiments import graph_subject
from icl_graphs.models import config as config_lib
from icl_graphs.models import decoder
from icl_graphs.probes import edits, heads, readout
from icl_graphs.report import run_folder
from icl_graphs.tasks import prompts, published_walks

LAYER = 26
JSON, MARKDOWN = "golden.json", "golden.md"
_SCORES = "induction", "previous-token"
# Shapes of Llama-3.1-8B; an instruct model shares them and fails by its rows.
_SHAPE = {
  "vocab_size": 128256,
  "hidden_size": 4096,
  "num_layers": 32,
  "num_heads": 32,
  "num_kv_heads": 8,
  "mlp_size": 14336,
}


def run(
  subject: graph_subject.GraphSubject, folder: pathlib.Path
) -> list[table.Row]:
  """Runs everything, and writes `golden.json` and `golden.md`.

  Args:
    subject: the model.
    folder: for both files.

  Returns:
    One row per published number.

  Raises:
    InputError: the model cannot read 1,400 of the published words, or NumPy
      draws other walks.
  """
  nodes, walk = published_walks.accuracy_set(), published_walks.single()
  plan, graph = _plan(subject)
  difference = other_model(subject.decoder)
  if difference:
    progress.say(
      f"this is not Llama-3.1-8B ({difference}): its rows are not expected to"
      " pass"
    )
  adjacency = np.asarray(graph.adjacency, np.float64)
  tokens = np.asarray(prompts.assemble(plan.layout, nodes).tokens)
  sets, missing = _ablated(subject.decoder)
  accuracies = _accuracies(subject, plan, tokens, nodes, adjacency > 0, sets)
  values = published.accuracy(accuracies[""], nodes)
  for name, full in accuracies.items():
    values[name] = published.final_accuracy(full)
  chosen = [name for name in values if name.startswith("random ")]
  if chosen:
    values["without random 32"] = float(np.mean([values[x] for x in chosen]))
  found, absent = _representations(subject, plan, walk, adjacency, sets)
  values |= found
  missing |= absent
  found, absent = _scores(subject)
  values |= found
  missing |= absent
  half = subject.model.dtype != "float32"
  rows = table.judge(values, missing, half)
  _write(rows, folder, subject, difference)
  return rows


def other_model(config: config_lib.DecoderConfig) -> str:
  """How the architecture differs from Llama-3.1-8B's; empty if it does not."""
  wrong = [
    f"{name} {getattr(config, name)} instead of {size}"
    for name, size in _SHAPE.items()
    if getattr(config, name) != size
  ]
  rope = config.rope
  if not wrong and (
    rope is None
    or (rope.kind, rope.theta, rope.factor) != ("llama3", 500000, 8)
  ):
    wrong = [f"rotary embedding {rope}"]
  return ", ".join(wrong)


def _plan(subject):
  spec, length = published_walks.SPEC, published_walks.LENGTH
  try:
    return subject.plan(
      spec,
      context=length,
      contexts=(length,),
      windows=(published.LAST,),
      report_window=published.LAST,
      layers=None,
      report_layer=None,
      words=published_walks.WORDS_LIST,
      word_seed=None,
      mode="walk",
    )
  except errors.InputError as error:
    raise errors.InputError(
      f"the golden check cannot be run on this model: {error}"
    ) from error


def _ablated(config):
  """Sets of heads by key, and why others are not there."""
  sets, missing = {"": ()}, {}
  existing = {
    (layer, head)
    for layer in range(config.num_layers)
    for head in range(config.num_heads)
  }
  for kind, ranked in table.HEADS.items():
    for k in table.SIZES:
      name = f"without {kind} {k}"
      absent = sorted(set(ranked[:k]) - existing)
      if absent:
        reason = "the model has no head {}.{}".format(*absent[0])
        missing[name] = reason
        if k == max(table.SIZES):
          missing |= {f"cosine {one} without {kind}": reason for one in (1, 2)}
      else:
        sets[name] = ranked[:k]
  eligible = sorted(existing - {x for one in table.HEADS.values() for x in one})
  size = max(table.SIZES)
  if len(eligible) < size:
    missing["without random 32"] = (
      f"the model has {len(eligible)} other heads, fewer than {size}"
    )
  else:
    for seed in table.RANDOM_SEEDS:
      sets[f"random {seed}"] = tuple(random.Random(seed).sample(eligible, size))
  return sets, missing


def _scales(config, sets):
  return np.stack([edits.without(config, one) for one in sets])


def _accuracies(subject, plan, tokens, nodes, edges, sets):
  """acc_full [16, T] of every set of ablated heads."""
  walks = len(tokens)
  row = np.arange(len(sets) * walks, dtype=np.int32)
  _, full = subject.evaluate(
    "golden accuracy",
    functools.partial(_accuracy_step, subject.decoder, plan.layout),
    {"set": row // walks, "walk": row % walks},
    {
      "tokens": tokens,
      "nodes": nodes.astype(np.int32),
      "edges": edges,
      "scale": _scales(subject.decoder, sets.values()),
    },
    words=nodes.shape[1],
  )
  return dict(zip(sets, full.reshape(len(sets), walks, -1), strict=True))


def _accuracy_step(config, layout, params, fixed, rows, valid):
  del valid
  tokens = jnp.take(fixed["tokens"], rows["walk"], axis=0)
  nodes = jnp.take(fixed["nodes"], rows["walk"], axis=0)
  final, _ = edits.read(config, params, tokens, _edit(fixed, rows))
  log_probs = readout.node_log_probs(
    final[:, layout.offset :],
    decoder.unembedding(params, config),
    np.asarray(layout.node_token_ids, np.int32),
    softcap=config.logit_softcap,
    backend=config.backend,
  )
  every = jnp.ones(nodes.shape, bool)
  scores = readout.score(log_probs, nodes, every, fixed["edges"])
  return (), scores.accuracy_full


def _edit(fixed, rows):
  scale = jnp.take(fixed["scale"], rows["set"], axis=0)
  return edits.Edits(head_scale=jnp.moveaxis(scale, 0, 1))


def _representations(subject, plan, walk, adjacency, sets):
  """Values of the single walk's hidden state, and why others are missing."""
  names = [one.key for one in table.PUBLISHED]
  if subject.decoder.num_layers < LAYER:
    reason = f"the model has no hidden state {LAYER}"
    return {}, {
      name: reason
      for name in names
      if not name.startswith(("t ", "v ", "without ", *_SCORES))
    }
  largest = {
    kind: sets[name]
    for kind in table.HEADS
    if (name := f"without {kind} {max(table.SIZES)}") in sets
  }
  chosen = {"": ()} | largest
  tokens = prompts.assemble(plan.layout, walk[None]).tokens
  _, states = subject.evaluate(
    "golden representations",
    functools.partial(_state_step, subject.decoder),
    {"set": np.arange(len(chosen), dtype=np.int32)},
    {
      "tokens": np.asarray(tokens),
      "scale": _scales(subject.decoder, chosen.values()),
    },
    words=len(walk),
  )
  nodes = walk[-published.LAST :].astype(int)
  values = published.representation(states[0], nodes, adjacency)
  for kind, rows in zip(largest, states[1:], strict=True):
    found = published.cosines(rows, nodes, adjacency)
    for k, one in enumerate(found, 1):
      values[f"cosine {k} without {kind}"] = one
  return values, {}


def _state_step(config, params, fixed, rows, valid):
  del valid
  size = len(rows["set"]), fixed["tokens"].shape[1]
  _, (states,) = edits.read(
    config,
    params,
    jnp.broadcast_to(fixed["tokens"], size),
    _edit(fixed, rows),
    lambda hidden: hidden[:, -published.LAST :].astype(jnp.float32),
    (LAYER,),
  )
  return (), states


def _scores(subject):
  """Scores of the published heads, and why others are missing."""
  config = subject.decoder
  tokens = heads.repeated_tokens(config.vocab_size)
  patterns = heads.induction(tokens.shape[1] // 2), heads.previous_token()
  _, scores = subject.evaluate(
    "golden head scores",
    functools.partial(_score_step, config, patterns),
    {"tokens": tokens},
    words=tokens.shape[1],
  )
  values, missing = {}, {}
  for kind, score in zip(_SCORES, scores.mean(axis=0), strict=True):
    top = table.HEADS[kind][:6]
    for one, value in zip(top, published.head_scores(score, top), strict=True):
      name = "{} {}.{}".format(kind, *one)
      if np.isfinite(value):
        values[name] = value
      else:
        missing[name] = "the model has no head {}.{}".format(*one)
  return values, missing


def _score_step(config, patterns, params, fixed, rows, valid):
  del fixed, valid
  return (), heads.scores(config, params, rows["tokens"], patterns)


def _write(rows, folder, subject, difference):
  heading = f"# Golden check of {subject.settings.model}"
  heading += f"\n\n{table.count(rows)}; weights in {subject.model.dtype}."
  if difference:
    heading += f" Not Llama-3.1-8B: {difference}."
  text = table.markdown(rows, heading)
  folder.mkdir(parents=True, exist_ok=True)
  atomic.write_text(folder / MARKDOWN, text)
  run_folder.write_json(
    folder / JSON,
    {
      "model": subject.settings.model,
      "dtype": subject.model.dtype,
      "devices": [str(one.device_kind) for one in jax.local_devices()],
      "other_model": difference,
      "walks": {
        "accuracy_set": published_walks.ACCURACY_SET_DIGEST,
        "single": published_walks.SINGLE_DIGEST,
      },
      "rows": [dataclasses.asdict(row) for row in rows],
    },
  )
