"""What a model of our own can do: accuracy and geometry, graph by graph.

The same instrument as the main job. Which word stands on which node matters to
a small model, so every number is taken over several assignments of words.
"""

from collections.abc import Sequence
import dataclasses
import json
import pathlib
from typing import Any

import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import measurements
from icl_graphs.engine import forward, observations, run
from icl_graphs.experiments import tracing_settings
from icl_graphs.models import decoder
from icl_graphs.tasks import words as words_lib

ACCURACIES = ("accuracy_full", "accuracy_restricted")
GEOMETRY = (
  *("energy_relative", "distance_correlation"),
  *("principal_cosine_1", "principal_cosine_2"),
  *("fiedler_power", "parity_power"),
)
# What the bundled model is meant to reach: lowest and highest, by key.
TARGETS = {
  "accuracy_full": (0.85, 1.0),
  "energy_relative": (0.0, 0.85),
  "distance_correlation": (0.6, 1.0),
  "principal_cosine_1": (0.9, 1.0),
  "principal_cosine_2": (0.9, 1.0),
}
# Kinds of assignments. The first is what targets are about.
NOUNS, PAPER = "nouns", "paper"
FILE = "scores.json"


@dataclasses.dataclass(frozen=True)
class Settings:
  """What scores depend on, beside the model.

  Attributes:
    context: words per walk. Geometry is measured at its end, over `window`.
    window: words.
    walks: per graph and assignment.
    assignments: of words to nodes; number a has seed a for words and walks.
  """

  context: int
  window: int = 50
  walks: int = 256
  assignments: int = 8


def scores(
  model: pathlib.Path,
  nouns: Sequence[str],
  specs: tuple[str, ...],
  settings: Settings,
) -> dict[str, Any]:
  """Scores of a model folder on plain walks.

  Args:
    model: the folder.
    nouns: words that random assignments are drawn from.
    specs: graphs.
    settings: of the measurement.

  Returns:
    "settings"; "report_layer": the hidden state that the main job reports by
    default; "graphs": graph to kind to both accuracies and "layers" (hidden
    state to measures). Every number is {"mean", "sd", "values"} over
    assignments, with None where it is undefined. The kinds are
    `NOUNS`, random assignments, and `PAPER`, the words of the main job in
    their own order.

  Raises:
    InputError: a graph, length or word the model cannot take.
  """
  prepared = tracing_settings.prepare(
    tracing_settings.Settings(
      model=str(model),
      graphs=specs,
      context=settings.context,
      contexts=(settings.context,),
      windows=(settings.window,),
      walks=settings.walks,
      groups=1,  # No intervals are asked for.
      dtype="float32",
    )
  )
  tokenizer = prepared.model.tokenizer
  number = settings.assignments
  token_ids = {
    spec: {
      kind: [words_lib.single_token_ids(tokenizer, words) for words in worn]
      for kind, worn in _assigned(plan.layout.words, nouns, number).items()
    }
    for spec, plan in prepared.plans.items()
  }
  params = prepared.model.load()
  found: dict[str, Any] = {spec: {} for spec in specs}
  for spec, kinds in token_ids.items():
    published = prepared.plans[spec].layout.node_token_ids
    for kind, worn in kinds.items():
      numbers = [
        _measured(
          prepared,
          renamed(params, published, ids),
          spec,
          seed,
          f"{spec} {kind}",
        )
        for seed, ids in enumerate(worn)
      ]
      found[spec][kind] = _spread(numbers)
  return {
    "settings": dataclasses.asdict(settings),
    "report_layer": prepared.report_layer,
    "graphs": found,
  }


def _assigned(
  published: tuple[str, ...], nouns: Sequence[str], number: int
) -> dict[str, list[tuple[str, ...]]]:
  """Kind to assignments; an assignment is the words of the nodes in order."""
  n = len(published)
  random = [words_lib.drawn(nouns, n, seed) for seed in range(number)]
  return {NOUNS: random, PAPER: [published]}


