import dataclasses

import jax
from jax import numpy as jnp
import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.models import decoder, families
from icl_graphs.training import forward, mixture, optimise, recipe

DATA = dataclasses.replace(mixture.Mixture(), scene_length=20.0)


@dataclasses.dataclass(frozen=True)
class Twice(recipe.Recipe):
  """The last stage has a schedule of its own."""

  finishing: tuple[float, ...] = (0.3,)


TINY = Twice(
  width=32,
  layers=2,
  heads=2,
  mlp_size=48,
  vocab_size=64,
  max_positions=64,
  graphs=("ring:5", "grid:2x3"),
  stages=(
    recipe.Stage(12, 20, 8, 9, mixture.PLAIN),
    recipe.Stage(8, 30, 8, 9, DATA),
  ),
  warmup=3,
)


@pytest.fixture(autouse=True)
def optax_mixes_dtypes():
  """Optax multiplies Python and int32 scalars."""
  with jax.numpy_dtype_promotion("standard"):
    yield


def variant(**changes):
  return dataclasses.replace(TINY, **changes)


@pytest.mark.parametrize(("tied", "time"), [(True, 64), (False, 150)])
def test_forward_is_the_decoder(tied, time):
  config = families.translate(variant(tied=tied, max_positions=150).hf_config())
  params = optimise.init(variant(tied=tied), 0)
  tokens = jax.random.randint(jax.random.key(1), (2, time), 0, 64)

  def general(params):
    final, _ = decoder.Decoder(config).apply({"params": params}, tokens)
    rows = decoder.logits(params, config, final).reshape(-1, 64)
    return jnp.mean(rows**2), rows

  def fast(params):
    rows = forward.logits(params, config, tokens)
    return jnp.mean(rows**2), rows

  (wanted, wanted_rows), (found, found_rows) = (
    jax.jit(jax.grad(function, has_aux=True))(params)
    for function in (general, fast)
  )
  np.testing.assert_allclose(found_rows, wanted_rows, atol=2e-5)
  for x, y in zip(jax.tree.leaves(wanted), jax.tree.leaves(found), strict=True):
    np.testing.assert_allclose(y, x, atol=2e-5)


def test_forward_refuses_what_it_does_not_compute():
  config = families.translate(TINY.hf_config())
  with pytest.raises(ValueError, match="groups"):
    forward.check(dataclasses.replace(config, num_kv_heads=1))
  with pytest.raises(ValueError, match="biases"):
    forward.check(dataclasses.replace(config, qkv_bias=True))


def test_embeddings_start_orthogonal_and_bos_at_zero():
  described = variant(width=64, common_scale=0.0, tied=False)
  params = optimise.init(described, 0)
  words = np.asarray(params["embedding"])
  np.testing.assert_array_equal(words[0], 0)
  wanted = 64 * described.embedding_scale**2 * np.eye(63)
  np.testing.assert_allclose(words[1:] @ words[1:].T, wanted, atol=1e-5)


def test_loss_counts_known_words_and_calendars_only():
  config = families.translate(TINY.hf_config())
  params = optimise.init(TINY, 0)
  nouns = jnp.array([[0, 40, 41, 40, 42, 40]])
  rows = np.asarray(forward.logits(params, config, nouns[:, :-1]))
  chances = rows - np.log(np.exp(rows).sum(axis=-1, keepdims=True))
  each = -chances[np.arange(5), np.asarray(nouns)[0, 1:]]
  found = optimise.loss(params, config, nouns)
  np.testing.assert_allclose(found, (each[2] + each[4]) / 2, rtol=1e-5)
  everything = optimise.loss(params, config, nouns, False)
  np.testing.assert_allclose(everything, each.mean(), rtol=1e-5)
  days = jnp.array([[0, 3, 4, 5]])
  np.testing.assert_allclose(
    optimise.loss(params, config, days),
    optimise.loss(params, config, days, False),
    rtol=1e-5,
  )


@pytest.mark.parametrize(
  "changes",
  [
    {},
    {
      "muon": False,
      "tied": False,
      "finishing": (),
      "other_rate": 0.01,
      "stages": (dataclasses.replace(TINY.stages[0], steps=20),),
    },
  ],
  ids=["muon-tied", "adamw-untied"],
)
def test_loss_falls(changes):
  losses = optimise.train(variant(**changes), 0).losses
  assert len(losses) == 20
  assert np.mean(losses[9:12]) < np.mean(losses[:2]) - 0.1


def halved(described, params):
  del described
  return params | {"embedding": params["embedding"] / 2}


def test_a_killed_training_continues_to_the_same_weights(tmp_path):
  assert (TINY.first_steps, variant(finishing=()).first_steps) == (12, 20)
  objective = optimise.WALKS._replace(before_finishing=halved)
  whole = optimise.train(TINY, 3, objective=objective)
  file = tmp_path / "state.npz"
  # At and after the change of stages.
  for stop in (12, 15):
    optimise.train(
      TINY, 3, objective=objective, state_file=file, stop_after=stop
    )
  told = []
  pieces = optimise.train(
    TINY, 3, objective=objective, state_file=file, advance=told.append
  )
  assert sum(told) == TINY.tokens, "what was read before counts as well"
  assert pieces.losses == whole.losses
  counts = [x for x in jax.tree.leaves(whole.optimiser) if x.dtype == jnp.int32]
  assert counts and max(map(int, counts)) == 8, "the optimiser starts afresh"
  for x, y in zip(
    jax.tree.leaves((whole.params, whole.optimiser)),
    jax.tree.leaves((pieces.params, pieces.optimiser)),
    strict=True,
  ):
    np.testing.assert_array_equal(x, y)


def test_the_last_stage_begins_with_changed_parameters():
  objective = optimise.WALKS._replace(before_finishing=halved)
  words = [
    np.asarray(
      optimise.train(TINY, 3, objective=one, stop_after=stop).params[
        "embedding"
      ]
    )
    for one, stop in ((optimise.WALKS, 12), (objective, 12), (objective, 13))
  ]
  np.testing.assert_array_equal(words[0], words[1])
  # The first step of a schedule has a rate of zero.
  np.testing.assert_array_equal(words[2], words[1] / 2)


def test_a_state_of_another_training_is_refused(tmp_path):
  file = tmp_path / "state.npz"
  optimise.train(TINY, 3, state_file=file, stop_after=2)
  with pytest.raises(errors.InputError, match="other settings"):
    optimise.train(TINY, 4, state_file=file)
  file.write_bytes(file.read_bytes()[:1000])
  with pytest.raises(errors.InputError, match="cannot resume"):
    optimise.train(TINY, 3, state_file=file)


def test_seeds_differ():
  first, second = (
    optimise.train(TINY, seed, stop_after=2).losses for seed in (0, 1)
  )
  assert first != second


def test_finishing_stages_are_the_last_ones():
  first, last = TINY.stages
  thrice = variant(stages=(first, last, last), finishing=(0.3, 0.2))
  steps = (0, 11, 12, 19, 20, 27)
  found = [thrice.finishing_at(step) for step in steps]
  assert found == [None, None, 0, 0, 1, 1]
  assert thrice.first_steps == 12 and thrice.steps == 28
  once = variant(finishing=())
  assert {once.finishing_at(step) for step in range(20)} == {None}


def test_recipes_are_scaled_stage_by_stage():
  short = recipe.scaled(TINY, 10)
  assert [stage.steps for stage in short.stages] == [6, 4]
  assert recipe.scaled(TINY, 2).steps == 2
  assert recipe.scaled(TINY, None) is TINY
  with pytest.raises(errors.InputError, match="stages"):
    recipe.scaled(TINY, 1)
