"""Closed formulas against counts, shapes and compiled programs."""

import dataclasses

import jax
import numpy as np
import pytest

from icl_graphs.engine import collectives, parallel, roofline, throughput
from icl_graphs.experiments.speed import plan
from icl_graphs.models import config as config_lib
from icl_graphs.models import decoder

CONFIG = config_lib.DecoderConfig(
  family="llama",
  vocab_size=2048,
  hidden_size=64,
  num_layers=3,
  num_heads=8,
  num_kv_heads=2,
  head_size=8,
  mlp_size=96,
  max_positions=1024,
  tied=False,
)
DEVICE = roofline.DEVICES["H100"]
WORDS, BATCH = 255, 2


def placed(config, model):
  """Shape of every parameter on one device, by `parallel`'s table."""
  spread = parallel.Spread(tuple(jax.devices()[:model]), model)
  shapes = jax.eval_shape(lambda: decoder.init(config, 0, "bfloat16"))
  return [
    spread.place(
      "/".join(str(part.key) for part in path), leaf.shape
    ).shard_shape(leaf.shape)
    for path, leaf in jax.tree_util.tree_leaves_with_path(shapes)
  ]


@pytest.mark.parametrize("model", [1, 2, 4])
@pytest.mark.parametrize(
  "changes",
  [{}, {"tied": True}, {"gated": False}, {"norm_placement": "both"}],
  ids=str,
)
def test_weights_of_a_device(model, changes):
  # Two key/value heads are whole on each of four devices.
  config = dataclasses.replace(CONFIG, **changes)
  row = roofline.Roofline(config, DEVICE, model)
  expected = 2 * sum(int(np.prod(shape)) for shape in placed(config, model))
  assert row.weight_bytes() == expected


def test_published_weights():
  # 405,853,388,800 parameters (their names and shapes are tested elsewhere).
  shape = plan.shapes.config("llama-3.1-405b")
  config = plan.families.translate(shape)
  assert roofline.Roofline(config, DEVICE).weight_bytes() == 2 * 405_853_388_800


@pytest.fixture(scope="module")
def program():
  """Compiled for two members of two devices each."""
  settings = plan.Settings(
    words=WORDS, batch=BATCH, groups=2, dtype="float32", mesh="data:2,model:2"
  )
  return plan.compiled(CONFIG, settings)


def test_two_all_reduces_per_layer(program):
  found = [
    one
    for one in collectives.read(program.as_text())
    if one.times == CONFIG.num_layers
  ]
  stream = f"f32[{BATCH},{WORDS + 1},{CONFIG.hidden_size}]"
  assert [one[:3] for one in found] == 2 * [
    ("all-reduce", CONFIG.num_layers, (stream,))
  ]
  assert {one.group for one in found} == {2}
  # The formula counts bfloat16.
  sent = sum(one.sent for one in found) / (BATCH * (WORDS + 1))
  row = roofline.Roofline(CONFIG, DEVICE, 2, WORDS + 1)
  assert sent == 2 * row.sent_per_layer()


def test_only_numbers_per_walk_are_gathered(program):
  found = collectives.read(program.as_text())
  assert {one.kind for one in found} == {"all-reduce", "all-gather"}
  for one in found:
    if one.kind == "all-gather":
      assert all(f",{WORDS}]" in shape for shape in one.shapes)


def test_arguments_of_a_device_are_its_weights(program):
  row = roofline.Roofline(CONFIG, DEVICE, 2)
  assert program.memory_analysis().argument_size_in_bytes == pytest.approx(
    2 * row.weight_bytes(), abs=2048
  )


def test_sums_of_a_device():
  spec = plan.sums(WORDS, 2)
  rows = len(spec.segments) * 2 * 16
  row = roofline.Roofline(CONFIG, DEVICE, 4, sum_rows=rows, sums_cut=False)
  assert row.sum_bytes() == 4 * 4 * len(spec.segments) * 2 * 16 * 64
  cut = dataclasses.replace(row, sums_cut=True)
  assert cut.sum_bytes() == row.sum_bytes() // 4


