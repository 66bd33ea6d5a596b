"""Memory of a process of its own."""

import numpy as np
import pytest

from icl_graphs.engine import throughput
from icl_graphs.experiments.speed import memory


class Side:
  """Holds 60 MB of weights; a row takes 40 MB and gives it back."""

  def __init__(self):
    self.weights = np.ones(60_000_000, np.uint8)

  def run(self, row):
    assert row == "useful"
    return lambda: np.ones(40_000_000, np.uint8).sum()

  def device_peak_bytes(self):
    return None


def test_peak_is_above_the_weights():
  peak = memory.peak_bytes(Side, "useful")
  if throughput.host_bytes() is None or peak is None:
    pytest.skip("this system does not tell")
  assert 38e6 < peak < 60e6
