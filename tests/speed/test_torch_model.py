"""The rivals give what we give, for every kind of model."""

import numpy as np
import pytest

from icl_graphs.experiments.speed import job as job_lib
from icl_graphs.experiments.speed import model, ours, random_checkpoint, shapes
from tests.speed import torch_model

SMALL = {
  "gpt2": {"n_embd": 24, "n_head": 3, "n_ctx": 64, "n_positions": 64},
  "pythia-1b": {
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_attention_heads": 2,
  },
  # Scores and logits are capped, embeddings scaled, every other layer slides.
  "gemma-2-2b": {
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "query_pre_attn_scalar": 8,
    "sliding_window": 6,
    "attn_logit_softcapping": 1.0,
    "final_logit_softcapping": 2.0,
  },
}


@pytest.mark.parametrize("name", SMALL)
def test_useful_outputs_agree(name, tmp_path):
  fields = shapes.config(name, layers=2, vocab=40) | SMALL[name]
  random_checkpoint.write(tmp_path, fields | {"initializer_range": 0.4})
  job = job_lib.sampled(40, 2, 20, checkpoints=3, windows=(7,))
  own = ours.Ours(tmp_path, job, dtype="float32", backend=None, devices=1)
  theirs = torch_model.Model(tmp_path, job)
  outputs = {"useful": own.run("useful")()}
  for row in ("transformers_useful", "hooks_useful"):
    outputs[row] = theirs.run(row)()
  outputs = {
    row: job_lib.Output(*map(model.to_host, output))
    for row, output in outputs.items()
  }
  found = model.differences(outputs, 1e-4)
  assert set(found) == {"transformers_useful", "hooks_useful"}
  assert theirs.run("transformers_bare")().shape == (2, 20, 40)


def test_a_difference_is_refused():
  numbers = np.ones((2, 1, 1, 1, 3)), np.ones((1, 1, 1)), np.ones((1, 4, 1))
  mine = job_lib.Output(*numbers)
  other = mine._replace(node_log_probs=mine.node_log_probs + 0.01)
  outputs = {"useful": mine, "hooks_useful": other}
  assert model.differences(outputs, 0.1)["hooks_useful"] == pytest.approx(
    0.01 / 1.01
  )
  with pytest.raises(AssertionError, match="hooks_useful differs"):
    model.differences(outputs, 1e-3)
