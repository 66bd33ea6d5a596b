"""Flips of a coin whose bias is stated (figures 5 and 6, mean against p)."""

import pathlib

from jaxtyping import Float
import numpy as np
import xarray as xr

from icl_graphs.analysis import nulls, simulated
from icl_graphs.experiments import coin_subject, recipe
from icl_graphs.experiments.paper_two import generated
from icl_graphs.experiments.paper_two import generation_texts as texts
from icl_graphs.report.paper_two import generation as figures
from icl_graphs.theory import coin_comparison

_STATISTICS = ("sd_of_mean", "running_sd", "longest_run", "alternation")
_WINDOW_5 = "window average 5"
# Percents that are drawn one by one, if they were asked for.
_DRAWN = (20, 50, 51, 80)


def run(
  subject: coin_subject.CoinSubject, folder: pathlib.Path
) -> recipe.Outcome:
  """See `recipe.Recipe`."""
  settings = subject.settings
  everything = generated.conditions(subject)
  found = [one for one in everything if one.usable]
  if not found:
    return recipe.cannot(texts.TOO_FEW, *texts.CLAIMS.values())
  sampled = settings.resamples, settings.seed
  means = generated.values(found, "mean", *sampled)
  values = {
    name: generated.values(found, name, *sampled) for name in _STATISTICS
  }
  fewest = min(len(one.flips) for one in found)
  pooled = {name: simulated.pooled(one, fewest) for name, one in values.items()}
  compared = {one.percent: _compared(one, settings) for one in found}
  gains = _gains(list(compared.values()))
  slope = _slope(found, means, settings)
  _draw(folder, found, means, values, compared)
  numbers = {
    "slope_of_mean_on_p": slope,
    "bias": _bias(found, means),
    "largest_bias": {
      "value": float(np.abs(_biases(found, means)).max()),
      "null": _largest_by_chance(means),
    },
    **{name: one.numbers() for name, one in pooled.items()},
    "held_out_gain_over_bernoulli": {
      name: dict(zip(("value", "low", "high"), gain, strict=True))
      for name, gain in gains.items()
    },
    "dropped": {str(one.percent): one.drop_rate for one in everything},
    "captured_mass": {
      str(one.percent): {
        "value": one.captured.median,
        "reads_below_half": one.captured.low_share,
      }
      for one in everything
    },
    "fair_wording": _fair(subject),
  }
  return recipe.Outcome(
    _claims(found, means, slope, pooled, gains[_WINDOW_5]),
    numbers,
    texts.FIGURES,
    (
      *(texts.conditions(everything), texts.comparison(compared)),
      texts.shapes(compared),
    ),
    _dataset(found, means, values),
    texts.notes(subject.has_exact_answer),
  )


def _biases(found, means) -> Float[np.ndarray, " P"]:
  return means.model - np.array([one.stated for one in found])


def _bias(found, means) -> dict[str, float]:
  """Mean of flips less stated p, over prompts, with its interval."""
  value = float(_biases(found, means).mean())
  draws = means.replicates.mean(axis=0) + value - means.model.mean()
  low, high = nulls.interval(value, draws, len(found[0].flips))
  return {"value": value, "low": float(low), "high": float(high), "null": 0.0}


def _largest_by_chance(means) -> float:
  """Mean largest distance from p of as many independent flips, all told p."""
  p = means.bernoulli.mean(axis=1, keepdims=True)
  return float(np.abs(means.bernoulli - p).max(axis=0).mean())


def _slope(found, means, settings) -> dict[str, float]:
  """Least-squares slope of mean flips on stated p, its interval and null."""
  stated = np.array([one.stated for one in found])
  centred = stated - stated.mean()
  size = (centred**2).sum()
  if len(found) < 3:
    return dict.fromkeys(
      ("value", "low", "high", "null", "null_low", "null_high"), np.nan
    )
  value = centred @ means.model / size
  # Sequences of every prompt are resampled, each for itself.
  draws = centred @ means.replicates / size
  low, high = nulls.interval(value, draws, len(found[0].flips))
  labels = nulls.permutations(len(found), settings.resamples, settings.seed)
  shuffled = nulls.limits(means.model[labels] @ centred / size)
  return {
    "value": float(value),
    "low": float(low),
    "high": float(high),
    "null": 0.0,
    **dict(zip(("null_low", "null_high"), map(float, shuffled), strict=True)),
  }


def _compared(
  one: generated.Condition, settings: coin_subject.Settings
) -> list[coin_comparison.Fitted]:
  stated = one.stated if 0 < one.percent < 100 else None
  return coin_comparison.compare(
    one.flips, stated, settings.seed, settings.resamples
  )


def _gains(
  compared: list[list[coin_comparison.Fitted]],
) -> dict[str, tuple[float, float, float]]:
  """Gain of every model, averaged over prompts whose errors are independent."""
  gains: dict[str, list[tuple[float, float, float]]] = {}
  for fits in compared:
    for one in fits:
      gains.setdefault(one.name, []).append(one.gain)
  pooled = {}
  for name, each in gains.items():
    value, low, high = np.transpose(each)
    half = np.sqrt(((high - low) ** 2).sum()) / 2 / len(each)
    centre = float(value.mean())
    pooled[name] = centre, float(centre - half), float(centre + half)
  return pooled


