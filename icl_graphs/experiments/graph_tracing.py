"""Graph tracing, the main experiment of arXiv 2501.00070.

A model reads random walks over graphs whose nodes are words. This recipe
observes the walks, with the model and with the same architecture and random
weights, and derives every measurement.
"""

import dataclasses
import hashlib
import json
import pathlib
from typing import Any

import numpy as np
import xarray as xr

from icl_graphs.analysis import measurements
from icl_graphs.engine import forward, hosts, observations, run
from icl_graphs.experiments import tracing_settings
from icl_graphs.report import run_folder
from icl_graphs.tasks import prompts

Prepared = tracing_settings.Prepared


def fingerprint(prepared: Prepared) -> str:
  """Names everything that decides the numbers, for resuming."""
  settings = dataclasses.asdict(prepared.settings)
  text = json.dumps([settings, prepared.model.marks()])
  return hashlib.sha256(text.encode()).hexdigest()


def observe(
  prepared: Prepared, out: pathlib.Path, save_seconds: float
) -> xr.DataTree | None:
  """Runs the model over all graphs and derives every measurement.

  Unfinished work is kept in `out` and removed by `forget_state`.

  Returns:
    A tree with one dataset per graph; its child `random_weights`, where that
    control was asked for, holds the same for an untrained model. None on all
    hosts but the first.

  Raises:
    InputError: unfinished work that is damaged or of other settings.
    LostHostError: another host stopped.
  """
  settings = prepared.settings
  hosts.agree("settings", json.dumps(dataclasses.asdict(settings)))
  observed = _observe_all(prepared, out, save_seconds)
  hosts.leave()
  if not hosts.first():
    return None
  return xr.DataTree.from_dict(
    {name: derive(prepared, raw) for name, raw in observed.items()}
  )


def derive(prepared: Prepared, raw: xr.Dataset) -> xr.Dataset:
  """Every measurement of one graph's observations, as the settings ask."""
  settings = prepared.settings
  return measurements.derive(
    raw,
    report_layer=prepared.report_layer,
    count_floor=settings.count_floor,
    resamples=settings.resamples,
    permutations=settings.resamples,
    seed=settings.seed,
  )


def _observe_all(prepared, out, save_seconds) -> dict[str, xr.Dataset]:
  """Observations of every graph and model, by their place in the tree."""
  settings, model = prepared.settings, prepared.model
  models = {"": model.load}
  if settings.random_weights_control:
    models["random_weights"] = lambda: model.untrained(settings.seed)
  mark = fingerprint(prepared)
  observed = {}
  for control, make in models.items():
    # All plans run the same blocks.
    params = forward.needed(next(iter(prepared.plans.values())), make())
    for spec, plan in prepared.plans.items():
      name = "/".join(filter(None, (run_folder.group_name(spec), control)))
      state = run.collect(
        plan,
        params,
        forward.task(prepared.graphs[spec], settings.seed),
        walks=settings.walks,
        batch_size=settings.batch_size,
        spread=model.spread,
        label=f"{spec} {control}".strip(),
        state_file=out / f"unfinished-{name.replace('/', '-')}.npz",
        fingerprint=mark,
        save_seconds=save_seconds,
      )
      raw = observations.to_dataset(plan, prepared.graphs[spec], state)
      raw.attrs |= {
        "model": settings.model,
        "report_layer": prepared.report_layer,
        "report_window": prepared.report_window,
        "batch_size": state.batch_size,
        "members": model.spread.data,
      }
      observed[name] = raw
    # Before the next model is made: there may not be room for two.
    del params
  return observed


def summarise(prepared: Prepared, tree: xr.DataTree) -> dict[str, Any]:
  """Headline numbers per graph, each with interval and nulls."""
  at = prepared.report_layer, prepared.report_window
  summary = {}
  for spec in prepared.graphs:
    node = tree[run_folder.group_name(spec)]
    headline = measurements.headline(node.to_dataset(), *at)
    if "random_weights" in node.children:
      control = node["random_weights"].to_dataset()
      for key, entry in measurements.headline(control, *at).items():
        if isinstance(entry, dict):
          headline[key]["random_weights"] = entry["value"]
    summary[spec] = headline
  return summary


def forget_state(out: pathlib.Path) -> None:
  """Removes unfinished work once the results are safely written."""
  for file in out.glob("unfinished-*"):
    file.unlink()


def example_prompt(prepared: Prepared, spec: str, count: int = 12) -> str:
  """The first words of walk 0, as the model reads them."""
  plan = prepared.plans[spec]
  work = forward.task(prepared.graphs[spec], prepared.settings.seed)
  batch = forward.sample(plan, work, np.zeros(1, np.int32))
  return prompts.text(plan.layout, np.asarray(batch.nodes)[0, :count])
