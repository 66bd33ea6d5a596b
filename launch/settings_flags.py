"""Flags that decide what a run is asked: one per field of its settings."""

from collections.abc import Collection
import dataclasses
from typing import Any

from absl import flags

from icl_graphs.experiments import tracing_settings
from icl_graphs.probes import class_sums
from icl_graphs.tasks import graphs

_LISTS_OF_NUMBERS = ("contexts", "windows", "layers")
_HELP = {
  "model": "Folder, hub id, or bundled:NAME.",
  "revision": "Branch, tag or commit of a hub model.",
  "chat": "Words as a message in the tokenizer's chat template.",
  "chat_role": "With --chat: user, or assistant (an answer begun for it).",
  "graphs": "Graph specs, e.g. grid:4x4,ring:10,hex:3x3,file:PATH.",
  "words": "Concept list (paper30, nouns, paper30+nouns, days, ...) or a file.",
  "word_seed": "Draw words at random with this seed, not in the list's order.",
  "mode": "walk, or pairs for independent neighbour pairs.",
  "separator": "Between pairs; empty for none.",
  "pair_role": "In pair mode: both, first or second words enter the means.",
  "stay": "Probability of staying at each step (lazy walk).",
  "teleport": "Probability of jumping to a uniform node at each step.",
  "hops": "Edges crossed per step.",
  "non_backtracking": "Never return along the edge just crossed.",
  "context": "Words per sequence; default 1400 or what the model holds.",
  "contexts": "Context lengths to measure at; default 12, log-spaced.",
  "windows": "Windows for class means; default 50,200 (published, in code).",
  "walks": "Number of walks.",
  "groups": "Groups of walks, for bootstrap intervals.",
  "layers": "Hidden states to keep, 0 = embedding; default all.",
  "report_layer": "Hidden state of the headline numbers; default 4/5 of depth.",
  "report_window": "Window of the headline numbers; default the smallest.",
  "accuracy": "Score next words; without, only the blocks below --layers run.",
  "dtype": "float32, bfloat16 or float16; default by device.",
  "attention": "reference, cpu, cudnn or tokamax (extra); default by device.",
  "seed": "Seed of walks and resampling.",
  "batch_size": "Walks per device (or row of --mesh) and step; default: fits.",
  "devices": "Number of devices of a host; default all.",
  "mesh": "Cut the parameters, e.g. data:2,model:4 or model:8.",
  "count_floor": "Nodes with fewer occurrences in a window are flagged.",
  "resamples": "Bootstrap resamples and label permutations per cell.",
  "random_weights_control": "Run the same with random weights.",
}


def define(
  defaults: tracing_settings.Settings, leave_out: Collection[str] = ()
) -> None:
  """Defines a flag for every field that is not left out."""
  for field in _fields(leave_out):
    default, text = getattr(defaults, field.name), _HELP[field.name]
    if field.name == "graphs":
      flags.DEFINE_string("graphs", ",".join(default), text)
    elif field.name in _LISTS_OF_NUMBERS:
      flags.DEFINE_list(field.name, None, text)
    elif field.type is bool:
      flags.DEFINE_bool(field.name, default, text)
    elif field.type in (int, int | None):
      flags.DEFINE_integer(field.name, default, text)
    elif field.type is float:
      flags.DEFINE_float(field.name, default, text)
    else:
      flags.DEFINE_string(field.name, default, text)


def read(
  defaults: tracing_settings.Settings, leave_out: Collection[str] = ()
) -> tracing_settings.Settings:
  """Reads the flags that `define` defined."""
  values: dict[str, Any] = {
    field.name: flags.FLAGS[field.name].value for field in _fields(leave_out)
  }
  if "graphs" in values:
    values["graphs"] = graphs.split_specs(values["graphs"])
  for name in _LISTS_OF_NUMBERS:
    if values.get(name) is not None:
      values[name] = class_sums.as_lengths(values[name])
  if "separator" in values:
    values["separator"] = values["separator"] or None
  return dataclasses.replace(defaults, **values)


def _fields(leave_out):
  fields = dataclasses.fields(tracing_settings.Settings)
  return [field for field in fields if field.name not in leave_out]
