"""Energy minimisation: many restarts in one call, beside torch and numpy."""

import dataclasses
import functools
import types

import jax
import numpy as np

from icl_graphs.engine import parallel
from icl_graphs.experiments.speed import timing
from icl_graphs.tasks import graphs
from icl_graphs.theory import energy_minimization, laplacians, spectral


@dataclasses.dataclass(frozen=True)
class Settings:
  """What the benchmark of energy minimisation does.

  Torch runs all restarts for `torch_steps` steps (every step costs the same
  there) and numpy `numpy_restarts` restarts for `numpy_steps`; both are scaled
  to the whole.
  """

  graph: str = "grid:4x4"
  restarts: int = timing.option(4096, "Restarts in one call.")
  steps: int = timing.option(1000, "Steps of descent.")
  width: int = 64
  eps: tuple[float, ...] = (1.5, 1.25, 1.0)
  rate: float = 0.1
  repeats: int = timing.option(5, "Interleaved repeats.")
  torch_steps: int = timing.option(100, "Steps measured in torch, then scaled.")
  numpy_restarts: int = timing.option(
    2, "Restarts measured in numpy, then scaled."
  )
  numpy_steps: int = timing.option(
    1000, "Steps measured in numpy, then scaled."
  )
  seed: int = 0


def measure(
  settings: Settings, baseline: types.ModuleType | None
) -> timing.Result:
  """Times this package, torch and numpy on the same restarts.

  Args:
    settings: how much of what.
    baseline: the torch version, `energies` and `choose_threads`; or None.

  Raises:
    AssertionError: one of them does not end where the theory says.
  """
  devices = jax.local_devices()
  mesh = parallel.everywhere(devices).mesh
  print(
    f"{settings.restarts:,} restarts x {settings.steps:,} steps on "
    f"{settings.graph}, {settings.width} dimensions, float32, "
    f"{len(devices)} x {devices[0].device_kind}"
  )
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
  part = settings.numpy_restarts * settings.numpy_steps
  rival = functools.partial(timing.Rival, units=whole, unit="steps")
  rivals = [rival("icl_graphs", ours)]
  if baseline is not None:
    baseline.choose_threads(laplacian, starts, settings.eps, settings.rate)
    scale = settings.steps / settings.torch_steps
    rivals.append(rival("torch, batched", torch, scale=scale, warm_ups=0))
  rivals.append(
    rival("numpy, one by one", numpy, scale=whole / part, warm_ups=0)
  )
  return timing.Result(timing.interleave(rivals, settings.repeats))


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
