"""Measures speed: python -m launch.benchmark

Every benchmark runs its rivals in turns and prints medians with their range;
--out saves them as benchmark.json with a figure. Comparisons with torch come
from the tests, where torch is a requirement: they need a checkout and
requirements-test.txt.

  model         a pass over walks, bare and with its useful output, beside
                transformers; utilisation, memory, loading and compiling
  decoding      512 sequences of 300 tokens drawn after one prompt, beside
                transformers' generate
  heads         a sweep over ablated heads (6 sizes, 2 lists and 4 random sets,
                zero and mean ablation, 16 walks) beside one configuration and
                one walk at a time, by us and by hooks on transformers
  walks         1,024 plain walks of 1,400 nodes on two grids beside numpy,
                networkx and Python; other laws, and pairs of neighbours
  coins         judgments and trees of coin flips from shared keys and values,
                beside every context read alone
  minimization  4,096 restarts of 1,000 steps on a 4 x 4 grid (64 dimensions) in
                one call, batched torch, and numpy restart by restart
"""

import dataclasses
import importlib
import types

from absl import flags

from icl_graphs import errors
from icl_graphs.experiments.speed import (
  coins,
  decoding,
  heads,
  minimization,
  model,
  timing,
  walks,
)
from icl_graphs.report import run_folder, speed_figures
from launch import program

# Benchmark, and the module of its rivals in torch.
_TOPICS = {
  "model": (model, "tests.speed.torch_model"),
  "decoding": (decoding, "tests.speed.torch_decoding"),
  "heads": (heads, "tests.speed.torch_heads"),
  "walks": (walks, None),
  "coins": (coins, None),
  "minimization": (minimization, "tests.theory.torch_baseline"),
}


def _define_options() -> list[str]:
  """A flag per option; benchmarks share those of one name."""
  options: dict[str, list[tuple[str, dataclasses.Field]]] = {}
  for topic, (module, _) in _TOPICS.items():
    for field in dataclasses.fields(module.Settings):
      if "help" in field.metadata:
        options.setdefault(field.name, []).append((topic, field))
  for name, uses in options.items():
    text = " ".join(
      f"{topic}: {field.metadata['help']} Default: {field.default}."
      for topic, field in uses
    )
    kind = uses[0][1].type
    if kind in (int, int | None):
      flags.DEFINE_integer(name, None, text, lower_bound=1)
    elif kind is bool:
      flags.DEFINE_bool(name, None, text)
    else:
      flags.DEFINE_string(name, None, text)
  return list(options)


_WHAT = flags.DEFINE_enum("what", "model", list(_TOPICS), "What to measure.")
_OUT = flags.DEFINE_string(
  "out", None, "Folder for benchmark.json and benchmark.png."
)
_TORCH = flags.DEFINE_bool("torch", True, "Compare with torch.")
_OPTIONS = _define_options()


def main(_):
  out = None if _OUT.value is None else run_folder.open_folder(_OUT.value)
  module, baseline = _TOPICS[_WHAT.value]
  settings = _settings(module)
  result = module.measure(settings, _import(baseline))
  print(timing.table(result.rows))
  for note in result.notes:
    print(note)
  if out is not None:
    content = dataclasses.asdict(settings) | dict(result.content)
    content["rows"] = timing.as_dict(result.rows)
    for name, write in result.files.items():
      write(out / name)
    run_folder.write_json(out / "benchmark.json", run_folder.describe(content))
    speed_figures.write(content, out / "benchmark.png")


def _settings(module: types.ModuleType):
  """The settings of a benchmark, as flags change them."""
  known = {field.name for field in dataclasses.fields(module.Settings)}
  given = {
    name: flags.FLAGS[name].value
    for name in _OPTIONS
    if flags.FLAGS[name].value is not None
  }
  for name in given:
    if name not in known:
      raise errors.InputError(f"--{name} is not for --what={_WHAT.value}")
  return dataclasses.replace(module.Settings(), **given)


def _import(baseline: str | None) -> types.ModuleType | None:
  if baseline is None or not _TORCH.value:
    return None
  try:
    return importlib.import_module(baseline)
  except ImportError as error:
    raise errors.InputError(
      "the comparison with torch needs requirements-test.txt and a checkout "
      f"with its tests ({error}); or give --notorch"
    ) from error


if __name__ == "__main__":
  program.run(main, keep_compiled=False)
