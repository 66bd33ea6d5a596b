"""Every experiment that can be asked for by name, in the report's order."""

from icl_graphs.experiments import recipe

# One entry per recipe.
_RECIPES: tuple[recipe.Recipe, ...] = ()

RECIPES = {one.name: one for one in _RECIPES}
