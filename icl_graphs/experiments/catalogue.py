"""Every experiment that can be asked for by name, in the report's order."""

from collections.abc import Mapping
from typing import NamedTuple

from icl_graphs.experiments import (
  coin_subject,
  graph_subject,
  recipe,
  subject,
)
from icl_graphs.experiments.paper_one import (
  alignment,
  behaviour_geometry,
  conflict,
  emergence,
  energy_and_accuracy,
  heads,
  held_out_edges,
  memorisation,
  mixtures,
  patching,
  prompt_conditions,
  reencoding,
  scaling,
  straightening,
  subspaces,
  switches,
  transition,
  untrained,
  variance_decomposition,
)
from icl_graphs.experiments.paper_two import (
  distraction,
  generation,
  judgment,
  phases,
  prompts,
  selection,
  subsequences,
  trees,
)
from icl_graphs.report import reproduction


class Paper(NamedTuple):
  """Experiments that belong together.

  Attributes:
    recipes: by name, in the order of the report.
    kind: of subject that all of them ask.
    about: what the report says of them.
  """

  recipes: Mapping[str, recipe.Recipe]
  kind: type[subject.Subject]
  about: reproduction.About


# One entry per recipe. Those of paper one ask a `graph_subject.GraphSubject`,
# those of paper two a `coin_subject.CoinSubject`.
_PAPER_ONE: tuple[recipe.Recipe, ...] = (
  emergence.RECIPE,
  energy_and_accuracy.RECIPE,
  memorisation.RECIPE,
  transition.RECIPE,
  scaling.RECIPE,
  conflict.RECIPE,
  alignment.RECIPE,
  untrained.RECIPE,
  reencoding.RECIPE,
  heads.RECIPE,
  subspaces.RECIPE,
  patching.RECIPE,
  mixtures.RECIPE,
  switches.RECIPE,
  behaviour_geometry.RECIPE,
  variance_decomposition.RECIPE,
  straightening.RECIPE,
  held_out_edges.RECIPE,
  prompt_conditions.RECIPE,
)
_PAPER_TWO: tuple[recipe.Recipe, ...] = (
  prompts.RECIPE,
  selection.RECIPE,
  generation.RECIPE,
  subsequences.RECIPE,
  judgment.RECIPE,
  trees.RECIPE,
  distraction.RECIPE,
  phases.RECIPE,
)

PAPER_ONE = Paper(
  {one.name: one for one in _PAPER_ONE},
  graph_subject.GraphSubject,
  reproduction.About(
    "Does this model rewire its concepts from context alone?",
    "read unrelated words in an order that follows a graph it was never shown.",
    "An interval says how far a number moves when the walks are drawn again."
    " The null is mostly the number with words dealt to nodes at random."
    " Relative energy is 1 where representations know nothing of the graph and"
    " falls as neighbours move together.",
  ),
)
PAPER_TWO = Paper(
  {one.name: one for one in _PAPER_TWO},
  coin_subject.CoinSubject,
  reproduction.About(
    "Does this model tell a pattern from chance, from context alone?",
    "read and continued flips of a coin, written as words.",
    "An interval says how far a number moves when sequences, or concepts, are"
    " drawn again. The null is mostly the number for fair flips, for simulated"
    " flips with the model's own mean, or for random weights. A concept is a"
    " short word of flips that is repeated; n50 is the number of flips from"
    " which on a curve stays above one half.",
  ),
)
