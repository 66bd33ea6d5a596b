"""The graph changes at word t0: how fast does the model let go of the old one?

Energies and next-word probabilities of both graphs before and after, the time
until the new graph wins, and the same of Bayesian readers of the same walks
that let old steps fade, or not.
"""

import pathlib
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from icl_graphs.analysis import two_graphs
from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_one import estimates, readings, rivals
from icl_graphs.report.paper_one import switches as figures
from icl_graphs.tasks import mixed_walks
from icl_graphs.theory import two_graph_bayes

_text = estimates.fixed

SPEC, WINDOW, SMOOTH = "grid:4x4", 20, 8
# The change comes after this share of the context.
PLACES = (0.25, 0.5)
BEFORE, AFTER = 3, 7
# Of the old graph's probability just before the change.
LEVELS = {"half": 0.5, "most": 0.9}
STATS = ("value", "low", "high")

CLAIMS = CONVERGES, FORGETS, SLOWER, GEOMETRY = (
  (
    "After a change of the graph the model converges to the new one, in what"
    " it represents and in what it expects.",
    "At the longest context, report layer, later change: the new graph's"
    " relative energy is below the old one's and its neighbours' probability"
    " above the old ones' (95% intervals of both differences).",
  ),
  (
    "It forgets the old graph as a reader for whom old steps fade, not as one"
    " who counts all steps alike.",
    "Both changes: a Bayesian reader whose counts decay predicts the"
    " probabilities of both graphs on held-out groups of walks better than the"
    " best one without decay (95% interval of the gain in R2 above 0).",
  ),
  (
    "The old graph stands in the way: the new one is learned more slowly than"
    " the first one was.",
    "Words until the new graph's neighbours get half of the probability that"
    " the old ones had just before the later change, less words until the first"
    " graph reached the same level from the start: 95% interval above 0.",
  ),
  (
    "Representations follow the new graph before predictions do.",
    "Words from the later change until the new graph's energy falls below the"
    " old one's, less words until its neighbours' probability exceeds the old"
    " ones': 95% interval below 0.",
  ),
)

NOTES = (
  "The two graphs are the 4x4 grid and a copy on other nodes without a common"
  " edge; the change leaves the current word as it is.",
  f"Class means are over the last {WINDOW} words, so that energies cannot"
  " follow a change faster than that window empties.",
  "The bundled model was trained on sequences whose graph changes, though with"
  " other words on it each time: fast forgetting was asked of it.",
)

FIGURES = (
  recipe.Figure(
    "switches.png",
    "The walk changes from one graph to another over the same words (dotted"
    " line). Left: relative energy of both graphs (1: no structure). Right:"
    " probability of both graphs' neighbours, with Bayesian readers of the same"
    " walks: one lets old steps fade, one counts all alike. Bands: 95% over"
    " groups of walks with words of their own.",
    "Energies and probabilities of two graphs before and after a change.",
  ),
)


class Seen(NamedTuple):
  """One change of the graph.

  Attributes:
    last: words on the first graph.
    contexts: [C], of the class means.
    values: measure to [E, K, C, G].
    mass: [E, T, G], probability of neighbours among node words.
    reader: fitted.
    fading, lasting: [E, T, G], probabilities of Bayesian readers.
  """

  last: int
  contexts: np.ndarray
  values: dict[str, np.ndarray]
  mass: np.ndarray
  reader: two_graph_bayes.Reader
  fading: np.ndarray
  lasting: np.ndarray


def run(subject, folder: pathlib.Path) -> recipe.Outcome:
  """Reads walks that change, finds the times, draws and judges."""
  length = subject.context
  lasts = [max(2, round(place * length)) for place in PLACES]
  pair = rivals.make(
    subject,
    SPEC,
    contexts=_contexts(lasts, length),
    window=min(WINDOW, lasts[0]),
    walks=max(8 * rivals.GROUPS, subject.settings.walks),
  )
  seen = [_observe(subject, pair, last) for last in lasts]
  report = subject.report_layer
  settings = subject.settings
  layers = list(range(subject.decoder.num_layers + 1))
  at = layers.index(report)
  found = [_times(one, at, settings) for one in seen]
  numbers: dict[str, Any] = {"report_layer": report, "context": length}
  for one, times in zip(seen, found, strict=True):
    numbers |= {
      f"after_{one.last}_{name}": _entry(stat) for name, stat in times.items()
    }
  figures.switches(
    folder / FIGURES[0].file,
    [_drawn(one, at, settings) for one in seen],
    report,
  )
  return recipe.Outcome(
    claims=_claims(seen, found),
    numbers=numbers,
    figures=FIGURES,
    tables=(_table(seen, found),),
    measurements=_dataset(seen, layers),
    notes=NOTES,
  )


