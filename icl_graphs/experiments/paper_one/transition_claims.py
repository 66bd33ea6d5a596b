"""What a transition in context is held to."""

from collections.abc import Sequence

from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_one import estimates
from icl_graphs.report import wording

# Share of held-out comparisons that settles one.
CLEAR = 0.975
PHASES = (
  "Accuracy rises slowly at first and then takes off.",
  "On every graph, from t = 5 to where 95% of the rise is behind: the "
  "curvature of the accuracy in log t is above 0, and the breakpoint at which "
  "the slope grows has a 95% interval (over groups of walks, each with its own "
  "words) that stays clear of the ends of the range; not shown if the "
  "curvature is below 0 anywhere.",
)
SUDDEN = (
  "The change is sudden: a kink, not a smooth bend.",
  "On every graph two segments, fitted to half of the groups over the same "
  "range, predict the accuracy (without the way back) of the other half better "
  f"than log-odds that grow with t^(1 - alpha), in at least {CLEAR:.1%} of "
  "random halves; not shown if they predict it worse in as many anywhere.",
)
ORDER = (
  "The geometry settles before the accuracy takes off.",
  "On every graph the energy falls from the first context with every word to "
  "the last, to below its level without structure and below random weights, "
  "and the breakpoint of the accuracy over "
  "that at which the energy levels off has its 95% interval above 1; not shown "
  "if that interval lies below 1 anywhere.",
)
COUNTING = (
  "Belief in the graph grows faster than counting: log-odds outrun log t.",
  "On every graph the exponent 1 - alpha of the log-odds fit has its 95% "
  "interval above 0 (0 is a straight line in log t, which counting steps "
  "gives); not shown if it lies below 0 anywhere.",
)
TEXTS = PHASES, SUDDEN, ORDER, COUNTING
NOTES = (
  "That the energy must fall before its order with accuracy is judged was made "
  "explicit after a first run on the bundled model; the verdict was 'cannot "
  "tell' before and after.",
  "Where two segments bend depends on the range of t, so the range is stated "
  "with every breakpoint; three segments are fitted over the whole context.",
  "A model that goes back to the word before is right every time without "
  "knowing the graph; 'without the way back' is the accuracy minus that "
  "probability, over one minus that probability.",
  "Class means are taken within groups of walks that share their words; no "
  "noise is subtracted, so short contexts with few occurrences show energies "
  "nearer to the level without structure. Random weights show how much of a "
  "fall that alone makes.",
  "Comparisons on random halves of the same groups are not independent of each "
  "other: their share is a criterion, not a p-value.",
  "Fit range, walks and model of the paper's transition are not established "
  "from public sources.",
)


def claims(ones: Sequence) -> tuple[recipe.Claim, ...]:
  """All four, on every graph that the model has words for."""
  return (
    _claim(PHASES, [_phases(one) for one in ones]),
    _claim(SUDDEN, [_sudden(one) for one in ones]),
    _claim(ORDER, [_order(one) for one in ones]),
    _claim(COUNTING, [_counting(one) for one in ones]),
  )


def _claim(texts, found) -> recipe.Claim:
  verdicts = {verdict for verdict, _ in found}
  verdict = next(
    (
      each
      for each in (recipe.NOT_SHOWN, recipe.CANNOT_TELL)
      if each in verdicts
    ),
    recipe.SHOWN,
  )
  return recipe.Claim(*texts, verdict, " ".join(reason for _, reason in found))


def _judged(low: float, high: float, limit: float) -> str:
  if low > limit:
    return recipe.SHOWN
  return recipe.NOT_SHOWN if high < limit else recipe.CANNOT_TELL


def _phases(one) -> tuple[str, str]:
  found = one.bend
  reason = (
    f"{one.spec}: takes off at {estimates.text(found.bend)} words (t from "
    f"{found.t[0]} to {found.t[-1]}), curvature "
    f"{estimates.text(found.curvature)}, slopes "
    f"{wording.number(found.before.value)} and "
    f"{wording.number(found.after.value)} per decade."
  )
  verdict = _judged(found.curvature.low, found.curvature.high, 0.0)
  if verdict == recipe.SHOWN and not found.determined:
    verdict = recipe.CANNOT_TELL
  return verdict, reason


def _sudden(one) -> tuple[str, str]:
  kink = one.kink
  reason = (
    f"{one.spec}: two segments better in {kink.share:.0%} of halves (errors "
    f"{kink.segments:.4f} and {kink.smooth:.4f})."
  )
  if kink.share >= CLEAR:
    return recipe.SHOWN, reason
  worse = kink.share <= 1 - CLEAR
  return recipe.NOT_SHOWN if worse else recipe.CANNOT_TELL, reason


def _order(one) -> tuple[str, str]:
  energy = one.settles["energy_relative"]
  if not len(energy.contexts):
    return recipe.CANNOT_TELL, (
      f"{one.spec}: no context in which every group has seen every word."
    )
  value, _, high = energy.curve[:, -1]
  control = energy.control[-1]
  reason = (
    f"{one.spec}: energy changes by {estimates.text(energy.change)} to "
    f"{estimates.text(energy.curve[:, -1])} (random weights "
    f"{wording.number(control)}), levels off at "
    f"{estimates.text(energy.at)} words, accuracy later by a factor of "
    f"{estimates.text(one.lag)}."
  )
  verdict = _judged(one.lag.low, one.lag.high, 1.0)
  if not energy.change.high < 0:
    reason += " It does not fall, so there is no event to be early or late."
    return recipe.CANNOT_TELL, reason
  below = high < energy.level and high < control
  if verdict == recipe.SHOWN and not below:
    verdict = recipe.CANNOT_TELL
    reason += " The energy is not below both."
  return verdict, reason


def _counting(one) -> tuple[str, str]:
  exponent = one.belief.exponent
  reason = f"{one.spec}: exponent {estimates.text(exponent)}, midpoint "
  reason += f"{estimates.text(one.belief.midpoint)} words."
  return _judged(exponent.low, exponent.high, 0.0), reason
