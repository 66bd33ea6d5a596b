"""The recipe on selection, on observers whose law is known."""

import types

import numpy as np
import pytest

from icl_graphs.experiments import coin_subject, recipe
from icl_graphs.experiments.paper_two import selection
from icl_graphs.tasks import coins
from icl_graphs.theory import coin_mixture


def observer(law, tree=40):
  """Reads concepts as the exact predictor does, with its belief changed.

  Args:
    law: from what is believed beyond a fair coin to what is predicted.
    tree: flips of the longest context.
  """

  def trees(concept):
    flips = coins.repeated(concept, tree)
    tails = coin_mixture.next_tails(flips)
    belief = law(np.abs(2 * tails - 1))
    tails = np.clip(0.5 + np.sign(tails - 0.5) * belief / 2, 1e-9, 1 - 1e-9)
    log_mass = np.log(np.stack([1 - tails, tails], axis=-1))
    return log_mass[:, None], np.arange(tree + 1)

  settings = coin_subject.Settings(tree=tree, resamples=100)
  return types.SimpleNamespace(trees=trees, settings=settings)


def test_averaging_needs_no_selection(tmp_path):
  found = selection.run(observer(lambda belief: belief), tmp_path)
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


@pytest.mark.parametrize(
  ("law", "least"),
  [
    # Twice the log-odds, and all or nothing, whose slope cannot be fitted.
    (lambda belief: belief**2 / (belief**2 + (1 - belief) ** 2), 1.1),
    (lambda belief: (belief > 0.5).astype(float), 2.0),
  ],
)
def test_selection_is_steeper(tmp_path, monkeypatch, law, least):
  monkeypatch.setattr(selection, "_draw", lambda *arguments: None)
  found = selection.run(observer(law), tmp_path)
  assert found.claims[0].verdict == recipe.SHOWN
  assert found.numbers["evidence_slope"]["low"] > least
  assert found.numbers["concepts_with_a_transition"] == 16


def test_fair_flips_tell_nothing(tmp_path):
  found = selection.run(observer(np.zeros_like, tree=12), tmp_path)
  assert found.claims[0].verdict == recipe.CANNOT_TELL
