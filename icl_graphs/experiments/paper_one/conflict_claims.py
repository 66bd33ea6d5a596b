"""What semantic conflict should look like, and whether it did."""

import dataclasses
from typing import Any

import numpy as np

from icl_graphs.analysis import calendar, walk_bootstrap
from icl_graphs.experiments import recipe

BEFORE, DOMINATES, PLACE, BEYOND, NATURAL = TEXTS = (
  (
    "Before any context the words lie on their calendar's ring.",
    "At the first word of a sequence, in the report layer, the calendar's first"
    " harmonic holds more of the variance between days than with other rings"
    " in the calendar's place (97.5% limit).",
  ),
  (
    "The context's ring cannot dominate the pretrained structure: components"
    " 1-2 are the calendar's (arXiv 2501.00070, abstract and figure 3).",
    "At the longest context, over the clearest orders, the calendar's share of"
    " components 1-2 is above its null and above the context ring's share; the"
    " 95% interval of the difference is above 0.",
  ),
  (
    "Components 3-4 are the context's ring (figure 3).",
    "Its share of components 3-4 is above its null (rings turned against the"
    " calendar, which were not walked) and above its share of components 1-2;"
    " the 95% interval of the difference is above 0.",
  ),
  (
    "The context's ring is represented beyond what the calendar's own"
    " harmonics give.",
    "The part of the context's ring that no harmonic of the calendar spans is"
    " correlated with the inner products of the class means more than with"
    " turned rings, and more than at the first word (95% interval of the"
    " growth above 0). No order of components enters.",
  ),
  (
    "Months are followed better on a ring that is not the calendar than on the"
    " calendar (.977 against .817 in a follow-up, arXiv 2605.08405).",
    "Probability of a neighbour, last fifth of the context: the 95% intervals"
    " of the two orders do not overlap.",
  ),
)

NOTES = (
  "The paper's order of days, prompt, layer and context are not public; here"
  " neighbour pairs with a separator, all 23 rings that keep neighbours of the"
  " calendar apart, every layer.",
  "No ring of seven is free of the calendar's harmonics: together they span"
  " everything. The clearest seven orders are at most 55% any one of them.",
  "Turned rings share edges with the one that was walked, so that their"
  " difference understates what the context did.",
)

FIGURES = (
  recipe.Figure(
    "conflict_components.png",
    "The days of the week as the model holds them, at the first word (top) and"
    " after the longest context (bottom). The days walked on the dashed ring;"
    " the solid ring is the calendar. A ring that is present shows as a round"
    " without crossings. Distances can be compared within a panel only.",
    "Four scatter plots of seven days in principal components 1-2 and 3-4"
    " with calendar and context edges.",
  ),
  recipe.Figure(
    "conflict_over_context.png",
    "How much of components 1-2 and 3-4 is the calendar's ring and how much"
    " the context's, and how much of either ring is there that the other"
    " cannot explain. Mean over the seven clearest orders; bands: 95% over"
    " orders; thin lines: the upper end of chance.",
    "Three line plots against context length of calendar and context rings.",
  ),
  recipe.Figure(
    "conflict_layers.png",
    "Where the rings sit: what either ring alone explains, layer by layer, at"
    " the first word and at the longest context (regression on all harmonics of"
    " the other ring; thin lines: the upper end of chance).",
    "Two line plots against layer of calendar and context rings.",
  ),
)


@dataclasses.dataclass(frozen=True)
class Evidence:
  """Everything that is judged.

  Attributes:
    found: family to what it showed.
    stats: family to measure to [layer, context, stat].
    report: place of the report layer.
    layer: its name.
    resamples, seed: of intervals.
    longest: context, in tokens.
  """

  found: dict[str, Any]
  stats: dict[str, Any]
  report: int
  layer: int
  resamples: int
  seed: int
  longest: int

  def stat(self, name: str, family: str = "days", context: int = -1):
    """value, low, high, null, null_low, null_high at the report layer."""
    return self.stats[family][name][self.report, context]

  def difference(self, first: str, second: str):
    runs = self.found["days"].runs
    made = runs.difference(first, second, self.resamples, self.seed)
    return made[self.report, -1]

  def growth(self, name: str):
    runs = self.found["days"].runs
    return runs.growth(name, self.resamples, self.seed)[self.report, -1]

  def behaviour(self, family: str, which: str = "follows"):
    """Probability with its interval, over orders or else over walks."""
    values = getattr(self.found[family], which)
    values = values.mean(axis=1) if len(values) > 1 else values[0]
    return np.array(walk_bootstrap.mean(values, bounds=(0.0, 1.0)))


def _text(stat) -> str:
  if not np.isfinite(stat[1]):
    return f"{stat[0]:.2f}"
  return f"{stat[0]:.2f} [{stat[1]:.2f}, {stat[2]:.2f}]"


def _chance(stat) -> str:
  return f"chance {stat[3]:.2f}, at most {stat[5]:.2f}"


def claims(seen: Evidence) -> tuple[recipe.Claim, ...]:
  """The verdicts."""
  return (
    _before(seen),
    _dominates(seen),
    _place(seen),
    _beyond(seen),
    _natural(seen),
  )


def _before(seen):
  first = seen.stat("calendar_power", context=0)
  return recipe.Claim(
    *BEFORE,
    recipe.verdict(first[0] > first[5], first[0] <= first[5]),
    f"{first[0]:.2f} of the variance ({_chance(first)}); components 1-2 are"
    f" {seen.stat('calendar_in_pc12', context=0)[0]:.2f} calendar.",
  )


