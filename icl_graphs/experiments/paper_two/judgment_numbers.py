"""Numbers of the recipe of judgments: when, how often and how alike."""

import numpy as np
from scipy import stats

from icl_graphs.analysis import concepts, judgments, nulls, thresholds
from icl_graphs.experiments import coin_subject
from icl_graphs.experiments.paper_two import judged, over_concepts
from icl_graphs.tasks import coins

# Fair flips are long from here on; half the curve where that is shorter.
_LATE = 40


def found_out(
  seen: judged.Read, settings: coin_subject.Settings
) -> dict[str, dict[str, float]]:
  """Which share of concepts is found out, and when; nulls are fair flips.

  "Never" counts as one flip more than were judged, so that the median is over
  all concepts.
  """
  count, never = len(seen.names), int(seen.lengths[-1]) + 1
  n50 = thresholds.settled(seen.non, seen.lengths)
  share = np.isfinite(n50) & (n50 > seen.lengths[0])
  n50 = np.where(np.isfinite(n50), n50, never)
  low, high = wilson(int(share[:count].sum()), count)
  generator = np.random.default_rng(settings.seed)
  drawn = generator.integers(count, size=(settings.resamples, count))
  ends = np.quantile(np.median(n50[drawn], axis=1), (0.025, 0.975))
  return {
    "share_with_a_transition": {
      "value": float(share[:count].mean()),
      "low": low,
      "high": high,
      "null": float(share[count:].mean()),
    },
    "median_n50": {
      "value": float(np.median(n50[:count])),
      "low": float(ends[0]),
      "high": float(ends[1]),
      "null": float(np.median(n50[count:])),
      "never": never,
    },
  }


def wilson(number: int, of: int) -> tuple[float, float]:
  """95% interval of a share."""
  interval = stats.binomtest(number, of).proportion_ci(method="wilson")
  return float(interval.low), float(interval.high)


def late(seen: judged.Read) -> int:
  """Number of flips from which on sequences are long."""
  return min(_LATE, len(seen.lengths) // 2)


def long_fair(
  seen: judged.Read, settings: coin_subject.Settings
) -> over_concepts.Mean:
  """Mean p(random) of long fair sequences, with an interval over them."""
  long = (1 - seen.non)[len(seen.names) :, late(seen) - 1 :]
  return over_concepts.mean(
    long.mean(axis=1), settings.resamples, settings.seed
  )


def advantage(
  seen: judged.Read, settings: coin_subject.Settings
) -> dict[str, float]:
  """Distance of p(random) of fair flips and of concepts, mean over lengths.

  The interval draws concepts and sequences again; in the null they are dealt
  anew to the two groups, which gives a distance as well: it is no signed
  difference.
  """
  random, count = 1 - seen.non, len(seen.names)
  value = concepts.judgment_advantage(random[count:], random[:count]).mean()
  generator = np.random.default_rng(settings.seed)
  drawn, dealt = np.empty((2, settings.resamples))
  for place in range(settings.resamples):
    fair, repeated = generator.integers(count, size=(2, count))
    drawn[place] = concepts.judgment_advantage(
      random[count + fair], random[repeated]
    ).mean()
    order = generator.permutation(2 * count)
    dealt[place] = concepts.judgment_advantage(
      random[order[:count]], random[order[count:]]
    ).mean()
  low, high = nulls.interval(value, drawn, count, bounds=(0.0, 1.0))
  return {
    "value": float(value),
    "low": float(low),
    "high": float(high),
    "null": float(np.median(dealt)),
    "null_high": float(nulls.limits(dealt)[1]),
  }


def phases(seen: judged.Read) -> dict[str, float]:
  """Mean over lengths of the range of p(non) over the phases of one cycle."""
  rows = [seen.names.index(name) for name in coins.ROTATIONS]
  spread = {"value": float(np.ptp(seen.non[rows], axis=0).mean())}
  if seen.exact_non is not None:
    spread["exact"] = float(np.ptp(seen.exact_non[rows], axis=0).mean())
  return spread


def consistency(seen: judged.Read) -> dict[str, float]:
  """How well p(non) agrees with what the task of trees expects."""
  called, believed = judged.pairs(seen)
  if len(called) < 3 or np.ptp(called) == 0 or np.ptp(believed) == 0:
    return {"correlation": np.nan, "mean_difference": np.nan}
  return {
    "correlation": float(np.corrcoef(called, believed)[0, 1]),
    "mean_difference": float(np.abs(called - believed).mean()),
  }


def other_comma(
  subject: coin_subject.CoinSubject,
  seen: judged.Read,
  found: judgments.Transitions,
) -> dict[str, float]:
  """How far judgments move with a comma at the end of the list, or without."""
  count = len(seen.names)
  flips = np.array(
    [coins.repeated(name, subject.settings.judged) for name in seen.names]
  )
  other = subject.judged(
    flips, trailing_comma=not subject.settings.trailing_comma
  )
  other = concepts.share_of_second(other)[:, 1:]
  apart = concepts.log_odds(other) - concepts.log_odds(seen.non[:count])
  moved = thresholds.settled(other, seen.lengths) - found.n50
  return {
    "mean_difference_of_log_odds": float(np.abs(apart).mean()),
    "concepts_with_n50_within_a_flip": int((np.abs(moved) <= 1).sum()),
  }


def within(seen: judged.Read) -> float:
  """Share of points whose clipped log-odds are within a nat of the exact."""
  apart = concepts.log_odds(seen.non) - concepts.log_odds(seen.exact_non)
  return float((np.abs(apart) <= 1).mean())
