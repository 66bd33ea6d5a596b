"""Graph tracing, the main experiment of arXiv 2501.00070.

A model reads random walks over graphs whose nodes are words. This recipe
prepares everything that can be refused (graphs, words, tokens, lengths) before
any weight is loaded, observes the walks, and derives every measurement, for the
model and for the same architecture with random weights.
"""

import dataclasses
import functools
import hashlib
import json
import pathlib
from typing import Any

import jax
import numpy as np
import xarray as xr

from icl_graphs import errors
from icl_graphs.analysis import measurements
from icl_graphs.engine import forward, observations, parallel, progress, run
from icl_graphs.models import (
  attention,
  checkpoint,
  decoder,
  families,
  hub,
  weight_files,
)
from icl_graphs.models import config as config_lib
from icl_graphs.probes import class_sums
from icl_graphs.report import run_folder
from icl_graphs.tasks import chat, graphs, prompts, walks, words

PAPER_WINDOWS = (50, 200)
PAPER_WORDS_OF_CONTEXT = 1400


@dataclasses.dataclass(frozen=True)
class Settings:
  """Everything that decides the numbers of a run; saved in `run.json`.

  `None` asks for the default stated beside the field.
  """

  model: str = "bundled:walks"
  revision: str | None = None
  chat: bool = False  # raw words, as in the paper
  graphs: tuple[str, ...] = ("grid:4x4", "ring:10", "hex:3x3")
  words: str = "paper30+nouns"
  word_seed: int | None = None  # the list's own order
  mode: str = "walk"
  separator: str | None = "/"
  pair_role: str = "both"
  stay: float = 0.0
  teleport: float = 0.0
  hops: int = 1
  non_backtracking: bool = False
  context: int | None = None  # the paper's 1,400 words, or what the model holds
  contexts: tuple[int, ...] | None = None  # 12, log-spaced
  windows: tuple[int, ...] | None = None  # the paper's 50 and 200
  walks: int = 256
  groups: int = 8
  layers: tuple[int, ...] | None = None  # all
  report_layer: int | None = None  # block at four fifths of the depth
  report_window: int | None = None  # the smallest
  dtype: str = "float32"
  attention: str = "reference"
  seed: int = 0
  batch_size: int = 32
  devices: int | None = None  # all local ones
  count_floor: int = 5
  resamples: int = 200
  random_weights_control: bool = True


@dataclasses.dataclass(frozen=True)
class Prepared:
  """Checked settings: everything but the weights."""

  settings: Settings
  folder: pathlib.Path
  decoder: config_lib.DecoderConfig
  plans: dict[str, forward.Plan]
  graphs: dict[str, graphs.Graph]
  report_layer: int
  report_window: int


def prepare(
  settings: Settings, cache_dir: pathlib.Path | None = None
) -> Prepared:
  """Checks every setting before anything expensive.

  Args:
    settings: of the run.
    cache_dir: where models of the hub live; by default the hub's usual cache.

  Raises:
    InputError: a graph, word, length or model that cannot be used.
  """
  parsed = {spec: graphs.parse(spec) for spec in settings.graphs}
  if not parsed:
    raise errors.InputError("no graph given; try --graphs=grid:4x4")
  law = walks.step_law(
    stay=settings.stay,
    teleport=settings.teleport,
    hops=settings.hops,
    non_backtracking=settings.non_backtracking,
  )
  _check_numbers(settings)
  devices = parallel.local_devices(settings.devices)
  folder = hub.resolve(
    settings.model, revision=settings.revision, cache_dir=cache_dir
  )
  config = dataclasses.replace(
    families.read_config(folder), backend=settings.attention
  )
  attention.check(config, settings.dtype, devices[0])
  tokenizer = hub.load_tokenizer(folder)
  opening = None
  if settings.chat:
    opening = chat.opening(tokenizer, config.vocab_size)
  bos_ids = opening.ids if opening else hub.bos_ids(tokenizer, config)
  length = _context(settings, config, len(bos_ids))
  layers = _layers(settings, config)
  windows = settings.windows
  if windows is None:
    windows = tuple(w for w in PAPER_WINDOWS if w <= length) or (length,)
  contexts = settings.contexts or class_sums.log_spaced_contexts(length, 12)
  plans = {}
  for spec, graph in parsed.items():
    concepts = words.concept_words(
      settings.words, graph.n, seed=settings.word_seed
    )
    layout = prompts.layout(
      tokenizer,
      concepts,
      bos_ids=bos_ids,
      mode=settings.mode,
      separator=settings.separator,
    )
    if opening:
      chat.check(opening, tokenizer, layout)
    sums = class_sums.ClassSums(
      graph.n, settings.groups, contexts, windows, layout.offset
    )
    class_sums.check_context(sums, length)
    plans[spec] = forward.Plan(
      config, layout, sums, layers, length, law, settings.pair_role
    )
  report_layer, report_window = _reported(settings, config, layers, windows)
  return Prepared(
    settings, folder, config, plans, parsed, report_layer, report_window
  )


def _check_numbers(settings: Settings) -> None:
  if settings.walks < settings.groups:
    raise errors.InputError(
      f"{settings.walks} walks cannot fill {settings.groups} groups; raise "
      "--walks or lower --groups"
    )
  if settings.batch_size < 1:
    raise errors.InputError(f"batch size {settings.batch_size} is below 1")
  for name, known in (
    ("pair_role", forward.PAIR_ROLES),
    ("dtype", checkpoint.DTYPES),
  ):
    if (value := getattr(settings, name)) not in known:
      raise errors.InputError(
        f"--{name}={value} is not one of {', '.join(known)}"
      )


