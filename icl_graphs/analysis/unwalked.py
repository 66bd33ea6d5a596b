"""Expectations of edges that a walk never took, against pairs that are none.

Every set holds some edges of a graph out of its walks. A held-out edge (i, j)
is matched, at the same place i, with nodes k that are no neighbours of i in the
full graph, as far from i and with as many neighbours as j in the graph that was
walked. Legend: M sets, n nodes, h held-out edges of a set.
"""

from typing import NamedTuple

from jaxtyping import Bool, Float, Int
import numpy as np

from icl_graphs.analysis import distances, nulls

# Chance of every further hop, and most hops, of the structure allowed for.
GOES_ON, HOPS = 0.5, 8


class Pairs(NamedTuple):
  """Ordered held-out pairs and those they are matched with.

  Attributes:
    owner: [Q], the set.
    place: [Q], node i.
    options: [Q, n] bool, the held-out end and its matches.
    held: [Q], the held-out end j.
  """

  owner: Int[np.ndarray, " Q"]
  place: Int[np.ndarray, " Q"]
  options: Bool[np.ndarray, "Q n"]
  held: Int[np.ndarray, " Q"]


def matched(
  walked: Float[np.ndarray, "M n n"],
  full: Float[np.ndarray, "M n n"],
  edges: Int[np.ndarray, "M h 2"],
) -> Pairs:
  """Both directions of every held-out edge that has a match."""
  rows = []
  for m, (graph, whole, held) in enumerate(
    zip(walked, full, edges, strict=True)
  ):
    hops = distances.hops(graph)
    degree = (graph > 0).sum(axis=1)
    for i, j in (*held.tolist(), *held[:, ::-1].tolist()):
      options = (whole[i] == 0) & (hops[i] == hops[i, j])
      options &= degree == degree[j]
      options[i] = False
      if options.any():
        options[j] = True
        rows.append((m, i, options, j))
  owner, place, options, held = zip(*rows, strict=True)
  return Pairs(*map(np.array, (owner, place, options, held)))


def gain(
  logs: Float[np.ndarray, "M n n"],
  visits: Float[np.ndarray, "M n"],
  pairs: Pairs,
  chosen: Int[np.ndarray, " Q"] | None = None,
) -> tuple[Float[np.ndarray, " M"], Float[np.ndarray, " M"]]:
  """Mean log-probability of held-out ends less that of their matches.

  Args:
    logs: [m, i, k], sum of log p(k) over the visits of i.
    visits: of node i, counted in `logs`.
    pairs: from `matched`.
    chosen: ends in the place of the held-out ones, for the null.

  Returns:
    Per set, the sum over pairs weighted by visits, and the weights: gains of
    any sets together are the ratio of their sums.
  """
  chosen = pairs.held if chosen is None else chosen
  rows = logs[pairs.owner, pairs.place]
  each = np.arange(len(chosen))
  others = pairs.options.copy()
  others[each, chosen] = False
  rest = np.where(others, rows, 0).sum(axis=1) / others.sum(axis=1)
  top = np.bincount(pairs.owner, rows[each, chosen] - rest, len(logs))
  weight = np.bincount(pairs.owner, visits[pairs.owner, pairs.place], len(logs))
  return top, weight


class Result(NamedTuple):
  """A gain in natural log-probability: value, low, high, and its null.

  null_low and null_high are limits of the gain when any of the matched nodes is
  called the held-out one.
  """

  value: float
  low: float
  high: float
  null: float
  null_low: float
  null_high: float


def tested(
  logs: Float[np.ndarray, "M n n"],
  visits: Float[np.ndarray, "M n"],
  pairs: Pairs,
  *,
  resamples: int,
  seed: int,
) -> Result:
  """Gain over all sets, interval over sets, null of ends chosen at random."""
  top, weight = gain(logs, visits, pairs)
  drawn = nulls.bootstrap_weights(len(top), resamples, seed)
  value = top.sum() / weight.sum()
  low, high = nulls.interval(
    np.array(value), (drawn @ top) / (drawn @ weight), len(top)
  )
  rng = np.random.default_rng(seed)
  chance = np.zeros(resamples)
  for r in range(resamples):
    # The largest of independent numbers is any option alike.
    number = np.where(pairs.options, rng.random(pairs.options.shape), -1)
    other, size = gain(logs, visits, pairs, number.argmax(axis=1))
    chance[r] = other.sum() / size.sum()
  limits = nulls.limits(chance)
  return Result(
    float(value),
    *map(float, (low, high, chance.mean(), *limits)),
  )


