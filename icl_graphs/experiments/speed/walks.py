"""Walk sampling beside numpy, networkx and plain Python."""

import dataclasses
import types

import jax
import numpy as np

from icl_graphs.experiments.speed import timing, walk_rivals
from icl_graphs.tasks import graphs, walks

GRAPHS = ("grid:4x4", "grid:100x100")
# Vectorised over walks, and walk by walk.
_NUMPY = {
  "numpy, any weights": walk_rivals.numpy_general,
  "numpy, equal weights": walk_rivals.numpy_unweighted,
  "numpy, common multiple of degrees": walk_rivals.numpy_common_multiple,
}
_ONE_BY_ONE = {
  "Python, one by one": walk_rivals.pure_python,
  "networkx, one by one": walk_rivals.networkx_walker,
}
_LAWS = {
  "lazy": walks.StepLaw(stay=0.3),
  "non-backtracking": walks.StepLaw(non_backtracking=True),
  "three hops": walks.StepLaw(hops=3),
}


@dataclasses.dataclass(frozen=True)
class Settings:
  """What the benchmark of walk sampling does.

  Samplers that go walk by walk do `single_walks`, scaled to all walks.
  """

  walks: int = timing.option(1024, "Walks in one call.")
  length: int = timing.option(1400, "Nodes of each walk.")
  repeats: int = timing.option(11, "Interleaved repeats.")
  single_walks: int = timing.option(
    4, "Walks measured one by one in Python, then scaled."
  )
  seed: int = 0


def measure(
  settings: Settings, baseline: types.ModuleType | None = None
) -> timing.Result:
  """Times all samplers on `GRAPHS`, and ours on other laws and on pairs.

  Args:
    settings: how many walks of which length.
    baseline: unused; no rival needs torch.
  """
  del baseline
  print(
    f"{settings.walks:,} walks of {settings.length:,} nodes, "
    f"{jax.local_devices()[0].device_kind}"
  )
  rows, content = [], {}
  for spec in GRAPHS:
    found = timing.interleave(_rivals(spec, settings), settings.repeats)
    rows += found
    content[spec] = _ratios(spec, found)
  notes = [
    f"{spec}: {name} takes {ratio:,.1f} times as long as ours"
    for spec, ratios in content.items()
    for name, ratio in ratios.items()
  ]
  return timing.Result(rows, {"plain_walks_ratios": content}, notes)


def _rivals(spec, settings):
  graph = graphs.parse(spec)
  count, length = settings.walks, settings.length
  units, single = count * length, settings.single_walks
  table = walks.transition_table(graph)
  index = np.arange(count, dtype=np.int32)

  def rival(name, run, scale=1.0):
    return timing.Rival(f"{spec} {name}", run, units, scale, unit="nodes")

  def ours(law):
    return lambda: walks.sample_walks(
      table, settings.seed, index, length=length, law=law
    )

  def pairs():
    return walks.sample_pairs(table, settings.seed, index, pairs=length // 2)

  def other(make, number):
    sample = make(graph, settings.seed)
    return lambda: sample(number, length)

  rivals = [rival("ours, plain", ours(walks.StepLaw()))]
  rivals += [rival(name, other(make, count)) for name, make in _NUMPY.items()]
  rivals += [
    rival(name, other(make, single), count / single)
    for name, make in _ONE_BY_ONE.items()
  ]
  rivals += [rival(f"ours, {name}", ours(law)) for name, law in _LAWS.items()]
  if length > 1:
    rivals.append(rival("ours, pairs of neighbours", pairs))
  return rivals


def _ratios(spec, rows):
  """Time of every rival in that of our plain walks."""
  medians = {row.name.removeprefix(f"{spec} "): row.median for row in rows}
  reference = medians["ours, plain"]
  return {name: medians[name] / reference for name in (*_NUMPY, *_ONE_BY_ONE)}
