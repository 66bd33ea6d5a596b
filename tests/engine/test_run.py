"""The loop over batches: memory, transfers, and what is left undone."""

import dataclasses
import functools
import json
import types

import jax
import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.engine import (
  batch_size,
  forward,
  observations,
  parallel,
  run,
  state,
)
from icl_graphs.models import decoder
from icl_graphs.tasks import graphs
from tests.engine import spreads

WALKS = 10
FULL = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory: 5 GB")


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
  folder = tmp_path_factory.mktemp("model")
  (folder / "config.json").write_text(json.dumps(spreads.HF_CONFIG))
  return spreads.plan(folder)


@functools.cache
def made(config):
  return parallel.spread(2).make(lambda: decoder.init(config, 0))


def collect(plan, **changes):
  spread = parallel.spread(2)
  return run.collect(
    plan,
    forward.needed(plan, made(plan.decoder)),
    forward.task(graphs.parse("grid:3x3"), 3),
    **{"walks": WALKS, "spread": spread, "label": "test"} | changes,
  )


def test_nothing_moves_unasked(plan, monkeypatch):
  def implicit(self, first, batch_size, total):
    index = np.arange(self.data * batch_size, dtype=np.int32)
    index = index.reshape(self.data, batch_size)
    return index, index < total

  collect(plan, batch_size=2)
  monkeypatch.setattr(parallel.Spread, "walks", implicit)
  with pytest.raises(jax.errors.JaxRuntimeError, match="Disallowed host-to"):
    collect(plan, batch_size=2)


def limited(monkeypatch, most, from_call=0):
  """Steps of more than `most` walks have no memory, from some call on."""
  make = run._programs.step
  calls = []

  def step(plan, spread, params, work, size):
    program = make(plan, spread, params, work, size)

    def call(*arguments):
      calls.append(size)
      if size > most and len(calls) > from_call:
        raise FULL
      return program(*arguments)

    return call

  monkeypatch.setattr(run._programs, "step", step)
  return calls


def same(left, right, exactly=True):
  for a, b in zip(
    (*left.sums, *left.per_walk), (*right.sums, *right.per_walk), strict=True
  ):
    if exactly:
      np.testing.assert_array_equal(a, b)
    else:
      np.testing.assert_allclose(a, b, atol=1e-5)


def test_halved_batch_goes_on(plan, monkeypatch, tmp_path, capsys):
  expected = collect(plan, batch_size=2)
  # Two devices: walks 0-3 are done, 4-7 are taken again with 8 and 9.
  calls = limited(monkeypatch, 1, from_call=2)
  file = tmp_path / "unfinished.npz"
  got = collect(plan, batch_size=2, state_file=file)
  assert calls == [2, 2, 2, 1, 1, 1]
  assert got.batch_size == 1
  assert "going on with 1" in capsys.readouterr().err
  same(got, expected, exactly=False)
  assert state.load(file, "", (got.sums, got.per_walk)).batch_size == 1


def test_resumed_run_keeps_its_batch(plan, tmp_path):
  file = tmp_path / "unfinished.npz"
  collect(plan, walks=4, batch_size=1, state_file=file)
  resumed = collect(plan, state_file=file)
  assert resumed.batch_size == 1
  same(resumed, collect(plan, batch_size=1))


def test_one_walk_too_many(plan, monkeypatch):
  limited(monkeypatch, 0)
  with pytest.raises(errors.InputError, match="out of memory with 1 walk"):
    collect(plan, batch_size=2)


def test_other_failures_are_not_taken_for_memory(plan, monkeypatch):
  def fail(*_):
    raise jax.errors.JaxRuntimeError("INTERNAL: something else")

  monkeypatch.setattr(run._programs, "step", fail)
  with pytest.raises(jax.errors.JaxRuntimeError, match="something else"):
    collect(plan, batch_size=2)


def test_batch_is_chosen_and_said(plan, capsys):
  assert collect(plan, walks=4).batch_size == 2
  assert "2 walks per step" in capsys.readouterr().err


class Programs:
  """Stand-ins for compiled programs, of which a walk takes `each` bytes."""

  def __init__(self, each, fixed=0, refuses=1000):
    self.each, self.fixed, self.refuses = each, fixed, refuses
    self.compiled = []

  def __call__(self, size):
    self.compiled.append(size)
    if size > self.refuses:
      raise FULL
    memory = types.SimpleNamespace(
      argument_size_in_bytes=self.fixed,
      output_size_in_bytes=0,
      temp_size_in_bytes=self.each * size,
    )
    return types.SimpleNamespace(memory_analysis=lambda: memory)


@pytest.mark.parametrize(
  "programs, platform, walks, chosen, compilations",
  [
    (Programs(1), "cpu", 256, 32, 1),  # A CPU gains nothing from more.
    (Programs(1), "cpu", 33, 17, 1),  # Two even batches, not 32 and 1.
    (Programs(1), "cpu", 5, 5, 1),
    (Programs(1), "gpu", 1024, 128, 1),  # 2^17 tokens of 1,024 words.
    (Programs(100), "gpu", 1024, 9, 2),
    (Programs(100, fixed=500), "gpu", 1024, 4, 2),
    (Programs(1, refuses=40), "gpu", 1024, 32, 3),
    (Programs(10**6), "gpu", 1024, 1, 2),
  ],
)
def test_batch_size(
  monkeypatch, programs, platform, walks, chosen, compilations
):
  monkeypatch.setattr(parallel, "device_bytes", lambda device: 1000)
  device = types.SimpleNamespace(platform=platform)
  fit = batch_size.choose(programs, device, walks=walks, words=1024)
  assert fit.batch_size == chosen
  assert len(programs.compiled) == compilations
  assert fit.limit == (500 if platform == "cpu" else 900)


def test_memory_of_a_device_is_known():
  assert 1e8 < parallel.device_bytes(jax.local_devices()[0]) < 1e14


def test_only_needed_blocks_run_without_accuracy(plan):
  expected = collect(plan, batch_size=2)
  early = dataclasses.replace(plan, layers=(0, 1), accuracy=False)
  assert early.running.num_layers == 1
  params = forward.needed(early, made(plan.decoder))
  assert params["blocks"]["mlp"]["up"]["kernel"].shape[0] == 1
  got = collect(early, batch_size=2)
  hidden = expected.sums.hidden[:2]
  np.testing.assert_allclose(got.sums.hidden, hidden, atol=1e-5)
  np.testing.assert_array_equal(got.per_walk.nodes, expected.per_walk.nodes)
  assert np.isnan(got.per_walk.accuracy_full).all()
  data = observations.to_dataset(early, graphs.parse("grid:3x3"), got)
  assert "gram" in data and "accuracy_full" not in data
