"""Loss, step and loop; a killed run continues to the same weights."""

from collections.abc import Callable
import dataclasses
import functools
import pathlib
import time
from typing import Any, NamedTuple

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int
import numpy as np
import optax
from optax import contrib

from icl_graphs import unfinished
from icl_graphs.models import config as config_lib
from icl_graphs.models import decoder, families
from icl_graphs.training import forward, mixture, recipe, tokenizer

STATE_FILE = "unfinished-training.npz"
# Products that write into the residual stream start smaller than the others.
_WRITING_SCALE = 0.3


def init(described: recipe.Recipe, seed: int) -> decoder.Params:
  """Parameters before training.

  Embeddings start orthogonal as far as the width allows, because a word that
  overlaps others has to be told apart from them first; BOS starts at zero, so
  that attending to it adds nothing.
  """
  config = families.translate(described.hf_config())
  keys = jax.random.split(jax.random.key(seed), 3)
  params = decoder.init(config, keys[0])

  def rescaled(path, kernel):
    names = [entry.key for entry in path]
    if names[-1] != "kernel":
      return kernel
    inputs = {"down": config.mlp_size}.get(names[-2], config.hidden_size)
    scale = _WRITING_SCALE if names[-2] in ("output", "down") else 1.0
    return kernel * (scale * inputs**-0.5 / config.initializer_range)

  params = jax.tree_util.tree_map_with_path(rescaled, params)
  shape = params["embedding"].shape
  square = jax.random.normal(keys[1], (max(shape), max(shape)))
  words = jnp.linalg.qr(square)[0][: shape[0], : shape[1]]
  words *= max(shape) ** 0.5
  shared = jax.random.normal(keys[2], shape[1:])[None]
  words = (words + described.common_scale * shared) * described.embedding_scale
  params["embedding"] = words.at[tokenizer.bos_id()].set(0.0)
  if not config.tied:
    scale = described.head_scale / config.initializer_range
    params["unembedding"] = params["unembedding"] * scale
  return params


def loss(
  params: decoder.Params,
  config: config_lib.DecoderConfig,
  tokens: Int[Array, "B T"],
  known_only: bool = True,
) -> Float[Array, ""]:
  """Mean cross-entropy of the next token, in nats.

  With `known_only`, a word that the sequence has not shown yet is left out,
  unless it is a day or month: there the order itself is learned.
  """
  past, following = tokens[:, :-1], tokens[:, 1:]
  losses = optax.softmax_cross_entropy_with_integer_labels(
    forward.logits(params, config, past), following.ravel()
  )
  if not known_only:
    return jnp.mean(losses)
  time = past.shape[1]
  causal = jnp.tril(jnp.ones((time, time), bool))[None]
  known = jnp.any((following[:, :, None] == past[:, None, :]) & causal, axis=-1)
  first = tokenizer.first_word_id()
  last = first + sum(mixture.CALENDAR_LENGTHS)
  known |= (following >= first) & (following < last)
  weights = known.astype(jnp.float32).ravel()
  return jnp.sum(losses * weights) / jnp.sum(weights)


