"""Models too large for this machine: what to expect, and what is compiled.

Tables come from `engine.roofline`. A compiled program is the real step of a run
for the real shapes; nothing is ever allocated, so any machine can make it.
"""

from collections.abc import Iterator, Sequence
import dataclasses
import re
import time

import jax
from jax.experimental import topologies
import numpy as np

from icl_graphs import errors
from icl_graphs.engine import collectives, forward, parallel, roofline
from icl_graphs.experiments.speed import shapes
from icl_graphs.models import config as config_lib
from icl_graphs.models import decoder, families
from icl_graphs.probes import class_sums
from icl_graphs.tasks import graphs, prompts

_GRAPH, _NODES, _CHECKPOINTS, _WINDOWS = "grid:4x4", 16, 16, (50, 200)
_HEADER = (
  "| model | T | device | data:model | hosts | weights | batch | used |"
  " GFLOP/token | sent/layer | sent/token | FLOP/byte | products | memory |"
  " links | bound | expected |"
)


class OnPaper(parallel.Spread):
  """A spread of which programs are compiled but no array is ever made."""

  def _put(self, leaf, spec):
    leaf = np.asarray(leaf)
    place = jax.sharding.NamedSharding(self.mesh, spec)
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place)

  def params(self, config: config_lib.DecoderConfig, dtype: str):
    """The parameters' shapes and places."""
    return jax.tree_util.tree_map_with_path(
      lambda path, leaf: jax.ShapeDtypeStruct(
        leaf.shape,
        leaf.dtype,
        sharding=self.place(
          "/".join(str(part.key) for part in path), leaf.shape
        ),
      ),
      jax.eval_shape(lambda: decoder.init(config, 0, dtype)),
    )


@dataclasses.dataclass(frozen=True)
class Settings:
  """A program to compile.

  Attributes:
    words: T - 1, words of a walk after BOS.
    batch: walks per member.
    groups: of walks whose sums are kept apart.
    dtype: of weights and activations.
    mesh: as --mesh of a run.
    topology: of a TPU, such as "v5p:2x2x1", whose compiler is used (package
      libtpu) for as many rows as it has; None for the devices there are.
  """

  words: int = 2047
  batch: int = 1
  groups: int = 8
  dtype: str = "bfloat16"
  mesh: str = "data:8,model:8"
  topology: str | None = None


def sums(words: int, groups: int) -> class_sums.ClassSums:
  """Those of the usual run: 16 nodes and checkpoints, both windows."""
  contexts = class_sums.log_spaced_contexts(words, _CHECKPOINTS)
  windows = tuple(sorted({min(window, words) for window in _WINDOWS}))
  return class_sums.ClassSums(_NODES, groups, contexts, windows, 1)


def compiled(
  config: config_lib.DecoderConfig, settings: Settings
) -> jax.stages.Compiled:
  """The step of a run with its useful output, compiled for the mesh."""
  s = settings
  layout = prompts.Layout(
    (0,), tuple(range(1, 1 + _NODES)), tuple("abcdefghijklmnop"), "walk", None
  )
  plan = forward.Plan(
    config,
    layout,
    sums(s.words, s.groups),
    tuple(range(config.num_layers + 1)),
    s.words,
  )
  spread = _spread(s)
  spread.check(config)
  work = spread.put(forward.task(graphs.parse(_GRAPH), 0))
  params = spread.params(config, s.dtype)
  step = forward.build(plan, spread.part)
  return spread.compile(step, params, work, s.batch)


