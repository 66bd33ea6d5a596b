"""One synthetic run for all tests of the report; the tests do not change it."""

import pytest

from report import synthetic


@pytest.fixture(scope="session")
def tree():
  return synthetic.run()