def log_reach(walked: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
  """Logarithm of `reach`; ends beyond all hops count as nearly impossible."""
  return np.log(np.maximum(reach(walked), 1e-12))


def reach(walked: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
  """Probability of ends when each hop of the walk is followed by another.

  sum_r (1 - c) c^(r - 1) P^r with c = `GOES_ON`: what a reader who mixes steps
  of several lengths expects, without an idea of missing edges.
  """
  step = walked / walked.sum(axis=1, keepdims=True)
  power, total = np.eye(len(walked)), np.zeros_like(step)
  for hop in range(HOPS):
    power = power @ step
    total += (1 - GOES_ON) * GOES_ON**hop * power
  return total


def adjusted(
  logs: Float[np.ndarray, "M n n"],
  visits: Float[np.ndarray, "M n"],
  walked: Float[np.ndarray, "M n n"],
  full: Float[np.ndarray, "M n n"],
  *,
  resamples: int,
  seed: int,
) -> Float[np.ndarray, " 3"]:
  """Gain that distance, degree and multi-step structure do not explain.

  Least squares over all ordered pairs that were never walked, weighted by
  visits: mean log p(k | i) on indicators of the distance and of both degrees,
  log `reach`, its square, and whether the pair is a held-out edge.

  Returns:
    The last coefficient: value, low, high over sets.
  """
  sets = len(visits)
  blocks = []
  for m in range(sets):
    hops = distances.hops(walked[m])
    i, k = np.nonzero((walked[m] == 0) & (hops > 0) & (visits[m] > 0)[:, None])
    blocks.append((m, i, k, hops[i, k], walked[m]))
  largest = int(max(block[3].max() for block in blocks))
  degrees = np.unique(np.concatenate([(w > 0).sum(axis=1) for w in walked]))
  forms = []
  for m, i, k, hop, graph in blocks:
    degree = (graph > 0).sum(axis=1)
    far = log_reach(graph)[i, k]
    columns = [
      *(hop == d for d in range(2, largest + 1)),
      *(degree[k] == d for d in degrees[1:]),
      *(degree[i] == d for d in degrees[1:]),
      far,
      far**2,
      full[m][i, k] > 0,
    ]
    design = np.stack(columns, axis=1).astype(np.float64)
    weight = visits[m][i]
    target = logs[m][i, k] / weight
    forms.append(
      (
        (design * weight[:, None]).T @ design,
        (design * weight[:, None]).T @ target,
      )
    )
  squares, cross = (np.stack(part) for part in zip(*forms, strict=True))

  def last(weights):
    left = np.tensordot(weights, squares, 1)
    right = np.tensordot(weights, cross, 1)
    return (np.linalg.pinv(left) @ right[..., None])[..., -1, 0]

  value = last(np.ones((1, sets)))[0]
  draws = last(nulls.bootstrap_weights(sets, resamples, seed))
  low, high = nulls.interval(np.array(value), draws, sets)
  return np.array([value, float(low), float(high)])


def by_distance(
  mass: Float[np.ndarray, "M n n"],
  visits: Float[np.ndarray, "M n"],
  walked: Float[np.ndarray, "M n n"],
  full: Float[np.ndarray, "M n n"],
  *,
  resamples: int,
  seed: int,
) -> dict[str, Float[np.ndarray, " 3"]]:
  """Mean probability per visit and pair: value, low, high over sets.

  Returns:
    `walked_edges`, `held_out_edges`, and `distance_2`, ... for pairs that are
    no edges; the weights are visits.
  """
  hops = np.stack([distances.hops(one) for one in walked])
  kinds = {"walked_edges": walked > 0}
  kinds["held_out_edges"] = (full > 0) & ~(walked > 0)
  none = ~(full > 0) & (hops > 1)
  for hop in range(2, int(hops.max()) + 1):
    kinds[f"distance_{hop}"] = none & (hops == hop)
  drawn = nulls.bootstrap_weights(len(mass), resamples, seed)
  result = {}
  for name, member in kinds.items():
    top = np.where(member, mass, 0).sum(axis=(1, 2))
    size = (member * visits[..., None]).sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
      value = top.sum() / size.sum()
      draws = (drawn @ top) / (drawn @ size)
    low, high = nulls.interval(
      np.array(value), draws, len(mass), bounds=(0.0, 1.0)
    )
    result[name] = np.array([value, float(low), float(high)])
  return result
