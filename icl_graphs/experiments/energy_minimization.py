"""Energy minimisation on graphs: simulated, beside where theory says it ends.

For each graph, rows start somewhere, descend the Dirichlet energy with their
leading singular values held up, and are compared with the spectral embedding
(section 5 of arXiv 2501.00070).
"""

from collections.abc import Mapping
import dataclasses
import pathlib
from typing import Any

import jax
import numpy as np
import xarray as xr

from icl_graphs import errors
from icl_graphs.analysis import gram, recordings
from icl_graphs.engine import parallel
from icl_graphs.report import minimization_figures, run_folder, wording
from icl_graphs.tasks import graphs, walks
from icl_graphs.theory import (
  energy_minimization,
  laplacians,
  sparse_modes,
  spectral,
)

TRAJECTORY = "trajectory.nc"
GAUSSIAN, SHOWN = "gaussian", "shown"
_CONVERGED = 1e-3
# Beyond, a matrix over nodes is slower than a list of edges.
_MOST_DENSE = 1000


@dataclasses.dataclass(frozen=True)
class Settings:
  """Everything that decides the numbers; saved in `run.json`."""

  graphs: tuple[str, ...]
  width: int = 64
  eps: tuple[float, ...] = (1.5, 1.25, 1.0)
  steps: int = 1000
  records: int = 60
  restarts: int = 8
  start: str = GAUSSIAN  # or a run folder, or an npz with class_means
  start_nodes: str | None = None  # node of every position, for activations
  start_layer: int | None = None  # of a run folder; 0 = token embeddings
  laplacian: str = laplacians.KINDS[0]  # or normalised, or shown:T[:binary]
  rate: float | None = None  # 1 / largest eigenvalue
  seed: int = 0
  dtype: str = "float32"
  devices: int | None = None  # all local ones


def run(settings: Settings) -> dict[str, xr.Dataset]:
  """Minimises on every graph, all in one compiled program.

  Returns:
    Graph spec to a dataset with `energy` [restart, step]; of the first restart
    `scores` [step, node, pc], principal components of the rows; `embedding`
    [node, mode], the theory's minimiser nearest to the last rows;
    `eigenvalue`, `eps` and `principal_cosine` [restart, mode].

  Raises:
    InputError: whatever is wrong with a setting, before anything is computed.
  """
  if not settings.graphs:
    raise errors.InputError("no graph is given")
  parsed = {spec: graphs.parse(spec) for spec in settings.graphs}
  large = any(graph.n > _MOST_DENSE for graph in parsed.values())
  if large and len(parsed) > 1:
    raise errors.InputError(
      f"a graph of more than {_MOST_DENSE} nodes goes alone; give one --graph"
    )
  operators = {
    spec: _edges(settings, graph) if large else _laplacian(settings, graph)
    for spec, graph in parsed.items()
  }
  size = max(graph.n for graph in parsed.values())
  rows = [_start(settings, graph) for graph in parsed.values()]
  width = max(one.shape[-1] for one in rows)
  starts = np.zeros((len(rows), len(rows[0]), size, width))
  for place, one in zip(starts, rows, strict=True):
    place[:, : one.shape[1], : one.shape[2]] = one
  devices = parallel.local_devices(settings.devices)
  found = energy_minimization.minimise(
    jax.tree.map(lambda leaf: leaf[None], operators[settings.graphs[0]])
    if large
    else laplacians.padded(list(operators.values())),
    starts,
    settings.eps,
    energy_minimization.log_steps(settings.steps, settings.records),
    rate=settings.rate,
    dtype=settings.dtype,
    mesh=parallel.everywhere(devices).mesh if len(devices) > 1 else None,
  )
  return {
    spec: _dataset(
      graph,
      operators[spec],
      settings.eps,
      found.steps,
      found.energy[index],
      found.rows[index, :, :, : graph.n],
    )
    for index, (spec, graph) in enumerate(parsed.items())
  }


def _laplacian(settings: Settings, graph: graphs.Graph) -> np.ndarray:
  kind, _, rest = settings.laplacian.partition(":")
  if kind in laplacians.KINDS and not rest:
    return laplacians.matrix(graph.adjacency, kind)
  length, _, weights = rest.partition(":")
  if kind != SHOWN or not length.isdecimal() or int(length) < 2:
    raise errors.InputError(
      f"unknown Laplacian {settings.laplacian!r}; choose combinatorial, "
      "normalised, or shown:T (edges of a walk of T words; shown:T:binary "
      "without their counts)"
    )
  if _is_folder(settings.start):
    # What the model had seen itself.
    walk = _of_run(settings.start, graph).nodes.values
  else:
    walk = walks.sample_walks(
      walks.transition_table(graph),
      seed=settings.seed,
      walk_index=np.zeros(1, np.int32),
      length=int(length),
    )
  shown = laplacians.shown(
    np.asarray(walk), graph.n, int(length), weights or "counts"
  )
  return laplacians.matrix(shown)


def _edges(settings: Settings, graph: graphs.Graph) -> laplacians.Edges:
  if settings.laplacian not in laplacians.KINDS:
    raise errors.InputError(
      f"{graph.spec} has more than {_MOST_DENSE} nodes, where the Laplacian "
      f"can be {' or '.join(laplacians.KINDS)}, not {settings.laplacian}"
    )
  return laplacians.edges(
    graph.arcs, graph.weights, graph.n, settings.laplacian
  )


