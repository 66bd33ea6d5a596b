"""Every experiment that can be asked for by name, in the report's order."""

from icl_graphs.experiments import recipe
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
  selection,
  subsequences,
  trees,
)

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
  selection.RECIPE,
  generation.RECIPE,
  subsequences.RECIPE,
  judgment.RECIPE,
  trees.RECIPE,
  distraction.RECIPE,
  phases.RECIPE,
)

PAPER_ONE = {one.name: one for one in _PAPER_ONE}
PAPER_TWO = {one.name: one for one in _PAPER_TWO}
