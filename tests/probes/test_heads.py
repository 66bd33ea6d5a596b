"""Head scores of planted attention; transformers are compared elsewhere."""

import dataclasses

import jax
import numpy as np
import pytest

from icl_graphs import errors
from icl_graphs.models import hooks
from icl_graphs.probes import heads
from tests.models import switches


def test_random_tokens_are_repeated_once():
  tokens = heads.repeated_tokens(40, count=32, length=32, seed=1)
  assert tokens.shape == (32, 64) and tokens.dtype == np.int32
  np.testing.assert_array_equal(tokens[:, :32], tokens[:, 32:])
  assert tokens.min() == 0 and tokens.max() == 19
  assert heads.induction(32) == (31, 32)
  assert heads.previous_token() == (1, 2)


def test_weights_are_causal_and_sum_to_one():
  config = switches.VARIANTS["gemma2"]
  rng = np.random.default_rng(0)
  query = rng.normal(size=(2, 9, 4, 8)).astype(np.float32)
  key = rng.normal(size=(2, 9, 2, 8)).astype(np.float32)
  for slides in (False, True):
    mixing = hooks.Mixing(query, key, query, np.array(slides))
    weights = np.asarray(heads.weights_of(config, mixing))
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
    seen = np.tril(np.ones((9, 9), bool))
    if slides:
      seen &= ~np.tril(seen, -config.window)
    np.testing.assert_array_equal(
      weights > 0, np.broadcast_to(seen, (2, 4, 9, 9))
    )


def test_only_scores_leave_the_scan():
  """No weights of all layers: memory does not grow with depth beyond them."""
  tokens = jax.ShapeDtypeStruct((8, 64), np.int32)

  def temporary_bytes(layers):
    config = dataclasses.replace(switches.BASE, num_layers=layers)
    params = jax.eval_shape(lambda: switches.decoder.init(config, 0))
    run = jax.jit(
      lambda p, t: heads.scores(config, p, t, (heads.previous_token(),))
    )
    analysis = run.lower(params, tokens).compile().memory_analysis()
    return analysis.temp_size_in_bytes

  one_layer_of_weights = 8 * 4 * 64 * 64 * 4
  assert temporary_bytes(12) - temporary_bytes(2) < one_layer_of_weights / 4


def test_short_sequences_are_refused():
  config = switches.BASE
  tokens = np.zeros((1, 20), np.int32)
  with pytest.raises(errors.InputError, match="position 32 to 1"):
    heads.scores(
      config, switches.params(config), tokens, (heads.induction(32),)
    )


def test_ranking():
  score = np.array([[0.1, 0.5], [0.5, 0.9]])
  assert heads.ranked(score) == ((1, 1), (0, 1), (1, 0), (0, 0))