def _start(settings: Settings, graph: graphs.Graph) -> np.ndarray:
  """Starts [R, n, d]; rows from a file are one start."""
  if settings.start == GAUSSIAN:
    return energy_minimization.gaussian_starts(
      settings.seed, settings.restarts, graph.n, settings.width
    )
  if _is_folder(settings.start):
    return _early_rows(settings, graph)[None]
  if len(settings.graphs) > 1:
    raise errors.InputError(
      f"{settings.start} holds the start of one graph; give one --graph"
    )
  recording = recordings.read(
    *(settings.start, settings.start_nodes, None, graph.node_names), groups=1
  )
  if not recording.count.all():
    raise errors.InputError(
      f"{settings.start}: some nodes never occur, so they have no start"
    )
  return recording.sums / recording.count[..., None]


def _is_folder(start: str) -> bool:
  return start != GAUSSIAN and pathlib.Path(start).is_dir()


def _of_run(folder: str, graph: graphs.Graph) -> xr.Dataset:
  """What a run of graph tracing stored about a graph."""
  stored = run_folder.read_measurements(
    pathlib.Path(folder) / run_folder.MEASUREMENTS
  )
  if graph.spec not in stored or "gram" not in stored[graph.spec]:
    raise errors.InputError(
      f"{folder} has no class means for {graph.spec}; it holds "
      f"{', '.join(stored) or 'nothing'}"
    )
  return stored[graph.spec]


def _early_rows(settings: Settings, graph: graphs.Graph) -> np.ndarray:
  """A model's class means [n, n] at the first context that has all nodes.

  They follow from their Gram matrix up to a rotation, which nothing here
  depends on.
  """
  data = _of_run(settings.start, graph).isel(window=0)
  layer = settings.start_layer
  layer = data.attrs.get("report_layer") if layer is None else layer
  if layer not in data.layer.values:
    raise errors.InputError(
      f"{settings.start} has no hidden state {layer}; --start_layer may be one "
      f"of {', '.join(map(str, data.layer.values))}"
    )
  count = data["count"].transpose("context", "group", "node").values
  complete = np.flatnonzero((count.sum(axis=1) > 0).all(axis=-1))
  if not complete.size:
    raise errors.InputError(
      f"{settings.start}: no context length has every node of {graph.spec}"
    )
  at = complete[0]
  products = data.gram.sel(layer=layer).isel(context=at)
  pooled, _ = gram.pooled(
    products.transpose("group", "node", "group_", "node_").values, count[at]
  )
  squares, vectors = np.linalg.eigh(pooled)
  return vectors * np.sqrt(np.maximum(squares, 0))


def _dataset(graph, laplacian, eps, steps, energy, rows) -> xr.Dataset:
  if isinstance(laplacian, laplacians.Edges):
    # Further modes than needed: an eigenspace should be there as a whole.
    modes = sparse_modes.lowest_modes(laplacian, len(eps) + 16)
  else:
    modes = spectral.modes(laplacian)
  rows = rows.astype(np.float64)
  centred = rows[0] - rows[0].mean(axis=1, keepdims=True)
  left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
  scores = (left * sizes[:, None])[..., :3]
  cosines = [
    spectral.principal_cosines(last, modes, len(eps)) for last in rows[:, -1]
  ]
  return xr.Dataset(
    {
      "energy": (("restart", "step"), energy),
      "scores": (
        ("step", "node", "pc"),
        scores,
      ),
      "embedding": (
        ("node", "mode"),
        spectral.nearest_minimiser(rows[0, -1], modes, eps),
      ),
      "principal_cosine": (("restart", "mode"), np.stack(cosines)),
      "eigenvalue": ("mode", modes.values[: len(eps)]),
      "eps": ("mode", np.asarray(eps)),
      "position": (("node", "axis"), graph.positions),
      "arc": (("arc_", "end"), graph.arcs),
    },
    {"step": steps, "node": list(graph.node_names)},
    {
      "graph": graph.spec,
      "directed": int(graph.directed),
      "energy_closed_form": spectral.minimum_energy(modes.values, eps),
    },
  )


def summarise(measured: Mapping[str, xr.Dataset]) -> dict[str, dict[str, Any]]:
  """Per graph: the worst restart's last energy and principal cosines."""
  summary = {}
  for spec, data in measured.items():
    least = float(data.attrs["energy_closed_form"])
    final = float(data.energy.isel(step=-1).max())
    gaps = data.energy.values / least - 1 if least > 0 else data.energy.values
    worst = np.flatnonzero(gaps.max(axis=0) < _CONVERGED)
    summary[spec] = {
      "energy_start": float(data.energy.isel(step=0).max()),
      "energy_final": final,
      "energy_closed_form": least,
      "relative_gap": final / least - 1 if least > 0 else final,
      "principal_cosines": data.principal_cosine.min("restart").values,
      "steps": int(data.step[-1]),
      "steps_to_one_per_mille": int(data.step[worst[0]])
      if worst.size
      else None,
      "restarts": data.sizes["restart"],
    }
  return summary


def write(
  out: pathlib.Path,
  measured: Mapping[str, xr.Dataset],
  summary: Mapping[str, Mapping[str, Any]],
) -> None:
  """Writes trajectories, summary and one figure per graph."""
  run_folder.write_measurements(out / TRAJECTORY, measured)
  run_folder.write_json(out / run_folder.SUMMARY, summary)
  minimization_figures.write(measured, out)


def table(summary: Mapping[str, Mapping[str, Any]]) -> str:
  """A line per graph: energies, gap, least principal cosine."""
  rows = [("graph", "start", "final", "closed form", "gap", "least cosine")]
  for spec, one in summary.items():
    rows.append(
      (
        spec,
        wording.number(one["energy_start"]),
        f"{one['energy_final']:.6f}",
        f"{one['energy_closed_form']:.6f}",
        f"{one['relative_gap']:.1e}",
        f"{min(one['principal_cosines']):.6f}",
      )
    )
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
  return "\n".join(
    "  ".join(
      f"{cell:<{width}}" if place == 0 else f"{cell:>{width}}"
      for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    for row in rows
  )
