"""How fast things are, beside what one would otherwise use.

Runs of the rivals are interleaved, so that a machine that slows down slows all
of them; medians and ratios are reported. What is too slow to run in full is
measured on a part and scaled, and says so.
"""

import dataclasses
import time
import types

from jax import sharding
import numpy as np

from icl_graphs.tasks import graphs
from icl_graphs.theory import energy_minimization, laplacians, spectral


@dataclasses.dataclass(frozen=True)
class Minimization:
  """What the benchmark of energy minimisation does.

  Torch runs all restarts for `torch_steps` steps (every step costs the same
  there) and numpy `numpy_restarts` restarts for `numpy_steps`; both are scaled
  to the whole.
  """

  graph: str = "grid:4x4"
  restarts: int = 4096
  steps: int = 1000
  width: int = 64
  eps: tuple[float, ...] = (1.5, 1.25, 1.0)
  rate: float = 0.1
  repeats: int = 5
  torch_steps: int = 100
  numpy_restarts: int = 2
  numpy_steps: int = 1000
  seed: int = 0


@dataclasses.dataclass(frozen=True)
class Timing:
  """Seconds of every repeat, scaled by `scale` to the whole job."""

  name: str
  seconds: tuple[float, ...]
  scale: float = 1.0

  @property
  def median(self) -> float:
    return float(np.median(self.seconds)) * self.scale


def minimization(
  settings: Minimization,
  baseline: types.ModuleType | None,
  mesh: sharding.Mesh | None,
) -> list[Timing]:
  """Times this package, torch and numpy on the same restarts.

  Args:
    settings: how much of what.
    baseline: the torch version, `energies` and `choose_threads`; or None.
    mesh: devices for this package.

  Raises:
    AssertionError: one of them does not end where the theory says.
  """
  laplacian = laplacians.matrix(graphs.parse(settings.graph).adjacency)
  starts = energy_minimization.gaussian_starts(
    settings.seed, settings.restarts, len(laplacian), settings.width
  ).astype(np.float32)
  least = spectral.minimum_energy(
    spectral.modes(laplacian).values, settings.eps
  )

  def ours():
    found = energy_minimization.minimise(
      *(laplacian, starts, settings.eps, (0, settings.steps)),
      rate=settings.rate,
      mesh=mesh,
    )
    _check("icl_graphs", found.energy[:, -1], least, settings.steps)

  def torch():
    last = baseline.energies(
      *(laplacian, starts, settings.eps, settings.rate, settings.torch_steps)
    )
    _check("torch", last, least, settings.torch_steps)

  def numpy():
    last = [
      _numpy_energy(laplacian, start, settings)
      for start in starts[: settings.numpy_restarts]
    ]
    _check("numpy", np.array(last), least, settings.numpy_steps)

  whole = settings.restarts * settings.steps
  rivals = [("icl_graphs", ours, 1.0)]
  if baseline is not None:
    rivals.append(
      ("torch, batched", torch, settings.steps / settings.torch_steps)
    )
  part = settings.numpy_restarts * settings.numpy_steps
  rivals.append(("numpy, one by one", numpy, whole / part))
  # Compilation and first touches are not timed.
  ours()
  if baseline is not None:
    baseline.choose_threads(laplacian, starts, settings.eps, settings.rate)
  seconds = {name: [] for name, _, _ in rivals}
  for _ in range(settings.repeats):
    for name, run, _ in rivals:
      begin = time.perf_counter()
      run()
      seconds[name].append(time.perf_counter() - begin)
  return [
    Timing(name, tuple(seconds[name]), scale) for name, _, scale in rivals
  ]


def _check(name, energies, least, steps) -> None:
  # About 60 steps bring the grid within a per cent.
  if steps >= 100 and not np.allclose(energies, least, rtol=1e-2):
    raise AssertionError(
      f"{name} ends at {energies.min():.4f} to {energies.max():.4f}, theory "
      f"says {least:.4f}"
    )


def _numpy_energy(laplacian, start, settings) -> float:
  """The definition, one restart, by the smaller Gram matrix."""
  laplacian, rows = laplacian.astype(np.float32), start
  floors = np.asarray(settings.eps, np.float32)[::-1]
  for _ in range(settings.numpy_steps):
    rows = rows - np.float32(settings.rate) * (laplacian @ rows)
    squares, vectors = np.linalg.eigh(rows @ rows.T)
    vectors = vectors[:, -len(floors) :]
    sizes = np.sqrt(squares[-len(floors) :])
    factor = np.maximum(floors / sizes - 1, 0)
    rows = rows + (vectors * factor) @ (vectors.T @ rows)
  return float(np.sum(rows * (laplacian @ rows)))


def table(timings: list[Timing]) -> str:
  """A line per rival: median, range, ratio to the first."""
  first = timings[0].median
  lines = []
  for one in timings:
    low, high = (f(one.seconds) * one.scale for f in (min, max))
    note = f"  (scaled by {one.scale:,.0f})" if one.scale != 1 else ""
    lines.append(
      f"{one.name:<20}{one.median:>10.2f} s  [{low:.2f}, {high:.2f}]"
      f"{one.median / first:>10.1f}x{note}"
    )
  return "\n".join(lines)
