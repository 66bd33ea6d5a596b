"""Judgments and trees of coin flips from shared trunks, beside separate passes.

Contexts read alone are padded to a few lengths, as a compiled program wants
them; a sample of them is measured and scaled to all.
"""

import dataclasses
import functools
import pathlib
import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from icl_graphs.engine import prefix_plan, shared_prefix
from icl_graphs.experiments.speed import timing
from icl_graphs.models import attention, checkpoint, decoder, families
from icl_graphs.models import config as config_lib
from icl_graphs.probes import masses
from icl_graphs.tasks import coins
from icl_graphs.training import coin_tokenizer
from icl_graphs.training import coins as trained

# Largest difference between log-probabilities of the same contexts.
_TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Settings:
  """What the benchmark of coin flips does."""

  checkpoint: str | None = timing.option(
    None,
    "Folder of a model that knows the coin tokenizer, instead of a random one.",
  )
  stimuli: int = timing.option(
    27, "Concepts that are judged after 1 to 100 flips."
  )
  concepts: int = timing.option(
    16, "Concepts with trees of depth 6 after 1 to 40 flips."
  )
  groups: int = timing.option(
    1, "Concepts in a batch that shares what contexts begin with."
  )
  passes: int = timing.option(
    prefix_plan.PASSES, "Most passes over what leaves the trunks."
  )
  lengths: int = timing.option(
    4, "Lengths to which contexts that are read alone are padded."
  )
  batch: int = timing.option(16, "Contexts in a batch that are read alone.")
  sample: int = timing.option(
    192, "Contexts that are read alone, evenly spaced among all, then scaled."
  )
  repeats: int = timing.option(5, "Interleaved repeats.")
  seed: int = 0


def measure(
  settings: Settings, baseline: types.ModuleType | None = None
) -> timing.Result:
  """Times both ways of reading both tasks, and compares what they read.

  Args:
    settings: how much of what.
    baseline: unused; no rival needs torch.

  Raises:
    InputError: a bad checkpoint.
    AssertionError: the two ways read different probabilities.
  """
  del baseline
  config, params = _model(settings)
  backend = attention.suited(config, "float32", jax.local_devices()[0])
  config = dataclasses.replace(config, backend=backend)
  tasks = {
    "judgments": _judgments(settings.stimuli),
    "trees": _trees(settings.concepts),
  }
  rows, content, notes = [], {}, []
  for name, groups in tasks.items():
    found, described = _compare(name, groups, config, params, settings)
    rows += found
    content[name] = described
    notes.append(
      f"{name}: {described['contexts']:,} contexts; read alone they take"
      f" {described['time_ratio']:.1f} times as long as from shared trunks"
      f" ({described['token_ratio']:.1f} times the tokens); log-probabilities"
      f" differ by at most {described['log_prob_difference']:.1e}"
    )
  return timing.Result(rows, content, notes)


def _model(settings) -> tuple[config_lib.DecoderConfig, Any]:
  if settings.checkpoint is not None:
    folder = pathlib.Path(settings.checkpoint)
    config = families.read_config(folder)
    return config, checkpoint.load(folder, config, dtype="float32")
  config = families.translate(trained.describe().hf_config())
  params = decoder.init(config, settings.seed)
  # Logits about as uneven as those of a trained model.
  return config, jax.tree.map(
    lambda leaf: leaf * 5 if leaf.ndim > 1 else leaf, params
  )


def _encoded(prompts: list[str]) -> list[list[int]]:
  return [one.ids for one in coin_tokenizer.build().encode_batch(prompts)]


def _judgments(count: int) -> list[list[list[int]]]:
  """Token ids of the prompts of each concept."""
  lengths = range(1, coins.LONGEST_JUDGED + 1)
  return [
    _encoded([coins.judgment(coins.repeated(one, n)).text for n in lengths])
    for one in coins.JUDGMENT_CONCEPTS[:count]
  ]


def _trees(count: int) -> list[list[list[int]]]:
  return [
    _encoded(
      [coins.tree(flips).text for flips in coins.tree_contexts(one).flips]
    )
    for one in coins.TREE_CONCEPTS[:count]
  ]


