"""One prompt, many changes at its last position.

A change at the last position leaves the keys and values of all earlier ones
alone. So a prompt is read once, and its last token once per change: what takes
C passes over the whole prompt otherwise costs C single tokens.

Legend: B prompts, C changes of each, T time, D width, L layers.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from icl_graphs.models import cache as cache_lib
from icl_graphs.models import config as config_lib
from icl_graphs.models import decoder, step_cache
from icl_graphs.probes import edits as edits_lib

Params = Any
Observe = Callable[[Float[Array, "B T D"]], PyTree]


class Prompt(NamedTuple):
  """Prompts that were read without any change.

  Attributes:
    tokens: of the prompts.
    final: at the last position, after the final norm.
    last: hidden states 0 to L at the last position.
    seen: what was observed, with a leading axis of L + 1.
    cache: of everything before the last token.
  """

  tokens: Int[Array, "B T"]
  final: Float[Array, "B D"]
  last: Float[Array, "L+1 B D"]
  seen: PyTree
  cache: cache_lib.Cache


def read(
  config: config_lib.DecoderConfig,
  params: Params,
  tokens: Int[Array, "B T"],
  observe: Observe | None = None,
) -> Prompt:
  """Reads prompts of one length, T >= 2.

  Args:
    config: of the model.
    params: of the model.
    tokens: ids.
    observe: reduces a hidden state at all positions to what is kept of it.
  """
  batch, time = tokens.shape

  def look(hidden):
    seen = () if observe is None else observe(hidden)
    return hidden[:, -1], seen

  final, (last, seen), cache = decoder.Decoder(config).apply(
    {"params": params},
    tokens,
    # The last token is in the cache's arrays but counts as not read.
    jnp.full((batch,), time - 1, jnp.int32),
    observe=look,
    method="prefill",
  )
  return Prompt(tokens, final[:, -1], last, seen, cache)


def reread(
  config: config_lib.DecoderConfig,
  params: Params,
  prompt: Prompt,
  edits: edits_lib.Edits,
  changes: int,
) -> Float[Array, "B C D"]:
  """Reads the last token of every prompt again, under C changes.

  The same numbers, up to rounding, as `edits.read` on the whole prompt with
  these edits at its last position only.

  Args:
    config: of the model.
    params: of the model.
    prompt: from `read`.
    edits: for B * C sequences, the C changes of a prompt one after the other;
      without `at`.
    changes: C.

  Returns:
    Hidden states after the final norm.
  """
  batch, time = prompt.tokens.shape
  tokens = jnp.repeat(prompt.tokens[:, -1], changes, axis=0)
  edits_lib.check(config, tokens[:, None], edits)
  # Blocks of one slot: there is no further token to make room for.
  cache = step_cache.start(prompt.cache, 1, changes, block=1)
  final, _, _ = decoder.Decoder(config).apply(
    {"params": params},
    tokens,
    cache,
    time,
    hooks=edits_lib.as_hooks(edits),
    method="step",
  )
  return final.reshape(batch, changes, -1)
