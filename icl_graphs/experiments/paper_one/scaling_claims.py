"""What a transition's growth with the size of a graph is held to."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from icl_graphs.analysis import scaling
from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_one import growth
from icl_graphs.report import wording

# Points that an exponent is fitted to, at least.
FEWEST = 4
# Decades about the line that still make a power law.
SCATTER = 0.1
GROWS = "On square grids the transition grows with the side as a power law."
GROWS_HOW = (
  "The breakpoint of the two-segment fit is determined on at least four sides "
  "(interval clear of the ends of the range, curve bent upwards: curvature in "
  "log t above 0); the exponent against m has its 95% interval above 0, and "
  f"points scatter by less than {SCATTER} decades about the line beyond their "
  "own errors."
)
MIDPOINT = (
  "So does the context at which the belief in the graph is one half "
  "(log-odds fit)."
)
MIDPOINT_HOW = (
  "The same for the midpoint t* of the accuracy without the way back, on sides "
  "whose t* lies within the context."
)
PERCOLATES = (
  "The transition comes when the walk has crossed half of the edges, as in "
  "bond percolation on the square lattice."
)
PERCOLATES_HOW = (
  "On the same sides the exponent's 95% interval contains that of the words "
  "needed to cross half of the edges, and contains neither the exponent of the "
  "cover time nor that of a counting reader's breakpoint; not shown if it "
  "excludes the first."
)
ELSEWHERE = "Rings, hexagonal lattices and regular graphs follow the same law."
ELSEWHERE_HOW = (
  "On every family with at least three determined sizes the exponent against "
  "the number of nodes has an interval that overlaps the grids'."
)


class Law(NamedTuple):
  """A power law and the graphs it was fitted to; None with too few."""

  law: scaling.PowerLaw | None
  used: tuple[growth.Growth, ...]


def breakpoints(ones: Sequence[growth.Growth], fewest: int = FEWEST) -> Law:
  """Of breakpoints against the number of nodes."""
  return _law(
    [(one, one.bend.bend[:3]) for one in ones if one.bend.determined], fewest
  )


def midpoints(ones: Sequence[growth.Growth], fewest: int = FEWEST) -> Law:
  """Of the contexts at which belief is one half."""
  length = len(ones[0].curve) if ones else 0
  kept = [
    (one, one.belief.midpoint[:3])
    for one in ones
    if one.belief.crossed and one.belief.midpoint.high <= length
  ]
  return _law(kept, fewest)


def _law(points, fewest) -> Law:
  kept = [(one, p) for one, p in points if np.isfinite(p).all() and p[1] > 0]
  ones = tuple(one for one, _ in kept)
  if len(kept) < max(3, fewest):
    return Law(None, ones)
  limits = np.transpose([p for _, p in kept])
  return Law(scaling.power_law([one.nodes for one in ones], *limits), ones)


def nulls(used: Sequence[growth.Growth]) -> dict[str, Law]:
  """The same fit to what it is compared with, on the same graphs."""
  return {
    "edges": _law([(one, one.edges) for one in used], 3),
    "cover": _law([(one, one.cover) for one in used], 3),
    "counting": _law([(one, one.counted[:3]) for one in used], 3),
  }


def exponent(law: scaling.PowerLaw | None, sides: bool = False) -> str:
  """The exponent with its interval; against m rather than n for grids."""
  if law is None:
    return "unknown"
  scale = 2 if sides else 1
  low, high = scale * law.low, scale * law.high
  return f"{wording.number(scale * law.exponent)} {wording.interval(low, high)}"


def claims(
  ones: Mapping[str, Sequence[growth.Growth]], context: int
) -> tuple[recipe.Claim, ...]:
  """All four, from the graphs measured by family."""
  grids = ones.get("grid", ())
  bends, middles = breakpoints(grids), midpoints(grids)
  return (
    _grows(GROWS, GROWS_HOW, bends, len(grids), context),
    _grows(MIDPOINT, MIDPOINT_HOW, middles, len(grids), context),
    _percolates(bends, middles),
    _elsewhere(ones, bends),
  )


def _sides(used: Sequence[growth.Growth]) -> str:
  return ", ".join(str(round(one.nodes**0.5)) for one in used) or "none"


def _grows(text, criterion, found: Law, measured, context) -> recipe.Claim:
  if found.law is None:
    reason = (
      f"Only sides {_sides(found.used)} of the {measured} that were measured "
      f"have one that {context} words of context determine."
    )
    return recipe.Claim(text, criterion, recipe.CANNOT_TELL, reason)
  law = found.law
  reason = (
    f"Sides {_sides(found.used)}: exponent {exponent(law, True)} against m; "
    f"scatter {wording.number(law.scatter)} decades."
  )
  if law.low > 0 and law.scatter < SCATTER:
    verdict = recipe.SHOWN
  elif law.high < 0 or law.scatter >= SCATTER:
    verdict = recipe.NOT_SHOWN
  else:
    verdict = recipe.CANNOT_TELL
    reason += " The interval holds 0."
  return recipe.Claim(text, criterion, verdict, reason)


def _percolates(bends: Law, middles: Law) -> recipe.Claim:
  if bends.law is None:
    return recipe.Claim(
      PERCOLATES,
      PERCOLATES_HOW,
      recipe.CANNOT_TELL,
      f"Breakpoints are determined on sides {_sides(bends.used)} only.",
    )
  others = {name: each.law for name, each in nulls(bends.used).items()}
  inside = {
    name: law is not None and bends.law.low <= law.exponent <= bends.law.high
    for name, law in others.items()
  }
  reason = (
    f"Breakpoints {exponent(bends.law, True)}; half of the edges "
    f"{exponent(others['edges'], True)}, cover time "
    f"{exponent(others['cover'], True)}, counting reader "
    f"{exponent(others['counting'], True)}."
  )
  if middles.law is not None:
    edges = nulls(middles.used)["edges"].law
    reason += (
      f" Log-odds midpoints on sides {_sides(middles.used)}: "
      f"{exponent(middles.law, True)} beside {exponent(edges, True)} for half "
      "of the edges."
    )
  if not inside["edges"]:
    verdict = recipe.NOT_SHOWN
  elif inside["cover"] or inside["counting"]:
    verdict = recipe.CANNOT_TELL
    reason += " The breakpoints do not tell these apart."
  else:
    verdict = recipe.SHOWN
  return recipe.Claim(PERCOLATES, PERCOLATES_HOW, verdict, reason)


def _elsewhere(ones, grids: Law) -> recipe.Claim:
  laws = {
    family: breakpoints(members, 3)
    for family, members in ones.items()
    if family != "grid"
  }
  known = {family: law.law for family, law in laws.items() if law.law}
  if grids.law is None or not known:
    return recipe.Claim(
      ELSEWHERE,
      ELSEWHERE_HOW,
      recipe.CANNOT_TELL,
      "There is no exponent for the grids, or for no other family.",
    )
  own = grids.law
  apart = [
    family
    for family, law in known.items()
    if law.low > own.high or law.high < own.low
  ]
  listed = "; ".join(f"{name} {exponent(law)}" for name, law in known.items())
  unknown = sorted(set(laws) - set(known))
  reason = f"Against n: grids {exponent(own)}; {listed}."
  if unknown:
    reason += f" Too few determined sizes: {', '.join(unknown)}."
  verdict = recipe.NOT_SHOWN if apart else recipe.SHOWN
  wide = [family for family, law in known.items() if law.low <= 0]
  if not apart and wide:
    verdict = recipe.CANNOT_TELL
    reason += f" Intervals that hold 0 say nothing: {', '.join(wide)}."
  return recipe.Claim(ELSEWHERE, ELSEWHERE_HOW, verdict, reason)
