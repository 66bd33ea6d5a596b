"""Drawing sequences of coin flips: many at once, each until it has enough.

A prompt is read once and its keys and values are shared by all sequences that
continue it. A draw depends on the seed, the number of its prompt, the number of
its sequence and the step only, never on the batch. Flips, and the probability
of either side, are noted while they are drawn (`flip_law`).

Legend: R blocks of M sequences that continue one prompt.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int
import numpy as np

from icl_graphs import errors
from icl_graphs.engine import flip_law, generate
from icl_graphs.models import config as config_lib
from icl_graphs.models import decoder, step_cache

Params = Any


class Blocks(NamedTuple):
  """Rows for `rows.evaluate`: some sequences of one prompt each.

  Attributes:
    tokens: prompts, padded at the end; each ends where an item begins.
    lengths: of the prompts.
    prompt: number of the prompt, which decides the draws.
    first: number of the first of its M sequences.
  """

  tokens: Int[np.ndarray, "R T"]
  lengths: Int[np.ndarray, " R"]
  prompt: Int[np.ndarray, " R"]
  first: Int[np.ndarray, " R"]


def blocks(
  prompts: Sequence[Sequence[int]], sequences: int, together: int
) -> Blocks:
  """Blocks of `together` sequences, until each prompt has enough.

  Args:
    prompts: token ids; their order numbers them.
    sequences: of every prompt.
    together: M.

  Raises:
    errors.InputError: no prompt, an empty one, or nothing to draw.
  """
  if sequences < 1 or together < 1:
    raise errors.InputError(
      f"{sequences} sequences in blocks of {together} cannot be drawn"
    )
  tokens, lengths = generate.pad([list(prompt) for prompt in prompts])
  first = np.arange(0, sequences, together, dtype=np.int32)
  number = np.repeat(np.arange(len(prompts), dtype=np.int32), len(first))
  return Blocks(
    tokens[number], lengths[number], number, np.tile(first, len(prompts))
  )


def by_prompt(
  drawn: flip_law.Drawn, prompts: int, sequences: int
) -> flip_law.Drawn:
  """Arrays [prompts, sequences, ...] of what was drawn for `blocks`."""
  return jax.tree.map(
    lambda leaf: np.asarray(leaf).reshape(prompts, -1, *leaf.shape[2:])[
      :, :sequences
    ],
    drawn,
  )


def draw(
  params: Params,
  seed: Int[Array, ""],
  rows: Blocks,
  valid: Bool[Array, " R"],
  *,
  config: config_lib.DecoderConfig,
  law: flip_law.Law,
  together: int,
  leave_early: bool = False,
) -> tuple[tuple[()], flip_law.Drawn]:
  """Draws M = `together` sequences per row; a step for `rows.evaluate`.

  Args:
    params: decoder parameters.
    seed: of all draws, uint32; what `rows.evaluate` calls `fixed`.
    rows: of `blocks`.
    valid: unused: rows do not depend on each other.
    config: of the decoder.
    law: accepted by `flip_law.check`.
    together: M.
    leave_early: whether a device stops when all its sequences have, rather than
      after all steps. Not where devices share a copy of the parameters: they
      wait for each other in every step, and would wait forever.

  Returns:
    Nothing that adds over rows, and what was drawn, with leading axes R, M.
  """
  del valid
  model = decoder.Decoder(config)
  variables = {"params": params}
  longest = rows.tokens.shape[1] + law.steps
  keys = _keys(seed, rows, together)

  def unfinished(carry):
    step, state, *_ = carry
    more = step < law.steps
    return more & jnp.any(state.alive) if leave_early else more

  def advance(carry):
    step, state, last, read = carry
    logits = decoder.logits(params, config, last)[:, 0]
    here = jax.vmap(jax.random.fold_in, (0, None))(keys, step)
    tokens, _ = generate.choose(logits, here, law.sampler)
    state = flip_law.note(law, state, step, tokens, logits)
    last, _, read = model.apply(variables, tokens, read, longest, method="step")
    return step + 1, state, last, read

  final, _, prompts = model.apply(
    variables, rows.tokens, rows.lengths, longest=longest, method="prefill"
  )
  last = jnp.take_along_axis(final, (rows.lengths - 1)[:, None, None], axis=1)
  last = jnp.repeat(last, together, axis=0)
  read = step_cache.start(prompts, law.steps, together)
  state = flip_law.start(law, last.shape[0])
  _, state, *_ = jax.lax.while_loop(
    unfinished, advance, (jnp.int32(0), state, last, read)
  )
  return (), jax.tree.map(
    lambda leaf: leaf.reshape(-1, together, *leaf.shape[1:]),
    flip_law.finish(law, state),
  )


def _keys(seed, rows, together):
  """A key per sequence, from the numbers of its prompt and of itself."""
  key = jax.random.key(seed)
  number = rows.first[:, None] + jnp.arange(together)[None]
  fold = jax.vmap(jax.random.fold_in, (None, 0))
  return jax.vmap(fold)(fold(key, rows.prompt), number).reshape(-1)
