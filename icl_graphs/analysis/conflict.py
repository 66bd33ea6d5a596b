"""How much of the calendar and how much of a context's ring class means hold.

Chance for the ring of the context is the same ring turned against the calendar:
rings that overlap just as much with every harmonic of the calendar, but were
not walked. Whatever the calendar's own harmonics put into the one they put into
the others, on average; only what the context taught tells them apart. Chance
for the calendar is, likewise, the calendar turned against the context's ring,
whose higher harmonics may pass for the calendar.
"""

from collections.abc import Sequence

from jaxtyping import Float
import numpy as np

from icl_graphs.analysis import calendar, nulls, pca, spectrum
from icl_graphs.analysis import gram as gram_lib

PAIRS = 3
_OF_COMPONENTS = tuple(f"{2 * k + 1}{2 * k + 2}" for k in range(PAIRS))
# Measures of the calendar, and measures of a ring of the context.
CALENDAR = (
  "calendar_power",
  *(f"calendar_in_pc{k}" for k in _OF_COMPONENTS),
  "calendar_cosine",
  "calendar_all",
  "calendar_unique",
)
CONTEXT = (
  "context_power",
  *(f"context_in_pc{k}" for k in _OF_COMPONENTS),
  "context_cosine",
  "context_residual",
  "context_unique",
)
_CORRELATIONS = ("calendar_unique", "context_unique")


def turned(order: Sequence[int]) -> list[tuple[int, ...]]:
  """Rings that are the order turned or mirrored on the calendar, each once.

  The order itself comes first. A ring of equal steps has no other.
  """
  n = len(order)
  first = _canonical(order)
  found = {first: None}
  for mirror in (1, -1):
    for shift in range(n):
      moved = tuple((mirror * day + shift) % n for day in order)
      found.setdefault(_canonical(moved))
  return list(found)


def turned_weeks(order: Sequence[int]) -> list[tuple[int, ...]]:
  """The calendar's ring turned or mirrored along an order, each once.

  The calendar itself comes first; a ring of equal steps gives no other.
  """
  order, n = list(order), len(order)
  found = {tuple(range(n)): None}
  for mirror in (1, -1):
    for shift in range(n):
      moved = dict.fromkeys(range(n))
      for place, day in enumerate(order):
        moved[day] = order[(mirror * place + shift) % n]
      found.setdefault(_canonical(moved.values()))
  return list(found)


def _canonical(order) -> tuple[int, ...]:
  """One name for a ring, wherever it starts and whichever way it goes."""
  order = [int(day) for day in order]
  start = order.index(0)
  forward = order[start:] + order[:start]
  backward = [forward[0], *forward[:0:-1]]
  return min(tuple(forward), tuple(backward))


def calendar_measures(
  gram: Float[np.ndarray, "*batch n n"],
  vectors: Float[np.ndarray, "*batch n n"],
  order: Sequence[int],
  week: Sequence[int] | None = None,
) -> dict[str, Float[np.ndarray, "*batch"]]:
  """Everything in `CALENDAR`.

  Args:
    gram: inner products of class means, words in calendar order.
    vectors: their principal axes.
    order: the context's ring, whose harmonics `calendar_unique` allows for.
    week: another ring in the calendar's place, for its null.

  Returns:
    calendar_power: share of the variance in the calendar's first harmonic.
    calendar_in_pc12, 34, 56: how much of these components lies in it.
    calendar_cosine: smaller principal cosine of components 1-2 with it.
    calendar_all: variance of the inner products explained by distance along
      the calendar, see `calendar.explained`.
    calendar_unique: see `calendar.unique`, against all harmonics of the order.
  """
  week = range(gram.shape[-1]) if week is None else week
  first = calendar.projector(week)
  shares = calendar.component_shares(vectors, first, PAIRS)
  return {
    "calendar_power": calendar.share(gram, first),
    **_by_pair("calendar", shares),
    "calendar_cosine": spectrum.principal_cosines(vectors, first)[..., 1],
    "calendar_all": calendar.explained(gram, calendar.projectors(week)),
    "calendar_unique": calendar.unique(gram, first, calendar.projectors(order)),
  }


def context_measures(
  gram: Float[np.ndarray, "*batch n n"],
  vectors: Float[np.ndarray, "*batch n n"],
  left: Float[np.ndarray, "*batch n n"],
  order: Sequence[int],
) -> dict[str, Float[np.ndarray, "*batch"]]:
  """Everything in `CONTEXT`.

  Args:
    gram: inner products of class means, words in calendar order.
    vectors: their principal axes.
    left: principal axes of what is left without the calendar's first harmonic.
    order: a ring.

  Returns:
    context_power: share of the variance in the ring's first harmonic.
    context_in_pc12, 34, 56: how much of these components lies in it.
    context_cosine: smaller principal cosine of components 3-4 with it.
    context_residual: how much of the first two components of what is left
      without the calendar's pair lies in it.
    context_unique: see `calendar.unique`, against all of the calendar.
  """
  ring = calendar.projector(order)
  week = calendar.projectors(range(gram.shape[-1]))
  shares = calendar.component_shares(vectors, ring, PAIRS)
  cosines = spectrum.principal_cosines(vectors[..., 2:], ring)
  return {
    "context_power": calendar.share(gram, ring),
    **_by_pair("context", shares),
    "context_cosine": cosines[..., 1],
    "context_residual": calendar.component_shares(left, ring, 1)[..., 0],
    "context_unique": calendar.unique(gram, ring, week),
  }


def _by_pair(name, shares):
  return {
    f"{name}_in_pc{k}": shares[..., place]
    for place, k in enumerate(_OF_COMPONENTS)
  }


