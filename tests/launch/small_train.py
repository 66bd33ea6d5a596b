"""`launch.train` with a model that trains in seconds."""

import dataclasses

from icl_graphs.training import mixture, recipe, walks
from launch import program, train


def describe() -> recipe.Recipe:
  """The bundled model's recipe, made tiny."""
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


if __name__ == "__main__":
  walks.TASKS["walks"] = describe
  program.run(train.main)
