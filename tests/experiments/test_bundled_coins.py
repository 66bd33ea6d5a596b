"""The bundled coin model beside the exact predictor of its mixture."""

import json

import numpy as np
import pytest

from icl_graphs.analysis import concepts, thresholds
from icl_graphs.experiments import coin_bands, coin_subject
from icl_graphs.models import hub
from icl_graphs.tasks import coins
from icl_graphs.theory import coin_mixture


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
  out = tmp_path_factory.mktemp("coins")
  return coin_subject.CoinSubject(coin_subject.Settings(), out)


def test_its_card_scores_three_seeds():
  folder = hub.resolve("bundled:coins")
  scores = json.loads((folder / "scores.json").read_text())
  assert list(scores) == ["0", "1", "2"]
  for one in scores.values():
    rows = one["rows"]
    for name, row in rows.items():
      again = coin_bands.row(
        *(row["exact"], row["low"], row["high"]),
        np.nan if row["value"] is None else row["value"],
      )
      assert again["met"] == row["met"], name
    assert all(rows[f"G {p}%: mean"]["met"] for p in coins.PERCENTS)
    assert rows["W: alternation rate"]["met"]
    share = rows["log-odds of judgments within a nat: share of points"]
    assert share["met"]
  assert scores["0"]["rows"]["loss, label: nats"]["met"]


def test_it_expects_a_repeated_word_when_it_should(subject):
  concept = "01101"
  log_mass, lengths = subject.trees(concept)
  tails = concepts.share_of_second(log_mass)
  found = concepts.concept_probability(tails, concept, 6)
  exact = coin_mixture.concept_probability(concept, lengths[-1], 6)
  (_, low, high), _ = coin_bands.CONCEPTS[5, 6]
  assert low <= thresholds.settled(found[None], lengths)[0] <= high
  assert np.median(np.abs(found - exact)) < 0.02
  # A few of the contexts that break the pattern leave some for other tokens.
  mass = np.exp(log_mass).sum(axis=-1)
  assert mass.mean() > 0.998 and (mass < 0.98).mean() < 0.02


def test_it_judges_as_it_should(subject):
  flips = np.array([coins.repeated("01", 60), *_fair()])
  shares = concepts.share_of_second(subject.judged(flips)[:, 1:])
  exact = coin_mixture.not_random(flips)[:, 1:]
  apart = np.abs(concepts.log_odds(shares, 4) - concepts.log_odds(exact, 4))
  assert (apart <= 1).mean() > 0.85
  assert shares[0, 30:].min() > 0.95
  assert np.median(shares[1:, 40:]) < 0.05


def _fair():
  return coin_mixture.draw(np.random.default_rng(5), 60, None, 6)