def _contexts(lasts, length) -> list[int]:
  """Where class means are taken: denser after every change."""
  found = {length}
  for last in lasts:
    window = min(WINDOW, last)
    found |= {round(t) for t in np.geomspace(window, last, BEFORE)}
    steps = np.geomspace(min(5, length - last), length - last, AFTER)
    found |= {round(last + step) for step in steps}
  return sorted(found)


def _observe(subject, pair: rivals.Rivals, last: int) -> Seen:
  settings = subject.settings
  sums, scores = rivals.read(
    subject,
    f"switches t0={last}",
    pair,
    mixed_walks.switch(last, pair.plan.words),
  )
  grams = readings.own_grams(pair.plan, sums)
  mass = scores.mass / scores.total[:, None]
  reader = two_graph_bayes.fit(
    mass,
    scores.nodes,
    pair.adjacency,
    resamples=settings.resamples,
    seed=settings.seed,
  )
  return Seen(
    last,
    np.array(pair.plan.sums.context_lengths),
    two_graphs.on_both(grams, pair.adjacency, subject.decoder.hidden_size),
    *(
      two_graphs.by_group(mass, rivals.GROUPS),
      reader,
      two_graphs.by_group(reader.curves, rivals.GROUPS),
      two_graphs.by_group(reader.lasting, rivals.GROUPS),
    ),
  )


def _times(seen: Seen, at: int, settings) -> dict[str, np.ndarray]:
  """Differences at the end and words until they turn: value, low, high."""
  energy = seen.values["energy_relative"][:, at]
  places = seen.contexts.astype(float)
  after = places >= seen.last

  def interval(statistic):
    """Of the means over groups; groups are drawn anew."""
    return two_graphs.statistic_over_groups(
      statistic, rivals.GROUPS, settings.resamples, settings.seed
    )

  def energy_crossing(w):
    difference = two_graphs.weighted(energy[1] - energy[0], w)
    return two_graphs.crossing(places[after] - seen.last, difference[after])

  result = {
    "energy_difference_end": interval(
      lambda w: two_graphs.weighted(energy[1] - energy[0], w)[-1]
    ),
    "energy_crossing": interval(energy_crossing),
    "decay": np.array(
      [seen.reader.decay, seen.reader.decay_low, seen.reader.decay_high]
    ),
    "reader_r2": np.array(
      [seen.reader.r2, seen.reader.r2_low, seen.reader.r2_high]
    ),
    "gain_of_fading": np.array(seen.reader.gain),
  }
  for name, curves in (
    ("model", seen.mass),
    ("fading", seen.fading),
    ("lasting", seen.lasting),
  ):
    for what, statistic in _of_curves(curves, seen.last).items():
      result[f"{name}_{what}"] = interval(statistic)
  crossing = _of_curves(seen.mass, seen.last)["crossing"]
  result["energy_less_probability_crossing"] = interval(
    lambda w: energy_crossing(w) - crossing(w)
  )
  return result


def _of_curves(mass, last):
  """Statistics of probabilities [E, T, G] under weights of the groups."""

  def smooth(w):
    curves = mass @ w
    # Before and after the change on their own.
    before = two_graphs.smoothed(curves[:, :last], SMOOTH)
    return before, two_graphs.smoothed(curves[:, last:], SMOOTH)

  def end(w):
    _, after = smooth(w)
    return after[1, -1] - after[0, -1]

  def crossing(w):
    _, after = smooth(w)
    return two_graphs.first_reach(after[1] - after[0], np.array(0.0))

  def reached(level):
    def new(w):
      before, after = smooth(w)
      return two_graphs.first_reach(after[1], level * before[0, -1])

    def first(w):
      before, _ = smooth(w)
      return two_graphs.first_reach(before[0], level * before[0, -1])

    return new, first

  found = {"difference_end": end, "crossing": crossing}
  for name, level in LEVELS.items():
    new, first = reached(level)
    found[f"{name}_new"] = new
    found[f"{name}_first"] = first
    found[f"{name}_delay"] = lambda w, new=new, first=first: new(w) - first(w)
  return found


