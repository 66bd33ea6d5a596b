"""Do generated flips repeat themselves? (figure 7)"""

from collections.abc import Sequence
import functools
import pathlib

import numpy as np
import xarray as xr

from icl_graphs.analysis import sequences, simulated, subsequences
from icl_graphs.experiments import coin_subject, recipe
from icl_graphs.experiments.paper_two import generated, generation_texts
from icl_graphs.report.paper_two import subsequences as figures
from icl_graphs.theory import coin_fits

# Distances are between pairs: more sequences would cost their square.
_COMPARED = 60
# The width whose windows are neither all there are nor all different.
_WIDTH = 10
_ORDERS = (1, 2, 3)
_TOWARDS = (
  "fewer than 39 sets of as many independent flips with the same means give"
  " (2.5% on each side), pooled over p, and at least"
  f" {simulated.LEAST_SHARE:.0%} of the way to a window average of 5"
)
_RECUR = (
  "Specific sub-sequences recur more often than in independent flips (the"
  " reviews of the paper say).",
  f"distinct windows of {_WIDTH} flips: {_TOWARDS}",
)
_SIMPLER = (
  "Generated flips are simpler than independent ones: they compress better and"
  " differ less from each other (the reviews of the paper say; one quoted"
  " exception, ChatGPT, is above chance complexity).",
  "bytes of all sequences compressed together, and mean edit distance between"
  f" sequences, each: {_TOWARDS}",
)


def _edit(flips) -> np.ndarray:
  """Mean edit distances: a substitution costs two, or one."""
  one = subsequences.distances(flips[:_COMPARED])
  return np.array([one.indel.mean(), one.unit.mean()])


def _distinct(flips, width=_WIDTH):
  return float(subsequences.window_counts(flips, width).unique)


_STATISTICS = {
  "distinct": _distinct,
  "gzip_together": lambda flips: (
    8 * sequences.gzip_together(flips) / flips.size
  ),
  "gzip_each": lambda flips: sequences.gzip_bytes(flips[:_COMPARED]).mean(),
}


def _measured(
  found: Sequence[generated.Condition],
) -> dict[str, simulated.Values]:
  """Every statistic, by name."""
  values = {
    name: generated.computed(found, statistic)
    for name, statistic in _STATISTICS.items()
  }
  both = generated.computed(found, _edit)
  for place, name in enumerate(("indel", "unit")):
    values[name] = simulated.Values(
      both.model[..., place],
      None,
      both.bernoulli[..., place],
      both.window[..., place],
    )
  return values


def run(
  subject: coin_subject.CoinSubject, folder: pathlib.Path
) -> recipe.Outcome:
  """See `recipe.Recipe`."""
  length = subject.settings.flips
  if length < _WIDTH:
    return recipe.cannot(
      f"--flips={length} have no windows of {_WIDTH}.", _RECUR, _SIMPLER
    )
  found = [one for one in generated.conditions(subject) if one.usable]
  if not found:
    return recipe.cannot(generation_texts.TOO_FEW, _RECUR, _SIMPLER)
  values = _measured(found)
  pooled = {name: simulated.pooled(one, 0) for name, one in values.items()}
  stated = np.array([one.stated for one in found])
  middle = found[int(np.abs(stated - 0.5).argmin())]
  _draw(folder, found, values, middle)
  return recipe.Outcome(
    _claims(pooled),
    {name: one.numbers() for name, one in pooled.items()},
    _figures(middle),
    (_table(middle),),
    xr.Dataset(
      {
        f"{name}{suffix}": (("percent", *axes), array)
        for name, one in values.items()
        for suffix, axes, array in (
          ("", (), one.model),
          ("_bernoulli", ("set",), one.bernoulli),
          ("_window_5", ("set",), one.window),
        )
      },
      {"percent": [one.percent for one in found]},
    ),
    _NOTES,
  )


def _claims(pooled) -> tuple[recipe.Claim, ...]:
  def fewer(name):
    return pooled[name].towards_window and pooled[name].value < 0

  def verdict(shown):
    return recipe.SHOWN if shown else recipe.NOT_SHOWN

  def text(name):
    one = pooled[name]
    return (
      f"{one.value:+.1%} (simulations: {one.null_low:+.1%} to"
      f" {one.null_high:+.1%}; window average of 5: {one.window:+.1%})"
    )

  return (
    recipe.Claim(
      *_RECUR,
      verdict(fewer("distinct")),
      f"Distinct windows of {_WIDTH}: {text('distinct')} against independent"
      " flips.",
    ),
    recipe.Claim(
      *_SIMPLER,
      verdict(fewer("gzip_together") and fewer("indel")),
      f"Compressed together {text('gzip_together')}; edit distance"
      f" {text('indel')} against independent flips.",
    ),
  )


