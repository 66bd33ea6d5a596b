"""The benchmark of coin flips, on very little of it."""

import pytest

from icl_graphs.experiments.speed import coins


@pytest.fixture(scope="module")
def result():
  return coins.measure(
    coins.Settings(
      stimuli=1, concepts=1, passes=1, lengths=1, batch=4, sample=4, repeats=1
    )
  )


def test_both_ways_are_measured_and_read_the_same(result):
  assert [row.name for row in result.rows] == [
    "judgments, shared trunks",
    "judgments, read alone",
    "trees, shared trunks",
    "trees, read alone",
  ]
  assert [row.units for row in result.rows] == [100, 100, 1311, 1311]
  for one in result.content.values():
    assert one["log_prob_difference"] < 1e-4
    assert one["time_ratio"] > 0


def test_tokens_are_those_of_the_science_document(result):
  """Section 8: 11 to 14 times fewer tokens for judgments."""
  judged, trees = result.content["judgments"], result.content["trees"]
  assert 10.5 < judged["token_ratio"] < 14
  assert trees["token_ratio"] > 35
