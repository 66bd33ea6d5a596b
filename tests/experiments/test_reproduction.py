"""Subjects measure once; recipes run once and refuse alone."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.experiments import (
  catalogue,
  graph_subject,
  graph_tracing,
  recipe,
  reproduction,
  subject,
  tracing_settings,
)

# The tiny model is itself untrained, with seed 0.
SETTINGS = {
  "context": 60,
  "walks": 16,
  "windows": (20,),
  "resamples": 20,
  "seed": 1,
}


def ask(tiny_model, out, **changes):
  settings = tracing_settings.Settings(
    **{"model": str(tiny_model)} | SETTINGS | changes
  )
  return graph_subject.GraphSubject(settings, out)


@pytest.fixture(scope="module")
def asked(tiny_model, tmp_path_factory):
  return ask(tiny_model, tmp_path_factory.mktemp("asked"))


def test_trace_is_measured_once(asked, monkeypatch):
  first = asked.trace("grid:3x3", contexts=(20, 60))
  assert first.sizes["context"] == 2 and first.attrs["random_weights"] == 0
  monkeypatch.setattr(graph_subject.run, "collect", None)
  again = asked.trace("grid:3x3", contexts=(20, 60))
  np.testing.assert_array_equal(again.energy_relative, first.energy_relative)
  with pytest.raises(TypeError):
    asked.trace("grid:3x3", contexts=(20, 50))
  with pytest.raises(TypeError):
    asked.untrained.trace("grid:3x3", contexts=(20, 60))


def test_trace_equals_the_main_job(asked, tmp_path):
  prepared = asked.prepare("grid:3x3", contexts=(20, 60))
  tree = graph_tracing.observe(prepared, tmp_path, 60.0)
  expected = tree["grid:3x3"].to_dataset()
  got = asked.trace("grid:3x3", contexts=(20, 60))
  for name in ("energy_relative", "accuracy_full_mean", "gram"):
    np.testing.assert_allclose(got[name], expected[name], rtol=1e-5, atol=1e-6)


def test_untrained_leaves_norms_alone(asked):
  random = asked.untrained.params
  trained = asked.params
  assert asked.untrained.random_weights and not asked.random_weights
  norms = random["blocks"]["attention_norm"]["weight"]
  np.testing.assert_array_equal(norms, np.ones_like(norms))
  assert not np.array_equal(random["embedding"], trained["embedding"])
  assert jax.tree.structure(random) == jax.tree.structure(trained)


def double(params, fixed, rows, valid):
  kept = rows * valid[:, None].astype("float32")
  return kept.sum(), rows * jnp.asarray(2.0) + fixed


def test_evaluate_is_kept_until_the_recipe_is_done(asked, monkeypatch):
  rows = np.arange(6, dtype=np.float32).reshape(3, 2)
  total, doubled = asked.evaluate("a", double, rows, rows[:1], words=2)
  assert total == 15 and np.array_equal(doubled, 2 * rows + rows[:1])
  monkeypatch.setattr(subject.rows.run, "_Loop", Broken)
  asked.evaluate("a", double, rows, rows[:1], words=2)
  for changed in (("b", rows, rows[:1]), ("a", rows + 1, rows[:1])):
    with pytest.raises(ArithmeticError):
      asked.evaluate(changed[0], double, *changed[1:], words=2)


class Broken(subject.rows.run._Loop):
  """A loop that may not do any work."""

  def run(self, *_):
    if self._state.done < self.walks:
      raise ArithmeticError


class Counted:
  """A recipe that knows how often it ran."""

  def __init__(self, name, error=None):
    self.runs = 0
    self.error = error
    self.recipe = recipe.Recipe(name, name.title(), "Is it?", "here", self.run)

  def run(self, subject, folder):
    self.runs += 1
    if self.error:
      raise self.error
    claim = recipe.Claim("It is.", "a > b", recipe.SHOWN, "1 > 0")
    return recipe.Outcome((claim,), {"a": {"value": np.float64(1.0)}})


def test_recipes_run_once_and_refuse_alone(tiny_model, tmp_path):
  good = Counted("good")
  bad = Counted("bad", errors.InputError("no calendar words; give --words"))
  recipes = [bad.recipe, good.recipe]
  one = ask(tiny_model, tmp_path)
  records = reproduction.perform(recipes, one)
  assert [r["claims"][0]["verdict"] for r in records.values()] == [
    recipe.CANNOT_TELL,
    recipe.SHOWN,
  ]
  assert "no calendar words" in records["bad"]["claims"][0]["reason"]
  again = reproduction.perform(recipes, ask(tiny_model, tmp_path))
  assert again["good"]["numbers"] == {"a": {"value": 1.0}}
  assert (good.runs, bad.runs) == (1, 1)
  # Other settings: run again, and nothing of the old ones is shown.
  other = ask(tiny_model, tmp_path, seed=2)
  assert reproduction.finished(recipes, other) == {}
  reproduction.perform(recipes[1:], other)
  assert good.runs == 2
  assert list(reproduction.finished(recipes, other)) == ["good"]


def test_a_killed_recipe_is_run_again(tiny_model, tmp_path):
  killed = Counted("killed", KeyboardInterrupt())
  with pytest.raises(KeyboardInterrupt):
    reproduction.perform([killed.recipe], ask(tiny_model, tmp_path))
  killed.error = None
  records = reproduction.perform([killed.recipe], ask(tiny_model, tmp_path))
  assert killed.runs == 2 and "killed" in records


def test_a_damaged_outcome_is_named(tmp_path):
  (tmp_path / reproduction.OUTCOME).write_text("{")
  with pytest.raises(errors.InputError, match="delete it"):
    reproduction.read(tmp_path)


def test_catalogue_names_are_folders():
  for name, one in (
    catalogue.PAPER_ONE.recipes | catalogue.PAPER_TWO.recipes
  ).items():
    assert name == one.name and name.isidentifier()
    assert one.question.endswith("?") and one.title and one.source


def test_verdicts_are_checked():
  with pytest.raises(ValueError):
    recipe.Claim("a", "b", "maybe", "c")


def test_summary_is_json(tiny_model, tmp_path):
  good = Counted("good")
  records = reproduction.perform([good.recipe], ask(tiny_model, tmp_path))
  summary = json.loads(json.dumps(reproduction.summary(records)))
  assert summary["good"]["claims"][0]["verdict"] == recipe.SHOWN
  assert reproduction.brief(records["good"]) == "1 shown"
