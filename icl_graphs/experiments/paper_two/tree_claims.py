"""What concept probabilities say about a switch to repetition.

Legend: S concepts, n context lengths.
"""

from typing import NamedTuple

from jaxtyping import Float, Int
import numpy as np

from icl_graphs.analysis import concepts, curve_shapes, judgments, thresholds
from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_two import over_concepts

# "Seemingly random": before any flip, at most this many times chance.
NEAR_CHANCE = 2.0
# "Deterministic": n90 is reached by at least this share of concepts.
MOST = 0.5
# Log-odds this near the exact ones, at this share of points.
NEAR_NATS, NEAR_SHARE = 1.0, 0.9

_SWITCH = (
  "Generation switches from seemingly random flips to deterministic repetition"
  " (C8; abstract of the paper).",
  f"depth 6, all concepts: mean concept probability at n = 0 at most"
  f" {NEAR_CHANCE:g} times chance; n90 reached within the contexts by more than"
  " half of the concepts (95% interval over concepts above one half); with"
  " random weights by none",
)
_SHARP = (
  "The switch is sharp (C8, and as C6 says of judgments).",
  "depth 6, concepts that reach n90: a step or a logistic describes the curve"
  " better (BIC) than a line or a constant for all of them, and the mean 10-90%"
  " width (upper end of a 95% interval over concepts) is"
  f" {judgments.WIDEST_REASON}",
)
_EXACT = (
  "The model expects concepts as the exact predictor of its training mixture"
  " does.",
  f"depth 6, all concepts and lengths: log-odds (cut at 4) within"
  f" {NEAR_NATS:g} nat at {NEAR_SHARE:.0%} of the points",
)


class Evidence(NamedTuple):
  """Curves at the greatest depth.

  Attributes:
    lengths: of the contexts.
    model, random: concept probabilities, with trained and random weights.
    exact: of the exact predictor, if there is one.
    chance: of fair flips.
    resamples, seed: of the bootstrap over concepts.
  """

  lengths: Int[np.ndarray, " n"]
  model: Float[np.ndarray, "S n"]
  random: Float[np.ndarray, "S n"]
  exact: Float[np.ndarray, "S n"] | None
  chance: Float[np.ndarray, " S"]
  resamples: int
  seed: int

  def mean(self, values: Float[np.ndarray, " S"]) -> over_concepts.Mean:
    """Mean over concepts with its 95% interval; NaN left out."""
    return over_concepts.mean(values, self.resamples, self.seed)


def claims(found: Evidence) -> tuple[recipe.Claim, ...]:
  """Claims in the order in which they are read."""
  judged = (_switch(found), _sharp(found))
  return judged if found.exact is None else (*judged, _as_exact(found))


def _settled(found, curves):
  return thresholds.settled(curves, found.lengths, 0.9)


def _switch(found: Evidence) -> recipe.Claim:
  start = float(found.model[:, 0].mean() / found.chance.mean())
  share, low, high = found.mean(
    np.isfinite(_settled(found, found.model)).astype(float)
  )
  random = float(np.isfinite(_settled(found, found.random)).mean())
  reason = (
    f"At n = {found.lengths[0]} the concepts have {start:.2f} times the"
    f" probability of chance; {share:.0%} [{low:.0%}, {high:.0%}] reach n90,"
    f" with random weights {random:.0%}."
  )
  if start > NEAR_CHANCE or random > 0 or high <= MOST:
    return recipe.Claim(*_SWITCH, recipe.NOT_SHOWN, reason)
  verdict = recipe.SHOWN if low > MOST else recipe.CANNOT_TELL
  return recipe.Claim(*_SWITCH, verdict, reason)


def _sharp(found: Evidence) -> recipe.Claim:
  reached = np.isfinite(_settled(found, found.model))
  if reached.sum() < 2:
    return recipe.Claim(
      *(*_SHARP, recipe.CANNOT_TELL),
      f"Only {reached.sum()} of {len(reached)} concepts reach n90: there is"
      " no switch to measure.",
    )
  steep = _steep(found.model[reached], found.lengths)
  value, low, high = found.mean(widths(found.model[reached], found.lengths))
  reason = (
    f"The 10-90% width is {value:.1f} [{low:.1f}, {high:.1f}] flips over"
    f" {reached.sum()} concepts; {steep.sum()} of them look like a step or a"
    " logistic."
  )
  if found.exact is not None:
    ideal = np.nanmean(widths(found.exact, found.lengths))
    reason += f" The exact predictor's width is {ideal:.1f}."
  widest, steep = judgments.WIDEST, steep.all()
  verdict = recipe.verdict(steep and high <= widest, not steep or low > widest)
  return recipe.Claim(*_SHARP, verdict, reason)


def widths(
  curves: Float[np.ndarray, "S n"], lengths: Int[np.ndarray, " n"]
) -> Float[np.ndarray, " S"]:
  """10-90% widths in flips; NaN for curves without n90, which have no rise."""
  found = curve_shapes.logistic(curves, lengths).width
  reached = np.isfinite(thresholds.settled(curves, lengths, 0.9))
  return np.where(reached, found, np.nan)


def _steep(curves, lengths):
  """Whether a step or a logistic is the better description."""
  bic = curve_shapes.information(curves, lengths)
  flat = np.minimum(bic["constant"], bic["line"])
  return np.minimum(bic["step"], bic["logistic"]) < flat


def _as_exact(found: Evidence) -> recipe.Claim:
  gap = _gaps(found)
  share = float((gap <= NEAR_NATS).mean())
  reason = (
    f"{share:.1%} of the points are within {NEAR_NATS:g} nat; the median gap is"
    f" {np.median(gap):.2f}, the largest {gap.max():.2f} nats."
  )
  verdict = recipe.SHOWN if share >= NEAR_SHARE else recipe.NOT_SHOWN
  return recipe.Claim(*_EXACT, verdict, reason)


def _gaps(found: Evidence) -> np.ndarray:
  return np.abs(concepts.log_odds(found.model) - concepts.log_odds(found.exact))


def numbers(found: Evidence) -> dict:
  """Transition statistics at depth 6, means over concepts with intervals."""
  lengths = found.lengths
  rise = thresholds.largest_rise(found.model, lengths)
  made = {
    f"n{100 * level:.0f}": thresholds.settled(found.model, lengths, level)
    for level in thresholds.LEVELS
  }
  made |= {
    "n50_interpolated": thresholds.crossing(found.model, lengths),
    "largest_rise": rise.height,
    "largest_rise_at": rise.at,
    "false_peak": thresholds.false_peak(found.model, lengths).height,
    "width_10_90": widths(found.model, lengths),
    "evidence_slope": thresholds.evidence_slope(found.model, lengths),
    "concept_probability_at_0": found.model[:, 0],
    "concept_probability_at_end": found.model[:, -1],
  }
  result = {}
  for name, values in made.items():
    value, low, high = found.mean(values)
    result[name] = {
      "value": value,
      "low": low,
      "high": high,
      "concepts": int(np.isfinite(values).sum()),
    }
  result["concept_probability_at_0"]["null"] = float(found.chance.mean())
  result["concept_probability_at_end"]["null"] = float(
    found.random[:, -1].mean()
  )
  if found.exact is not None:
    result["log_odds_near_exact"] = float((_gaps(found) <= NEAR_NATS).mean())
  return result