def optimiser(
  described: recipe.Recipe, finishing: int | None = None
) -> optax.GradientTransformation:
  """Muon for the blocks' matrices if asked for, AdamW for the rest.

  Args:
    described: what is trained.
    finishing: number of the finishing stage, for the schedule of that stage.
  """

  def rate(peak):
    if finishing is not None:
      peak *= described.finishing[finishing]
      steps = described.finishing_stages[finishing].steps
      rise = max(1, steps // 10)
      return optax.join_schedules(
        [
          optax.linear_schedule(0.0, peak, rise),
          optax.linear_schedule(peak, 0.0, steps - rise),
        ],
        [rise],
      )
    fall = max(1, round(described.first_steps * described.decay))
    begin = max(described.first_steps - fall, described.warmup)
    return optax.join_schedules(
      [
        optax.linear_schedule(0.0, peak, described.warmup),
        optax.constant_schedule(peak),
        optax.linear_schedule(peak, described.final * peak, fall),
      ],
      [described.warmup, begin],
    )

  if not described.muon:
    return optax.chain(
      optax.clip_by_global_norm(described.clip),
      optax.adamw(
        rate(described.other_rate),
        b2=0.99,
        weight_decay=described.weight_decay,
      ),
    )

  # Axis 0 counts layers; heads and head size count as one axis.
  def axes(inputs, outputs):
    return {"kernel": contrib.MuonDimensionNumbers(inputs, outputs)}

  matrices = {
    "embedding": None,
    **({} if described.tied else {"unembedding": None}),
    "final_norm": {"weight": None},
    "blocks": {
      "attention_norm": {"weight": None},
      "mlp_norm": {"weight": None},
      "attention": {
        **{name: axes((1,), (2, 3)) for name in ("query", "key", "value")},
        "output": axes((1, 2), (3,)),
      },
      "mlp": {name: axes((1,), (2,)) for name in ("gate", "up", "down")},
    },
  }
  return optax.chain(
    optax.clip_by_global_norm(described.clip),
    contrib.muon(
      rate(described.matrix_rate),
      weight_decay=described.weight_decay,
      adam_learning_rate=rate(described.other_rate),
      adam_b2=0.99,
      # An update's entries are then about as large as AdamW's.
      consistent_rms=0.2,
      muon_weight_dimension_numbers=lambda _: matrices,
    ),
  )


@dataclasses.dataclass
class State:
  """Where training stands.

  Attributes:
    params: of the decoder.
    optimiser: optax's state.
    losses: of every step so far, in nats.
    seconds: spent so far, compilation included; saved with the state.
  """

  params: decoder.Params
  optimiser: optax.OptState
  losses: list[float]
  seconds: float = 0.0


class Objective(NamedTuple):
  """What a task is trained on; of module-level functions only, so hashable.

  Attributes:
    tables: recipe to whatever every step's data is drawn from, a pytree.
    loss: parameters, model, stage, key and tables to the loss of one step.
    start: recipe and seed to the parameters before training.
    before_finishing: recipe and parameters to those with which the first
      finishing stage begins.
  """

  tables: Callable[[recipe.Recipe], Any]
  loss: Callable[..., Float[Array, ""]]
  start: Callable[[recipe.Recipe, int], decoder.Params] = init
  before_finishing: Callable[
    [recipe.Recipe, decoder.Params], decoder.Params
  ] = lambda _, params: params


def train(
  described: recipe.Recipe,
  seed: int,
  *,
  objective: Objective | None = None,
  state_file: pathlib.Path | None = None,
  save_seconds: float = 60.0,
  advance: Callable[[int], None] = lambda tokens: None,
  stop_after: int | None = None,
) -> State:
  """Trains, from `state_file` on if it exists.

  Args:
    described: model, data and optimiser.
    seed: of weights and data.
    objective: of the recipe's task; by default that of walks.
    state_file: where unfinished work is kept; None keeps none.
    save_seconds: least time between saves.
    advance: told how many more tokens are read; also for those of a resumed
      state.
    stop_after: steps after which to stop as if killed, for tests.

  Raises:
    InputError: a state file that is damaged or of another recipe or seed.
  """
  config = families.translate(described.hf_config())
  forward.check(config)
  objective = objective or WALKS
  table = objective.tables(described)
  update = optimiser(described)
  params = objective.start(described, seed)
  state = State(params, update.init(params), [])
  mark = described.fingerprint(seed)
  if state_file is not None:
    state = _load(state_file, state, mark)
    done = range(len(state.losses))
    advance(sum(described.stage_at(step).tokens for step in done))
  key = jax.random.fold_in(jax.random.key(seed), 1)
  began = time.monotonic() - state.seconds
  saved = time.monotonic()
  pending: list[Array] = []
  finishing = described.finishing_at(len(state.losses) - 1)
  for step in range(len(state.losses), described.steps):
    stage = described.stage_at(step)
    begun, finishing = finishing, described.finishing_at(step)
    if finishing != begun:
      if begun is None:
        state.params = objective.before_finishing(described, state.params)
      state.optimiser = optimiser(described, finishing).init(state.params)
    run = _step(stage, described, objective, finishing)
    state.params, state.optimiser, value = run(
      state.params, state.optimiser, jax.random.fold_in(key, step), table
    )
    pending.append(value)
    # One step stays in flight, so that the device never waits for the host.
    _settle(state, pending, keep=1)
    advance(stage.tokens)
    due = time.monotonic() - saved >= save_seconds
    ends = step + 1 == described.steps or step + 1 == stop_after
    if state_file is not None and (due or ends):
      _settle(state, pending, keep=0)
      state.seconds = time.monotonic() - began
      _save(state_file, state, mark)
      saved = time.monotonic()
    if step + 1 == stop_after:
      break
  _settle(state, pending, keep=0)
  state.seconds = time.monotonic() - began
  return state


@functools.cache
def _step(stage, described, objective, finishing):
  config = families.translate(described.hf_config())
  update = optimiser(described, finishing)

  @functools.partial(jax.jit, donate_argnums=(0, 1))
  def step(params, optimiser_state, key, table):
    value, gradient = jax.value_and_grad(objective.loss)(
      params, config, stage, key, table
    )
    change, optimiser_state = update.update(gradient, optimiser_state, params)
    return optax.apply_updates(params, change), optimiser_state, value

  return step


def _graphs(described):
  return mixture.tables(described.graphs)


def _loss_of_walks(params, config, stage, key, table):
  tokens = mixture.sample(
    key,
    table,
    stage.data,
    batch=stage.batch,
    length=stage.length + 1,
    vocab_size=config.vocab_size,
    max_nodes=stage.max_nodes,
  )
  return loss(params, config, tokens, stage.known_only)


WALKS = Objective(_graphs, _loss_of_walks)


def _settle(state, pending, keep):
  while len(pending) > keep:
    value = float(pending.pop(0))
    if not np.isfinite(value):
      raise FloatingPointError(
        f"the loss is {value} at step {len(state.losses)}; lower the rates"
      )
    state.losses.append(value)


def _leaves(state):
  return jax.tree.leaves((state.params, state.optimiser))


def _save(path, state, mark):
  arrays = {f"leaf_{i}": np.asarray(x) for i, x in enumerate(_leaves(state))}
  arrays |= {
    "losses": np.array(state.losses),
    "seconds": np.array(state.seconds),
  }
  unfinished.save(path, arrays, mark)


def _load(path, fresh, mark):
  arrays = unfinished.load(path, mark)
  if arrays is None:
    return fresh
  count = len(_leaves(fresh))
  leaves = [jnp.asarray(arrays[f"leaf_{i}"]) for i in range(count)]
  shape = jax.tree.structure((fresh.params, fresh.optimiser))
  params, optimiser_state = jax.tree.unflatten(shape, leaves)
  losses, seconds = arrays["losses"].tolist(), float(arrays["seconds"])
  return State(params, optimiser_state, losses, seconds)
