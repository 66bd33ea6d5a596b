"""A model under study, and everything that was measured of it so far.

Recipes ask a subject; what two of them ask for is measured once. Measurements
are kept on disk as they are made, so that a killed run loses little.
"""

from collections.abc import Callable
import dataclasses
import functools
import hashlib
import json
import pathlib
from typing import Any

import jax
import numpy as np
import xarray as xr

from icl_graphs.analysis import measurements
from icl_graphs.engine import forward, observations, rows, run
from icl_graphs.experiments import graph_tracing, tracing_settings
from icl_graphs.models import decoder, hub
from icl_graphs.report import run_folder
from icl_graphs.tasks import graphs

TRACES, WORK = "traces", "work"


class Subject:
  """A loaded model, and how much to ask of it.

  Attributes:
    settings: of the model, the devices and the size of experiments; graphs,
      words of a recipe's own and the like are changed per request.
    out: folder of the measurements.
    random_weights: whether this is the untrained control.
    prepared: the settings, checked.
    decoder: configuration.
    tokenizer: of the model.
    bos_ids: what the model reads before the first word.
    context: words of the longest sequence.
    report_layer, report_window: of headline numbers.
  """

  def __init__(
    self,
    settings: tracing_settings.Settings,
    out: pathlib.Path,
    *,
    cache_dir: pathlib.Path | None = None,
    save_seconds: float = 60.0,
  ):
    """Checks the settings; no weight is read yet.

    Raises:
      InputError: as `tracing_settings.prepare`.
    """
    settings = dataclasses.replace(settings, random_weights_control=False)
    self.prepared = tracing_settings.prepare(settings, cache_dir)
    self.settings = self.prepared.settings
    self.out = pathlib.Path(out)
    self.random_weights = False
    self.decoder = self.prepared.decoder
    self.tokenizer = hub.load_tokenizer(self.prepared.folder)
    first = next(iter(self.prepared.plans.values()))
    self.bos_ids = first.layout.bos_ids
    self.context = first.words
    self.report_layer = self.prepared.report_layer
    self.report_window = self.prepared.report_window
    self._cache_dir = cache_dir
    self._save_seconds = save_seconds
    # Of this model or its control: there may not be room for two.
    self._held: dict[bool, decoder.Params] = {}

  @functools.cached_property
  def untrained(self) -> "Subject":
    """The same architecture with random weights, norms left at one."""
    other = object.__new__(Subject)
    vars(other).update(
      {k: v for k, v in vars(self).items() if k != "untrained"}
    )
    other.random_weights = True
    return other

  @property
  def params(self) -> decoder.Params:
    """Parameters on the devices; loaded when they are first asked for."""
    if self.random_weights not in self._held:
      self._held.clear()
      self._held[self.random_weights] = self._load()
    return self._held[self.random_weights]

  def _load(self) -> decoder.Params:
    if not self.random_weights:
      return graph_tracing.load(self.prepared)
    seed, dtype = self.settings.seed, self.settings.dtype
    return self.prepared.spread.make(
      lambda: decoder.init(self.decoder, seed, dtype)
    )

  def prepare(self, spec: str, **changes: Any) -> tracing_settings.Prepared:
    """Checked settings of one graph.

    Args:
      spec: of the graph.
      changes: to any other of the settings.

    Raises:
      InputError: as `tracing_settings.prepare`.
    """
    settings = dataclasses.replace(self.settings, graphs=(spec,), **changes)
    return tracing_settings.prepare(settings, self._cache_dir)

  def plan(
    self, spec: str, **changes: Any
  ) -> tuple[forward.Plan, graphs.Graph]:
    """What a pass over walks on one graph computes, and the graph."""
    prepared = self.prepare(spec, **changes)
    return prepared.plans[spec], prepared.graphs[spec]

  def trace(self, spec: str, **changes: Any) -> xr.Dataset:
    """Every measurement of walks on one graph; see `measurements.derive`.

    Asked for again, by whichever recipe, it is read from disk.

    Args:
      spec: of the graph.
      changes: to any other of the settings.
    """
    prepared = self.prepare(spec, **changes)
    mark = self._mark(graph_tracing.fingerprint(prepared))
    name = f"{run_folder.group_name(spec)}-{mark[:16]}".replace(":", "_")
    path = self.out / TRACES / f"{name}.nc"
    if path.exists():
      return run_folder.read_tree(path)["trace"].to_dataset()
    path.parent.mkdir(parents=True, exist_ok=True)
    plan, graph = prepared.plans[spec], prepared.graphs[spec]
    settings = prepared.settings
    unfinished = path.with_name(f"unfinished-{name}.npz")
    state = run.collect(
      plan,
      forward.needed(plan, self.params),
      forward.task(graph, settings.seed),
      walks=settings.walks,
      batch_size=settings.batch_size,
      spread=prepared.spread,
      label=self._label(spec),
      state_file=unfinished,
      fingerprint=mark,
      save_seconds=self._save_seconds,
    )
    raw = observations.to_dataset(plan, graph, state)
    raw.attrs |= {
      "model": settings.model,
      "random_weights": int(self.random_weights),
      "report_window": prepared.report_window,
    }
    derived = measurements.derive(
      raw,
      report_layer=prepared.report_layer,
      count_floor=settings.count_floor,
      resamples=settings.resamples,
      permutations=settings.resamples,
      seed=settings.seed,
    )
    run_folder.write_measurements(path, {"trace": derived})
    unfinished.unlink()
    return derived

  def evaluate(
    self,
    name: str,
    step: Callable[..., tuple[Any, Any]],
    rows_: Any,
    fixed: Any = (),
    *,
    words: int,
    batch_size: int | None = None,
  ) -> tuple[Any, Any]:
    """Runs a step over rows with this model; see `engine.rows.evaluate`.

    Args:
      name: of the measurement, unique within a recipe.
      step: step(params, fixed, rows, valid [B]) to (sums, per_row).
      rows_: arrays with a leading axis of R rows.
      fixed: arrays that every row shares.
      words: read per row, for the rate that is shown.
      batch_size: rows per step and member; default what pays and fits.

    Returns:
      (sums, per_row) as numpy arrays.
    """
    rows_, fixed = jax.tree.map(np.asarray, (rows_, fixed))
    mark = self._mark(
      graph_tracing.fingerprint(self.prepared), name, *_named(step)
    )
    mark = hashlib.sha256(mark.encode())
    for leaf in jax.tree.leaves((rows_, fixed)):
      mark.update(f"{leaf.shape}{leaf.dtype}".encode())
      mark.update(np.ascontiguousarray(leaf).tobytes())
    mark = mark.hexdigest()
    folder = self.out / WORK
    folder.mkdir(parents=True, exist_ok=True)
    return rows.evaluate(
      step,
      self.params,
      rows_,
      fixed,
      words=words,
      spread=self.prepared.spread,
      label=self._label(name),
      batch_size=batch_size or self.settings.batch_size,
      state_file=folder / f"{mark[:24]}.npz",
      fingerprint=mark,
      save_seconds=self._save_seconds,
    )

  def _label(self, name: str) -> str:
    return f"{name} random_weights" if self.random_weights else name

  def _mark(self, *parts: str) -> str:
    text = json.dumps([*parts, self.random_weights])
    return hashlib.sha256(text.encode()).hexdigest()


def _named(step: Callable) -> tuple[str, ...]:
  """A step's name and what is bound to it."""
  if isinstance(step, functools.partial):
    bound = repr((step.args, sorted(step.keywords.items())))
    return (*_named(step.func), bound)
  return (f"{step.__module__}.{step.__qualname__}",)
