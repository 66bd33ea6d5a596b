"""Semantic conflict from a model to verdicts, on an untrained tiny model."""

import shutil

import numpy as np
import pytest

from icl_graphs.analysis import calendar
from icl_graphs.experiments import graph_subject, recipe, tracing_settings
from icl_graphs.experiments.paper_one import conflict
from icl_graphs.tasks import words
from icl_graphs.training import tokenizer

SETTINGS = {"context": 48, "walks": 8, "windows": (20,), "resamples": 40}


def ask(folder, out):
  settings = tracing_settings.Settings(
    model=str(folder), words="paper30", **SETTINGS
  )
  return graph_subject.GraphSubject(settings, out)


@pytest.fixture(scope="module")
def calendar_model(tiny_model, tmp_path_factory):
  """The tiny model with days and months among its words."""
  folder = tmp_path_factory.mktemp("calendar") / "model"
  shutil.copytree(tiny_model, folder)
  # As many words as before: the same weights serve.
  count = len(words.concept_words("paper30+nouns"))
  known = words.concept_words("days+months+paper30+nouns", count)
  tokenizer.save(folder, known, 129)
  return folder


def test_all_orders_of_the_experiment():
  found = {one.name: one for one in conflict.families("nouns", 0)}
  days = [one for one in found.values() if one.prompt == ("days", 7, "pairs")]
  assert sum(len(one.orders) for one in days) == 23 + 1
  assert conflict.PICTURED in found["days"].orders
  assert found["unrelated"].orders == found["days"].orders
  np.testing.assert_allclose(
    calendar.overlaps(found["months_step_7"].orders[0])[4], 1
  )


def test_from_model_to_verdicts(calendar_model, tmp_path, monkeypatch):
  every = conflict.families("paper30", 0)

  def fewer(name, seed):
    del name, seed
    kept = ("days", "days_natural", "unrelated", "days_walks")
    return tuple(
      conflict.dataclasses.replace(one, orders=_some(one.orders))
      for one in every
      if one.name in kept
    )

  monkeypatch.setattr(conflict, "families", fewer)
  out = conflict.RECIPE.run(ask(calendar_model, tmp_path), tmp_path)
  assert len(out.claims) == 5
  for figure in out.figures:
    assert (tmp_path / figure.file).stat().st_size > 5000
  last = out.measurements.isel(context=-1)
  assert np.isfinite(last.calendar_power.sel(stat="value")).all()
  # An untrained model follows no ring, and says so.
  by_text = {one.text: one for one in out.claims}
  assert by_text[conflict.conflict_claims.PLACE[0]].verdict != recipe.SHOWN
  first = out.measurements.sel(family="days").isel(context=0)
  # Before any context all orders have read the same word.
  each = first.each_calendar_power.values
  np.testing.assert_allclose(each[0], each[1], atol=1e-5)
  natural = by_text[conflict.conflict_claims.NATURAL[0]]
  assert natural.verdict == recipe.CANNOT_TELL


def _some(orders):
  """Two of them, the pictured one among them."""
  first = [one for one in orders if one == conflict.PICTURED]
  return tuple([*first, *(one for one in orders if one not in first)][:2])


def test_a_model_without_calendar_words_is_not_asked(tiny_model, tmp_path):
  out = conflict.RECIPE.run(ask(tiny_model, tmp_path), tmp_path)
  assert {one.verdict for one in out.claims} == {recipe.CANNOT_TELL}
