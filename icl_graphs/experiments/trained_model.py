"""What a model of our own can do: accuracy and geometry, graph by graph.

The same instrument as the main job, with words drawn at random from the
model's vocabulary.
"""

import pathlib
import tempfile
from typing import Any

from icl_graphs.analysis import measurements
from icl_graphs.experiments import graph_tracing
from icl_graphs.report import run_folder

KEYS = (
  *("accuracy_full", "accuracy_restricted"),
  *("energy_relative", "distance_correlation"),
  *("principal_cosine_1", "principal_cosine_2"),
  *("fiedler_power", "parity_power"),
)
_OF_ALL_LAYERS = KEYS[:2]
WINDOW = 50
# What the bundled model is meant to reach: lowest and highest, by key.
TARGETS = {
  "accuracy_full": (0.85, 1.0),
  "energy_relative": (0.0, 0.85),
  "distance_correlation": (0.6, 1.0),
  "principal_cosine_1": (0.9, 1.0),
  "principal_cosine_2": (0.9, 1.0),
}


def scores(
  model: pathlib.Path,
  words: tuple[str, ...],
  specs: tuple[str, ...],
  *,
  context: int,
  walks: int = 256,
  seed: int = 0,
) -> dict[str, Any]:
  """Scores of a model folder on plain walks.

  Args:
    model: the folder.
    words: drawn from at random, with `seed`, for each graph.
    specs: graphs.
    context: words per walk; geometry is measured at its end, over the last 50.
    walks: per graph.
    seed: of words and walks.

  Returns:
    Graph to {accuracy key: value, "layers": {hidden state: {key: value}}}.

  Raises:
    InputError: a graph, length or word the model cannot take.
  """
  with tempfile.TemporaryDirectory() as scratch:
    scratch = pathlib.Path(scratch)
    list_file = scratch / "words.txt"
    list_file.write_text("\n".join(words) + "\n", encoding="utf-8")
    prepared = graph_tracing.prepare(
      graph_tracing.Settings(
        model=str(model),
        graphs=specs,
        words=str(list_file),
        word_seed=seed,
        context=context,
        contexts=(context,),
        windows=(min(WINDOW, context),),
        walks=walks,
        seed=seed,
        resamples=2,
        random_weights_control=False,
      )
    )
    tree = graph_tracing.observe(prepared, scratch, save_seconds=1e9)
  found = {}
  for spec in specs:
    dataset = tree[run_folder.group_name(spec)].to_dataset()
    layers = {}
    for layer in range(1, prepared.decoder.num_layers + 1):
      numbers = measurements.headline(dataset, layer, prepared.report_window)
      layers[str(layer)] = {
        key: numbers[key]["value"]
        for key in KEYS
        if key not in _OF_ALL_LAYERS and key in numbers
      }
    found[spec] = {key: numbers[key]["value"] for key in _OF_ALL_LAYERS}
    found[spec]["layers"] = layers
  return found


def meets_targets(entry: dict[str, Any]) -> list[str]:
  """Hidden states of one graph's scores at which every target is met."""

  def inside(key, value):
    low, high = TARGETS[key]
    return value is not None and low <= value <= high

  if not inside("accuracy_full", entry["accuracy_full"]):
    return []
  return [
    layer
    for layer, numbers in entry["layers"].items()
    if all(inside(k, numbers[k]) for k in TARGETS if k in numbers)
  ]
