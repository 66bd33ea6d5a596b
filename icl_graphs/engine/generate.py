"""Continuing token sequences: prefill, then one token at a time, under one jit.

Prompts of different lengths run in one batch, and continuations of the same
prompt share its keys and values; see `models.cache`.
"""

import dataclasses
import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int
import numpy as np

from icl_graphs import errors
from icl_graphs.models import config as config_lib
from icl_graphs.models import decoder, step_cache

Params = Any

# Weights that are drawn from at once; vocabularies are tens of thousands.
_NEIGHBOURS = 128


@dataclasses.dataclass(frozen=True)
class Sampler:
  """How the next token is drawn; hashable, one compilation per sampler.

  Attributes:
    steps: tokens to draw.
    temperature: divides the logits; 0 takes the likeliest token.
    allowed: token ids to choose from, probabilities renormalised; None for the
      whole vocabulary.
  """

  steps: int
  temperature: float = 1.0
  allowed: tuple[int, ...] | None = None

  def __post_init__(self):
    if self.steps < 1:
      raise errors.InputError(f"{self.steps} tokens cannot be drawn")
    if not self.temperature >= 0:
      raise errors.InputError(f"temperature {self.temperature} is below 0")
    if self.allowed is not None and not self.allowed:
      raise errors.InputError("no token is allowed to be drawn")


class Continuation(NamedTuple):
  """What was drawn; M continuations of prompt r are rows r * M and following.

  Attributes:
    tokens: ids.
    log_prob: of each drawn token under the model's full distribution at
      temperature 1, whatever the sampler.
  """

  tokens: Int[Array, "B steps"]
  log_prob: Float[Array, "B steps"]


def pad(
  prompts: list[list[int]],
) -> tuple[Int[np.ndarray, "R T"], Int[np.ndarray, " R"]]:
  """Prompts as one array padded at the end, and their lengths.

  Raises:
    errors.InputError: no prompt, or an empty one.
  """
  if not prompts or not all(prompts):
    raise errors.InputError(
      "every prompt needs at least one token; give models without a"
      " beginning-of-sequence token a word"
    )
  lengths = np.array([len(prompt) for prompt in prompts], np.int32)
  tokens = np.zeros((len(prompts), lengths.max()), np.int32)
  for row, prompt in zip(tokens, prompts, strict=True):
    row[: len(prompt)] = prompt
  return tokens, lengths


def check(
  config: config_lib.DecoderConfig, sampler: Sampler, longest: int
) -> None:
  """Refuses what would leave the model's context or vocabulary.

  Args:
    longest: tokens of the longest prompt.

  Raises:
    errors.InputError: naming the limit.
  """
  if longest + sampler.steps > config.max_positions:
    raise errors.InputError(
      f"{longest} tokens of prompt and {sampler.steps} to draw exceed the"
      f" {config.max_positions} positions of the model; draw fewer"
    )
  beyond = [t for t in sampler.allowed or () if not 0 <= t < config.vocab_size]
  if beyond:
    raise errors.InputError(
      f"the allowed tokens {beyond} are not in the model's vocabulary of"
      f" {config.vocab_size}"
    )


