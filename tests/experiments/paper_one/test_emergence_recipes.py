"""Emergence, energies, alignment and control on a small untrained model."""

import json

import numpy as np
import pytest

from icl_graphs.experiments import graph_subject, recipe, tracing_settings
from icl_graphs.experiments.paper_one import (
  alignment,
  emergence,
  emergence_claims,
  energy_and_accuracy,
  paper_graphs,
  untrained,
)
from icl_graphs.report import figures
from icl_graphs.report.paper_one import animation, energy_variants


@pytest.fixture(scope="module")
def small():
  """Few contexts, graphs and pixels."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(paper_graphs, "DENSE", 5)
    patch.setattr(paper_graphs, "SPARSE", 4)
    patch.setattr(paper_graphs, "SPECS", ("grid:4x4", "ring:10"))
    patch.setattr(alignment, "OTHERS", ("grid:40x40",))
    patch.setattr(alignment, "DRAWS", 60)
    patch.setattr(energy_and_accuracy, "RESAMPLES", 60)
    patch.setattr(figures, "DPI", 30)
    # The report's own tests draw these; they take seconds.
    patch.setattr(animation, "write", lambda one, path: False)
    patch.setattr(energy_variants, "variants", lambda one: None)
    yield


@pytest.fixture(scope="module")
def subject(small, tiny_model, tmp_path_factory):
  settings = tracing_settings.Settings(
    model=str(tiny_model),
    walks=64,
    groups=4,
    context=40,
    windows=(20, 40),
    resamples=40,
  )
  return graph_subject.GraphSubject(settings, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def ones(subject):
  asked, notes = paper_graphs.possible(subject)
  assert asked["ring:10"]["mode"] == "pairs" and not notes
  return paper_graphs.observe(subject, asked)


@pytest.fixture(scope="module")
def outcomes(subject, tmp_path_factory):
  found = {}
  for one in (emergence, energy_and_accuracy, alignment, untrained):
    folder = tmp_path_factory.mktemp(one.RECIPE.name)
    found[one.RECIPE.name] = folder, one.RECIPE.run(subject, folder)
  return found


def test_figures_are_written_and_named(outcomes):
  for name, (folder, outcome) in outcomes.items():
    assert outcome.figures, name
    for figure in outcome.figures:
      assert (folder / figure.file).stat().st_size > 0
      assert figure.caption.endswith(".") and figure.alt


def test_numbers_can_be_written(outcomes):
  for _, outcome in outcomes.values():
    json.dumps(outcome.numbers)
    for table in outcome.tables:
      assert all(len(row) == len(table.header) for row in table.rows)


def test_an_untrained_model_shows_nothing(outcomes):
  """Its control is a model like it, so nothing goes beyond."""
  claims = outcomes["emergence"][1].claims
  assert [claim.verdict for claim in claims[:2]] == [recipe.NOT_SHOWN] * 2
  order = outcomes["energy_and_accuracy"][1].claims[:2]
  assert recipe.SHOWN not in [claim.verdict for claim in order]


def test_scene_is_complete(outcomes):
  scene = outcomes["emergence"][1].scene
  assert [one["graph"] for one in scene] == list(paper_graphs.SPECS)
  for one in scene:
    n = len(one["words"])
    assert len(one["positions"]) == n
    assert np.abs(one["positions"]).max() == 1
    assert len(one["xy"]) == len(one["layers"]) == len(one["energy"])
    for row in one["xy"]:
      assert len(row) == len(one["contexts"])
    last = np.array(one["xy"][-1][-1])
    assert last.shape == (n, 2) and np.abs(last).max() == pytest.approx(1)
    assert len(one["accuracy"]) == len(one["contexts"])
    assert all(0 <= i < n and 0 <= j < n for i, j in one["edges"])
  json.dumps(scene)


def test_pairs_on_the_ring(ones):
  ring = ones["ring:10"]
  assert ring.unit == "tokens"
  # Half of the words are scored at most.
  scored = np.isfinite(ring.dataset["accuracy_full"]).mean()
  assert scored <= 0.5


def test_graphs_without_words_are_left_out(outcomes):
  notes = outcomes["alignment"][1].notes
  assert any("grid:40x40 is left out" in note for note in notes)


def test_timings_are_contexts(outcomes):
  measured = outcomes["energy_and_accuracy"][1].measurements["grid:4x4"]
  for name in ("energy_half", "energy_settled"):
    values = measured[name].values
    known = values[np.isfinite(values)]
    assert known.size and known.min() >= 1 and known.max() <= 40
  settled = measured["energy_settled"].sel(stat="value")
  half = measured["energy_half"].sel(stat="value")
  assert (settled.values >= half.values)[np.isfinite(half.values)].all()
  # The same energy up to a factor has the same events.
  by = measured["settled_by_energy"]
  np.testing.assert_allclose(
    by.sel(energy="energy_centred"), by.sel(energy="energy_relative")
  )


def test_even_guessing(ones):
  one = ones["grid:4x4"]
  guess = untrained.guessing(one)
  degree = (one.adjacency > 0).sum(axis=1)
  walk_weighted = (degree**2).sum() / degree.sum() / 16
  assert np.nanmean(guess) == pytest.approx(walk_weighted, abs=0.01)


def test_onset_needs_every_later_context():
  row = np.array(["present", "absent", "present", "present"])
  assert emergence_claims.onset(row) == 2
  assert emergence_claims.onset(row[:2]) is None
  assert emergence_claims.onset(np.array(["present"])) == 0


def test_shares_sum_to_one(ones):
  shares = alignment.share(ones["grid:4x4"])
  np.testing.assert_allclose(shares.shares.sum(axis=1), 1)
  assert shares.sizes.sum() == 15
  assert shares.eigenvalues[0] == pytest.approx(2 - np.sqrt(2))
