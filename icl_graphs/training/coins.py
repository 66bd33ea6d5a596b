"""The recipe of the bundled model `coins`, and its loss."""

import dataclasses
import itertools
import pathlib
from typing import Any

from jax import numpy as jnp
from jaxtyping import Array, Float
import optax

from icl_graphs.models import config as config_lib
from icl_graphs.models import decoder, families, rope
from icl_graphs.training import (
  coin_mixture,
  coin_processes,
  coin_tokenizer,
  forward,
  optimise,
  recipe,
)

CONTEXT = 352


@dataclasses.dataclass(frozen=True)
class Recipe(recipe.Recipe):
  """A model of coin flips and its training.

  Attributes:
    rope_theta: base of the rotary positions. Offsets of a few dozen tokens
      matter here, so most frequencies should turn within them.
    lag_scale: how firmly heads look at their lag at the start.
    finishing: the last stages have a schedule of their own each, with a fresh
      optimiser; their highest rates, as shares of the peak.
    bracket_scale: how far a closing bracket is from a comma when it begins.
  """

  rope_theta: float = 100.0
  lag_scale: float = 0.3
  finishing: tuple[float, ...] = (0.4, 0.4)
  bracket_scale: float = 0.3


def describe() -> Recipe:
  """Repeated words first, then all prompts, whole documents, and questions.

  Comparing a flip with the one a word ago has to be learned for every length
  of a word. In the mixture only one document in seven shows such words, few of
  them long: with it alone, 1,000 steps learned no word longer than one flip,
  and going on with it unlearned the long ones. What is expected after a context
  is that of the mixture in every stage; only the contexts differ. Labels are
  learned last, when what they need has been found.
  """
  questions = coin_mixture.Stage(
    900,
    questions=12,
    stated=3,
    window=1,
    mixed=5,
    judgments=8,
    repeated=0.5,
    power=0.5,
    label_weight=16.0,
  )
  return Recipe(
    width=128,
    layers=4,
    heads=8,
    mlp_size=384,
    vocab_size=len(coin_tokenizer.vocabulary()),
    max_positions=CONTEXT,
    graphs=(),
    stages=(
      coin_mixture.Stage(
        800,
        flips=60,
        judged=4,
        stated=1,
        window=1,
        mixed=24,
        judgments=1,
        repeated=0.9,
        power=0.0,
      ),
      coin_mixture.Stage(
        800,
        flips=60,
        judged=60,
        stated=4,
        window=2,
        mixed=12,
        judgments=8,
        repeated=0.7,
        power=0.3,
      ),
      coin_mixture.Stage(650, repeated=0.5, power=0.5),
      *([questions] * 2),
    ),
    tied=False,
    matrix_rate=0.01,
    other_rate=0.003,
    decay=0.6,
    common_scale=1.0,
  )


def lags(described: recipe.Recipe) -> list[tuple[int, int, int]]:
  """Layer, head and lag of the heads that start by looking at one flip.

  A comma sees the flip before it at lag 1, the one before that at lag 3, and so
  on, until the longest word and the flip after it are seen. Heads left over are
  free.
  """
  wanted = range(1, 2 * coin_processes.LONGEST_WORD + 2, 2)
  places = itertools.product(range(described.layers), range(described.heads))
  return [(*place, lag) for place, lag in zip(places, wanted, strict=False)]


def start(described: Recipe, seed: int) -> decoder.Params:
  """Parameters before training: some heads look at flips of a fixed lag.

  Comparing a flip with one long ago is easy once both are at one place, and is
  hardly found otherwise. All embeddings share a vector (`common_scale`);
  queries and keys of these heads read it, so that they see offsets alone.
  """
  params = optimise.init(described, seed)
  config = families.translate(described.hf_config())
  shared = jnp.mean(params["embedding"][1:], axis=0)
  shared /= jnp.linalg.norm(shared)
  size = config.head_size
  attention = params["blocks"]["attention"]
  query = attention["query"]["kernel"]
  key = attention["key"]["kernel"]
  ones = jnp.ones((1, 1, 1, size))
  for layer, head, lag in lags(described):
    turn = rope.rotation(config.rope, size, jnp.array([-lag]), jnp.float32)
    turned = rope.rotate(ones, turn)[0, 0, 0]
    read = described.lag_scale * shared[:, None]
    query = query.at[layer, :, head].multiply(0.3)
    query = query.at[layer, :, head].add(read * turned[None])
    key = key.at[layer, :, head].multiply(0.3)
    key = key.at[layer, :, head].add(read * ones[0, 0])
  kernels = {"query": {"kernel": query}, "key": {"kernel": key}}
  blocks = params["blocks"] | {"attention": attention | kernels}
  return params | {"blocks": blocks}


def before_finishing(
  described: Recipe, params: decoder.Params
) -> decoder.Params:
  """Parameters with which the finishing stages begin.

  A closing bracket may stand where a comma stands, and has the same flips to
  compare; so it begins as a comma, but for `bracket_scale` of what was its own.
  """
  known, words = coin_tokenizer.ids(), params["embedding"]
  own = words[known["]"]] - jnp.mean(words[1:], axis=0)
  bracket = words[known[","]] + described.bracket_scale * own
  return params | {"embedding": words.at[known["]"]].set(bracket)}


def loss(
  params: decoder.Params,
  config: config_lib.DecoderConfig,
  stage: coin_mixture.Stage,
  key: Array,
  tables: Any = None,
) -> Float[Array, ""]:
  """Weighted mean cross-entropy of one step's documents, in nats.

  That of a flip or label is its expectation given all before it, which the
  documents tell; see `coin_mixture`.

  Args:
    params: of the decoder.
    config: of the decoder.
    stage: what the documents are.
    key: which documents they are.
    tables: unused; coin flips are drawn from nothing.
  """
  total, weight = jnp.zeros(()), jnp.zeros(())
  for rows in coin_mixture.sample(key, stage):
    logits = forward.logits(params, config, rows.tokens, rows.branches)
    drawn, other = (
      optax.softmax_cross_entropy_with_integer_labels(logits, tokens.ravel())
      for tokens in (rows.following, rows.others)
    )
    chance = rows.chances.ravel()
    losses = (1.0 - chance) * drawn + chance * other
    total += jnp.sum(losses * rows.weights.ravel())
    weight += jnp.sum(rows.weights)
  return total / weight


def _nothing(described: recipe.Recipe) -> None:
  return None


def save_tokenizer(folder: pathlib.Path, described: recipe.Recipe) -> None:
  """Writes the tokenizer of the prompts into a folder."""
  coin_tokenizer.save(folder, described.max_positions)


OBJECTIVE = optimise.Objective(_nothing, loss, start, before_finishing)
TASKS = {"coins": describe}
