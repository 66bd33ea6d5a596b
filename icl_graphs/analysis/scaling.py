"""How the context length of a transition grows with the size of a graph.

And what it is compared with: the words a walk needs to cross half of the edges
(bond percolation on the square lattice happens at one half), and to see every
node. Section 2.10 of the project's specification.
"""

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Float, Int
import numpy as np
from scipy import optimize, special

from icl_graphs import errors

_NORMAL = float(special.ndtri(0.975))


class PowerLaw(NamedTuple):
  """value = factor * size^exponent, fitted in log-log.

  low, high: of the exponent. scatter: standard deviation of log10(value) about
  the line beyond what the intervals of the points explain. degrees: M - 2.
  """

  exponent: float
  low: float
  high: float
  factor: float
  scatter: float
  degrees: int

  def at(self, size: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    return self.factor * np.asarray(size, np.float64) ** self.exponent


def power_law(
  size: Sequence[float],
  value: Sequence[float],
  low: Sequence[float],
  high: Sequence[float],
  level: float = 0.95,
) -> PowerLaw:
  """Weighted least squares in log10 of value on size, intervals propagated.

  A point's standard error is the width of its 95% interval on the log scale
  over 2 * 1.96. Where the points scatter about the line by more than that, the
  excess is added to every variance (random effects; Paule and Mandel 1982). The
  interval takes the variance per degree of freedom, at least 1, and Student's t
  with M - 2 degrees (Knapp and Hartung 2003), so that it stays valid for few
  points.

  Args:
    size: of M graphs, positive.
    value: context lengths, positive, with limits `low` and `high` of their 95%
      intervals.
    level: nominal coverage.

  Raises:
    InputError: fewer than three points, or a value that is not positive.
  """
  x, y, bottom, top = (
    np.asarray(part, np.float64) for part in (size, value, low, high)
  )
  if len(x) < 3 or len(np.unique(x)) < 2:
    raise errors.InputError(
      f"{len(x)} sizes; an exponent with its interval needs at least 3"
    )
  if not all((part > 0).all() for part in (x, y, bottom, top)):
    raise errors.InputError(
      "sizes, transitions and their limits must be positive and finite"
    )
  x, y = np.log10(x), np.log10(y)
  error = (np.log10(top) - np.log10(bottom)) / (2 * _NORMAL)
  error = np.maximum(error, 1e-6)
  design = np.stack([np.ones_like(x), x], axis=1)
  degrees = len(x) - 2

  def solve(scatter):
    weights = 1 / (error**2 + scatter**2)
    inverse = np.linalg.inv((design.T * weights) @ design)
    line = inverse @ ((design.T * weights) @ y)
    return line, inverse, (weights * (y - design @ line) ** 2).sum()

  scatter = 0.0
  if solve(0.0)[2] > degrees:
    most = 10 * (np.ptp(y) + 1)
    scatter = float(optimize.brentq(lambda s: solve(s)[2] - degrees, 0.0, most))
  line, inverse, residual = solve(scatter)
  spread = np.sqrt(inverse[1, 1] * max(1.0, residual / degrees))
  reach = special.stdtrit(degrees, (1 + level) / 2) * spread
  return PowerLaw(
    float(line[1]),
    float(line[1] - reach),
    float(line[1] + reach),
    float(10 ** line[0]),
    scatter,
    degrees,
  )


def edge_coverage_time(
  nodes: Int[np.ndarray, "walk time"],
  edge_count: int,
  share: float = 0.5,
) -> Float[np.ndarray, " walk"]:
  """Words after which a walk has crossed a share of the distinct edges.

  Args:
    nodes: walks over an undirected graph; t counts words from 1.
    edge_count: |E|.
    share: of the edges, crossed in either direction.

  Returns:
    The first t with `share` |E| edges or more; NaN where a walk is too short.
  """
  nodes = np.asarray(nodes, np.int64)
  first, second = np.sort(np.stack([nodes[:, :-1], nodes[:, 1:]]), axis=0)
  fresh = _first_time(first * (nodes.max() + 1) + second)
  crossed = np.cumsum(fresh & (first != second), axis=1)
  # The first edge is crossed with the second word.
  return _reached(crossed, share * edge_count) + 1


def cover_time(
  nodes: Int[np.ndarray, "walk time"], num_nodes: int
) -> Float[np.ndarray, " walk"]:
  """Words after which a walk has seen every node; NaN where it has not."""
  return _reached(np.cumsum(_first_time(nodes), axis=1), num_nodes)


def _first_time(labels: np.ndarray) -> np.ndarray:
  """Whether a label occurs for the first time in its row."""
  order = np.argsort(labels, axis=1, kind="stable")
  ordered = np.take_along_axis(labels, order, axis=1)
  fresh = np.ones(labels.shape, bool)
  fresh[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
  result = np.empty_like(fresh)
  np.put_along_axis(result, order, fresh, axis=1)
  return result


def _reached(count: np.ndarray, wanted: float) -> np.ndarray:
  """1 + index of the first entry that is at least `wanted`, NaN for none."""
  enough = count >= wanted - 1e-9
  return np.where(enough.any(axis=1), enough.argmax(axis=1) + 1.0, np.nan)


def mean_with_interval(
  values: Float[np.ndarray, " walk"],
) -> tuple[float, float, float]:
  """Mean with a Student interval; NaN where a walk was too short."""
  values = np.asarray(values, np.float64)
  mean = values.mean()
  reach = special.stdtrit(len(values) - 1, 0.975) * values.std(ddof=1)
  reach /= np.sqrt(len(values))
  return float(mean), float(mean - reach), float(mean + reach)
