"""A model under study on graphs: measurements of walks, made once."""

import dataclasses
import pathlib
from typing import Any

import xarray as xr

from icl_graphs.engine import forward, observations, run
from icl_graphs.experiments import graph_tracing, subject, tracing_settings
from icl_graphs.report import run_folder
from icl_graphs.tasks import graphs

TRACES = "traces"


class GraphSubject(subject.Subject):
  """A subject that reads walks on graphs.

  Attributes:
    settings: graphs, words of a recipe's own and the like are changed per
      request.
    prepared: the settings, checked.
    context: words of the longest sequence.
    report_layer, report_window: of headline numbers.
  """

  settings: tracing_settings.Settings

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
    super().__init__(
      self.prepared.settings, self.prepared.model, out, save_seconds
    )
    self.context = next(iter(self.prepared.plans.values())).words
    self.report_layer = self.prepared.report_layer
    self.report_window = self.prepared.report_window

  def prepare(self, spec: str, **changes: Any) -> tracing_settings.Prepared:
    """Checked settings of one graph.

    Args:
      spec: of the graph.
      changes: to any other of the settings, except those of the model.

    Raises:
      InputError: as `tracing_settings.prepare`.
    """
    settings = dataclasses.replace(self.settings, graphs=(spec,), **changes)
    return tracing_settings.prepare(settings, model=self.model)

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
    mark = self.mark(graph_tracing.fingerprint(prepared))
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
      spread=self.model.spread,
      label=self.label(spec),
      state_file=unfinished,
      fingerprint=mark,
      save_seconds=self.save_seconds,
    )
    raw = observations.to_dataset(plan, graph, state)
    raw.attrs |= {
      "model": settings.model,
      "random_weights": int(self.random_weights),
      "report_window": prepared.report_window,
    }
    derived = graph_tracing.derive(prepared, raw)
    run_folder.write_measurements(path, {"trace": derived})
    unfinished.unlink()
    return derived
