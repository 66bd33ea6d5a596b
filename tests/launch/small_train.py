"""`launch.train` with models that train in seconds."""

import dataclasses

from icl_graphs.training import coin_mixture, coins, mixture, recipe, walks
from launch import program, train


def describe() -> recipe.Recipe:
  """The recipe of the bundled model of walks, made tiny."""
  return dataclasses.replace(
    walks.describe(),
    width=32,
    layers=2,
    heads=2,
    mlp_size=48,
    max_positions=33,
    graphs=("ring:5", "grid:2x3"),
    stages=(recipe.Stage(40, 32, 8, 9, mixture.PLAIN),),
    warmup=5,
  )


def describe_coins() -> recipe.Recipe:
  """The recipe of the bundled model of coins, made tiny."""
  return dataclasses.replace(
    coins.describe(),
    width=32,
    layers=1,
    heads=2,
    mlp_size=32,
    stages=(_stage(15), _stage(5, questions=2)),
    warmup=5,
  )


def _stage(steps: int, questions: int = 0) -> coin_mixture.Stage:
  return coin_mixture.Stage(
    steps,
    flips=6,
    judged=4,
    questions=questions,
    stated=2,
    window=1,
    mixed=2,
    judgments=2,
  )


if __name__ == "__main__":
  walks.TASKS["walks"] = describe
  coins.TASKS["coins"] = describe_coins
  program.run(train.main)
