"""The benchmark of decoding, small: what it compares and what it tells."""

import dataclasses

import pytest

from icl_graphs.experiments.speed import decoding
from tests.speed import torch_decoding

_SMALL = {
  "hidden_size": 32,
  "intermediate_size": 48,
  "num_attention_heads": 4,
  "num_key_value_heads": 2,
  "num_hidden_layers": 2,
  "vocab_size": 300,
}
_SETTINGS = decoding.Settings(
  sequences=6, steps=5, prompt_length=4, checked_sequences=3, repeats=1
)


@pytest.fixture
def small(monkeypatch):
  monkeypatch.setattr(decoding, "MODEL", decoding.MODEL | _SMALL)
  monkeypatch.setattr(torch_decoding, "_BATCHES", (4,))


def test_both_sides_draw_from_the_same_distribution(small, capsys):
  settings = dataclasses.replace(_SETTINGS, torch_sequences=3)
  result = decoding.measure(settings, torch_decoding)
  assert [row.scale for row in result.rows] == [1, 2]
  assert [row.name for row in result.rows] == ["icl_graphs", "transformers"]
  assert {row.units for row in result.rows} == {30}
  assert result.content["log_prob_difference"] < 1e-5
  assert result.content["ratio_vs_transformers"] > 0
  assert set(result.content["transformers"]) == {"cache", "batch", "threads"}
  assert "6 sequences of 5 tokens" in capsys.readouterr().out


def test_without_torch_ours_alone_is_timed(small):
  settings = dataclasses.replace(_SETTINGS, repeats=2)
  (row,) = decoding.measure(settings, None).rows
  assert len(row.seconds) == 2


def test_other_log_probabilities_end_it(small, monkeypatch):
  monkeypatch.setattr(decoding, "_TOLERANCE", -1.0)
  with pytest.raises(AssertionError, match="of drawn tokens differ by"):
    decoding.measure(_SETTINGS, torch_decoding)
