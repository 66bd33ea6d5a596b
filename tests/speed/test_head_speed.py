"""The benchmark of sweeps over heads, small: what it compares and tells."""

import types

import pytest

from icl_graphs import errors
from icl_graphs.experiments.speed import heads
from tests.speed import torch_heads


@pytest.fixture
def settings(tiny_model):
  return heads.Settings(
    model=str(tiny_model),
    sizes="1",
    draws=1,
    walks=4,
    context=70,
    walks_alone=1,
    repeats=1,
  )


def test_all_rivals_read_the_same(settings, capsys):
  result = heads.measure(settings, torch_heads)
  configurations = 1 + 2 * (2 + 1)
  assert [row.name for row in result.rows] == [
    *("sweep", "rows", "one at a time", "transformers, one at a time")
  ]
  assert [row.scale for row in result.rows] == [1, 1, 4, 4]
  assert {row.units for row in result.rows} == {configurations * 4 * 71}
  content = result.content
  assert content["configurations"] == configurations
  assert content["max_difference"] < 1e-4
  assert 0 < content["share_of_layers"] < 1
  for name in ("rows", "one_at_a_time", "transformers"):
    assert content[f"ratio_vs_{name}"] > 0
  assert "7 configurations of 2 x 4 heads" in capsys.readouterr().out


def test_other_accuracies_end_it(settings):
  def nothing():
    return None

  job = types.SimpleNamespace(
    sweep=nothing,
    rows=nothing,
    one_by_one=nothing,
    units=1,
    alone=1,
    difference=lambda theirs: 2e-3,
  )
  with pytest.raises(AssertionError, match="differ by 2.0e-03"):
    heads._measure(settings, job, None)


@pytest.mark.parametrize("sizes", ["0,1", "9", "few"])
def test_sizes_that_are_none_are_refused(sizes):
  with pytest.raises(errors.InputError, match="numbers of heads from 1 to 8"):
    heads._sizes(sizes, 8)
