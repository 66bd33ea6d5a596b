"""The recipe on selection, on observers whose law is known."""

import numpy as np
import pytest

from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_two import selection
from tests.experiments.paper_two import tree_observers


def test_averaging_needs_no_selection(tmp_path):
  found = selection.run(tree_observers.Observer(tree=40), tmp_path)
  assert found.claims[0].verdict == recipe.NOT_SHOWN
  # The exact predictor averages, at about ln 2 per flip.
  slope = found.numbers["evidence_slope"]
  assert slope["value"] == pytest.approx(np.log(2), abs=0.06)
  beyond = found.numbers["evidence_slope_beyond_averaging"]
  assert [beyond[k] for k in ("value", "low", "high")] == pytest.approx(
    [0, 0, 0], abs=1e-9
  )
  assert found.numbers["concepts_with_a_transition"] == 16
  assert all((tmp_path / one.file).stat().st_size for one in found.figures)


def test_selection_is_steeper(tmp_path):
  class Selecting(tree_observers.Observer):
    """Twice the exact predictor's log-odds for the concept."""

    def trees(self, concept, depth=5):
      log_mass, lengths = super().trees(concept, depth)
      tails = np.exp(log_mass[..., 1])
      sign, belief = np.sign(tails - 0.5), np.abs(2 * tails - 1)
      sharp = belief**2 / (belief**2 + (1 - belief) ** 2)
      tails = np.clip(0.5 + sign * sharp / 2, 1e-9, 1 - 1e-9)
      return np.log(np.stack([1 - tails, tails], axis=-1)), lengths

  found = selection.run(Selecting(tree=40), tmp_path)
  assert found.claims[0].verdict == recipe.SHOWN
  assert found.numbers["evidence_slope"]["value"] > 1.1


def test_fair_flips_tell_nothing(tmp_path):
  observer = tree_observers.Observer(blind=True, tree=12)
  found = selection.run(observer, tmp_path)
  assert found.claims[0].verdict == recipe.CANNOT_TELL
