"""The recipe of the bundled model `walks`."""

import dataclasses
import pathlib

from icl_graphs.training import mixture, recipe, tokenizer

# Copying what followed the same word before has to be learned first: under
# mixed laws it does not form in the time there is.
_FIRST = dataclasses.replace(mixture.PLAIN, scenes=3)
# Every law stays or goes further now and then, so that the chance of a word
# falls with its distance in the graph instead of vanishing after one step.
# Some laws do so often, some show a neighbour's word instead, and laws change
# within a scene: what one step tells is never certain, so averaging over the
# neighbourhood keeps paying.
_THEN = mixture.Mixture(
  least_stay=(0.02, 0.07),
  least_more=(0.04, 0.1),
  lazy=0.15,
  stay=(0.2, 0.6),
  hops=0.1,
  more=(0.3, 0.7),
  teleport=0.02,
  noise=0.1,
  misread=(0.1, 0.4),
  pairs=0.05,
  switch=0.5,
  scene_length=60.0,
  law_switch=0.6,
  law_length=33.0,
)


def describe() -> recipe.Recipe:
  """Plain walks, then mixed laws."""
  return recipe.Recipe(
    width=128,
    layers=5,
    heads=4,
    mlp_size=256,
    vocab_size=128,
    max_positions=257,
    graphs=mixture.graph_specs(),
    stages=(
      recipe.Stage(400, 160, 32, 30, _FIRST, known_only=False),
      recipe.Stage(2500, 256, 16, 30, _THEN),
    ),
    tied=False,
    muon=True,
    matrix_rate=0.01,
    other_rate=0.003,
    weight_decay=0.01,
    decay=0.6,
    common_scale=0.0,
  )


def save_tokenizer(folder: pathlib.Path, described: recipe.Recipe) -> None:
  """Writes the tokenizer of the recipe's words into a folder."""
  words = tokenizer.vocabulary(described.vocab_size)
  tokenizer.save(folder, words, described.max_positions)


TASKS = {"walks": describe}
