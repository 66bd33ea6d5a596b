"""What the recipe of generated flips says: claims, captions, tables, notes."""

from collections.abc import Mapping, Sequence

from jaxtyping import Float
import numpy as np

from icl_graphs.analysis import simulated
from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_two import generated
from icl_graphs.theory import coin_comparison

_TOWARDS = (
  "pooled over p, outside what 39 sets of as many independent flips with the"
  " same means give (2.5% on each side), and at least"
  f" {simulated.LEAST_SHARE:.0%} of the way to a window average of 5"
)
# Claim and criterion.
CLAIMS = {
  "C1": (
    "The mean of generated flips follows the stated probability (unverified"
    " recollection of the paper, for GPT-3.5 and later).",
    "slope of mean flips on stated p with its 95% interval within .8 to 1.2,"
    " and no mean further than .1 from its p",
  ),
  "C2": (
    "Sequence means and running means vary less than those of independent flips"
    " (the reviews of the paper say).",
    f"SD of sequence means, and SD of running means, lower: {_TOWARDS}",
  ),
  "C3": (
    "Longest runs are shorter than those of independent flips (the reviews of"
    " the paper say).",
    f"mean longest run shorter: {_TOWARDS}",
  ),
  "C3a": (
    "Flips alternate more often than independent ones, 2p(1-p) of the time"
    " (unverified recollection of the paper).",
    f"alternation rate higher: {_TOWARDS}",
  ),
  "C4": (
    "A window average of 5 describes the flips better than independent flips do"
    " (the reviews of the paper say).",
    "higher held-out likelihood per flip, averaged over p, 95% interval over"
    " sequences above 0",
  ),
}
TOO_FEW = (
  f"No prompt gave {generated.FEWEST} sequences with all their flips: the model"
  " ends its lists early, or writes something else."
)
FIGURES = (
  recipe.Figure(
    "running_means.png",
    "Share of Tails so far, flip by flip, for single sequences (faint) at"
    " several stated probabilities (columns): the model's, independent flips"
    " with the same mean, and a window average of 5, which makes up for what"
    " the last flips lacked. The middle 90% of sequences lies between the"
    " dashed lines. A model with the gambler's fallacy hugs its mean.",
    "Running means of the model, of independent flips and of a window average.",
  ),
  recipe.Figure(
    "fallacy.png",
    "How sequence means (top) and longest runs (bottom) are distributed: the"
    " model's sequences are filled, the lines are simulations of independent"
    " flips and of a window average of 5 with the same mean. The fallacy shows"
    " as narrower means and shorter runs.",
    "Histograms of sequence means and longest runs at several probabilities.",
  ),
  recipe.Figure(
    "control.png",
    "Mean flip, alternation rate, SD of sequence means and longest run against"
    " the stated probability. Whiskers are 95% intervals over sequences; the"
    " band is where as many independent flips with the model's own mean fall;"
    " dashed is the window average of 5. The thin line is the stated coin,"
    " which is also the exact answer for the bundled model.",
    "Four statistics of generated flips against the stated probability.",
  ),
  recipe.Figure(
    "comparison.png",
    "How much better than independent flips each model of coin flips predicts"
    " sequences that it was not fitted to, by stated probability; 95% intervals"
    " over sequences. Zero is independent flips with the fitted mean; 'stated'"
    " is the coin that was asked for.",
    "Held-out gain of five models of coin flips against stated probability.",
  ),
)


def difference(one: simulated.Pooled) -> str:
  """A pooled difference in words."""
  return (
    f"{one.value:+.1%} [{one.low:+.1%}, {one.high:+.1%}] against independent"
    f" flips (simulations: {one.null_low:+.1%} to {one.null_high:+.1%}; window"
    f" average of 5: {one.window:+.1%})"
  )


