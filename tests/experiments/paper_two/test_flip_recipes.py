"""Recipes of generated and judged flips, on observers whose law is known."""

import numpy as np
import pytest
from scipy import special

from icl_graphs import errors
from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_two import (
  generated,
  generation,
  judgment,
  subsequences,
)
from icl_graphs.theory import coin_models
from tests.experiments.paper_two import observers

SIZES = {"percents": (20, 50, 80), "sequences": 64, "resamples": 100}


def verdicts(outcome):
  return [claim.verdict for claim in outcome.claims]


def written(outcome, folder):
  return all((folder / one.file).stat().st_size for one in outcome.figures)


@pytest.fixture(scope="module")
def fallacy():
  return observers.Generator(
    lambda p: coin_models.WindowAverage(p, 5, 0.05), **SIZES
  )


@pytest.fixture(scope="module")
def independent():
  return observers.Generator(coin_models.Bernoulli, **SIZES)


def test_fallacy_is_shown(fallacy, tmp_path):
  outcome = generation.RECIPE.run(fallacy, tmp_path)
  assert verdicts(outcome) == [recipe.SHOWN] * 5
  assert written(outcome, tmp_path)
  assert outcome.numbers["dropped"]["50"] == pytest.approx(1 / 64)
  assert outcome.numbers["captured_mass"]["50"]["value"] == pytest.approx(0.9)
  shapes = {row[0]: row[1:] for row in outcome.tables[2].rows}
  assert max(map(float, shapes["window average 5"][:3])) < 3
  assert min(map(float, shapes["bernoulli"][:3])) > 4
  assert "window 5 to 5" in shapes["window average 5"][3]
  spread = outcome.numbers["sd_of_mean"]
  assert spread["share_of_the_way_to_window_5"] == pytest.approx(1, abs=0.25)
  assert spread["low"] < spread["value"] < spread["high"] < 0


def test_sequences_of_every_prompt_are_resampled_for_themselves(independent):
  (one, *_) = generated.conditions(independent)
  found = generated.values([one, one], "mean", 400, 0).replicates
  assert abs(np.corrcoef(found)[0, 1]) < 0.2


def test_independent_flips_show_no_fallacy(independent, tmp_path):
  outcome = generation.RECIPE.run(independent, tmp_path)
  bias = outcome.numbers["bias"]
  assert bias["low"] < 0 < bias["high"] and bias["high"] - bias["low"] < 0.06
  largest = outcome.numbers["largest_bias"]
  assert largest["value"] < 3 * largest["null"] < 0.1
  assert verdicts(outcome) == [recipe.SHOWN] + [recipe.NOT_SHOWN] * 4
  outcome = subsequences.RECIPE.run(independent, tmp_path)
  assert verdicts(outcome) == [recipe.NOT_SHOWN] * 2


def test_fallacy_repeats_itself(fallacy, tmp_path):
  outcome = subsequences.RECIPE.run(fallacy, tmp_path)
  assert verdicts(outcome) == [recipe.SHOWN] * 2
  assert written(outcome, tmp_path)
  assert np.isfinite(outcome.measurements.indel_bernoulli).all()


def test_models_that_write_no_flips_cannot_be_told(tmp_path):
  silent = observers.Generator(
    coin_models.Bernoulli, **SIZES | {"sequences": 8}
  )
  for one in (generation, subsequences):
    outcome = one.RECIPE.run(silent, tmp_path)
    assert set(verdicts(outcome)) == {recipe.CANNOT_TELL}


def test_exact_observer_judges_sharply(tmp_path):
  judge = observers.Judge(judged=60, tree=20, resamples=100)
  outcome = judgment.RECIPE.run(judge, tmp_path)
  assert verdicts(outcome) == [recipe.SHOWN] * 2
  assert written(outcome, tmp_path)
  numbers = outcome.numbers
  assert numbers["within_a_nat_of_exact"] == 1
  assert numbers["evidence_slope"]["value"] == pytest.approx(0.69, abs=0.02)
  assert numbers["between_tasks"]["correlation"] > 0.9
  share, median = numbers["share_with_a_transition"], numbers["median_n50"]
  assert share["value"] == 1 and share["null"] < 0.1
  # Of 27 concepts, 13 have up to five flips and n50 up to 11.
  assert (median["value"], median["null"]) == (12, 61)
  assert numbers["random_on_fair_flips"]["low"] > 0.9
  advantage = numbers["judgment_advantage"]
  assert advantage["null_high"] < advantage["low"] < advantage["high"] < 1
  assert numbers["first letter, top 100"]["largest"] <= 0.01
  assert numbers["log_odds_of_an_empty_list"] == pytest.approx(np.log(1 / 3))
  found = outcome.measurements.n50.sel(concept=["01", "011", "0110"])
  # The table of the specification.
  np.testing.assert_array_equal(found, [7, 8, 10])


def test_blind_observer_shows_nothing(tmp_path):
  judge = observers.Judge(blind=True, judged=40, tree=8, resamples=50)
  outcome = judgment.RECIPE.run(judge, tmp_path)
  assert verdicts(outcome) == [recipe.NOT_SHOWN] * 2
  assert outcome.numbers["judgment_advantage"]["value"] < 1e-12


def test_length_alone_is_no_sharp_change_of_judgment(tmp_path, monkeypatch):
  class ByLength(observers.Judge):
    """Calls every list of more than 15 flips non-random."""

    def judged(self, stimuli, *, trailing_comma=None):
      found = super().judged(stimuli, trailing_comma=trailing_comma)
      non = special.expit(np.log(2) * (np.arange(found.shape[1]) - 15.5))
      found[:] = np.log(np.stack([1 - non, non], axis=-1))
      return found

  monkeypatch.setattr(judgment, "_draw", lambda *arguments: None)
  judge = ByLength(judged=40, tree=8, resamples=50)
  outcome = judgment.RECIPE.run(judge, tmp_path)
  assert verdicts(outcome) == [recipe.NOT_SHOWN] * 2
  sharp = outcome.numbers["sharp_concepts"]
  assert sharp == {"value": 27, "of": 27, "null": 27}


def test_unheard_answers_cannot_be_told(tmp_path):
  judge = observers.Judge(mass=0.01, judged=30, tree=4, resamples=50)
  outcome = judgment.RECIPE.run(judge, tmp_path)
  assert verdicts(outcome) == [recipe.CANNOT_TELL] * 2


def test_short_lists_are_refused(tmp_path):
  with pytest.raises(errors.InputError, match="--judged=3"):
    judgment.RECIPE.run(observers.Judge(judged=3), tmp_path)
