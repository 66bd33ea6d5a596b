"""A sweep over ablated heads: all at once beside one configuration at a time.

Configurations are the k highest induction and previous-token heads and as many
random ones, each by zero and by mean ablation, and the clean run; readouts are
those of the recipe `heads`: accuracies over context and class sums. Rows:

  sweep                     what configurations share is computed once
  rows                      configurations x walks in batches, nothing shared
  one at a time             one configuration and one walk per call of a
                            compiled program, to which masks are data
  transformers, one at a time   hooks on its output projections and layers
"""

import contextlib
import dataclasses
import functools
import pathlib
import random
import tempfile
import types

import jax
import jax.numpy as jnp
import numpy as np

from icl_graphs import errors
from icl_graphs.engine import forward, parallel, rows
from icl_graphs.experiments import graph_subject, tracing_settings
from icl_graphs.experiments.paper_one import heads as recipe
from icl_graphs.experiments.paper_one import heads_conditions as kinds
from icl_graphs.experiments.speed import timing
from icl_graphs.probes import edits, heads

# Greatest difference of accuracies between two rivals.
_TOLERANCE = 1e-3
# Rows that share nothing, in a batch of one device.
_ROWS = 16


@dataclasses.dataclass(frozen=True)
class Settings:
  """What is swept; see the help of the flags."""

  model: str = timing.option(
    "bundled:walks", "Model whose heads are ablated: name or folder."
  )
  sizes: str | None = timing.option(
    None,
    "Numbers of heads; default 1,2,4,8,16,32, or 1,2,3,4,6,8 where that is"
    " more than half of them.",
  )
  draws: int = timing.option(4, "Random sets of each size.")
  walks: int = timing.option(16, "Walks in every configuration.")
  context: int | None = timing.option(
    None, "Words of a walk; default 1,400 or what the model holds."
  )
  walks_alone: int = timing.option(
    1, "Walks that go one by one through every configuration, then scaled."
  )
  repeats: int = timing.option(5, "Interleaved repeats.")
  seed: int = 0


def measure(
  settings: Settings, baseline: types.ModuleType | None
) -> timing.Result:
  """Times all rivals in turns and compares what they read.

  Args:
    settings: of the sweep.
    baseline: `Model` in torch; or None.

  Raises:
    InputError: sizes that are no numbers of heads, or a model that cannot be
      asked.
    AssertionError: rivals differ.
  """
  # Too late where devices are in use already: then with those there are.
  with contextlib.suppress(RuntimeError):
    parallel.one_device_per_core()
  with contextlib.ExitStack() as stack:
    out = stack.enter_context(tempfile.TemporaryDirectory())
    subject = graph_subject.GraphSubject(
      tracing_settings.Settings(
        model=settings.model,
        context=settings.context,
        walks=settings.walks,
        groups=min(8, settings.walks),
        seed=settings.seed,
      ),
      pathlib.Path(out),
    )
    job = _Job(settings, subject)
    other = None
    if baseline is not None:
      other = baseline.Model(subject.model.folder, *job.for_torch())
    return _measure(settings, job, other)


def _measure(settings, job, other) -> timing.Result:
  units, scale = job.units, settings.walks / job.alone
  rivals = [
    timing.Rival("sweep", job.sweep, units),
    timing.Rival("rows", job.rows, units),
    timing.Rival("one at a time", job.one_by_one, units, scale),
  ]
  if other is not None:
    print(f"transformers: {other.choose()}")
    rivals.append(
      timing.Rival(
        "transformers, one at a time",
        lambda: other.run(range(job.alone)),
        units,
        scale,
      )
    )
  measured = timing.interleave(rivals, settings.repeats)
  difference = job.difference(None if other is None else other.found)
  if difference > _TOLERANCE:
    raise AssertionError(f"accuracies of two rivals differ by {difference:.1e}")
  first, *others = measured
  ratios = {
    row.name: first.rate["median"] / row.rate["median"] for row in others
  }
  names = {
    "rows": "ratio_vs_rows",
    "one at a time": "ratio_vs_one_at_a_time",
    "transformers, one at a time": "ratio_vs_transformers",
  }
  return timing.Result(
    measured,
    {names[name]: ratio for name, ratio in ratios.items()}
    | {
      "configurations": len(job.conditions),
      "share_of_layers": job.tree.work,
      "devices": len(job.subject.model.spread.devices),
      "max_difference": difference,
      "transformers": None if other is None else other.choice,
    },
    [
      *(
        f"{ratio:.2f} times the tokens/s of {name}"
        for name, ratio in ratios.items()
      ),
      f"accuracies differ by at most {difference:.1e}",
    ],
  )


