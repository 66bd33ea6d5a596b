"""The recipe of the bundled model `walks`."""

from icl_graphs.training import mixture, recipe

_SHORT = mixture.PLAIN
_MAIN = mixture.Mixture()


def describe() -> recipe.Recipe:
  """Short sequences on small graphs first, then the whole mixture."""
  return recipe.Recipe(
    width=128,
    layers=5,
    heads=4,
    mlp_size=256,
    vocab_size=128,
    max_positions=257,
    graphs=mixture.graph_specs(),
    stages=(
      recipe.Stage(400, 64, 48, 13, _SHORT),
      recipe.Stage(500, 128, 32, 20, _MAIN),
      recipe.Stage(1500, 256, 16, 30, _MAIN),
    ),
  )


TASKS = {"walks": describe}
