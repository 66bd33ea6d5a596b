"""Is it random? Judgments of repeated and of fair flips (figure 4)."""

from collections.abc import Mapping
import pathlib

from jaxtyping import Float
import numpy as np
from scipy import stats
import xarray as xr

from icl_graphs.analysis import concepts, judgments, nulls, thresholds
from icl_graphs.experiments import coin_subject, recipe
from icl_graphs.experiments.paper_two import judged
from icl_graphs.experiments.paper_two import judgment_texts as texts
from icl_graphs.report.paper_two import judgment as figures
from icl_graphs.report.paper_two import judgment_checks as checks
from icl_graphs.tasks import coins

# Fair flips are long from here on; half the curve where that is shorter.
_LATE = 40
# Concepts whose evidence is drawn: one per length of a few.
_DRAWN = ("01", "011", "0110", "01101", "1110000", "0010011011")


def run(
  subject: coin_subject.CoinSubject, folder: pathlib.Path
) -> recipe.Outcome:
  """See `recipe.Recipe`."""
  settings = subject.settings
  seen = judged.read(subject)
  count, lengths = len(seen.names), seen.lengths
  found = judgments.transitions(seen.non[:count], lengths, seen.periods)
  exact = None
  if seen.exact_non is not None:
    exact = judgments.transitions(seen.exact_non[:count], lengths, seen.periods)
  advantage = _advantage(seen.non, count, settings)
  captured = concepts.captured(seen.log_mass[:, 1:])
  consistency = _consistency(seen)
  sharp = judgments.sharp(found, lengths[0])
  slope = _mean(found.slope, settings)
  numbers = {
    "captured_mass": {
      "value": captured.median,
      "reads_below_half": captured.low_share,
    },
    "sharp_concepts": {"value": int(sharp.sum()), "of": count},
    "evidence_slope": {
      **_estimate(slope),
      "null": float(thresholds.IDEAL_SLOPE),
    },
    "log_odds_of_an_empty_list": float(
      seen.log_mass[0, 0, 1] - seen.log_mass[0, 0, 0]
    ),
    "n50_without_a_liking_for_a_word": _by_name(
      seen.names,
      thresholds.settled(
        judgments.as_probability(judgments.relative(seen.log_mass[:count])),
        lengths,
      ),
    ),
    "range_over_phases": _phases(seen),
    "advantage_at_the_end": {
      "value": float(advantage[0][-1]),
      "low": float(advantage[1][-1]),
      "high": float(advantage[2][-1]),
      "null": 0.0,
    },
    "between_tasks": consistency,
    "other_comma": _other_comma(subject, seen, found),
  }
  if exact is not None:
    numbers["within_a_nat_of_exact"] = _within(seen)
  _draw(folder, seen, found, exact, advantage)
  return recipe.Outcome(
    (
      _sharply(sharp, found, slope, captured),
      _stays(seen, count, advantage, captured, settings),
    ),
    numbers,
    texts.FIGURES,
    (texts.table(seen.names, found, exact),),
    _dataset(seen, found),
    texts.notes(settings.trailing_comma),
  )


def _mean(values, settings) -> thresholds.Estimate:
  """Mean of what is known, with an interval over concepts or sequences."""
  known = values[np.isfinite(values)]
  if len(known) < 2:
    return thresholds.Estimate(np.nan, np.nan, np.nan)
  weights = nulls.bootstrap_weights(
    len(known), settings.resamples, settings.seed
  )
  value = known.mean()
  low, high = nulls.interval(value, weights @ known / len(known), len(known))
  return thresholds.Estimate(float(value), float(low), float(high))


def _estimate(one: thresholds.Estimate) -> dict[str, float]:
  return dict(one._asdict())


def _by_name(names, values) -> dict[str, float]:
  return dict(zip(names, map(float, values), strict=True))


def _advantage(non, count, settings) -> Float[np.ndarray, "3 n"]:
  """p(random) of fair flips less that of concepts: value, low, high by n."""
  values = (1 - non[count:]).mean(axis=0) - (1 - non[:count]).mean(axis=0)
  fair, repeated = (
    nulls.bootstrap_weights(len(rows), settings.resamples, settings.seed + k)
    @ rows
    / len(rows)
    for k, rows in enumerate((non[count:], non[:count]))
  )
  low, high = nulls.interval(values, repeated - fair, count)
  return np.stack([values, low, high])


def _phases(seen: judged.Read) -> dict[str, float]:
  """Mean over lengths of the range of p(non) over the phases of one cycle."""
  rows = [seen.names.index(name) for name in coins.ROTATIONS]
  spread = {"value": float(np.ptp(seen.non[rows], axis=0).mean())}
  if seen.exact_non is not None:
    spread["exact"] = float(np.ptp(seen.exact_non[rows], axis=0).mean())
  return spread


def _consistency(seen: judged.Read) -> dict[str, float]:
  called, believed = judged.pairs(seen)
  if len(called) < 3 or np.ptp(called) == 0 or np.ptp(believed) == 0:
    return {"correlation": np.nan, "mean_difference": np.nan}
  return {
    "correlation": float(np.corrcoef(called, believed)[0, 1]),
    "mean_difference": float(np.abs(called - believed).mean()),
  }


