"""What energy minimisation is given, refused or brought into one shape.

Everything here runs before anything is computed. Legend: P graphs, R restarts,
s floors, C recorded steps.
"""

import jax
from jaxtyping import Float, Int
import numpy as np

from icl_graphs import errors
from icl_graphs.theory import laplacians, spectral

# Of 1 / lambda_n. At 1 itself a complete graph loses all but the mean.
_SHARE = 0.9


def with_graph_axis(laplacian, starts, single):
  """Laplacian and starts [P, R, n, d], with P = 1 where there is one graph."""
  starts = np.asarray(starts)
  if starts.ndim not in (3, 4):
    raise errors.InputError(
      f"starts have shape {starts.shape}; expected [R, n, d], or [P, R, n, d] "
      "for several graphs"
    )
  if isinstance(laplacian, laplacians.Edges):
    laplacian = laplacians.Edges(*map(np.asarray, laplacian))
    axes = laplacian.scale.ndim - 1
  else:
    laplacian = np.asarray(laplacian, np.float64)
    axes = laplacian.ndim - 2
  if axes != (0 if single else 1):
    raise errors.InputError(
      f"starts of shape {starts.shape} ask for a Laplacian with "
      f"{0 if single else 1} axes before its nodes, not {axes}"
    )
  if single:
    laplacian = jax.tree.map(lambda leaf: leaf[None], laplacian)
    starts = starts[None]
  count = jax.tree.leaves(laplacian)[-1].shape[0]
  if count != starts.shape[0]:
    raise errors.InputError(
      f"{count} graphs but starts for {starts.shape[0]} of them"
    )
  return laplacian, starts


def one_graph(laplacian, index):
  """Of P Laplacians, matrices or edge lists, one."""
  return jax.tree.map(lambda leaf: leaf[index], laplacian)


def node_counts(laplacian, starts) -> Int[np.ndarray, " P"]:
  """Number of real nodes per graph."""
  listed = isinstance(laplacian, laplacians.Edges)
  size = laplacian.scale.shape[-1] if listed else laplacian.shape[-1]
  if starts.shape[2] != size:
    raise errors.InputError(
      f"starts have {starts.shape[2]} rows but the graph has {size} nodes"
    )
  if 0 in starts.shape:
    raise errors.InputError(f"starts of shape {starts.shape} are empty")
  if not np.isfinite(starts).all():
    raise errors.InputError("starts have entries that are not finite")
  nodes = np.full(len(starts), size)
  for index in range(len(starts)):
    if listed:
      laplacians.check_edges(one_graph(laplacian, index))
      continue
    laplacians.check_matrix(laplacian[index])
    nodes[index] = laplacians.real_nodes(laplacian[index])
    if starts[index, :, nodes[index] :].any():
      raise errors.InputError(
        f"graph {index} has {nodes[index]} nodes, but its start has more rows "
        "that are not zero"
      )
  return nodes


def broadcast_floors(floors, nodes, starts) -> Float[np.ndarray, "B s"]:
  """The eps of every problem; s = 0 where there is no constraint."""
  graphs, restarts, _, _ = starts.shape
  if floors is None:
    return np.zeros((graphs * restarts, 0))
  floors = np.asarray(floors, np.float64)
  shape = (graphs, restarts, floors.shape[-1] if floors.ndim else 0)
  if floors.ndim == 2 and len(floors) == graphs:
    floors = floors[:, None]
  if (
    floors.ndim not in (1, 3)
    or floors.ndim == 3
    and not all(
      a in (1, b) for a, b in zip(floors.shape[:2], shape[:2], strict=True)
    )
  ):
    raise errors.InputError(
      f"eps of shape {floors.shape} for {graphs} graphs with {restarts} "
      "restarts; give [s], [P, s] or [P, R, s]"
    )
  floors = np.broadcast_to(floors, shape)
  columns = np.any(starts != 0, axis=-2)
  width = np.where(columns.any(-1), columns.sum(-1), starts.shape[-1])
  # All at once when all is well; else the first bad one says what is wrong.
  if not (
    np.isfinite(floors).all()
    and floors.size
    and (floors > 0).all()
    and (np.diff(floors) < 0).all()
    and (shape[-1] <= np.minimum(nodes[:, None], width)).all()
  ):
    for p, r in np.ndindex(*shape[:2]):
      spectral.checked_floors(floors[p, r], int(nodes[p]), int(width[p, r]))
  return floors.reshape(-1, shape[-1])


def steps(record) -> Int[np.ndarray, " C"]:
  """The steps to record, ascending."""
  until = np.asarray(record)
  if (
    until.ndim != 1
    or not until.size
    or until.dtype.kind not in "iu"
    or until[0] < 0
    or (np.diff(until) <= 0).any()
  ):
    raise errors.InputError(
      "steps to record must be ascending whole numbers from 0, such as "
      "log_steps(1000)"
    )
  return until


def rates(rate, laplacian) -> Float[np.ndarray, " P"]:
  """The step size of every graph."""
  count = jax.tree.leaves(laplacian)[-1].shape[0]
  largest = np.array(
    [
      laplacians.largest_eigenvalue(one_graph(laplacian, index))
      for index in range(count)
    ]
  )
  if rate is None:
    return _SHARE / largest
  if not np.isfinite(rate) or rate <= 0 or rate >= 2 / largest.max():
    raise errors.InputError(
      f"step size {rate:g} does not converge; choose one between 0 and "
      f"{2 / largest.max():.4g}, at best {_SHARE / largest.max():.4g}"
    )
  return np.full(count, float(rate))
