"""The recipe of the bundled model `coins`, and its loss."""

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


def describe() -> recipe.Recipe:
  """Short documents, in which most of the evidence is, then whole ones."""
  return recipe.Recipe(
    width=128,
    layers=4,
    heads=8,
    mlp_size=384,
    vocab_size=len(coin_tokenizer.vocabulary()),
    max_positions=CONTEXT,
    graphs=(),
    stages=(
      coin_mixture.Stage(2000, flips=40, judged=40),
      coin_mixture.Stage(900),
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