class _Job:
  """The sweep, and three ways to run it.

  Attributes:
    subject: the model.
    conditions: C configurations.
    tree: of them.
    alone: walks of rivals that go one by one.
    units: tokens of all configurations and walks.
  """

  def __init__(self, settings: Settings, subject: graph_subject.GraphSubject):
    self.subject, self.settings = subject, settings
    config = subject.decoder
    words, window = subject.context, subject.report_window
    self.plan, graph = subject.plan(
      recipe.SPEC, contexts=(words,), windows=(window,)
    )
    self._task = forward.task(graph, settings.seed)
    self._walks = np.arange(settings.walks, dtype=np.int32)
    self._observed = (subject.report_layer,)
    self.alone = min(settings.walks, settings.walks_alone)
    device = subject.model.spread.devices[0]
    self._params = jax.device_put(subject.params, device)
    self.conditions = _conditions(settings, config, self._ranked())
    self.tree = kinds.as_tree(self.conditions, config, self._means())
    length = words + self.plan.layout.offset
    self.units = len(self.conditions) * settings.walks * length
    self._scale = np.stack(
      [edits.without(config, one.heads) for one in self.conditions]
    )
    self._fill = np.array(
      [int(one.ablation == kinds.MEAN) for one in self.conditions], np.int32
    )
    step = functools.partial(_step, self.plan, self._observed)
    self._one = jax.jit(step)
    fixed = self._task, self.tree.fills
    self._fixed = jax.device_put(fixed, device)
    self._found: dict[str, np.ndarray] = {}
    print(
      f"{len(self.conditions)} configurations of {config.num_layers} x"
      f" {config.num_heads} heads, {settings.walks} walks of {length:,} tokens;"
      f" {self.tree.work:.0%} of all layers are different ones"
    )

  def _ranked(self):
    """Induction and previous-token heads by falling score."""
    tokens = heads.repeated_tokens(self.subject.decoder.vocab_size)
    patterns = heads.induction(tokens.shape[1] // 2), heads.previous_token()
    scored = jax.jit(
      lambda params: heads.scores(
        self.subject.decoder, params, tokens, patterns
      )
    )(self._params)
    return [heads.ranked(one) for one in np.asarray(scored).mean(axis=0)]

  def _means(self):
    """Mean head outputs over the words of these walks."""
    valid = np.ones(len(self._walks), bool)
    sums, _ = jax.jit(functools.partial(recipe.mean_step, self.plan))(
      self._params, self._task, self._walks, valid
    )
    return np.asarray(sums["outputs"]) / int(sums["count"])

  def for_torch(self):
    """What its rival is told: sequences, nodes, edges, words, ablations."""
    batch = forward.sample(self.plan, self._task, self._walks)
    return (
      *map(np.asarray, (batch.tokens, batch.nodes)),
      np.asarray(self._task.edges),
      np.asarray(self.plan.layout.node_token_ids),
      self.plan.layout.offset,
      (self._observed[0], self.subject.report_window),
      (self._scale, self.tree.fills[self._fill]),
    )

  def _evaluate(self, step, data, fixed, batch_size):
    return rows.evaluate(
      step,
      self.subject.params,
      data,
      fixed,
      words=self.units // len(jax.tree.leaves(data)[0]),
      spread=self.subject.model.spread,
      label="sweep" if step.func is recipe.step else "rows",
      batch_size=batch_size,
    )

  def sweep(self):
    """By the tree, as the recipe does it."""
    sums, found = self._evaluate(
      functools.partial(recipe.step, self.plan, self._observed),
      self._walks,
      (self._task, self.tree),
      min(recipe.CPU_WALKS, len(self._walks)),
    )
    self._found["sweep"] = found["full"]
    return sums

  def rows(self):
    """Every configuration and walk is a row of a batch."""
    count, walks = len(self.conditions), len(self._walks)
    _, found = self._evaluate(
      functools.partial(_step, self.plan, self._observed),
      {
        "walk": np.tile(self._walks, count),
        "scale": np.repeat(self._scale, walks, axis=0),
        "fill": np.repeat(self._fill, walks),
      },
      (self._task, self.tree.fills),
      _ROWS,
    )
    full = found["full"].reshape(count, walks, -1)
    self._found["rows"] = np.moveaxis(full, 0, 1)

  def one_by_one(self):
    """One configuration and one walk per call, waited for each."""
    found = np.empty((self.alone, len(self.conditions), self.plan.words))
    valid = np.ones(1, bool)
    for walk in range(self.alone):
      for number, (scale, fill) in enumerate(
        zip(self._scale, self._fill, strict=True)
      ):
        row = {
          "walk": self._walks[walk : walk + 1],
          "scale": scale[None],
          "fill": fill[None],
        }
        _, scores = jax.device_get(
          self._one(self._params, self._fixed, row, valid)
        )
        found[walk, number] = scores["full"][0]
    self._found["one at a time"] = found

  def difference(self, theirs: np.ndarray | None) -> float:
    """Greatest one between accuracies of any rival and those of the sweep."""
    found = dict(self._found)
    if theirs is not None:
      found["transformers"] = theirs
    mine = found.pop("sweep")
    return max(
      float(np.nanmax(np.abs(mine[: len(one)] - one))) for one in found.values()
    )


def _step(plan, observed, params, fixed, row, valid):
  """One row per configuration and walk; readouts as `recipe.step`."""
  task, fills = fixed
  batch = forward.sample(plan, task, row["walk"])
  finish, observe, _ = recipe.readers(
    plan, params, task, batch, row["walk"], valid
  )
  made = edits.Edits(
    jnp.swapaxes(row["scale"], 0, 1),
    jnp.swapaxes(jnp.take(fills, row["fill"], axis=0), 0, 1),
  )
  final, hidden = edits.read(
    plan.decoder, params, batch.tokens, made, observe, observed
  )
  return hidden, finish(final)


def _conditions(settings, config, ranked) -> list[kinds.Condition]:
  """Lists and random sets of every size, both ablations, and the clean run."""
  every = [
    (layer, head)
    for layer in range(config.num_layers)
    for head in range(config.num_heads)
  ]
  made = [kinds.Condition(kinds.CLEAN)]
  for size in _sizes(settings.sizes, len(every)):
    sets = [
      (kind, 0, tuple(heads[:size]))
      for kind, heads in zip(kinds.LISTS, ranked, strict=True)
    ] + [
      (kinds.RANDOM, seed, tuple(random.Random(seed).sample(every, size)))
      for seed in range(settings.draws)
    ]
    made += [
      kinds.Condition(kind, size, ablation, seed, heads)
      for kind, seed, heads in sets
      for ablation in (kinds.ZERO, kinds.MEAN)
    ]
  return made


def _sizes(text: str | None, most: int) -> tuple[int, ...]:
  if text is None:
    return (1, 2, 4, 8, 16, 32) if most >= 64 else (1, 2, 3, 4, 6, 8)
  try:
    sizes = tuple(int(one) for one in text.split(","))
  except ValueError:
    sizes = ()
  if not sizes or not 1 <= min(sizes) <= max(sizes) <= most:
    raise errors.InputError(
      f"--sizes={text}; give numbers of heads from 1 to {most}, such as 1,2,4"
    )
  return sizes