def _other_comma(subject, seen, found) -> dict[str, float]:
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


def _within(seen: judged.Read) -> float:
  """Share of points whose clipped log-odds are within a nat of the exact."""
  apart = concepts.log_odds(seen.non) - concepts.log_odds(seen.exact_non)
  return float((np.abs(apart) <= 1).mean())


def _sharply(sharp, found, slope, captured) -> recipe.Claim:
  number, of = int(sharp.sum()), len(sharp)
  interval = stats.binomtest(number, of).proportion_ci(method="wilson")
  numbers = (
    f"{number} of {of} concepts [{interval.low:.2f}, {interval.high:.2f}];"
    f" {int(np.isfinite(found.n50).sum())} settle above one half, evidence"
    f" grows by {slope.value:.2f} nats per flip [{slope.low:.2f},"
    f" {slope.high:.2f}] (ideal observer {thresholds.IDEAL_SLOPE:.3f})."
  )
  if not captured.median >= concepts.LEAST_MASS:
    return recipe.Claim(
      *texts.C6, recipe.CANNOT_TELL, texts.unheard(captured.median)
    )
  verdict = recipe.SHOWN if interval.low > 0.5 else recipe.NOT_SHOWN
  return recipe.Claim(*texts.C6, verdict, numbers)


def _stays(seen, count, advantage, captured, settings) -> recipe.Claim:
  if not captured.median >= concepts.LEAST_MASS:
    return recipe.Claim(
      *texts.C7, recipe.CANNOT_TELL, texts.unheard(captured.median)
    )
  late = min(_LATE, len(seen.lengths) // 2)
  fair = _mean((1 - seen.non[count:])[:, late - 1 :].mean(axis=1), settings)
  gain, low, high = advantage[:, -1]
  numbers = (
    f"mean p(random) of {len(seen.non) - count} fair sequences from n = {late}"
    f" on: {fair.value:.2f} [{fair.low:.2f}, {fair.high:.2f}]; it exceeds that"
    f" of repeated concepts by {gain:.2f} [{low:.2f}, {high:.2f}] at"
    f" n = {len(seen.lengths)}."
  )
  shown = fair.low > 0.5 and low > 0
  verdict = recipe.SHOWN if shown else recipe.NOT_SHOWN
  return recipe.Claim(*texts.C7, verdict, numbers[0].upper() + numbers[1:])


def _draw(folder, seen, found, exact, advantage):
  count, lengths = len(seen.names), seen.lengths
  figures.judged(
    folder / "judged.png",
    lengths,
    1 - seen.non[:count],
    seen.periods,
    1 - seen.non[count:],
    None if seen.exact is None else 1 - seen.exact_non[count:],
  )
  figures.transitions(folder / "transitions.png", seen.periods, found, exact)
  prior = None if seen.exact is None else seen.exact[:, 1:] - seen.exact[:, :1]
  chosen = [seen.names.index(name) for name in _DRAWN]
  figures.evidence(
    folder / "evidence.png",
    lengths,
    _rows(seen.names, judgments.relative(seen.log_mass), chosen),
    None if prior is None else _rows(seen.names, prior, chosen),
  )
  rotations = [seen.names.index(name) for name in coins.ROTATIONS]
  exact_advantage = None
  if seen.exact is not None:
    non = seen.exact_non
    exact_advantage = non[:count].mean(axis=0) - non[count:].mean(axis=0)
  checks.draw(
    folder / "checks.png",
    lengths,
    _rows(seen.names, 1 - seen.non, rotations),
    advantage,
    exact_advantage,
    judged.pairs(seen),
  )


def _rows(names, curves, chosen) -> Mapping[str, np.ndarray]:
  return {names[row]: curves[row] for row in chosen}


def _dataset(seen: judged.Read, found: judgments.Transitions) -> xr.Dataset:
  count = len(seen.names)
  flips = np.arange(seen.log_mass.shape[1])
  labels = [*seen.names, *(f"fair {k + 1}" for k in range(count))]
  arrays = {
    "log_mass": (("stimulus", "flips", "answer"), seen.log_mass),
    "belief": (("concept", "context"), seen.belief),
    **{
      name: (("concept",), np.asarray(values))
      for name, values in found._asdict().items()
    },
  }
  if seen.exact is not None:
    arrays["exact_log_odds"] = (("stimulus", "flips"), seen.exact)
  return xr.Dataset(
    arrays,
    {
      "stimulus": labels,
      "concept": list(seen.names),
      "flips": flips,
      "context": np.arange(seen.belief.shape[1]),
      "answer": ["random", "non"],
    },
  )


RECIPE = recipe.Recipe(
  "judgment",
  "Is it random? Judgments of repeated and of fair flips",
  "After how many repetitions does the model call a sequence non-random, and"
  " does it leave random flips alone?",
  "arXiv 2310.17639, figure 4, and its baseline of random sequences",
  run,
)
