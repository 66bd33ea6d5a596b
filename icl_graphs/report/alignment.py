"""Rotate PCA pictures onto one another, for display only.

The axes of a principal component plane have arbitrary signs, and for tied
eigenvalues arbitrary directions. Turning or reflecting a picture as a whole
changes no distance in it, so it may be done to keep a sequence of pictures from
jumping; nothing measured uses the turned coordinates.
"""

from jaxtyping import Float
import numpy as np


def rotation_onto(
  points: Float[np.ndarray, "n 2"], target: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "2 2"]:
  """Orthogonal R (reflections allowed) bringing `points @ R` to `target`.

  Orthogonal Procrustes over the rows that are finite in both; the identity
  when fewer than two are.
  """
  known = np.isfinite(points).all(axis=1) & np.isfinite(target).all(axis=1)
  if known.sum() < 2:
    return np.eye(2)
  left = points[known] - points[known].mean(axis=0)
  right = target[known] - target[known].mean(axis=0)
  u, _, vt = np.linalg.svd(left.T @ right)
  return u @ vt


def _unit(points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
  size = np.sqrt(np.nansum(np.square(points)))
  return points / size if size > 0 else points


def rotations(
  scores: Float[np.ndarray, "L C n 2"],
  layout: Float[np.ndarray, "n 2"],
  layer: int,
) -> Float[np.ndarray, "L C 2 2"]:
  """One rotation per picture so that neighbouring pictures agree.

  The picture at `layer` and the last context is turned to stand like the
  graph's layout. From there each picture is turned onto those already placed
  beside it: the next longer context, and the next layer towards `layer`.

  Args:
    scores: [L, C, n, 2] coordinates in two components; NaN rows are missing.
    layout: [n, 2] positions of the nodes in a drawing of the graph.
    layer: position of the layer to start from.
  """
  n_layers, n_contexts = scores.shape[:2]
  result = np.empty((n_layers, n_contexts, 2, 2))
  placed: dict[tuple[int, int], np.ndarray] = {}
  outwards = sorted(range(n_layers), key=lambda index: abs(index - layer))
  for k in outwards:
    for c in reversed(range(n_contexts)):
      beside = [(k, c + 1), (k + int(np.sign(layer - k)), c)]
      targets = [placed[cell] for cell in beside if cell in placed]
      target = _unit(layout) if not targets else _mean(targets)
      result[k, c] = rotation_onto(scores[k, c], target)
      turned = _unit(scores[k, c] @ result[k, c])
      # A missing point stands where its neighbours had it, so that the next
      # picture still has something to turn towards.
      placed[k, c] = np.where(np.isfinite(turned), turned, target)
  return result


def _mean(targets: list[np.ndarray]) -> np.ndarray:
  return sum(targets[1:], start=targets[0]) / len(targets)