def _compare(name, groups, config, params, settings):
  """Rows of both ways, and what JSON says of them."""
  known = coin_tokenizer.ids()
  words = (" random", " non") if name == "judgments" else (" Heads", " Tails")
  sets = tuple((known[word],) for word in words)
  planned = prefix_plan.plan(groups, settings.passes)
  shared_prefix.check(config, planned)
  place = np.concatenate(
    [[(g, q) for q in range(len(one))] for g, one in enumerate(groups)]
  )
  chosen = np.unique(
    np.linspace(0, len(place) - 1, settings.sample).astype(int)
  )
  alone = [groups[g][q] for g, q in place[chosen]]
  shared = _shared(planned, config, params, sets, settings.groups)
  separate = _separate(alone, config, params, sets, settings)
  total = sum(map(len, groups))
  rows = timing.interleave(
    [
      timing.Rival(f"{name}, shared trunks", shared, total, unit="contexts"),
      timing.Rival(
        f"{name}, read alone",
        separate,
        total,
        scale=total / len(chosen),
        unit="contexts",
      ),
    ],
    settings.repeats,
  )
  found = np.concatenate([np.asarray(one) for one in shared()])[: len(groups)]
  ours = planned.pick(found)
  ours = np.stack([ours[g][q] for g, q in place[chosen]])
  theirs = np.concatenate([np.asarray(one) for one in separate()])
  order = np.argsort([len(one) for one in alone], kind="stable")
  difference = float(np.abs(ours[order] - theirs).max())
  if difference > _TOLERANCE:
    raise AssertionError(
      f"{name}: log-probabilities from shared trunks differ by {difference:.1e}"
    )
  return rows, {
    "contexts": total,
    "lengths_read_alone": settings.lengths,
    "distinct_tokens": planned.tokens,
    "separate_tokens": planned.separate,
    "token_ratio": planned.separate / planned.tokens,
    "time_ratio": rows[1].median / rows[0].median,
    "log_prob_difference": difference,
  }


def _shared(planned, config, params, sets, batch):
  """A function that reads all groups, `batch` at once."""
  step = jax.jit(
    functools.partial(
      shared_prefix.log_masses,
      config=config,
      passes=planned.passes,
      sets=sets,
    )
  )
  number = len(planned.rows.trunk)
  parts = [
    jax.tree.map(lambda leaf, at=at: jnp.asarray(leaf[at]), planned.rows)
    for at in (
      np.arange(first, first + batch).clip(max=number - 1)
      for first in range(0, number, batch)
    )
  ]
  valid = jnp.ones((batch,), bool)
  return lambda: [step(params, (), part, valid)[1] for part in parts]


@functools.partial(jax.jit, static_argnames=("config", "sets"))
def _read(params, tokens, last, config, sets):
  final, _ = decoder.Decoder(config).apply({"params": params}, tokens)
  here = jnp.take_along_axis(final, last[:, None, None], axis=1)
  return masses.log_masses(
    here,
    decoder.unembedding(params, config),
    sets,
    softcap=config.logit_softcap,
    backend=config.backend,
  )[:, 0]


def _separate(contexts, config, params, sets, settings):
  """A function that reads contexts alone, shortest first."""
  ordered = sorted(contexts, key=len)
  widths = np.linspace(len(ordered[0]), len(ordered[-1]), settings.lengths + 1)
  widths = np.ceil(widths[1:]).astype(int)
  fits = np.searchsorted(widths, [len(one) for one in ordered])
  parts = []
  for place, width in enumerate(widths):
    alike = [
      one for one, fit in zip(ordered, fits, strict=True) if fit == place
    ]
    for first in range(0, len(alike), settings.batch):
      some = alike[first : first + settings.batch]
      # The last batch of a length is filled up: one program per length.
      tokens = np.zeros((settings.batch, width), np.int32)
      for row, context in zip(tokens, some, strict=False):
        row[: len(context)] = context
      last = np.zeros(settings.batch, np.int32)
      last[: len(some)] = [len(context) - 1 for context in some]
      parts.append((jnp.asarray(tokens), jnp.asarray(last), len(some)))

  def read():
    return [
      _read(params, tokens, last, config=config, sets=sets)[:number]
      for tokens, last, number in parts
    ]

  return read
