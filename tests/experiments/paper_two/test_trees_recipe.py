"""The recipe on trees, on observers whose law is known."""

import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_two import trees
from icl_graphs.tasks import coins
from icl_graphs.theory import coin_mixture
from tests.experiments.paper_two import tree_observers


def test_exact_trees_are_continuations():
  context = np.array([0, 1, 1, 0])
  found = trees.exact_tails(context, 3)
  wanted = coin_mixture.continuation(
    np.array([*context, 1, 0]), np.array([[1]])
  )
  # Paths: (), 0, 1, 00, 01, 10, 11.
  assert found[5] == pytest.approx(wanted[0])
  assert trees.exact_tails(context[:0], 1) == pytest.approx(0.5)


def test_the_exact_predictor_switches_sharply(tmp_path):
  found = trees.run(tree_observers.Observer(), tmp_path)
  assert [one.verdict for one in found.claims] == [recipe.SHOWN] * 3
  assert all((tmp_path / one.file).stat().st_size for one in found.figures)
  kept = found.measurements
  np.testing.assert_allclose(
    kept["model_concept_probability"], kept["exact_concept_probability"]
  )
  assert len(found.tables[0].rows) == len(coins.TREE_CONCEPTS)
  # Section 11 of the specification: length 3 at depth 6.
  row = found.tables[0].rows[coins.TREE_CONCEPTS.index("011")]
  place = found.tables[0].header.index("model n50, d = 6")
  assert row[place : place + 2] == ("8", "12")
  # The observer puts nothing on other words.
  assert {row[3] for row in found.tables[1].rows} == {"4 of 4"}
  assert found.numbers["first letter, top 5"]["largest"] < 1e-12


def test_fair_flips_never_switch(tmp_path):
  found = trees.run(tree_observers.Observer(blind=True, tree=12), tmp_path)
  verdicts = [one.verdict for one in found.claims]
  assert verdicts == [*(recipe.NOT_SHOWN, recipe.CANNOT_TELL, recipe.NOT_SHOWN)]
  end = found.numbers["concept_probability_at_end"]
  assert end["value"] == pytest.approx(end["null"])


def test_short_contexts_are_refused_before_they_are_read(tmp_path):
  with pytest.raises(errors.InputError, match="--tree=4 .* at least 5"):
    trees.run(tree_observers.Observer(tree=4), tmp_path)