def _claims(seen, found):
  late = found[-1]
  energy, mass = late["energy_difference_end"], late["model_difference_end"]
  gains = np.array([one["gain_of_fading"] for one in found])
  delay = late["model_half_delay"]
  lead = late["energy_less_probability_crossing"]
  decays = "; ".join(
    f"t0 = {one.last}: decay {_text(times['decay'], 3)}, gain"
    f" {_text(times['gain_of_fading'], 3)}"
    for one, times in zip(seen, found, strict=True)
  )
  return (
    recipe.Claim(
      *CONVERGES,
      recipe.verdict(
        energy[2] < 0 and mass[1] > 0, energy[1] > 0 or mass[2] < 0
      ),
      f"Energies differ by {_text(energy)}, probabilities by {_text(mass)}.",
    ),
    recipe.Claim(
      *FORGETS,
      recipe.verdict((gains[:, 1] > 0).all(), (gains[:, 2] < 0).any()),
      f"{decays}.",
    ),
    recipe.Claim(
      *SLOWER,
      recipe.verdict(delay[1] > 0, delay[2] < 0),
      f"Words after the change: {_words(late['model_half_new'])}; from the"
      f" start: {_words(late['model_half_first'])}; difference {_words(delay)}."
      f" The fading reader, after the change:"
      f" {_words(late['fading_half_new'])}.",
    ),
    recipe.Claim(
      *GEOMETRY,
      recipe.verdict(lead[2] < 0, lead[1] > 0),
      f"Words until energies cross: {_words(late['energy_crossing'])};"
      f" probabilities: {_words(late['model_crossing'])}; difference"
      f" {_words(lead)}. Earlier change: {_words(found[0]['energy_crossing'])}"
      f" and {_words(found[0]['model_crossing'])}.",
    ),
  )


def _words(stat) -> str:
  """Times; a time that is never reached is called so."""
  value, low, high = (
    f"{x:.0f}" if np.isfinite(x) else "not reached" if np.isinf(x) else "?"
    for x in stat
  )
  return f"{value} [{low}, {high}]"


def _entry(stat) -> dict[str, float | None]:
  return {
    key: float(value) if np.isfinite(value) else None
    for key, value in zip(STATS, stat, strict=True)
  }


def _table(seen, found) -> recipe.Table:
  rows = []
  for name, title in (
    ("model", "model"),
    ("fading", "Bayesian reader, old steps fade"),
    ("lasting", "Bayesian reader, counts all steps"),
  ):
    for one, times in zip(seen, found, strict=True):
      rows.append(
        (
          title,
          str(one.last),
          _words(times[f"{name}_crossing"]),
          *(
            _words(times[f"{name}_{level}_{which}"])
            for level in LEVELS
            for which in ("new", "first")
          ),
          _text(times[f"{name}_difference_end"]),
        )
      )
  return recipe.Table(
    "Words after the change until the new graph wins, with 95% intervals",
    (
      "who",
      "change after word",
      "new above old",
      "half of the old level",
      "the same from the start",
      "nine tenths",
      "the same from the start",
      "difference at the end",
    ),
    tuple(rows),
  )


def _drawn(seen: Seen, at: int, settings) -> figures.Change:
  def interval(values):
    return two_graphs.over_groups(values, settings.resamples, settings.seed)

  def smooth(values):
    parts = np.split(values, [seen.last], axis=1)
    # Time last for the smoothing.
    made = [
      two_graphs.smoothed(np.swapaxes(part, 1, 2), SMOOTH) for part in parts
    ]
    return interval(np.swapaxes(np.concatenate(made, axis=-1), 1, 2))

  return figures.Change(
    seen.last,
    seen.contexts,
    interval(seen.values["energy_relative"][:, at]),
    smooth(seen.mass),
    smooth(seen.fading)[..., 0],
    smooth(seen.lasting)[..., 0],
  )


def _dataset(seen, layers) -> xr.DataTree:
  def one(change: Seen) -> xr.Dataset:
    cell = ("graph", "layer", "context", "group")
    arrays = {name: (cell, values) for name, values in change.values.items()}
    for name in ("mass", "fading", "lasting"):
      curves = getattr(change, name)
      arrays[name] = (("graph", "time", "group"), curves.astype(np.float32))
    return xr.Dataset(
      arrays,
      coords={
        "graph": ["first", "second"],
        "layer": layers,
        "context": change.contexts,
        "time": np.arange(1, change.mass.shape[1] + 1),
      },
      attrs={"last_word_of_first_graph": change.last, "graph_spec": SPEC},
    )

  return xr.DataTree.from_dict(
    {f"after_{change.last}": one(change) for change in seen}
  )


RECIPE = recipe.Recipe(
  name="switches",
  title="The graph changes in the middle of a walk",
  question=(
    "When the walk moves to another graph over the same words, how fast do"
    " representations and expectations follow?"
  ),
  source="own extension; recency-weighted Bayes as the account",
  run=run,
)