def axes(
  gram: Float[np.ndarray, "*batch n n"],
) -> tuple[Float[np.ndarray, "*batch n n"], Float[np.ndarray, "*batch n n"]]:
  """Principal axes, and those of what is left without the calendar's pair."""
  week = calendar.projector(range(gram.shape[-1]))
  left = calendar.residual(gram, week)
  return pca.axes(gram).vectors, pca.axes(left).vectors


def measure(
  gram: Float[np.ndarray, "*batch n n"], order: Sequence[int]
) -> dict[str, Float[np.ndarray, "*batch"]]:
  """Everything in `CALENDAR` and `CONTEXT` for the ring that was walked."""
  vectors, left = axes(gram)
  return calendar_measures(gram, vectors, order) | context_measures(
    gram, vectors, left, order
  )


class Runs:
  """Class means of several orders of the same words.

  Attributes:
    orders: the rings that were walked.
    values: measure to [order, layer, context].
  """

  def __init__(
    self,
    orders: Sequence[Sequence[int]],
    products: Float[np.ndarray, "order layer context G n G n"],
    count: Float[np.ndarray, "order context G n"],
  ):
    """Pools the groups of every order."""
    self.orders = [tuple(order) for order in orders]
    self._products = products
    # The same in every layer.
    shape = products.shape[:3] + count.shape[2:]
    self._count = np.broadcast_to(count[:, None], shape)
    self.grams = gram_lib.pooled(products, self._count)[0]
    found = [
      measure(gram, order)
      for gram, order in zip(self.grams, self.orders, strict=True)
    ]
    self.values = {
      name: np.stack([one[name] for one in found]) for name in found[0]
    }

  def statistics(
    self, resamples: int, seed: int
  ) -> dict[str, Float[np.ndarray, "layer context 6"]]:
    """Mean over orders: value, low, high, null, null_low, null_high.

    Intervals are over orders, each of which has its own walks, or over groups
    of walks where there is one order. Nulls: see the module. Where a ring has
    no other that overlaps as much, they are NaN for the context's measures and
    come from rings drawn at random for the calendar's.
    """
    replicates = self._replicates(resamples, seed)
    chance = self.chance(resamples, seed)
    units = len(self.orders)
    units = units if units > 1 else self._products.shape[-4]
    result = {}
    for name, values in self.values.items():
      value = values.mean(axis=0)
      bounds = (-1.0 if name in _CORRELATIONS else 0.0, 1.0)
      low, high = nulls.interval(value, replicates[name], units, bounds=bounds)
      draws = chance[name]
      limits = nulls.limits(draws)
      result[name] = np.stack(
        [value, low, high, draws.mean(axis=0), *limits], axis=-1
      )
    return result

  def difference(
    self, first: str, second: str, resamples: int, seed: int
  ) -> Float[np.ndarray, "layer context 3"]:
    """Mean over orders of one measure less another: value, low, high."""
    replicates = self._replicates(resamples, seed)
    value = (self.values[first] - self.values[second]).mean(axis=0)
    return self._with_interval(value, replicates[first] - replicates[second])

  def growth(
    self, name: str, resamples: int, seed: int
  ) -> Float[np.ndarray, "layer context 3"]:
    """What a measure gained since the first context: value, low, high."""
    replicates = self._replicates(resamples, seed)[name]
    value = self.values[name].mean(axis=0)
    return self._with_interval(
      value - value[:, :1], replicates - replicates[..., :1]
    )

  def _with_interval(self, value, replicates):
    units = len(self.orders)
    units = units if units > 1 else self._products.shape[-4]
    low, high = nulls.interval(value, replicates, units)
    return np.stack([value, low, high], axis=-1)

  def _replicates(self, resamples, seed):
    """Measure to [R, layer, context]: orders drawn anew, or groups of one.

    Every order has walks of its own, so that orders differ by their walks too.
    """
    if not hasattr(self, "_drawn"):
      number = len(self.orders)
      units = number if number > 1 else self._products.shape[-4]
      weights = nulls.bootstrap_weights(units, resamples, seed)
      if number > 1:
        self._drawn = {
          name: np.tensordot(weights / number, values, 1)
          for name, values in self.values.items()
        }
      else:
        gram, _ = gram_lib.pooled(self._products[0], self._count[0], weights)
        # Replicates that miss a word are NaN and are counted by `interval`.
        self._drawn = measure(np.moveaxis(gram, -3, 0), self.orders[0])
    return self._drawn

  def chance(
    self, draws: int, seed: int
  ) -> dict[str, Float[np.ndarray, "P layer context"]]:
    """Measure to [P, layer, context] with rings in the place of each ring."""
    rng = np.random.default_rng(seed)
    sums = {name: 0.0 for name in self.values}
    for gram, order in zip(self.grams, self.orders, strict=True):
      vectors, left = axes(gram)
      rings = turned(order)
      context = [context_measures(gram, vectors, left, one) for one in rings]
      weeks = turned_weeks(order)
      if len(weeks) == 1:
        weeks = _other_weeks(len(order), seed)
      weeks = [calendar_measures(gram, vectors, order, one) for one in weeks]
      for pool, names in ((context, CONTEXT), (weeks, CALENDAR)):
        picked = rng.integers(len(pool), size=draws)
        for name in names:
          table = np.stack([one[name] for one in pool])
          if len(pool) == 1:
            table = np.full_like(table, np.nan)
          sums[name] = sums[name] + table[picked]
    return {name: total / len(self.orders) for name, total in sums.items()}


def _other_weeks(n, seed, count=60):
  """Rings other than the calendar, drawn at random."""
  rng = np.random.default_rng(seed)
  week, found = tuple(range(n)), []
  while len(found) < count:
    order = (0, *(1 + rng.permutation(n - 1)).tolist())
    if _canonical(order) != week:
      found.append(order)
  return found