@functools.partial(
  jax.jit, static_argnames=("config", "sampler", "continuations")
)
def generate(
  params: Params,
  tokens: Int[Array, "R T"],
  lengths: Int[Array, " R"],
  key: Array,
  *,
  config: config_lib.DecoderConfig,
  sampler: Sampler,
  continuations: int = 1,
) -> Continuation:
  """Draws continuations of every prompt.

  The draw of row b at step i depends on `key`, b and i only, not on the batch.

  Args:
    params: of the decoder.
    tokens: prompts as `pad` makes them.
    lengths: of the prompts, at least 1.
    key: a jax.random key; unused at temperature 0.
    config: of the decoder, accepted by `check`.
    sampler: how to draw.
    continuations: M per prompt; the prompt is read, and kept, once.

  Returns:
    B = R * M rows of tokens and their log-probabilities.
  """
  model = decoder.Decoder(config)
  variables = {"params": params}
  rows = jnp.arange(tokens.shape[0] * continuations)
  longest = tokens.shape[1] + sampler.steps
  final, _, prompts = model.apply(
    variables, tokens, lengths, longest=longest, method="prefill"
  )
  last = jnp.take_along_axis(final, (lengths - 1)[:, None, None], axis=1)
  last = jnp.repeat(last, continuations, axis=0)
  read = step_cache.start(prompts, sampler.steps - 1, continuations)

  def draw(last, step):
    logits = decoder.logits(params, config, last)[:, 0]
    keys = jax.vmap(jax.random.fold_in, (None, 0))(
      jax.random.fold_in(key, step), rows
    )
    return choose(logits, keys, sampler)

  def advance(state, step):
    last, read = state
    drawn, log_prob = draw(last, step)
    last, _, read = model.apply(variables, drawn, read, longest, method="step")
    return (last, read), (drawn, log_prob)

  # The last token is drawn outside the loop: nobody reads what follows it.
  steps = jnp.arange(sampler.steps - 1)
  (last, _), (drawn, log_prob) = jax.lax.scan(advance, (last, read), steps)
  end, end_log_prob = draw(last, sampler.steps - 1)
  return Continuation(
    jnp.concatenate([drawn.T, end[:, None]], axis=1),
    jnp.concatenate([log_prob.T, end_log_prob[:, None]], axis=1),
  )


def choose(
  logits: Float[Array, "B V"], keys: Array, sampler: Sampler
) -> tuple[Int[Array, " B"], Float[Array, " B"]]:
  """Draws one token per row, from that row's logits and key alone.

  Args:
    logits: float32.
    keys: B jax.random keys; unused at temperature 0.
    sampler: how to draw.

  Returns:
    Tokens, and their log-probabilities as in `Continuation`.
  """
  most = jnp.max(logits, axis=-1, keepdims=True)
  shares = jnp.exp(logits - most)
  choices, weights = logits, shares
  if sampler.allowed is not None:
    allowed = np.array(sampler.allowed, np.int32)
    choices = weights = jnp.take(logits, allowed, axis=-1)
  if sampler.temperature == 0:
    drawn = jnp.argmax(choices, axis=-1)
  else:
    if sampler.allowed is not None or sampler.temperature != 1:
      top = jnp.max(choices, axis=-1, keepdims=True)
      weights = jnp.exp((choices - top) / sampler.temperature)
    drawn = _index(weights, keys)
  if sampler.allowed is not None:
    drawn = jnp.take(allowed, drawn)
  drawn = drawn.astype(jnp.int32)
  chosen = jnp.take_along_axis(logits, drawn[:, None], axis=-1) - most
  log_prob = chosen[:, 0] - jnp.log(jnp.sum(shares, axis=-1))
  return drawn, log_prob


def _index(weights, keys):
  """An index per row of weights [B, n], with probability in their proportion.

  First a group of neighbours, then one of them: two random numbers per row
  instead of one per weight, and cumulative sums of few terms. An index of
  weight 0 is never drawn.
  """
  rows, count = weights.shape
  groups = math.ceil(count / _NEIGHBOURS)
  padded = jnp.pad(weights, ((0, 0), (0, groups * _NEIGHBOURS - count)))
  grouped = padded.reshape(rows, groups, _NEIGHBOURS)
  uniform = jax.vmap(functools.partial(jax.random.uniform, shape=(2,)))(keys)

  def first_above(weights, uniform):
    up_to = jnp.cumsum(weights, axis=-1)
    # Less than the last sum, because `uniform` is less than 1.
    reached = uniform[:, None] * up_to[:, -1:]
    return jnp.sum(up_to <= reached, axis=-1)

  which = first_above(jnp.sum(grouped, axis=-1), uniform[:, 0])
  within = jnp.take_along_axis(grouped, which[:, None, None], axis=1)[:, 0]
  return which * _NEIGHBOURS + first_above(within, uniform[:, 1])