def _draw(folder, found, values, middle):
  widths = [
    width for width in subsequences.WINDOWS if width <= middle.flips.shape[1]
  ]
  unique = [
    generated.computed([middle], functools.partial(_distinct, width=width))
    for width in widths
  ]
  possible = middle.flips.shape[1] + 1 - np.array(widths)
  counts = [
    subsequences.window_counts(flips, _WIDTH).counts
    for flips in (middle.flips, middle.bernoulli[0], middle.window[0])
  ]
  figures.draw(
    folder / "subsequences.png",
    np.array([one.stated for one in found]),
    values,
    figures.Windows(
      middle.percent,
      np.array(widths),
      simulated.Values(
        *(
          np.concatenate([getattr(one, name) for one in unique])
          if name != "replicates"
          else None
          for name in simulated.Values._fields
        )
      ),
      np.minimum(len(middle.flips) * possible, 2.0 ** np.array(widths)),
      _WIDTH,
      counts,
    ),
  )
  figures.chains(
    folder / "chains.png",
    middle.percent,
    {
      kind: [
        coin_fits.markov(flips, order).tables[order, : 2**order]
        for order in _ORDERS
      ]
      for kind, flips in (
        ("the model", middle.flips),
        ("window average of 5", middle.window[0]),
      )
    },
  )


def _figures(middle) -> tuple[recipe.Figure, ...]:
  return (
    recipe.Figure(
      "subsequences.png",
      "Top left: how many different windows of each width there are at"
      f" {middle.percent}% Tails; the thin line is as many as there can be. Top"
      f" right: how often each window of {_WIDTH} occurs, most frequent first."
      " Bottom: size when all sequences are compressed together, and mean edit"
      " distance between two sequences, against the stated probability. Flips"
      " that repeat themselves lie below independent ones.",
      "Distinct windows, their counts, compressed size and edit distance.",
    ),
    recipe.Figure(
      "chains.png",
      "Markov chains of orders 1 to 3 fitted to the flips at"
      f" {middle.percent}% Tails: circles are the last flips (H, T, the newest"
      " last), arrows lead to what comes next (orange: Heads, blue: Tails), and"
      " thicker arrows are likelier. Independent fair flips would have all"
      " arrows alike; the window average, below, leaves runs.",
      "Graphs of Markov chains of orders 1, 2 and 3 for the model and a window"
      " average.",
    ),
  )


def _table(middle) -> recipe.Table:
  """The most frequent windows at the middle probability."""
  counts = subsequences.window_counts(middle.flips, _WIDTH)
  made = [
    subsequences.window_counts(flips, _WIDTH).counts
    for flips in middle.bernoulli
  ]
  rows = []
  for rank in range(min(5, counts.unique)):
    null = [int(one[rank]) for one in made if len(one) > rank] or [0]
    rows.append(
      (
        str(rank + 1),
        "".join("HT"[flip] for flip in counts.windows[rank]),
        str(int(counts.counts[rank])),
        f"{min(null)} to {max(null)}",
      )
    )
  return recipe.Table(
    f"Most frequent windows of {_WIDTH} flips at {middle.percent}% Tails",
    ("rank", "window", "times", "independent flips, at this rank"),
    tuple(rows),
  )


_NOTES = (
  "gzip of 50 flips is nearly blind (independent flips and a window average"
  " differ by a tenth of a byte), so all sequences of a prompt are compressed"
  " together, and compared with as many simulated ones.",
  "The last window of every sequence is counted; the original leaves it out.",
  f"Edit distances are over the distinct pairs of the first {_COMPARED}"
  " sequences; the original reports a similarity with each sequence compared to"
  " itself as well.",
  "Distinct windows and compressed sizes have no bootstrap interval: sequences"
  " drawn twice are repetitions by themselves.",
)

RECIPE = recipe.Recipe(
  "subsequences",
  "Do generated flips repeat themselves?",
  "Are the model's sequences simpler, and more alike, than independent flips?",
  "arXiv 2310.17639, figure 7 and the appendix on Markov chains",
  run,
)