def renamed(
  params: decoder.Params, before: Sequence[int], after: Sequence[int]
) -> decoder.Params:
  """The model with tokens renamed: `before[i]` now means what `after[i]` did.

  Reading the renamed model's `before` is reading `after` with the model itself,
  but for the order of additions over the vocabulary. All assignments of words
  thus run through one compiled program, which has the token ids in it.

  Args:
    params: of the decoder.
    before: distinct token ids.
    after: as many distinct token ids.
  """
  order = np.arange(len(params["embedding"]))
  order[np.asarray(before)] = after
  # Tokens that lost their name take those that became free.
  order[np.setdiff1d(after, before)] = np.setdiff1d(before, after)
  tables = [name for name in ("embedding", "unembedding") if name in params]
  return params | {name: params[name][order] for name in tables}


def _measured(
  prepared: tracing_settings.Prepared,
  params: decoder.Params,
  spec: str,
  seed: int,
  label: str,
) -> dict[str, Any]:
  """Numbers of one assignment, laid out as those of `scores`."""
  plan, graph = prepared.plans[spec], prepared.graphs[spec]
  state = run.collect(
    plan,
    prepared.model.spread.put(params),
    forward.task(graph, seed),
    walks=prepared.settings.walks,
    batch_size=prepared.settings.batch_size,
    spread=prepared.model.spread,
    label=f"{label} {seed}",
  )
  dataset = measurements.derive(
    observations.to_dataset(plan, graph, state), resamples=0, permutations=0
  )
  found: dict[str, Any] = {"layers": {}}
  for layer in plan.layers[1:]:
    numbers = measurements.headline(dataset, layer, prepared.report_window)
    found |= {key: numbers[key]["value"] for key in ACCURACIES}
    found["layers"][str(layer)] = {
      key: numbers[key]["value"] for key in GEOMETRY
    }
  return found


def _spread(numbers: list[Any]) -> Any:
  """The same nesting, with mean and standard deviation in place of numbers."""
  if isinstance(numbers[0], dict):
    return {key: _spread([one[key] for one in numbers]) for key in numbers[0]}
  known = [value for value in numbers if value is not None]
  complete = len(known) == len(numbers)
  return {
    "mean": float(np.mean(known)) if complete else None,
    "sd": float(np.std(known, ddof=1)) if complete and len(known) > 1 else None,
    "values": numbers,
  }


def missed(entry: dict[str, Any], layer: str) -> list[str]:
  """Targets that the means of one graph and kind miss at a hidden state.

  Args:
    entry: of `scores`, e.g. `["graphs"]["grid:4x4"]["nouns"]`.
    layer: the hidden state.
  """
  means = {
    key: number["mean"]
    for key, number in (entry | entry["layers"][layer]).items()
    if key in TARGETS
  }
  return [
    key
    for key, (low, high) in TARGETS.items()
    if means[key] is None or not low <= means[key] <= high
  ]


def meets_targets(entry: dict[str, Any]) -> list[str]:
  """Hidden states at which the means meet every target."""
  return [layer for layer in entry["layers"] if not missed(entry, layer)]


def read(folder: pathlib.Path, settings: Settings) -> dict[str, Any]:
  """Scores of all seeds that another folder of the same training holds.

  Args:
    folder: of the model.
    settings: of our own scores, which the others must share.

  Returns:
    Seed to scores.

  Raises:
    InputError: no scores, or of another kind.
  """
  path = folder / FILE
  wanted = dataclasses.asdict(settings)
  try:
    found = json.loads(path.read_text(encoding="utf-8"))
    same = all(one.get("settings") == wanted for one in found.values())
  except (OSError, ValueError, AttributeError) as error:
    raise errors.InputError(
      f"cannot read the scores of another seed from {path}: {error}"
    ) from error
  if not same:
    raise errors.InputError(
      f"{path} was not scored with {wanted}; run launch.train with the flags "
      "of this run on that folder first"
    )
  return found
