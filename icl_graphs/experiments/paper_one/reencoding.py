"""Re-encoding the current word as another node, along the top components.

The causal experiment of arXiv 2501.00070, by its released code, with each of
its parts alone and with controls the paper does not have.
"""

import dataclasses
import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from icl_graphs import errors
from icl_graphs.analysis import distances, targets, walk_bootstrap
from icl_graphs.experiments import graph_subject, recipe
from icl_graphs.experiments.paper_one import reencoding_conditions as kinds
from icl_graphs.experiments.paper_one import reencoding_verdicts as verdicts
from icl_graphs.models import decoder
from icl_graphs.probes import edits, last_token, readout, reencoding
from icl_graphs.report.paper_one import reencoding as figures
from icl_graphs.tasks import graphs, prompts, walks

SPEC = "grid:4x4"
WALKS, WINDOW = 1000, 1000  # of the released code
OTHER_SEED = 51
METRICS = ("hit_1", "hit_3", "mass", "new_hit_1", "new_hit_3", "new_mass")


def run(
  subject: graph_subject.GraphSubject, folder: pathlib.Path
) -> recipe.Outcome:
  """Re-encodes the last word of many walks, under every condition.

  Raises:
    InputError: the context is too short for class means of a single walk.
  """
  plan, graph = subject.plan(SPEC)
  window = min(WINDOW, plan.words // 2)
  if window < 2 * graph.n:
    raise errors.InputError(
      f"{plan.words} words of context leave {window} for the class means of "
      f"{graph.n} nodes; raise --context to {4 * graph.n} or more"
    )
  conditions = kinds.make(plan.decoder, graph.n)
  rows = _rows(subject, graph, plan.words)
  _, found = subject.evaluate(
    "re-encoding",
    functools.partial(_step, plan.decoder, plan.layout, window),
    rows,
    kinds.as_arrays(conditions, plan.decoder, graph.n),
    words=plan.words,
  )
  kept = np.flatnonzero(found["present"])
  if len(kept) < verdicts.FEWEST:
    raise errors.InputError(
      f"only {len(kept)} of {len(found['present'])} walks have every node among"
      f" their last {window} words; raise --walks or --context"
    )
  measured = _measured(
    *(conditions, plan.decoder, graph, rows, found, kept, subject.settings)
  )
  measured.attrs |= {
    "window": window,
    "skipped": len(rows["nodes"]) - len(kept),
  }
  return verdicts.outcome(measured, figures.write(measured, folder))


def _rows(
  subject: graph_subject.GraphSubject, graph: graphs.Graph, words: int
) -> dict[str, np.ndarray]:
  """Walks, the node each ends at, the target and a stand-in for its mean."""
  count = min(WALKS, 4 * subject.settings.walks)
  nodes = walks.sample_walks(
    walks.transition_table(graph),
    subject.settings.seed,
    np.arange(count),
    length=words,
  )
  nodes = np.asarray(nodes)
  rng = np.random.default_rng([subject.settings.seed, OTHER_SEED])
  steps = rng.integers(1, graph.n, (2, count))
  target = (nodes[:, -1] + steps[0]) % graph.n
  return {
    "nodes": nodes,
    "target": target.astype(np.int32),
    "other": ((target + steps[1]) % graph.n).astype(np.int32),
    "index": np.arange(count, dtype=np.int32),
  }


def _step(config, layout, window, params, fixed, rows, valid):
  """Node log-probabilities after every condition's change; see `_rows`."""
  del valid  # Nothing is added up over walks.
  n = len(layout.words)
  batch, conditions = len(rows["target"]), len(fixed.drawn)
  prompt = prompts.assemble(layout, rows["nodes"])
  clean = last_token.read(
    config,
    params,
    prompt.tokens,
    lambda hidden: reencoding.last_means(hidden, prompt.nodes, window, n),
  )
  unembedding = decoder.unembedding(params, config)
  tokens = jnp.asarray(layout.node_token_ids, jnp.int32)
  shape = (kinds.SEEDS, *clean.last.shape[::2])
  keys = jax.vmap(jax.random.fold_in, (None, 0))(
    jax.random.key(OTHER_SEED), rows["index"]
  )
  gaussian = jax.vmap(functools.partial(jax.random.normal, shape=shape))(keys)
  made, ratio = reencoding.vectors(
    fixed,
    clean.seen,
    clean.last,
    rows["target"],
    rows["other"],
    jnp.take(unembedding, tokens[rows["target"]], axis=0),
    jnp.moveaxis(gaussian, 0, 2),
  )
  added = made.reshape(made.shape[0], batch * conditions, -1)
  final = last_token.reread(
    config, params, clean, edits.Edits(add=added), conditions
  )
  log_probs = readout.node_log_probs(
    final,
    unembedding,
    tokens,
    softcap=config.logit_softcap,
    backend=config.backend,
  )
  return (), {
    "log_probs": log_probs,
    "length": jnp.moveaxis(jnp.linalg.norm(made, axis=-1), 0, 1),
    "last_length": jnp.linalg.norm(clean.last.astype(jnp.float32), axis=-1).T,
    "ratio": jnp.moveaxis(ratio, 0, 1),
    "present": reencoding.present(prompt.nodes, window, n),
  }  # fmt: skip


def _measured(
  conditions, config, graph, rows, found, kept, settings
) -> xr.Dataset:
  """Every metric per walk; random directions of a condition averaged."""
  linked = np.asarray(graph.adjacency) > 0
  current, target = rows["nodes"][kept, -1], rows["target"][kept]
  aimed = linked[target]
  new = aimed & ~linked[current]
  log_probs = found["log_probs"][kept]
  per_walk = np.stack(
    [
      measure(log_probs, wanted[:, None])
      for wanted in (aimed, new)
      for measure in (
        lambda p, w: targets.hit(p, w, 1),
        lambda p, w: targets.hit(p, w, 3),
        targets.mass,
      )
    ],
    axis=-1,
  )
  plain = [_plain(one) for one in conditions]
  unique = list(dict.fromkeys(plain))
  by_condition = np.stack(
    [
      per_walk[:, [k for k, one in enumerate(plain) if one == wanted]].mean(1)
      for wanted in unique
    ],
    axis=1,
  )
  lengths = np.stack(
    [found["length"][kept][:, :, plain.index(one)] for one in unique], axis=1
  )

  def mean(values):
    return np.stack(
      walk_bootstrap.mean(values, seed=settings.seed, bounds=(0.0, 1.0))
    )

  distance = distances.hops(graph.adjacency)[current, target].astype(int)
  strata = {f"distance {d}": distance == d for d in np.unique(distance)} | {
    "even distance": distance % 2 == 0,
    "odd distance": distance % 2 == 1,
  }
  chance = {"hit_1": aimed, "new_hit_1": new}
  return xr.Dataset(
    {
      "per_walk": (("walk", "condition", "metric"), by_condition),
      "mean": (("stat", "condition", "metric"), mean(by_condition)),
      "by_stratum": (
        ("stat", "stratum", "condition", "metric"),
        np.stack([mean(by_condition[of]) for of in strata.values()], axis=1),
      ),
      "length": (("condition", "layer"), lengths.mean(0)),
      "last_length": ("layer", found["last_length"][kept].mean(0)),
      "explained_ratio": (("layer", "pc"), found["ratio"][kept].mean(0)),
      "current": ("walk", current),
      "target": ("walk", target),
      "distance": ("walk", distance),
    },
    {
      "stat": ["value", "low", "high"],
      "metric": list(METRICS),
      "stratum": list(strata),
      "walks": ("stratum", [int(of.sum()) for of in strata.values()]),
      "kind": ("condition", [one.kind for one in unique]),
      "components": ("condition", [one.last for one in unique]),
      "layers": (
        "condition",
        [" ".join(map(str, one.layers)) for one in unique],
      ),
      "layer": np.arange(found["length"].shape[1]),
    },
    {
      "graph": graph.spec,
      "seed": settings.seed,
      "late": " ".join(map(str, kinds.late(config))),
      **{
        f"chance_{name}": float(one[one.any(axis=1)].mean())
        for name, one in chance.items()
      },
    },
  )


def _plain(one: kinds.Condition) -> kinds.Condition:
  """A condition without the number of its random direction."""
  return dataclasses.replace(one, drawn=min(one.drawn, 1))


RECIPE = recipe.Recipe(
  name="reencoding",
  title="Re-encoding a word along the top components",
  question=(
    "Does moving the current word's representation to another node's, along "
    "the first principal components, make the model continue from there?"
  ),
  source="Causal interventions of arXiv 2501.00070, by its released code",
  run=run,
)
