"""Turns, warm-ups, rates."""

import pytest

from icl_graphs.experiments.speed import timing


def test_rivals_take_turns_after_warming_up():
  calls = []
  rivals = [
    timing.Rival(name, lambda name=name: calls.append(name), 10, warm_ups=warm)
    for name, warm in (("a", 1), ("b", 2), ("c", 0))
  ]
  rows = timing.interleave(rivals, 2)
  assert "".join(calls) == "abb" + "abc" * 2
  assert [row.name for row in rows] == ["a", "b", "c"]
  assert all(len(row.seconds) == 2 for row in rows)


def test_rates_are_of_the_whole_job():
  row = timing.Row("a", 100, (0.5, 1.0, 2.0), scale=10)
  assert row.median == 10
  assert row.rate == {"median": 10, "low": 5, "high": 20}
  content = row.as_dict()
  assert content["tokens_per_second"] == row.rate
  assert content["scaled_by"] == 10
  assert (
    "steps_per_second" in timing.Row("a", 1, (1.0,), unit="steps").as_dict()
  )


def test_table_compares_time_per_unit():
  rows = [timing.Row("a", 100, (1.0,)), timing.Row("bb", 50, (1.0,))]
  first, second = timing.table(rows).splitlines()
  assert "100 tokens/s" in first and "1x time" in first
  assert "50 tokens/s" in second and "2x time" in second


def test_names_are_unique():
  twice = [timing.Rival("a", print, 1)] * 2
  with pytest.raises(ValueError, match="one name"):
    timing.interleave(twice, 1)
