"""Small decoders that between them use every switch of the configuration."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from icl_graphs.models import config as config_lib
from icl_graphs.models import decoder

BASE = config_lib.DecoderConfig(
  family="llama",
  vocab_size=37,
  hidden_size=16,
  num_layers=3,
  num_heads=4,
  num_kv_heads=2,
  head_size=8,
  mlp_size=20,
  max_positions=64,
  initializer_range=0.3,
)

_LAYER_NORM = config_lib.Norm("layer", 1e-5, bias=True)
VARIANTS = {
  "llama": BASE,
  "mistral": dataclasses.replace(BASE, window=4, sliding=(True,) * 3),
  "gemma2": dataclasses.replace(
    BASE,
    norm=config_lib.Norm(order="one_plus_weight"),
    norm_placement="both",
    activation="gelu_tanh",
    embedding_scale=4.0,
    attention_softcap=2.0,
    logit_softcap=3.0,
    scale=0.4,
    window=5,
    sliding=(True, False, True),
    tied=True,
  ),
  "gemma3": dataclasses.replace(
    BASE,
    norm=config_lib.Norm(order="one_plus_weight"),
    norm_placement="both",
    qk_norm="head",
    rope=config_lib.Rope("linear", 1e6, factor=8.0),
    local_rope=config_lib.Rope(),
    window=3,
    sliding=(True, True, False),
  ),
  "gpt2": dataclasses.replace(
    BASE,
    norm=_LAYER_NORM,
    activation="gelu_tanh",
    gated=False,
    rope=None,
    learned_positions=True,
    num_kv_heads=4,
    qkv_bias=True,
    attention_output_bias=True,
    mlp_bias=True,
  ),
  "neox": dataclasses.replace(
    BASE,
    norm=_LAYER_NORM,
    parallel=True,
    activation="gelu",
    gated=False,
    rope=config_lib.Rope(rotated=0.25),
    num_kv_heads=4,
    qkv_bias=True,
  ),
  "olmo": dataclasses.replace(
    BASE, norm=config_lib.Norm("layer", weight=False), qkv_clip=0.5
  ),
  "olmo2": dataclasses.replace(
    BASE,
    norm=config_lib.Norm(order="weight_first"),
    norm_placement="post",
    qk_norm="projection",
  ),
}


@functools.cache
def params(config: config_lib.DecoderConfig) -> decoder.Params:
  """Random everywhere, biases and norms included."""
  rng = np.random.default_rng(0)
  shapes = jax.eval_shape(lambda: decoder.init(config, 0))
  return jax.tree.map(
    lambda leaf: jnp.asarray(
      0.3 * rng.normal(size=leaf.shape) + 0.1, leaf.dtype
    ),
    shapes,
  )
