"""The recipe of the bundled model `coins`, and its loss."""

import dataclasses
import pathlib
from typing import Any

from jax import numpy as jnp
from jaxtyping import Array, Float
import optax

from icl_graphs.models import config as config_lib
from icl_graphs.models import decoder
from icl_graphs.training import (
  coin_mixture,
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
  """

  rope_theta: float = 100.0


def describe() -> Recipe:
  """Mostly repeated words first, then all prompts, then the mixture.

  Comparing a flip with the one a word ago has to be learned for every length
  of a word. In the mixture only one document in seven shows such words: the
  first 1,000 steps then learn no word longer than one flip.
  """
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
        500,
        flips=60,
        judged=4,
        stated=1,
        window=1,
        mixed=24,
        judgments=1,
        repeated=0.9,
        power=0.0,
      ),
      coin_mixture.Stage(300, flips=40, judged=40, repeated=0.5),
      coin_mixture.Stage(
        1200,
        flips=48,
        judged=48,
        stated=4,
        window=2,
        mixed=14,
        judgments=8,
        repeated=0.75,
        power=0.5,
      ),
      coin_mixture.Stage(700),
    ),
    tied=False,
    matrix_rate=0.01,
    other_rate=0.003,
    decay=0.6,
    common_scale=0.0,
  )


def loss(
  params: decoder.Params,
  config: config_lib.DecoderConfig,
  stage: coin_mixture.Stage,
  key: Array,
  tables: Any = None,
) -> Float[Array, ""]:
  """Weighted mean cross-entropy of one step's documents, in nats.

  Args:
    params: of the decoder.
    config: of the decoder.
    stage: what the documents are.
    key: which documents they are.
    tables: unused; coin flips are drawn from nothing.
  """
  total, weight = jnp.zeros(()), jnp.zeros(())
  for rows in coin_mixture.sample(key, stage):
    losses = optax.softmax_cross_entropy_with_integer_labels(
      forward.logits(params, config, rows.tokens[:, :-1]),
      rows.tokens[:, 1:].ravel(),
    )
    total += jnp.sum(losses * rows.weights.ravel())
    weight += jnp.sum(rows.weights)
  return total / weight


def _nothing(described: recipe.Recipe) -> None:
  return None


def save_tokenizer(folder: pathlib.Path, described: recipe.Recipe) -> None:
  """Writes the tokenizer of the prompts into a folder."""
  coin_tokenizer.save(folder, described.max_positions)


OBJECTIVE = optimise.Objective(_nothing, loss)
TASKS = {"coins": describe}