def _fair(subject: coin_subject.CoinSubject) -> dict[str, float]:
  """The wording that the original disabled; one number per statistic."""
  settings = subject.settings
  found = [
    one for one in generated.conditions(subject, fair=True) if one.usable
  ]
  if not found:
    return {}
  numbers = {}
  for name in _STATISTICS:
    values = generated.values(found, name, settings.resamples, settings.seed)
    one = simulated.pooled(values, len(found[0].flips))
    numbers[name] = {**one.numbers(), "plain_value": float(values.model[0])}
  gain = _gains([_compared(found[0], settings)])[_WINDOW_5]
  names = ("value", "low", "high")
  return numbers | {"gain_of_window_5": dict(zip(names, gain, strict=True))}


def _claims(found, means, slope, pooled, gain) -> tuple[recipe.Claim, ...]:
  worst = float(np.abs(_biases(found, means)).max())
  follows = 0.8 <= slope["low"] and slope["high"] <= 1.2 and worst <= 0.1
  verdicts = {
    "C1": _verdict(follows) if len(found) > 2 else recipe.CANNOT_TELL,
    "C2": _verdict(
      pooled["sd_of_mean"].towards_window
      and pooled["running_sd"].towards_window
    ),
    "C3": _verdict(pooled["longest_run"].towards_window),
    "C3a": _verdict(pooled["alternation"].towards_window),
    "C4": _verdict(gain[1] > 0),
  }
  reasons = {
    "C1": (
      f"Slope {slope['value']:.3f} [{slope['low']:.3f}, {slope['high']:.3f}];"
      f" with p shuffled among prompts at most {_or_dash(slope['null_high'])}"
      f" (97.5%). Largest distance of a mean from its p: {worst:.3f}."
      if len(found) > 2
      else f"Only {len(found)} stated probabilities gave whole sequences."
    ),
    "C2": (
      f"SD of means {texts.difference(pooled['sd_of_mean'])}; SD of running"
      f" means {texts.difference(pooled['running_sd'])}."
    ),
    "C3": f"Longest run {texts.difference(pooled['longest_run'])}.",
    "C3a": f"Alternation {texts.difference(pooled['alternation'])}.",
    "C4": (
      f"It saves {1000 * gain[0]:.1f} [{1000 * gain[1]:.1f},"
      f" {1000 * gain[2]:.1f}] thousandths of a nat per held-out flip against a"
      f" Bernoulli model, on average over {len(found)} stated probabilities."
    ),
  }
  return tuple(
    recipe.Claim(*texts.CLAIMS[key], verdicts[key], reasons[key])
    for key in texts.CLAIMS
  )


def _or_dash(value: float) -> str:
  """Too few resamples leave no limit."""
  return f"{value:.2f}" if np.isfinite(value) else "-"


def _verdict(shown: bool) -> str:
  return recipe.SHOWN if shown else recipe.NOT_SHOWN


def _draw(folder, found, means, values, compared):
  by_percent = {one.percent: one for one in found}
  drawn = [by_percent[k] for k in _DRAWN if k in by_percent] or found[:4]
  sets = {
    one.percent: (one.flips, one.bernoulli[0], one.window[0]) for one in drawn
  }
  figures.running_means(folder / "running_means.png", sets)
  figures.fallacy(
    folder / "fallacy.png",
    {one.percent: (one.flips, one.bernoulli, one.window) for one in drawn},
  )
  stated = np.array([one.stated for one in found])
  figures.control(folder / "control.png", stated, means, values)
  figures.comparison(
    folder / "comparison.png",
    stated,
    {
      name: np.array(
        [
          next(one.gain for one in fits if one.name == name)
          for fits in compared.values()
        ]
      ).T
      for name in (*coin_comparison.FITS, "stated")
      if all(any(o.name == name for o in fits) for fits in compared.values())
      and name != "bernoulli"
    },
  )


def _dataset(found, means, values) -> xr.Dataset:
  arrays = {}
  for name, one in {"mean": means, **values}.items():
    arrays[name] = (("percent",), one.model)
    low, high = nulls.interval(
      one.model, one.replicates.T, min(len(every.flips) for every in found)
    )
    arrays[f"{name}_low"] = (("percent",), low)
    arrays[f"{name}_high"] = (("percent",), high)
    arrays[f"{name}_bernoulli"] = (("percent", "set"), one.bernoulli)
    arrays[f"{name}_window_5"] = (("percent", "set"), one.window)
  return xr.Dataset(arrays, {"percent": [one.percent for one in found]})


RECIPE = recipe.Recipe(
  "generation",
  "Flips of a coin whose bias is stated",
  "Does the model follow the stated probability, and does it alternate too"
  " much, as people do?",
  "arXiv 2310.17639, figures 5 and 6 and the appendix on means against p",
  run,
)