def conditions(found: Sequence[generated.Condition]) -> recipe.Table:
  """What every prompt gave."""
  rows = []
  for one in found:
    mean = f"{one.flips.mean():.3f}" if len(one.flips) else "none"
    rows.append(
      (
        f"{one.percent}%",
        mean,
        str(len(one.flips)),
        f"{one.drop_rate:.1%}",
        f"{one.others:.2f}",
        f"{one.captured.median:.4f}",
        f"{one.captured.low_share:.1%}",
      )
    )
  return recipe.Table(
    "What was generated, by stated probability of Tails",
    (
      "stated",
      "mean",
      "whole sequences",
      "dropped as too short",
      "other items per sequence",
      "captured mass (median)",
      "reads with less than half",
    ),
    tuple(rows),
  )


def comparison(
  compared: Mapping[int, Sequence[coin_comparison.Fitted]],
) -> recipe.Table:
  """Held-out nats per flip, the best model first in each row's last cell."""
  names = [*coin_comparison.FITS, "stated"]
  rows = []
  for percent, fits in compared.items():
    by_name = {one.name: one for one in fits}
    rows.append(
      (
        f"{percent}%",
        *(
          f"{by_name[name].nats:.4f}" if name in by_name else "-"
          for name in names
        ),
        fits[0].name,
      )
    )
  return recipe.Table(
    "Held-out nats per flip of models of coin flips",
    ("stated", *names, "best"),
    tuple(rows),
  )


def shapes(
  compared: Mapping[int, Sequence[coin_comparison.Fitted]],
) -> recipe.Table:
  """How unlike the model's the sequences of every model of flips are."""
  rows = []
  for name in (*coin_comparison.FITS, "stated"):
    fits = [one for some in compared.values() for one in some]
    fits = [one for one in fits if one.name == name]
    if fits:
      away = np.array([one.distance for one in fits]).T
      rows.append((name, *map(_size, away), _parameters(fits)))
  return recipe.Table(
    "Simulated less observed, in standard errors of the observed (root mean"
    " square over stated probabilities; about 1.4 for the true model)",
    (
      *("model of flips", "SD of sequence means", "alternation rate"),
      *("longest run", "fitted numbers, least to largest"),
    ),
    tuple(rows),
  )


def _size(values: Float[np.ndarray, " P"]) -> str:
  """Root mean square; constant sequences have no errors to compare with."""
  known = values[np.isfinite(values)]
  return f"{np.sqrt((known**2).mean()):.1f}" if len(known) else "-"


def _parameters(fits: Sequence[coin_comparison.Fitted]) -> str:
  """Ranges over prompts and halves."""
  every = [half for one in fits for half in one.parameters]
  ranges = {
    name: (min(half[name] for half in every), max(half[name] for half in every))
    for name in every[0]
  }
  return "; ".join(
    f"{name} {low:.3g} to {high:.3g}" for name, (low, high) in ranges.items()
  )


def notes(exact: bool) -> tuple[str, ...]:
  """Limits, and what differs from the paper."""
  common = (
    "The prompt asks for 1000 flips; as many as the settings say, 50 by default"
    " as in the paper, are analysed.",
    "Shorter sequences are dropped, which selects: a model that closes its list"
    " early loses data (see the table).",
    "Independent flips and the window average have the model's own mean, not"
    " the stated one; the stated coin is a model of its own in the comparison.",
    "Models of flips are scored by the probability of the sequence, one flip"
    " ahead; the original scored a coin by the probability of its count and let"
    " a window see the flip that it predicts.",
    "Differences are relative to independent flips and averaged over stated"
    " probabilities with equal weights.",
    "The first flip, Heads, is part of the prompt and not analysed.",
    "Captured mass is read wherever a flip is due, as many places as flips are"
    " wanted, also where the model wrote something else there.",
  )
  if not exact:
    return common
  return (
    *common,
    "The bundled model was trained on the stated coin here, so that following p"
    " and no fallacy are the right answers; under the fair-coin wording it was"
    " trained on a window average of 5, a positive control: see 'fair_wording'"
    " in the numbers.",
  )
