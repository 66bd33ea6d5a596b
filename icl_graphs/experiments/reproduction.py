"""Runs recipes on a model and keeps what they found, one folder each.

  NAME/outcome.json     claims, verdicts, numbers, captions
  NAME/measurements.nc  every measured array
  NAME/*.png, *.gif     figures
  traces/*.nc           measurements that recipes share

A recipe that is done is not run again; one that was killed goes on.
"""

from collections.abc import Iterable, Mapping
import dataclasses
import json
import pathlib
import shutil
import time
from typing import Any

import xarray as xr

from icl_graphs import errors
from icl_graphs.engine import progress
from icl_graphs.experiments import recipe as recipe_lib
from icl_graphs.experiments import subject as subject_lib
from icl_graphs.report import run_folder

OUTCOME = "outcome.json"


def perform(
  recipes: Iterable[recipe_lib.Recipe], subject: subject_lib.Subject
) -> dict[str, dict[str, Any]]:
  """Runs what is not done yet.

  A recipe that refuses this model with an `InputError` becomes claims of which
  nothing can be told; the others go on.

  Args:
    recipes: to run, in this order.
    subject: the model; its folder receives the results.

  Returns:
    Recipe name to what `outcome.json` holds.
  """
  recipes = list(recipes)
  records = {}
  for place, one in enumerate(recipes, 1):
    folder = subject.out / one.name
    mark = _mark(one, subject)
    record = read(folder, mark)
    if record is None:
      progress.say(f"[{place}/{len(recipes)}] {one.title}")
      record = _run(one, subject, folder) | {"mark": mark}
      run_folder.write_json(folder / OUTCOME, record)
    records[one.name] = record
    progress.say(f"[{place}/{len(recipes)}] {one.title}: {brief(record)}")
  shutil.rmtree(subject.out / subject_lib.WORK, ignore_errors=True)
  return records


def read(folder: pathlib.Path, mark: str | None = None) -> dict | None:
  """What a finished recipe found; None where it is not done.

  Args:
    folder: of the recipe.
    mark: of the settings asked for; None for any.

  Raises:
    InputError: the file is damaged.
  """
  path = folder / OUTCOME
  try:
    record = json.loads(path.read_text(encoding="utf-8"))
  except FileNotFoundError:
    return None
  except (OSError, ValueError) as error:
    raise errors.InputError(
      f"cannot read {path}: {error}; delete it to run the recipe again"
    ) from error
  return record if mark in (None, record.get("mark")) else None


def finished(
  recipes: Iterable[recipe_lib.Recipe], subject: subject_lib.Subject
) -> dict[str, dict[str, Any]]:
  """What is done for this model and these settings, now or earlier."""
  found = {
    one.name: read(subject.out / one.name, _mark(one, subject))
    for one in recipes
  }
  return {name: record for name, record in found.items() if record}


def brief(record: Mapping[str, Any]) -> str:
  """Verdicts in a few words."""
  verdicts = [claim["verdict"] for claim in record["claims"]]
  counts = {one: verdicts.count(one) for one in recipe_lib.VERDICTS}
  return ", ".join(f"{n} {one}" for one, n in counts.items() if n) or "no claim"


def _mark(one: recipe_lib.Recipe, subject: subject_lib.Subject) -> str:
  return subject.mark(one.name, subject.fingerprint)


def _run(one, subject, folder) -> dict[str, Any]:
  run_folder.open_folder(folder)
  started = time.monotonic()
  try:
    outcome = one.run(subject, folder)
  except errors.InputError as error:
    refused = (one.question, "the experiment can be run")
    outcome = recipe_lib.cannot(f"{error}", refused)
  if outcome.measurements is not None:
    measured = outcome.measurements
    if isinstance(measured, xr.Dataset):
      measured = xr.DataTree(measured)
    run_folder.write_measurements(folder / run_folder.MEASUREMENTS, measured)
  return {
    "name": one.name,
    "title": one.title,
    "question": one.question,
    "source": one.source,
    "claims": [dataclasses.asdict(claim) for claim in outcome.claims],
    "numbers": dict(outcome.numbers),
    "figures": [dataclasses.asdict(figure) for figure in outcome.figures],
    "tables": [dataclasses.asdict(table) for table in outcome.tables],
    "notes": list(outcome.notes),
    "scene": list(outcome.scene),
    "seconds": round(time.monotonic() - started, 1),
  }


def summary(records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
  """Verdicts and numbers of all recipes, as they stand in summary.json."""
  kept = ("title", "claims", "numbers", "seconds")
  return {
    name: {key: record[key] for key in kept} for name, record in records.items()
  }
