"""Is it random? Judgments of repeated and of fair flips (figure 4)."""

from collections.abc import Mapping
import pathlib

from jaxtyping import Float
import numpy as np
import xarray as xr

from icl_graphs.analysis import concepts, judgments, nulls, thresholds
from icl_graphs.experiments import coin_subject, recipe
from icl_graphs.experiments.paper_two import (
  first_letter,
  judged,
  judgment_numbers,
  over_concepts,
)
from icl_graphs.experiments.paper_two import judgment_texts as texts
from icl_graphs.report.paper_two import judgment as figures
from icl_graphs.report.paper_two import judgment_checks as checks
from icl_graphs.tasks import coins

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
  late = judgment_numbers.late(seen)
  fair = judgment_numbers.long_fair(seen, settings)
  captured = concepts.captured(seen.log_mass[:, 1:])
  sharp, fair_sharp = (
    judgments.sharp(one, lengths[0])
    for one in (
      found,
      judgments.transitions(seen.non[count:], lengths, seen.periods),
    )
  )
  slope = over_concepts.mean(found.slope, settings.resamples, settings.seed)
  numbers = {
    "captured_mass": {
      "value": captured.median,
      "reads_below_half": captured.low_share,
    },
    "sharp_concepts": {
      "value": int(sharp.sum()),
      "of": count,
      "null": int(fair_sharp.sum()),
    },
    **judgment_numbers.found_out(seen, settings),
    "evidence_slope": {
      **slope._asdict(),
      "null": float(thresholds.IDEAL_SLOPE),
    },
    "log_odds_of_an_empty_list": float(
      seen.log_mass[0, 0, 1] - seen.log_mass[0, 0, 0]
    ),
    "n50_without_a_liking_for_a_word": _unbiased(seen),
    "range_over_phases": judgment_numbers.phases(seen),
    "random_on_fair_flips": {
      **fair._asdict(),
      "null": float((1 - seen.non)[:count, late - 1 :].mean()),
    },
    "judgment_advantage": judgment_numbers.advantage(seen, settings),
    "advantage_at_the_end": {
      "value": float(advantage[0][-1]),
      "low": float(advantage[1][-1]),
      "high": float(advantage[2][-1]),
      "null": 0.0,
    },
    "between_tasks": judgment_numbers.consistency(seen),
    "other_comma": judgment_numbers.other_comma(subject, seen, found),
  }
  if exact is not None:
    numbers["within_a_nat_of_exact"] = judgment_numbers.within(seen)
  letters, rules = first_letter.judgments(subject, seen)
  _draw(folder, seen, found, exact, advantage)
  return recipe.Outcome(
    (
      _sharply(sharp, fair_sharp, found, slope, captured),
      _stays(seen, fair, late, advantage, captured),
    ),
    numbers | letters,
    texts.FIGURES,
    (texts.table(seen.names, found, exact), rules),
    _dataset(seen, found),
    (
      *texts.notes(settings.trailing_comma, exact is not None),
      first_letter.NOTE,
    ),
  )


def _unbiased(seen: judged.Read) -> dict[str, float]:
  """n50 by concept, had the model no liking for either answer."""
  odds = judgments.relative(seen.log_mass[: len(seen.names)])
  n50 = thresholds.settled(judgments.as_probability(odds), seen.lengths)
  return dict(zip(seen.names, map(float, n50), strict=True))


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


def _sharply(sharp, fair_sharp, found, slope, captured) -> recipe.Claim:
  number, of = int(sharp.sum()), len(sharp)
  low, high = judgment_numbers.wilson(number, of)
  numbers = (
    f"{number} of {of} concepts [{low:.2f}, {high:.2f}], {fair_sharp.sum()} of"
    f" {len(fair_sharp)} fair sequences; {int(np.isfinite(found.n50).sum())}"
    " concepts settle above one half, evidence grows by"
    f" {slope.text()} nats per flip (ideal observer"
    f" {thresholds.IDEAL_SLOPE:.3f})."
  )
  if not captured.median >= concepts.LEAST_MASS:
    return recipe.Claim(
      *texts.C6, recipe.CANNOT_TELL, texts.unheard(captured.median)
    )
  shown = low > max(0.5, fair_sharp.mean())
  verdict = recipe.SHOWN if shown else recipe.NOT_SHOWN
  return recipe.Claim(*texts.C6, verdict, numbers)


def _stays(seen, fair, late, advantage, captured) -> recipe.Claim:
  if not captured.median >= concepts.LEAST_MASS:
    return recipe.Claim(
      *texts.C7, recipe.CANNOT_TELL, texts.unheard(captured.median)
    )
  gain, low, high = advantage[:, -1]
  numbers = (
    f"mean p(random) of {len(seen.non) - len(seen.names)} fair sequences from"
    f" n = {late} on: {fair.text()}; it exceeds that of repeated concepts by"
    f" {gain:.2f} [{low:.2f}, {high:.2f}] at n = {len(seen.lengths)}."
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
