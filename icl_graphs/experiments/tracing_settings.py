"""What a run of graph tracing is asked, and whether it can be done.

Everything that can be refused (graphs, words, tokens, lengths, devices) is
refused here, before any weight is loaded.
"""

import dataclasses
import pathlib

from icl_graphs import errors
from icl_graphs.engine import forward
from icl_graphs.experiments import opened
from icl_graphs.models import hub
from icl_graphs.probes import class_sums
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
  chat_role: str = "user"
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
  accuracy: bool = True
  dtype: str | None = None  # float32 on a CPU, bfloat16 elsewhere
  attention: str | None = None  # the fastest that does all the model needs
  seed: int = 0
  batch_size: int | None = None  # what pays and fits
  devices: int | None = None  # all of every host
  mesh: str | None = None  # every device has all parameters
  count_floor: int = 5
  resamples: int = 200
  random_weights_control: bool = True


@dataclasses.dataclass(frozen=True)
class Prepared:
  """Checked settings: everything but the weights.

  Attributes:
    settings: with what was left open about devices filled in.
    model: opened.
    plans: by graph spec.
    graphs: by graph spec.
    report_layer: hidden state of the headline numbers.
    report_window: their window.
  """

  settings: Settings
  model: opened.Opened
  plans: dict[str, forward.Plan]
  graphs: dict[str, graphs.Graph]
  report_layer: int
  report_window: int


def prepare(
  settings: Settings,
  cache_dir: pathlib.Path | None = None,
  model: opened.Opened | None = None,
) -> Prepared:
  """Checks every setting before anything expensive.

  Args:
    settings: of the run.
    cache_dir: where models of the hub live; by default the hub's usual cache.
    model: the one of the settings, where it is open already and what they left
      open about devices is filled in.

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
  settings, model = opened.open_model(settings, cache_dir)
  config, tokenizer = model.decoder, model.tokenizer
  opening = None
  if settings.chat:
    opening = chat.opening(tokenizer, config.vocab_size, settings.chat_role)
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
      config,
      layout,
      sums,
      layers,
      length,
      law,
      settings.pair_role,
      settings.accuracy,
    )
  report_layer, report_window = _reported(settings, config, layers, windows)
  return Prepared(
    settings,
    model,
    plans,
    parsed,
    report_layer,
    report_window,
  )


def _check_numbers(settings: Settings) -> None:
  if settings.walks < settings.groups:
    raise errors.InputError(
      f"{settings.walks} walks cannot fill {settings.groups} groups; raise "
      "--walks or lower --groups"
    )
  if settings.batch_size is not None and settings.batch_size < 1:
    raise errors.InputError(f"batch size {settings.batch_size} is below 1")
  if settings.pair_role not in forward.PAIR_ROLES:
    raise errors.InputError(
      f"--pair_role={settings.pair_role} is not one of "
      f"{', '.join(forward.PAIR_ROLES)}"
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
