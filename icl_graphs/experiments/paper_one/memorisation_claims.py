"""What memory, and two phases, are held to."""

from collections.abc import Sequence

from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_one import estimates
from icl_graphs.report import wording

# "Far" earlier.
FAR = 3.0
EARLIER = (
  "Memory of the words seen so far saturates far earlier than the model's "
  "accuracy.",
  "On every graph: the words at which the model's mean accuracy has made 90% "
  "of its rise (from t = 5 to its last tenth), over those at which the share "
  "of words seen at least twice on the same walks has, have their 95% interval "
  f"above {FAR:.0f}; not shown if it lies below that anywhere although the "
  "accuracy no longer rises (last fifth of the context against the fifth "
  "before).",
)
PHASES = (
  "Accuracy rises slowly at first and fast later.",
  "On every graph, up to where 95% of the rise is behind: a positive curvature "
  "in log t, and a breakpoint with growing slope whose interval stays clear of "
  "the ends of the range; not shown if the curvature is negative anywhere.",
)
MORE = (
  "The model knows more than counting the steps it has seen would tell it.",
  "On every graph, over the last fifth of the context, the accuracy minus that "
  "of the closest Bayes bigram reader on the same walks (prior fitted to the "
  "model's mean curve, steps counted as taken or both ways) has its 95% "
  "interval above 0; not shown if it lies below 0 anywhere.",
)
TEXTS = EARLIER, PHASES, MORE
NOTES = (
  "That a model whose accuracy still rises gives lower bounds only, and so no "
  "verdict against the first claim, was added after a first run on the bundled "
  "model, which read 'not shown'.",
  "Equation 5 is quoted second-hand; whether the paper's x counts tokens or "
  "pairs, and how chance is mixed in, are not established. Here x is the "
  "number of words, and no chance is mixed in.",
  "Ring walks are used here; the paper reads neighbour pairs on its rings.",
  "Every walk has words of its own, so intervals hold other walks and other "
  "words.",
  "The words the paper used for 25 and 50 nodes are not established; here "
  "they are drawn from all packaged nouns that are one token.",
)


def claims(ones: Sequence) -> tuple[recipe.Claim, ...]:
  """All three, on every graph that the model has words for."""
  return (
    _claim(EARLIER, [_earlier(one) for one in ones]),
    _claim(PHASES, [_phases(one) for one in ones]),
    _claim(MORE, [_more(one) for one in ones]),
  )


def _claim(texts, found) -> recipe.Claim:
  verdicts = [verdict for verdict, _ in found]
  if recipe.NOT_SHOWN in verdicts:
    verdict = recipe.NOT_SHOWN
  elif recipe.CANNOT_TELL in verdicts:
    verdict = recipe.CANNOT_TELL
  else:
    verdict = recipe.SHOWN
  return recipe.Claim(*texts, verdict, " ".join(reason for _, reason in found))


def _judged(low: float, high: float, limit: float) -> str:
  if low > limit:
    return recipe.SHOWN
  return recipe.NOT_SHOWN if high < limit else recipe.CANNOT_TELL


def _earlier(one) -> tuple[str, str]:
  memory = one.saturation["seen twice, on these walks"]
  model = one.saturation["model"]
  reason = (
    f"{one.spec}: model {estimates.text(model)} words, memory "
    f"{estimates.text(memory)}, ratio {estimates.text(one.later)}."
  )
  verdict = _judged(one.later.low, one.later.high, FAR)
  if verdict != recipe.SHOWN and one.rising[1] > 0:
    verdict = recipe.CANNOT_TELL
    reason += (
      f" Its accuracy still rises where the context ends "
      f"({estimates.text(one.rising)} over the last fifth), so these are lower "
      "bounds."
    )
  return verdict, reason


def _phases(one) -> tuple[str, str]:
  bend, curvature = one.bend.bend, one.bend.curvature
  reason = (
    f"{one.spec} (t from {one.bend.t[0]} to {one.bend.t[-1]}): curvature "
    f"{estimates.text(curvature)} per squared decade, breakpoint "
    f"{estimates.text(bend)}, slope {wording.number(one.bend.before.value)} "
    f"before and {wording.number(one.bend.after.value)} after."
  )
  verdict = _judged(curvature.low, curvature.high, 0.0)
  if verdict == recipe.SHOWN and not one.bend.determined:
    verdict = recipe.CANNOT_TELL
  return verdict, reason


def _more(one) -> tuple[str, str]:
  alphas = ", ".join(
    f"{name} {wording.number(alpha)}" for name, alpha in one.alphas.items()
  )
  reason = (
    f"{one.spec}: difference {estimates.text(one.lead)} (fitted priors: "
    f"{alphas})."
  )
  return _judged(one.lead[1], one.lead[2], 0.0), reason