def _context(settings, config, offset: int) -> int:
  longest = config.max_positions - offset
  length = settings.context
  if length is None:
    return min(PAPER_WORDS_OF_CONTEXT, longest)
  if not 1 <= length <= longest:
    raise errors.InputError(
      f"context of {length} words is not between 1 and {longest}, the most "
      f"that {settings.model} reads after BOS; change --context"
    )
  return length


def _layers(settings, config) -> tuple[int, ...]:
  every = tuple(range(config.num_layers + 1))
  layers = every if settings.layers is None else settings.layers
  if unknown := sorted(set(layers) - set(every)):
    raise errors.InputError(
      f"hidden states {unknown} do not exist: {settings.model} has 0 "
      f"(embedding) to {config.num_layers}; change --layers"
    )
  return tuple(sorted(set(layers)))


def _reported(settings, config, layers, windows) -> tuple[int, int]:
  layer = settings.report_layer
  if layer is None:
    wanted = round(0.8 * config.num_layers)
    layer = min(layers, key=lambda k: abs(k - wanted))
  if layer not in layers:
    raise errors.InputError(
      f"--report_layer={layer} is not among the layers kept: {list(layers)}"
    )
  window = settings.report_window or windows[0]
  if window not in windows:
    raise errors.InputError(
      f"--report_window={window} is not among the windows: {list(windows)}"
    )
  return layer, window


def fingerprint(prepared: Prepared) -> str:
  """Names everything that decides the numbers, for resuming."""
  weights = sorted(
    (file.name, file.stat().st_size, file.stat().st_mtime_ns)
    for file in prepared.folder.glob("*.safetensors")
  )
  settings = dataclasses.asdict(prepared.settings)
  text = json.dumps([settings, weights], sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()


def observe(
  prepared: Prepared, out: pathlib.Path, save_seconds: float
) -> xr.DataTree:
  """Runs the model over all graphs and derives every measurement.

  Unfinished work is kept in `out` and removed by `forget_state`.

  Returns:
    A tree with one dataset per graph; its child `random_weights`, where that
    control was asked for, holds the same for an untrained model.
  """
  settings = prepared.settings
  devices = parallel.local_devices(settings.devices)
  place = functools.partial(parallel.replicate, devices=devices)
  models = {"": lambda: _load(prepared, parallel.everywhere(devices))}
  if settings.random_weights_control:
    models["random_weights"] = lambda: place(
      decoder.init(prepared.decoder, settings.seed, settings.dtype)
    )
  mark = fingerprint(prepared)
  datasets = {}
  for control, load in models.items():
    params = load()
    for spec, plan in prepared.plans.items():
      name = "/".join(filter(None, (run_folder.group_name(spec), control)))
      state = run.collect(
        plan,
        params,
        forward.task(prepared.graphs[spec], settings.seed),
        walks=settings.walks,
        batch_size=settings.batch_size,
        devices=devices,
        label=f"{spec} {control}".strip(),
        state_file=out / f"unfinished-{name.replace('/', '-')}.npz",
        fingerprint=mark,
        save_seconds=save_seconds,
      )
      raw = observations.to_dataset(plan, prepared.graphs[spec], state)
      raw.attrs |= {
        "model": settings.model,
        "report_layer": prepared.report_layer,
        "report_window": prepared.report_window,
      }
      datasets[name] = measurements.derive(
        raw,
        report_layer=prepared.report_layer,
        count_floor=settings.count_floor,
        resamples=settings.resamples,
        permutations=settings.resamples,
        seed=settings.seed,
      )
    # Before the next model is made: there may not be room for two.
    del params
  return xr.DataTree.from_dict(datasets)


def _load(
  prepared: Prepared, sharding: jax.sharding.Sharding
) -> decoder.Params:
  size = weight_files.total_bytes(prepared.folder)
  with progress.loading("weights", size) as advance:
    return checkpoint.load(
      prepared.folder,
      prepared.decoder,
      prepared.settings.dtype,
      place=lambda path, shape: sharding,
      advance=advance,
    )


def summarise(prepared: Prepared, tree: xr.DataTree) -> dict[str, Any]:
  """Headline numbers per graph, each with interval and nulls."""
  at = prepared.report_layer, prepared.report_window
  summary = {}
  for spec in prepared.graphs:
    node = tree[run_folder.group_name(spec)]
    headline = measurements.headline(node.to_dataset(), *at)
    if "random_weights" in node.children:
      control = node["random_weights"].to_dataset()
      for key, entry in measurements.headline(control, *at).items():
        if isinstance(entry, dict):
          headline[key]["random_weights"] = entry["value"]
    summary[spec] = headline
  return summary


def forget_state(out: pathlib.Path) -> None:
  """Removes unfinished work once the results are safely written."""
  for file in out.glob("unfinished-*"):
    file.unlink()


def example_prompt(prepared: Prepared, spec: str, count: int = 12) -> str:
  """The first words of walk 0, as the model reads them."""
  plan = prepared.plans[spec]
  work = forward.task(prepared.graphs[spec], prepared.settings.seed)
  batch = forward.sample(plan, work, np.zeros(1, np.int32))
  return prompts.text(plan.layout, np.asarray(batch.nodes)[0, :count])
