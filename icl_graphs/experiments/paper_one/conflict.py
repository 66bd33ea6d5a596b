"""Semantic conflict: days and months walk on rings that are not the calendar.

arXiv 2501.00070, figure 3, with the numbers that its picture lacks. A ring that
skips days overlaps with the calendar's own higher harmonics, so every ring is
compared with the same ring turned against the calendar; see
`analysis.conflict`.
"""

import dataclasses
import functools
import pathlib

import numpy as np
import xarray as xr

from icl_graphs import errors
from icl_graphs.analysis import calendar, conflict, pca, walk_bootstrap
from icl_graphs.engine import forward
from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_one import conflict_claims, readings
from icl_graphs.probes import class_sums
from icl_graphs.report.paper_one import conflict as figures
from icl_graphs.tasks import graph_edits, walks

GROUPS, CONTEXTS, WINDOW = 4, 8, 50
# Mon Wed Sat Tue Fri Sun Thu, of the rings that are least any one harmonic.
PICTURED = (0, 2, 5, 1, 4, 6, 3)
MONTH_ORDERS = 4
STATS = ("value", "low", "high", "null", "null_low", "null_high")
DAYS, MONTHS = 7, 12


@dataclasses.dataclass(frozen=True)
class Family:
  """Orders of the same words that are asked one question.

  Attributes:
    name: in the numbers.
    title: in tables.
    words: name of the list.
    orders: rings.
    mode: neighbour pairs, or walks.
  """

  name: str
  title: str
  words: str
  orders: tuple[tuple[int, ...], ...]
  mode: str = "pairs"

  @property
  def n(self) -> int:
    """Words on a ring."""
    return len(self.orders[0])

  @property
  def prompt(self) -> tuple[str, int, str]:
    """What decides the plan of a pass."""
    return self.words, self.n, self.mode


def families(words: str, seed: int) -> tuple[Family, ...]:
  """All orders of the experiment.

  Args:
    words: list of unrelated words, for the control.
    seed: of the search for orders of the months.
  """
  orders = calendar.valid_orders(DAYS)
  by_overlap: dict[float, list] = {}
  for order in orders:
    worst = round(float(calendar.overlaps(order).max()), 3)
    by_overlap.setdefault(worst, []).append(order)
  ranked = sorted(by_overlap.items())
  clearest = tuple(ranked[0][1])
  months = list(calendar.drawn_orders(MONTHS, seed))
  months = tuple(calendar.clearest(months, MONTH_ORDERS))
  natural = (tuple(range(DAYS)),), (tuple(range(MONTHS)),)
  found = [Family("days", "days, clearest orders", "days", clearest)]
  for worst, group in ranked[1:]:
    title = f"days, orders that are {worst:.0%} one harmonic"
    name = f"days_overlap_{round(1000 * worst)}"
    found.append(Family(name, title, "days", tuple(group)))
  return (
    *found,
    Family("days_natural", "days, calendar order", "days", natural[0]),
    Family("unrelated", "unrelated words, same orders", words, clearest),
    Family("days_walks", "days, walks", "days", clearest, "walk"),
    Family(
      "unrelated_walks", "unrelated words, walks", words, clearest, "walk"
    ),
    Family("months", "months, clearest orders", "months", months),
    Family(
      "months_step_7",
      "months, steps of 7 (all of it one harmonic)",
      "months",
      (calendar.ring_order(MONTHS, 7),),
    ),
    Family("months_natural", "months, calendar order", "months", natural[1]),
  )


@dataclasses.dataclass(frozen=True)
class Observed:
  """What a family showed.

  Attributes:
    runs: its class means.
    follows: [order, walk], probability of a neighbour on the context's ring.
    reverts: [order, walk], of a neighbour in the calendar.
  """

  runs: conflict.Runs
  follows: np.ndarray
  reverts: np.ndarray


def run(subject, folder: pathlib.Path) -> recipe.Outcome:
  """Reads all orders, measures both rings, draws and judges."""
  asked = families(subject.settings.words, subject.settings.seed)
  try:
    plans = {one.prompt: _plan(subject, one) for one in asked if one.n == DAYS}
  except errors.InputError as error:
    reason = f"this model cannot be asked: {str(error).splitlines()[0]}"
    return recipe.cannot(reason, *conflict_claims.TEXTS)
  notes = list(conflict_claims.NOTES)
  months = [one for one in asked if one.n == MONTHS]
  try:
    plans |= {one.prompt: _plan(subject, one) for one in months[:1]}
  except errors.InputError as error:
    notes.append(f"No months: {str(error).splitlines()[0]}")
    asked = tuple(one for one in asked if one.n != MONTHS)
  found = {one.name: _observe(subject, one, plans[one.prompt]) for one in asked}
  settings = subject.settings
  plan = plans[asked[0].prompt]
  layers, contexts = list(plan.layers), list(plan.sums.context_lengths)
  report = layers.index(subject.report_layer)
  stats = {
    name: one.runs.statistics(settings.resamples, settings.seed)
    for name, one in found.items()
  }
  judged = conflict_claims.Evidence(
    found,
    stats,
    report,
    subject.report_layer,
    settings.resamples,
    settings.seed,
    contexts[-1],
  )
  return recipe.Outcome(
    claims=conflict_claims.claims(judged),
    numbers=conflict_claims.numbers(judged),
    figures=_draw(folder, subject, plan, found, stats, report),
    tables=conflict_claims.tables(judged, asked, layers),
    measurements=_dataset(stats, found, layers, contexts),
    notes=tuple(notes),
  )


