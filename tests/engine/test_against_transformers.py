"""A whole run against numpy loops over transformers' hidden states."""

import numpy as np
import pytest
import torch
import transformers

from icl_graphs.engine import forward, observations, parallel, run
from icl_graphs.models import checkpoint, families
from icl_graphs.probes import class_sums
from icl_graphs.tasks import graphs, prompts

WORDS, WALKS, GROUPS = 70, 12, 3
NODE_IDS = (11, 7, 23, 5, 40, 3, 31, 19, 2)
GRAPH = graphs.parse("grid:3x3")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
  """A small random Llama, saved by transformers: folder and torch module."""
  folder = tmp_path_factory.mktemp("model")
  torch.manual_seed(0)
  config = transformers.LlamaConfig(
    vocab_size=50,
    hidden_size=24,
    intermediate_size=40,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=128,
    initializer_range=0.3,
  )
  module = transformers.LlamaForCausalLM(config).eval()
  module.save_pretrained(folder)
  return folder, module


def make_plan(folder, mode="walk", groups=GROUPS, **changes):
  layout = prompts.Layout(
    bos_ids=(1,),
    node_token_ids=NODE_IDS,
    words=tuple("abcdefghi"),
    mode=mode,
    separator_id=4 if mode == "pairs" else None,
  )
  sums = class_sums.ClassSums(9, groups, (8, 31, WORDS), (20, 50), 1)
  config = families.read_config(folder)
  return forward.Plan(config, layout, sums, (0, 1, 2, 3), WORDS, **changes)


def collect(folder, plan, batch_size=5, num_devices=2, seed=3):
  spread = parallel.spread(num_devices)
  params = checkpoint.load(folder, plan.decoder, "float32")
  return run.collect(
    plan,
    spread.put(params),
    forward.task(GRAPH, seed),
    walks=WALKS,
    batch_size=batch_size,
    spread=spread,
    label="test",
  )


def torch_outputs(module, plan, seed=3):
  """Tokens, nodes, hidden states 0..3 before the final norm, log-softmax."""
  work = forward.task(GRAPH, seed)
  batch = forward.sample(plan, work, np.arange(WALKS, dtype=np.int32))
  tokens = torch.tensor(np.asarray(batch.tokens), dtype=torch.long)
  last = []
  hook = module.model.norm.register_forward_pre_hook(
    lambda _, inputs: last.append(inputs[0])
  )
  with torch.no_grad():
    output = module(tokens, output_hidden_states=True)
  hook.remove()
  hidden = [*output.hidden_states[:-1], last[0]]
  log_probs = torch.log_softmax(output.logits.double(), -1).numpy()
  return (
    batch,
    np.stack([h.double().numpy() for h in hidden]),
    log_probs,
  )


@pytest.mark.parametrize("mode", ["walk", "pairs"])
def test_class_means_and_accuracies(model, mode):
  folder, module = model
  plan = make_plan(folder, mode)
  state = collect(folder, plan)
  data = observations.to_dataset(plan, GRAPH, state)
  batch, hidden, log_probs = torch_outputs(module, plan)
  nodes = np.asarray(batch.nodes)
  for w, window in enumerate(plan.sums.windows):
    for c, context in enumerate(plan.sums.context_lengths):
      sums = np.zeros((4, GROUPS, 9, 24))
      count = np.zeros((GROUPS, 9))
      for b in range(WALKS):
        for t in range(max(1, context - window + 1), context + 1):
          if nodes[b, t] >= 0:
            sums[:, b % GROUPS, nodes[b, t]] += hidden[:, b, t]
            count[b % GROUPS, nodes[b, t]] += 1
      rows = sums.reshape(4, GROUPS * 9, 24)
      expected = np.einsum("lid,ljd->lij", rows, rows)
      got = data.gram[:, w, c].values.reshape(expected.shape)
      scale = np.abs(expected).max()
      np.testing.assert_allclose(got, expected, atol=1e-4 * scale)
      np.testing.assert_array_equal(data["count"][w, c], count)
  probs = np.exp(log_probs[..., list(NODE_IDS)])
  for b in range(WALKS):
    for t in range(1, WORDS + 1):
      got = data.accuracy_full.values[b, t - 1]
      if mode == "pairs" and t % 3 != 1:
        assert np.isnan(got)
        continue
      neighbours = GRAPH.adjacency[nodes[b, t]] > 0
      assert np.isclose(got, probs[b, t, neighbours].sum(), atol=1e-4)
      mass = data.node_mass.values[b, t - 1]
      assert np.isclose(mass, probs[b, t].sum(), atol=1e-4)


def test_roles_of_a_pair_add_up(model):
  folder, _ = model
  hidden = {
    role: collect(folder, make_plan(folder, "pairs", pair_role=role)).sums
    for role in ("both", "first", "second")
  }
  together = hidden["first"].hidden + hidden["second"].hidden
  np.testing.assert_allclose(together, hidden["both"].hidden, atol=1e-3)
  counts = hidden["first"].count + hidden["second"].count
  np.testing.assert_array_equal(counts, hidden["both"].count)
  assert hidden["first"].count.sum() == WALKS * sum(
    sum(start <= t < stop for t in range(0, WORDS, 3))
    for start, stop in make_plan(folder, "pairs").sums.segments
  )


def test_batches_devices_and_groups_change_nothing(model):
  folder, _ = model
  plan = make_plan(folder)
  reference = collect(folder, plan, batch_size=12, num_devices=1)
  for batch_size, num_devices in [(1, 1), (5, 1), (2, 4), (7, 2)]:
    other = collect(folder, plan, batch_size, num_devices)
    np.testing.assert_array_equal(
      other.per_walk.nodes, reference.per_walk.nodes
    )
    np.testing.assert_allclose(
      other.per_walk.accuracy_full,
      reference.per_walk.accuracy_full,
      atol=1e-5,
    )
    np.testing.assert_allclose(
      other.sums.hidden, reference.sums.hidden, atol=1e-3
    )
    np.testing.assert_array_equal(other.sums.count, reference.sums.count)
  regrouped = collect(folder, make_plan(folder, groups=1), 12, 1)
  np.testing.assert_allclose(
    regrouped.sums.hidden[:, :, 0],
    reference.sums.hidden.sum(axis=2),
    atol=1e-3,
  )


def test_kept_layers_are_a_selection(model):
  folder, _ = model
  plan = make_plan(folder)
  some = collect(folder, forward.Plan(**{**vars(plan), "layers": (0, 3)}))
  every = collect(folder, plan)
  np.testing.assert_array_equal(
    some.sums.hidden, every.sums.hidden[np.array([0, 3])]
  )
