"""Where to put the labels of a crowded picture."""

from jaxtyping import Float
import numpy as np

# Beside the point first, diagonals last.
_SPOTS = np.array(
  [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)]
)


def label_centres(
  points: Float[np.ndarray, "n 2"],
  widths: Float[np.ndarray, " n"],
  height: float,
  gap: float,
  reach: float,
) -> Float[np.ndarray, "n 2"]:
  """Centres of labels beside their points, with little overlap.

  Greedy, in the order given: each label takes the spot around its point that
  covers least of the points, of the labels already placed and of what lies
  beyond the frame. Points that are NaN get NaN.

  Args:
    points: [n, 2].
    widths: [n] widths of the labels, same units as `points`.
    height: of every label.
    gap: from a point to its label; also the radius kept free around points.
    reach: the frame runs from -reach to reach in both directions.
  """
  known = np.isfinite(points).all(axis=1)
  boxes = [np.stack([point - gap, point + gap]) for point in points[known]]
  centres = np.full(points.shape, np.nan)
  for index in np.flatnonzero(known):
    size = np.array([widths[index], height])
    # A diagonal label may sit closer along each axis.
    apart = np.where(_SPOTS.all(axis=1), 0.7, 1.2)[:, None] * gap
    options = points[index] + _SPOTS * (apart + size / 2)
    costs = [
      _cost(np.stack([option - size / 2, option + size / 2]), boxes, reach)
      + order * 0.01 * size.prod()
      for order, option in enumerate(options)
    ]
    centres[index] = options[int(np.argmin(costs))]
    boxes.append(
      np.stack([centres[index] - size / 2, centres[index] + size / 2])
    )
  return centres


def _cost(box: np.ndarray, others: list[np.ndarray], reach: float) -> float:
  stacked = np.stack(others)
  sides = np.minimum(box[1], stacked[:, 1]) - np.maximum(box[0], stacked[:, 0])
  covered = np.clip(sides, 0, None).prod(axis=1).sum()
  outside = np.clip(np.abs(box) - reach, 0, None).sum()
  return float(covered + outside)
