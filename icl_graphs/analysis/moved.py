"""How much of a preference an intervention moves."""

from jaxtyping import Float
import numpy as np

from icl_graphs.analysis import walk_bootstrap


def share(
  changed: Float[np.ndarray, "R ..."],
  start: Float[np.ndarray, " R"],
  goal: Float[np.ndarray, " R"],
  seed: int,
) -> walk_bootstrap.Estimate:
  """Mean move over the mean distance from start to goal, over the same walks.

  0: nothing moved. 1: as far as the goal, on average. The ratio is of means,
  so that walks whose start and goal nearly agree do not dominate.

  Args:
    changed: preference after the intervention.
    start: without it.
    goal: preference of the donor.
    seed: of the resampling of walks.
  """
  extra = (slice(None), *[None] * (changed.ndim - 1))
  bottom = np.broadcast_to((goal - start)[extra], changed.shape)
  return walk_bootstrap.ratio(changed - start[extra], bottom, seed=seed)
