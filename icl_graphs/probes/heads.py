"""What attention heads look at, and what they bring, reduced layer by layer.

Weights of one layer exist at a time, inside the scan over layers: nothing of
the size [L, B, N, T, T] or [L, B, T, N, H] is kept.

Definitions: previous-token and induction scores on repeated random tokens, of
andyrdt/iclr_induction; the latter after arXiv 2209.11895.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped
import numpy as np

from icl_graphs import errors
from icl_graphs.models import attention, decoder, hooks
from icl_graphs.models import config as config_lib


class Pattern(NamedTuple):
  """A diagonal of the attention weights.

  Attributes:
    offset: how far back the attended position lies.
    start: first attending position that counts; all after it do too.
  """

  offset: int
  start: int


def previous_token() -> Pattern:
  """From i to i - 1, where there is more than one position to choose from."""
  return Pattern(1, 2)


def induction(repeated: int) -> Pattern:
  """From a word's second occurrence to what followed its first one.

  Args:
    repeated: tokens in the stretch that is repeated once.
  """
  return Pattern(repeated - 1, repeated)


def repeated_tokens(
  vocabulary: int, count: int = 32, length: int = 32, seed: int = 0
) -> Int[np.ndarray, "B T"]:
  """Random ids from [0, vocabulary / 2), each stretch repeated once, no BOS.

  Args:
    vocabulary: V.
    count: B sequences.
    length: of the stretch, T / 2.
    seed: of the draw.
  """
  rng = np.random.default_rng(seed)
  stretch = rng.integers(0, max(1, vocabulary // 2), (count, length), np.int32)
  return np.concatenate([stretch, stretch], axis=1)


def scores(
  config: config_lib.DecoderConfig,
  params: decoder.Params,
  tokens: Int[Array, "B T"],
  patterns: Sequence[Pattern],
) -> Float[Array, "B P L N"]:
  """Mean attention along each pattern, over its positions.

  Args:
    config: of the model.
    params: of the model.
    tokens: sequences, at positions 0 to T - 1.
    patterns: P diagonals.

  Raises:
    errors.InputError: a pattern has no position in sequences of this length.
  """
  time = tokens.shape[1]
  for offset, start in patterns:
    if not 0 <= offset <= start < time:
      raise errors.InputError(
        f"no attention from position {start} to {start - offset} in sequences"
        f" of {time} tokens; take longer ones"
      )

  def note(mixing, _):
    weights = weights_of(config, mixing)
    means = [
      jnp.mean(
        jnp.diagonal(weights, -offset, axis1=2, axis2=3)[..., start - offset :],
        axis=2,
      )
      for offset, start in patterns
    ]
    return mixing.mixed, jnp.stack(means, axis=1)

  return jnp.moveaxis(_notes(config, params, tokens, note), 0, 2)


def weights_of(
  config: config_lib.DecoderConfig, mixing: hooks.Mixing
) -> Float[Array, "B N T T"]:
  """Attention weights of one layer, from query (axis 2) to key (axis 3)."""
  batch, time, num_heads, size = mixing.query.shape
  grouped = mixing.query.reshape(batch, time, mixing.key.shape[2], -1, size)
  products = attention.products(
    "btkgh,bskh->bkgts", grouped, mixing.key, config.precision
  )
  visible = attention.causal_mask(0, time, time, None)
  if any(config.sliding):
    near = attention.causal_mask(0, time, time, config.window)
    visible = jnp.where(mixing.slides, near, visible)
  weights = attention.softmax(
    products,
    visible[None, None, None],
    config.attention_scale,
    config.attention_softcap,
  )
  return weights.reshape(batch, num_heads, time, time)


def output_sums(
  config: config_lib.DecoderConfig,
  params: decoder.Params,
  tokens: Int[Array, "B T"],
  counted: Bool[Array, "B T"],
) -> Float[Array, "L N H"]:
  """Head outputs before the output projection, summed where they count.

  Divided by the number of positions that count, their mean: what takes a head's
  place in mean ablation.

  Args:
    config: of the model.
    params: of the model.
    tokens: sequences.
    counted: positions that enter the sum, in float32.
  """

  def note(mixing, _):
    wide = mixing.mixed.astype(jnp.float32)
    kept = jnp.where(counted[..., None, None], wide, jnp.zeros_like(wide))
    return mixing.mixed, jnp.sum(kept, axis=(0, 1))

  return _notes(config, params, tokens, note)


def _notes(config, params, tokens, note):
  """What `note` keeps of every layer; nothing is unembedded."""
  *_, notes = decoder.Decoder(config).apply(
    {"params": params},
    tokens,
    hooks.Hooks(heads=note),
    method=decoder.Decoder.hooked,
  )
  return notes


def ranked(
  score: Shaped[np.ndarray, "L N"],
) -> tuple[tuple[int, int], ...]:
  """(layer, head) by falling score; ties in the order of layers and heads."""
  order = np.argsort(-np.asarray(score, np.float64), axis=None, kind="stable")
  return tuple(
    (int(layer), int(head))
    for layer, head in zip(*np.unravel_index(order, score.shape), strict=True)
  )