def _plan(subject, family: Family) -> forward.Plan:
  length = subject.context
  contexts = class_sums.log_spaced_contexts(length, CONTEXTS)
  plan, _ = subject.plan(
    f"ring:{family.n}",
    words=family.words,
    word_seed=None,
    mode=family.mode,
    separator="/",
    pair_role="both",
    # The first word of a sequence has seen nothing.
    contexts=tuple(sorted({1, *contexts})),
    windows=(min(WINDOW, length),),
    groups=GROUPS,
    walks=max(subject.settings.walks, GROUPS),
    layers=None,
    report_layer=None,
    report_window=None,
    accuracy=True,
  )
  return plan


def _observe(subject, family: Family, plan: forward.Plan) -> Observed:
  step = functools.partial(readings.read_ring, plan)
  # Every word opens as many sequences of a group as any other.
  per = GROUPS * family.n
  per *= max(1, subject.settings.walks // (4 * per))
  week = graph_edits.ring(tuple(range(family.n))).adjacency > 0
  products, count, mass = [], [], []
  for place, order in enumerate(family.orders):
    ring = graph_edits.ring(order, spec=f"{family.name} {place}")
    fixed = readings.Ring(
      walks.transition_table(ring),
      np.stack([ring.adjacency > 0, week]),
      np.uint32(subject.settings.seed + place),
    )
    sums, scores = subject.evaluate(
      f"conflict {family.name} {place + 1}/{len(family.orders)}",
      step,
      np.arange(per, dtype=np.int32),
      fixed,
      words=plan.words,
    )
    made = readings.products(plan, sums)
    products.append(made[0])
    count.append(made[1])
    mass.append(readings.last_fifth(scores.mass))
  mass = np.stack(mass)
  return Observed(
    conflict.Runs(family.orders, np.stack(products), np.stack(count)),
    mass[..., 0],
    mass[..., 1],
  )


def _draw(folder, subject, plan, found, stats, report):
  contexts, layers = plan.sums.context_lengths, plan.layers
  runs = found["days"].runs
  place = runs.orders.index(PICTURED)
  grams = runs.grams[place][report][[0, -1]]
  axes = pca.axes(grams)
  figures.pictures(
    folder / "conflict_components.png",
    pca.scores(axes, 4),
    pca.explained_ratio(axes, 4),
    plan.layout.words,
    PICTURED,
    (contexts[0], contexts[-1]),
    subject.report_layer,
  )
  figures.over_context(
    folder / "conflict_over_context.png",
    {name: one[report] for name, one in stats["days"].items()},
    contexts,
    subject.report_layer,
  )
  figures.over_layers(
    folder / "conflict_layers.png",
    {name: one[:, [0, -1]] for name, one in stats["days"].items()},
    layers,
    (contexts[0], contexts[-1]),
    subject.report_layer,
  )
  return conflict_claims.FIGURES


def _dataset(stats, found, layers, contexts) -> xr.Dataset:
  names = list(stats)
  dims = ("family", "layer", "context", "stat")
  arrays = {
    measure: (dims, np.stack([stats[name][measure] for name in names]))
    for measure in (*conflict.CALENDAR, *conflict.CONTEXT)
  }
  each = {
    f"each_{measure}": (("order", *dims[1:3]), values)
    for measure, values in found["days"].runs.values.items()
  }
  behaviour = np.stack(
    [
      [
        walk_bootstrap.mean(one.mean(axis=1) if len(one) > 1 else one[0])
        for one in (found[name].follows, found[name].reverts)
      ]
      for name in names
    ]
  )
  arrays["next_word"] = (("family", "along", "interval"), behaviour)
  return xr.Dataset(
    arrays | each,
    coords={
      "family": names,
      "layer": layers,
      "context": contexts,
      "stat": list(STATS),
      "order": [" ".join(map(str, o)) for o in found["days"].runs.orders],
      "along": ["context", "calendar"],
      "interval": list(STATS[:3]),
    },
    attrs={"window": WINDOW, "groups": GROUPS},
  )


RECIPE = recipe.Recipe(
  name="conflict",
  title="Semantic conflict: the calendar against the context",
  question=(
    "When days walk on a ring that is not the calendar, which ring do the"
    " representations show, and where?"
  ),
  source="arXiv 2501.00070, figure 3; arXiv 2605.08405 for the months",
  run=run,
)
