"""Judgements follow from interval and null, never from hope."""

import math

import numpy as np
import pytest

from icl_graphs.report import tables, view, wording
from report import synthetic

NAN = math.nan


@pytest.mark.parametrize(
  ("direction", "value", "low", "high", "null", "band", "wild", "state"),
  [
    (-1, 0.74, 0.70, 0.78, 1.0, (0.9, 1.1), NAN, "present"),
    (-1, 0.97, 0.90, 1.04, 1.0, (0.9, 1.1), NAN, "absent"),
    # A narrow interval does not help when relabellings vary as much.
    (-1, 0.92, 0.91, 0.93, 1.0, (0.9, 1.1), NAN, "absent"),
    (-1, 1.20, 1.15, 1.25, 1.0, (0.9, 1.1), NAN, "reversed"),
    (1, 0.80, 0.75, 0.85, 0.0, (-0.2, 0.2), NAN, "present"),
    (1, 0.15, 0.05, 0.25, 0.0, (-0.2, 0.2), NAN, "absent"),
    # The band need not be symmetric: a cosine is never above 1.
    (1, 0.98, 0.97, 0.99, 0.6, (0.1, 0.97), NAN, "present"),
    (1, 0.96, 0.95, 0.99, 0.6, (0.1, 0.97), NAN, "absent"),
    # Its ends belong to the null.
    (1, 0.97, 0.96, 0.99, 0.6, (0.1, 0.97), NAN, "absent"),
    # One recording: no interval, the band of the null still judges.
    (1, 0.80, NAN, NAN, 0.0, (-0.2, 0.2), NAN, "present"),
    (1, 0.15, NAN, NAN, 0.0, (-0.2, 0.2), NAN, "absent"),
    # No band: the interval alone.
    (1, 0.15, 0.05, 0.25, 0.0, (NAN, NAN), NAN, "present"),
    # Random weights do as well: nothing was learnt.
    (-1, 0.74, 0.70, 0.78, 1.0, (0.9, 1.1), 0.75, "matched"),
    (-1, 0.74, 0.70, 0.78, 1.0, (0.9, 1.1), 0.95, "present"),
    (1, 0.80, 0.75, 0.85, NAN, (NAN, NAN), NAN, "unknown"),
    (1, NAN, NAN, NAN, 0.0, (-0.2, 0.2), NAN, "unknown"),
    (0, 0.80, 0.75, 0.85, 0.0, (-0.2, 0.2), NAN, "context"),
  ],
)
def test_judgement(direction, value, low, high, null, band, wild, state):
  found = wording.judge(direction, value, low, high, null, band, wild)
  assert found == state


def test_band_is_exact_where_it_can_be(tree):
  one = view.views(tree)[0]
  mean, spread = (one.stat("energy_ratio", s) for s in ("null", "null_sd"))
  low, high = one.null_band("energy_ratio")
  np.testing.assert_allclose(low, mean - 2 * spread)
  np.testing.assert_allclose(high, mean + 2 * spread)
  wide = one.dataset.reindex(stat=[*synthetic.STATS, "null_low", "null_high"])
  here = {"layer": 1, "window": 0, "context": 2}
  for which, value in (("null_low", 0.11), ("null_high", 0.22)):
    wide["energy_ratio"].loc[{"stat": which}][here] = value
  exact = view.GraphView("grid:4x4", wide).null_band("energy_ratio")
  assert (exact[0][1, 0, 2], exact[1][1, 0, 2]) == (0.11, 0.22)
  np.testing.assert_allclose(exact[0][2], low[2])
  assert one.null_band("absent") is None


def entry(value, low, high, null):
  return {"value": value, "low": low, "high": high, "null": null}


def test_verdict_follows_the_numbers():
  summary = {
    "energy_relative": entry(0.74, 0.70, 0.78, 1.0),
    "distance_correlation": entry(0.6, 0.5, 0.7, 0.0),
    "principal_cosine_2": entry(0.9, 0.8, 0.95, 0.14),
    "accuracy_full": entry(0.19, 0.18, 0.20, 0.19),
    "report_layer": 4,
  }
  geometry, behaviour = wording.verdicts(wording.findings(summary))
  assert geometry.state == "present"
  assert (
    geometry.evidence[0] == "relative energy 0.740 [0.700, 0.780], null 1.00"
  )
  assert behaviour.state == "absent"
  summary["distance_correlation"] = entry(0.05, -0.2, 0.3, 0.0)
  geometry, _ = wording.verdicts(wording.findings(summary))
  assert geometry.state == "mixed"
  assert geometry.evidence[1].endswith("not distinguishable from its null")


def test_verdict_without_null():
  summary = {"energy_relative": entry(0.5, None, None, None)}
  (verdict,) = wording.verdicts(wording.findings(summary))
  assert verdict.state == "unknown"
  assert wording.verdicts([]) == []


def test_own_units_are_not_compared_across_models():
  summary = {
    "energy_sum": entry(50.0, 49.0, 51.0, 90.0) | {"random_weights": 1.0}
  }
  assert wording.findings(summary)[0].state == "present"


@pytest.mark.parametrize(
  ("value", "text"),
  [
    (0.7412, "0.741"),
    (-0.0587, "-0.0587"),
    (1.0, "1.00"),
    (2507.2, "2507"),
    (4.1e-5, "4.10e-05"),
    (0.0, "0.00"),
    (NAN, "n/a"),
  ],
)
def test_numbers(value, text):
  assert wording.number(value) == text


def test_small_number_beside_a_large_one():
  assert wording.number(2.1e-4, beside=0.822) == "0.000"
  assert wording.number(-2.1e-4, beside=0.822) == "0.000"
  assert wording.number(1.5e-4, beside=1.2e-4) == "1.50e-04"


def test_table_is_aligned_and_complete(tree):
  summary = synthetic.summary(tree["grid:4x4"].to_dataset(), layer=2)
  summary["parity_power"] = entry(None, None, None, None)
  lines = tables.headline(summary).splitlines()
  assert lines[0] == "report layer 2, window 50"
  assert lines[1].split() == ["value", "interval", "null"]
  assert all(len(line) <= 80 for line in lines)
  (row,) = [line for line in lines if line.startswith("energy_relative ")]
  assert row.index("[") == lines[1].index("interval")
  (row,) = [line for line in lines if line.startswith("parity_power")]
  assert row.split() == ["parity_power", "n/a", "n/a"]


def test_table_shows_random_weights():
  summary = {"fiedler_power": entry(0.4, 0.3, 0.5, 0.1)}
  summary["fiedler_power"]["random_weights"] = 0.12
  text = tables.headline(summary)
  assert "random weights" in text and "0.120" in text