def _spread(settings: Settings) -> OnPaper:
  if settings.topology is None:
    real = parallel.spread(mesh=settings.mesh)
    return OnPaper(real.devices, real.model)
  try:
    devices = topologies.get_topology_desc(
      platform="tpu", topology_name=settings.topology
    ).devices
  except (RuntimeError, ValueError, NotImplementedError) as error:
    raise errors.InputError(
      f"no compiler for --topology={settings.topology}: {error};"
      ' pip install "jax[tpu]"'
    ) from error
  found = re.search(r"model:([1-9]\d*)", settings.mesh)
  model = int(found[1]) if found else 1
  if len(devices) % model:
    raise errors.InputError(
      f"--mesh={settings.mesh} does not divide the {len(devices)} devices of"
      f" --topology={settings.topology}"
    )
  return OnPaper(tuple(devices), model)


def report(
  config: config_lib.DecoderConfig, settings: Settings
) -> Iterator[str]:
  """Lines about a compiled program: memory, and what devices exchange."""
  start = time.perf_counter()
  program = compiled(config, settings)
  seconds = time.perf_counter() - start
  memory = program.memory_analysis()
  text = program.as_text()
  size, largest = collectives.largest_array(text)
  yield f"{settings}: {seconds:.0f} s to trace and compile"
  yield (
    f"per device: arguments {memory.argument_size_in_bytes / 1e9:.3f} GB,"
    f" temporaries {memory.temp_size_in_bytes / 1e9:.3f} GB, results"
    f" {memory.output_size_in_bytes / 1e9:.3f} GB;"
    f" largest array {largest}, {size / 1e9:.3f} GB"
  )
  yield "| times | collective | results | MB | devices | MB sent | of |"
  yield "|---|---|---|---|---|---|---|"
  for one in collectives.read(text):
    name = "/".join(one.name.split("/")[-2:])
    yield (
      f"| {one.times} | {one.kind} | {' '.join(one.shapes)} |"
      f" {one.bytes / 1e6:.3f} | {one.group} |"
      f" {one.times * one.sent / 1e6:.3f} | {name} |"
    )


def lines(
  names: Sequence[str],
  times: Sequence[int] = (1400, 2048),
  models: Sequence[int] = (1, 2, 4, 8, 16, 32),
  groups: int = 8,
) -> Iterator[str]:
  """The table of all meshes on which a model fits; the best one is marked.

  Args:
    names: of `shapes`.
    times: T, tokens of a walk.
    models: devices per copy of the parameters.
    groups: of walks whose sums are kept apart.
  """
  yield _HEADER
  yield "|---" * (_HEADER.count("|") - 1) + "|"
  for name in names:
    config = families.translate(shapes.config(name))
    for length in times:
      spec = sums(length - 1, groups)
      rows = len(spec.segments) * groups * _NODES
      for device_name, device in roofline.DEVICES.items():
        fitting = [
          row
          for row in (
            roofline.Roofline(
              config,
              device,
              model,
              length,
              max(1, model // device.per_host),
              rows,
              sums_cut=model <= device.per_host,
              # XLA's own attention is what there is beside cuDNN.
              scores_in_memory="TPU" in device_name,
            )
            for model in models
          )
          if row.batch()
        ]
        rate = {row: row.expected(row.batch()) for row in fitting}
        best = max(rate, key=rate.__getitem__, default=None)
        for row in fitting:
          mark = " *" if row is best else ""
          yield f"| {name} | {length} | {device_name} |" + _cells(row, mark)


def _cells(row: roofline.Roofline, mark: str) -> str:
  batch = row.batch()
  share = row.seconds(batch)
  cells = (
    f"{row.members}:{row.model}{mark}",
    row.hosts,
    f"{row.weight_bytes() / 1e9:.1f}",
    batch,
    f"{row.used_bytes(batch) / 1e9:.1f}",
    f"{row.flops_per_token() / 1e9:.1f}",
    f"{row.sent_per_layer() / 1e3:.1f} kB",
    f"{row.sent_per_token() / 1e6:.2f} MB",
    f"{row.intensity(batch):.0f}",
    *(f"{seconds:.2f} s" for seconds in share),
    f"{row.bound(batch):,.0f}",
    f"{row.expected(batch):,.0f}",
  )
  return "".join(f" {cell} |" for cell in cells)