def test_time_of_a_step():
  plain = dataclasses.replace(
    DEVICE, flops=1e9, bandwidth=1e30, link=1e30, network=1e30
  )
  row = roofline.Roofline(CONFIG, plain, 2, 128)
  operations = throughput.forward_flops(CONFIG, 5, 128)
  assert row.seconds(5).products == pytest.approx(operations / 2 / 1e9)
  # Eight devices of a host, each a half of the work of its row.
  assert row.bound(5) == pytest.approx(8 * 1e9 * 5 * 128 / operations)
  assert row.expected(5) == pytest.approx(row.bound(5) * 0.7 * 0.85)
  slow = dataclasses.replace(plain, flops=1e30, link=1e6)
  row = roofline.Roofline(CONFIG, slow, 2, 128)
  # 2 per layer and one of the embedding, each once around a ring of two.
  sent = (2 * 3 + 1) * 5 * 128 * 64 * 2
  assert row.seconds(5).links == pytest.approx(sent / 1e6)
  assert row.sent_per_token() * 5 * 128 == sent


def test_batch_fits_and_memory_grows_with_it():
  small = dataclasses.replace(DEVICE, memory=3e7)
  row = roofline.Roofline(CONFIG, small, 2, 2048)
  batch = row.batch()
  assert 1 < batch < 2**17 // 2048
  assert row.used_bytes(batch) <= 0.9 * 3e7 < row.used_bytes(batch + 1)
  tiny = dataclasses.replace(DEVICE, memory=1e5)
  assert roofline.Roofline(CONFIG, tiny).batch() == 0


def test_collectives_of_a_text():
  text = """
%body (x: f32[2]) -> f32[2] {
  %a = bf16[2,3]{1,0} all-reduce(%x), replica_groups=[2,4]<=[8], to_apply=%add
}
%condition (x: s32[]) -> pred[] {
  %limit = s32[]{:T(128)} constant(7)
  ROOT %less = pred[] compare(%x, %limit), direction=LT
}
%never (x: f32[2]) -> f32[2] {
  %b = f32[2]{0} all-gather(%x), replica_groups={{0,1}}
}
ENTRY %main (x: f32[2]) -> f32[2] {
  %w = (f32[2]) while(%x), condition=%condition, body=%body
  %c = (f32[4]{0}, s32[]) all-reduce(%w, %s), replica_groups={{0,1,2},{3,4,5}}
}
"""
  in_loop, outside = collectives.read(text)
  assert in_loop[:5] == ("all-reduce", 7, ("bf16[2,3]",), 12, 4)
  assert in_loop.sent == 18
  assert outside[:5] == ("all-reduce", 1, ("f32[4]", "s32[]"), 20, 3)
  assert collectives.largest_array(text) == (16, "f32[4]")
  with pytest.raises(ValueError, match="compiled"):
    collectives.read("nothing")


def test_lines_of_the_table():
  header, _, *rows = plan.lines(["llama-3.1-70b"], times=(2048,))
  assert all(row.count("|") == header.count("|") for row in rows)
  best = [row.split("|")[3:5] for row in rows if "*" in row]
  assert [[cell.strip(" *") for cell in row] for row in best] == [
    ["H100", "2:4"],
    ["H200", "4:2"],
    ["TPU v5p", "2:2"],
  ]


def test_report_of_a_program(program, monkeypatch):
  monkeypatch.setattr(plan, "compiled", lambda config, settings: program)
  _, memory, header, _, *rows = plan.report(CONFIG, plan.Settings())
  assert memory.startswith("per device: arguments 0.0")
  assert len(rows) == len(collectives.read(program.as_text()))
  assert all(row.count("|") == header.count("|") for row in rows)
