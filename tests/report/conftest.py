"""One synthetic run for all tests of the report; the tests do not change it."""

import pytest

from icl_graphs.report import figures
from report import synthetic


@pytest.fixture(scope="session")
def tree():
  return synthetic.run()


@pytest.fixture(autouse=True)
def coarse_figures(monkeypatch):
  """Fewer pixels: the tests look at which figures there are, not at them."""
  monkeypatch.setattr(figures, "DPI", 40)
