import json

import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.experiments import (
  graph_tracing,
  model_card,
  score_tables,
  tracing_settings,
  trained_model,
)
from icl_graphs.tasks import words
from icl_graphs.training import walks

GOOD = {
  "energy_relative": 0.8,
  "distance_correlation": 0.7,
  "principal_cosine_1": 0.99,
  "principal_cosine_2": 0.95,
  "fiedler_power": 0.4,
  "parity_power": 0.1,
}
SETTINGS = trained_model.Settings(context=40, window=20, walks=8, assignments=2)


def number(value):
  if value is None:
    return {"mean": None, "sd": None, "values": [None, None]}
  values = [value - 0.01, value + 0.01]
  return {"mean": value, "sd": float(np.std(values, ddof=1)), "values": values}


def entry(accuracy=0.9, **changes):
  layers = {"1": GOOD | changes, "2": GOOD}
  return {
    "accuracy_full": number(accuracy),
    "accuracy_restricted": number(accuracy),
    "layers": {
      layer: {key: number(value) for key, value in numbers.items()}
      for layer, numbers in layers.items()
    },
  }


def of_seed(**changes):
  kinds = {"nouns": entry(**changes), "paper": entry()}
  rest = {"nouns": entry(), "paper": entry()}
  return {
    "settings": SETTINGS.__dict__,
    "report_layer": 1,
    "graphs": {"grid:4x4": kinds, "hex:3x3": rest},
  }


def test_targets_are_met_layer_by_layer():
  for changes, met in (
    ({}, ["1", "2"]),
    ({"energy_relative": 0.9}, ["2"]),
    ({"principal_cosine_2": None}, ["2"]),
    ({"accuracy": 0.8}, []),
  ):
    assert trained_model.meets_targets(entry(**changes)) == met
  assert trained_model.missed(entry(accuracy=0.8), "1") == ["accuracy_full"]


def test_the_card_has_every_seed_graph_and_setting():
  scores = {"0": of_seed(), "1": of_seed(energy_relative=0.9)}
  described = walks.describe()
  card = model_card.write(described, {"seed": 1, "seconds": 600.0}, scores)
  for line in (
    "| `grid:4x4` | nouns at random | 4 | .90 ± .012 | .85 ± .059 |",
    "| `hex:3x3` | the paper's, in order | 4 |",
    "| `grid:4x4` | 0 | all met | 2 |",
    "| `grid:4x4` | 1 | relative energy .90 | 2 |",
    "|  | 2 |  | .80 ± .014 |",
    "--seed=1",
    "| muon |",
    "trade-off",
  ):
    assert line in card, line
  assert "None" not in score_tables.markdown(scores)
  assert len(model_card.curve(described, [2.0] * 50).axes) == 1


def test_no_trade_off_is_told_where_every_target_is_met():
  assert "trade-off" not in score_tables.markdown({"0": of_seed()})
  brief = score_tables.brief(of_seed(energy_relative=0.9))
  assert "targets missed: relative energy\nhex:3x3" in brief
  assert brief.endswith("targets missed: none")


@pytest.fixture(scope="module")
def scored(tiny_model):
  nouns = words.concept_words("nouns")
  return trained_model.scores(
    tiny_model,
    nouns,
    ("ring:6", "grid:3x3"),
    SETTINGS,
  )


def test_every_assignment_is_a_run_of_the_main_job(
  scored, tiny_model, tmp_path
):
  """Renaming tokens is putting other words on the nodes."""
  nouns = tmp_path / "nouns.txt"
  nouns.write_text("\n".join(words.concept_words("nouns")))
  for kind, source, word_seed in (
    ("nouns", str(nouns), 1),
    ("paper", "paper30+nouns", None),
  ):
    prepared = tracing_settings.prepare(
      tracing_settings.Settings(
        model=str(tiny_model),
        graphs=("grid:3x3",),
        words=source,
        word_seed=word_seed,
        seed=word_seed or 0,
        context=SETTINGS.context,
        contexts=(SETTINGS.context,),
        windows=(SETTINGS.window,),
        walks=SETTINGS.walks,
        groups=2,
        resamples=2,
        random_weights_control=False,
      )
    )
    tree = graph_tracing.observe(prepared, tmp_path, save_seconds=1e9)
    expected = graph_tracing.summarise(prepared, tree)["grid:3x3"]
    graph_tracing.forget_state(tmp_path)
    found = scored["graphs"]["grid:3x3"][kind]
    assert expected["report_layer"] == scored["report_layer"]
    numbers = found | found["layers"][str(scored["report_layer"])]
    for key in (*trained_model.ACCURACIES, *trained_model.GEOMETRY):
      value = numbers[key]["values"][word_seed or 0]
      assert value == pytest.approx(expected[key]["value"], rel=1e-4), key


def test_kinds_and_spread(scored):
  kinds = scored["graphs"]["ring:6"]
  assert {
    kind: len(found["accuracy_full"]["values"]) for kind, found in kinds.items()
  } == {"nouns": 2, "paper": 1}
  energy = kinds["nouns"]["layers"]["2"]["energy_relative"]
  assert energy["mean"] == pytest.approx(np.mean(energy["values"]))
  assert energy["sd"] == pytest.approx(np.std(energy["values"], ddof=1))
  assert len(set(energy["values"])) == 2
  assert kinds["paper"]["layers"]["2"]["energy_relative"]["sd"] is None


def test_renaming_is_a_permutation_that_reads_as_asked():
  table = np.arange(8)[:, None] * np.ones(3)
  params = {"embedding": table, "blocks": "as they are"}
  found = trained_model.renamed(params, (2, 3, 4), (4, 6, 2))
  assert found["embedding"][:, 0].tolist() == [0, 1, 4, 6, 2, 5, 3, 7]
  assert found["blocks"] == "as they are" and "unembedding" not in found


def test_scores_of_other_seeds_must_be_alike(tmp_path):
  path = tmp_path / trained_model.FILE
  with pytest.raises(errors.InputError, match="cannot read the scores"):
    trained_model.read(tmp_path, SETTINGS)
  path.write_text(json.dumps({"3": of_seed()}))
  assert set(trained_model.read(tmp_path, SETTINGS)) == {"3"}
  other = trained_model.Settings(context=40)
  with pytest.raises(errors.InputError, match="was not scored with"):
    trained_model.read(tmp_path, other)
  # What was written before assignments were averaged.
  path.write_text(json.dumps({"0": {"grid:4x4": {"accuracy_full": 0.8}}}))
  with pytest.raises(errors.InputError, match="was not scored with"):
    trained_model.read(tmp_path, SETTINGS)


def test_more_nodes_than_nouns_are_refused(tiny_model):
  with pytest.raises(errors.InputError, match="cannot be drawn from 3"):
    trained_model.scores(
      tiny_model, ("apple", "bird", "car"), ("ring:5",), SETTINGS
    )