def _dominates(seen):
  calendar_share = seen.stat("calendar_in_pc12")
  other = seen.stat("context_in_pc12")
  apart = seen.difference("calendar_in_pc12", "context_in_pc12")
  above = calendar_share[0] > calendar_share[5]
  return recipe.Claim(
    *DOMINATES,
    recipe.verdict(above and apart[1] > 0, not above or apart[2] < 0),
    f"Calendar {_text(calendar_share)} ({_chance(calendar_share)}), context"
    f" {_text(other)} ({_chance(other)}); difference {_text(apart)}. With walks"
    f" instead of pairs {_text(seen.stat('calendar_in_pc12', 'days_walks'))}"
    f" against {_text(seen.stat('context_in_pc12', 'days_walks'))}.",
  )


def _place(seen):
  here, first = (seen.stat(f"context_in_pc{k}") for k in ("34", "12"))
  apart = seen.difference("context_in_pc34", "context_in_pc12")
  above = here[0] > here[5]
  return recipe.Claim(
    *PLACE,
    recipe.verdict(above and apart[1] > 0, not above or apart[2] < 0),
    f"Components 3-4: {_text(here)} ({_chance(here)}); components 1-2:"
    f" {_text(first)} ({_chance(first)}); difference {_text(apart)}. Unrelated"
    " words on the same rings, where nothing conflicts: components 3-4"
    f" {_text(seen.stat('context_in_pc34', 'unrelated'))}.",
  )


def _beyond(seen):
  part, grown = seen.stat("context_unique"), seen.growth("context_unique")
  above = part[0] > part[5]
  return recipe.Claim(
    *BEYOND,
    recipe.verdict(above and grown[1] > 0, not above or grown[2] < 0),
    f"Semi-partial correlation {_text(part)} ({_chance(part)}); growth since"
    f" the first word {_text(grown)}; over all layers at most"
    f" {np.nanmax(seen.stats['days']['context_unique'][:, -1, 0]):.2f}.",
  )


def _natural(seen):
  if "months" not in seen.found:
    return recipe.Claim(
      *NATURAL, recipe.CANNOT_TELL, "The months are not one token each."
    )
  other = seen.behaviour("months_step_7")
  natural = seen.behaviour("months_natural")
  return recipe.Claim(
    *NATURAL,
    recipe.verdict(other[1] > natural[2], other[2] < natural[1]),
    f"The follow-up's order {_text(other)}, calendar {_text(natural)}; the"
    f" clearest orders {_text(seen.behaviour('months'))}.",
  )


def numbers(seen: Evidence) -> dict[str, Any]:
  """Every measure of every family, first and last context, report layer."""
  keys = ("value", "low", "high", "null", "null_low", "null_high")
  result: dict[str, Any] = {"report_layer": seen.layer, "tokens": seen.longest}
  for family, measures in seen.stats.items():
    for name in measures:
      for when, place in (("first", 0), ("last", -1)):
        stat = seen.stat(name, family, place)
        result[f"{family}_{name}_{when}"] = {
          key: float(x) if np.isfinite(x) else None
          for key, x in zip(keys, stat, strict=True)
        }
    for which in ("follows", "reverts"):
      result[f"{family}_{which}"] = dict(
        zip(keys, map(float, seen.behaviour(family, which)), strict=False)
      )
  return result


def tables(seen: Evidence, asked, layers) -> tuple[recipe.Table, ...]:
  """Orders against each other, and layers against each other."""
  shown = (
    *("calendar_in_pc12", "calendar_in_pc34"),
    *("context_in_pc12", "context_in_pc34", "context_unique"),
  )
  by_family = [
    (
      family.title,
      str(len(family.orders)),
      f"{calendar.overlaps(family.orders[0]).max():.2f}",
      *(_cell(seen.stat(name, family.name)) for name in shown),
      _text(seen.behaviour(family.name)),
      _text(seen.behaviour(family.name, "reverts")),
    )
    for family in asked
  ]
  by_layer = [
    (
      str(layer),
      *(
        _cell(seen.stats["days"][name][k, c])
        for c in (0, -1)
        for name in ("calendar_power", "calendar_unique", "context_power")
      ),
      _cell(seen.stats["days"]["context_unique"][k, -1]),
    )
    for k, layer in enumerate(layers)
  ]
  return (
    recipe.Table(
      f"Orders, hidden state {seen.layer}, {seen.longest} tokens: value"
      " [95% interval] (upper end of chance)",
      (
        "words and orders",
        "orders",
        "largest harmonic",
        "calendar in PC 1-2",
        "calendar in PC 3-4",
        "context in PC 1-2",
        "context in PC 3-4",
        "context alone",
        "p(context neighbour)",
        "p(calendar neighbour)",
      ),
      tuple(by_family),
    ),
    recipe.Table(
      "Layers, clearest orders of days: first word | longest context",
      (
        "hidden state",
        "calendar power, first",
        "calendar alone, first",
        "context power, first",
        "calendar power, last",
        "calendar alone, last",
        "context power, last",
        "context alone, last",
      ),
      tuple(by_layer),
    ),
  )


def _cell(stat) -> str:
  if not np.isfinite(stat[0]):
    return "undefined"
  chance = f" ({stat[5]:.2f})" if np.isfinite(stat[5]) else ""
  return _text(stat) + chance
