from icl_graphs.experiments import model_card, trained_model
from icl_graphs.training import walks

GOOD = {
  "energy_relative": 0.8,
  "distance_correlation": 0.7,
  "principal_cosine_1": 0.99,
  "principal_cosine_2": 0.95,
  "fiedler_power": 0.4,
  "parity_power": 0.1,
}


def entry(accuracy=0.9, **changes):
  return {
    "accuracy_full": accuracy,
    "accuracy_restricted": accuracy,
    "layers": {"1": GOOD | changes, "2": GOOD},
  }


def test_targets_are_met_layer_by_layer():
  assert trained_model.meets_targets(entry()) == ["1", "2"]
  assert trained_model.meets_targets(entry(energy_relative=0.9)) == ["2"]
  assert trained_model.meets_targets(entry(principal_cosine_2=None)) == ["2"]
  assert trained_model.meets_targets(entry(accuracy=0.8)) == []


def test_the_card_has_every_seed_graph_and_setting():
  scores = {seed: {"grid:4x4": entry(), "ring:10": entry()} for seed in "012"}
  record = {"seed": 1, "seconds": 600.0}
  described = walks.describe()
  card = model_card.write(described, record, scores)
  for line in ("| grid:4x4 | 2 | 0.90 | 1 | 0.80 |", "--seed=1", "| muon |"):
    assert line in card
  assert len(model_card.curve(described, [2.0] * 50).axes) == 1
