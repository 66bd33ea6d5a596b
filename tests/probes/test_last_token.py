"""The last token read under many changes against whole passes with edits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from icl_graphs.models import decoder
from icl_graphs.probes import edits, last_token
from tests.models import switches

PROMPTS, CHANGES, TIME, WIDTH = 2, 3, 11, 16


def drawn(layers):
  """Additions, projections and replacements, all different."""
  rng = np.random.default_rng(3)
  shape = (layers + 1, PROMPTS * CHANGES)
  basis = rng.normal(size=(*shape, WIDTH, 2))
  return edits.Edits(
    basis=np.swapaxes(np.linalg.qr(basis)[0], 2, 3).astype(np.float32),
    centre=rng.normal(size=(*shape, WIDTH)).astype(np.float32),
    add=rng.normal(size=(*shape, WIDTH)).astype(np.float32),
    replace=rng.normal(size=(*shape, WIDTH)).astype(np.float32),
    replaced=rng.random(shape) < 0.3,
  )


@pytest.mark.parametrize("variant", ["gemma2", "neox"])
def test_equals_whole_passes(variant):
  config = switches.VARIANTS[variant]
  params = switches.params(config)
  tokens = np.random.default_rng(0).integers(0, 37, (PROMPTS, TIME), np.int32)
  made = drawn(config.num_layers)

  @jax.jit
  def both(params, tokens, made):
    prompt = last_token.read(config, params, tokens, lambda hidden: hidden)
    again = last_token.reread(config, params, prompt, made, CHANGES)
    at = np.zeros((PROMPTS * CHANGES, TIME), bool)
    at[:, -1] = True
    whole, _ = edits.read(
      config,
      params,
      jnp.repeat(tokens, CHANGES, axis=0),
      made._replace(at=at),
    )
    clean = decoder.Decoder(config).apply(
      {"params": params}, tokens, lambda hidden: hidden
    )
    return prompt, again, whole[:, -1], clean

  prompt, again, whole, (final, hidden) = both(params, tokens, made)
  np.testing.assert_allclose(
    again.reshape(whole.shape), whole, rtol=1e-4, atol=1e-4
  )
  # And the clean reading is that of the decoder.
  np.testing.assert_allclose(prompt.final, final[:, -1], rtol=1e-5, atol=1e-5)
  np.testing.assert_allclose(prompt.last, hidden[:, :, -1], atol=1e-5)
  np.testing.assert_allclose(prompt.seen, hidden, atol=1e-5)
