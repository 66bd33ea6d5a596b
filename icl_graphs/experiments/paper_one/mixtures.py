"""Two graphs over one vocabulary, mixed step by step (arXiv 2605.08405).

Every step follows the second graph with probability phi, the first one
otherwise. The follow-up's own definition of the mixture is known from its
abstract only.
"""

import pathlib

import numpy as np
import xarray as xr

from icl_graphs.analysis import nulls, two_graphs
from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_one import estimates, readings, rivals
from icl_graphs.probes import class_sums
from icl_graphs.report.paper_one import two_graphs as figures
from icl_graphs.tasks import mixed_walks
from icl_graphs.theory import two_graph_bayes

_text = estimates.fixed

SPEC, SHARES = "grid:4x4", (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
SHORTEST, CONTEXTS, WINDOW = 20, 6, 50
STATS = ("value", "low", "high")
EVEN = SHARES.index(0.5)

CLAIMS = FALL, BOTH, MATCH = (
  (
    "Two graphs over one vocabulary compete: as one of them gets a larger share"
    " of the steps, its energy falls and the other's rises (after"
    " arXiv 2605.08405).",
    "Report layer, longest context: the slope of the second graph's relative"
    " energy less the first's against phi is below 0 (95% interval over groups"
    " of walks, each with words on nodes of its own).",
  ),
  (
    "At an even mixture both graphs are represented at once.",
    "phi = 1/2, report layer, longest context: the relative energy of each"
    " graph is below the 2.5% limit of nodes relabelled at random.",
  ),
  (
    "What the model expects follows the mixture: its log-odds between the two"
    " graphs grow with those of the mixture with slope 1.",
    "The 95% interval of the slope, over groups of walks, contains 1; last"
    " fifth of the context, phi of .1 to .9.",
  ),
)


def run(subject, folder: pathlib.Path) -> recipe.Outcome:
  """Reads every mixture, measures both graphs, draws and judges."""
  length, settings = subject.context, subject.settings
  pair = rivals.make(
    subject,
    SPEC,
    contexts=class_sums.log_spaced_contexts(length, CONTEXTS, SHORTEST),
    window=min(WINDOW, length),
    walks=max(32, settings.walks // 2),
  )
  report = list(pair.plan.layers).index(subject.report_layer)
  grams, mass, nodes = [], [], []
  for share in SHARES:
    sums, scores = rivals.read(
      subject,
      f"mixtures phi={share:g}",
      pair,
      mixed_walks.mixture(share, length),
    )
    grams.append(readings.own_grams(pair.plan, sums))
    mass.append(scores.mass / scores.total[:, None])
    nodes.append(scores.nodes)
  found = two_graphs.measure(
    np.stack(grams),
    pair.adjacency,
    subject.decoder.hidden_size,
    report,
    settings.resamples,
    settings.seed,
  )
  behaviour = _behaviour(np.stack(mass), np.stack(nodes), pair, settings)
  claims, numbers = _judge(found, behaviour, report, settings)
  numbers |= {"report_layer": subject.report_layer, "context": length}
  _draw(folder, found, behaviour, pair, report, subject)
  return recipe.Outcome(
    claims=claims,
    numbers=numbers,
    figures=FIGURES,
    tables=(_table(found, behaviour, report, settings),),
    measurements=_dataset(found, behaviour, pair, settings),
    notes=NOTES,
  )


NOTES = (
  "Each step chooses its graph anew; a mixture of longer stretches would be"
  " another experiment (see `switches`).",
  "The two graphs are the 4x4 grid and a copy on other nodes without a common"
  " edge, so that by symmetry phi and 1 - phi are the same experiment twice.",
  "The Bayesian reader counts steps between words over a Dirichlet prior; its"
  " prior and its forgetting are fitted to all mixtures together.",
)

FIGURES = (
  recipe.Figure(
    "mixtures.png",
    "Two graphs over the same words. From left to right: energy of either graph"
    " (1: no structure), distance correlation with either graph (0: no"
    " structure), both against the share phi of steps on the second graph; and"
    " the log-odds with which the model expects the second graph's neighbours,"
    " against those of the mixture. Bands: 95% over groups of walks with words"
    " of their own; grey: chance, nodes relabelled.",
    "Three line plots against the share of steps on the second graph.",
  ),
  recipe.Figure(
    "mixtures_over_context.png",
    "An even mixture as the context grows: energy of both graphs, and the"
    " angles between the directions of activation space in which the two"
    " graphs' slow modes lie (cosine 1: the same direction; grey: chance).",
    "Two line plots against context length at an even mixture.",
  ),
)


def _behaviour(mass, nodes, pair, settings):
  """Log-odds per group of the model, of a Bayesian reader, and its fit."""
  places, walks, _, length = mass.shape
  # Rows keep their group: i mod G.
  reader = two_graph_bayes.fit(
    mass.reshape(-1, 2, length),
    nodes.reshape(-1, length),
    pair.adjacency,
    resamples=settings.resamples,
    seed=settings.seed,
  )

  def odds(values):
    last = readings.last_fifth(two_graphs.preference(values))
    return np.stack([two_graphs.by_group(one, rivals.GROUPS) for one in last])

  shape = (places, walks, 2, length)
  return odds(mass), odds(reader.curves.reshape(shape)), reader


def _judge(found, behaviour, report, settings):
  model, bayes, reader = behaviour
  inner = slice(1, -1)
  shares = np.array(SHARES)
  odds = np.log(shares[inner] / (1 - shares[inner]))
  energy = found.values["energy_relative"][:, :, report, -1]

  def interval(values):
    return two_graphs.over_groups(values, settings.resamples, settings.seed)

  fall = interval(two_graphs.slope(shares, (energy[1] - energy[0]).T))
  even = interval(energy[:, EVEN])
  chance = found.chance["energy_relative"][:, :, EVEN, -1]
  limit, _ = nulls.limits(chance)
  slopes = [
    interval(two_graphs.slope(odds, one[inner].T)) for one in (model, bayes)
  ]
  below = even[:, 0] < limit
  inside = slopes[0][1] <= 1 <= slopes[0][2]
  claims = (
    recipe.Claim(*FALL, _sign(fall), f"Slope {_text(fall)}."),
    recipe.Claim(
      *BOTH,
      recipe.verdict(below.all(), (~below).all()),
      f"First graph {_text(even[0])}, second {_text(even[1])}; 2.5% limits of"
      f" chance {limit[0]:.3f} and {limit[1]:.3f}.",
    ),
    recipe.Claim(
      *MATCH,
      recipe.verdict(inside, not inside and np.isfinite(slopes[0]).all()),
      f"Slope {_text(slopes[0])}; a Bayesian reader with decay"
      f" {reader.decay:.3f} [{reader.decay_low:.3f}, {reader.decay_high:.3f}]"
      f" per word has {_text(slopes[1])}.",
    ),
  )
  numbers = {
    "energy_slope": _entry(fall, 0.0),
    "preference_slope": _entry(slopes[0], 0.0),
    "preference_slope_bayes": _entry(slopes[1]),
    "bayes_alpha": reader.alpha,
    "bayes_decay": _entry((reader.decay, reader.decay_low, reader.decay_high)),
    "bayes_r2": _entry((reader.r2, reader.r2_low, reader.r2_high)),
    "bayes_gain_of_forgetting": _entry(reader.gain, 0.0),
  }
  for name in two_graphs.NAMES:
    for e, which in enumerate(("first", "second")):
      values = interval(found.values[name][e, :, report, -1])
      null = found.chance[name][:, e, :, -1]
      for p, share in enumerate(SHARES):
        numbers[f"{name}_{which}_phi_{share:g}"] = _entry(
          values[p], float(null[:, p].mean()), nulls.limits(null[:, p])
        )
  between = interval(np.moveaxis(found.between[:, report, -1], -2, -1))
  chance = found.between_chance[:, :, -1]
  for k in range(2):
    for p, share in enumerate(SHARES):
      numbers[f"angle_cosine_{k + 1}_phi_{share:g}"] = _entry(
        between[p, k],
        float(chance[:, p, k].mean()),
        nulls.limits(chance[:, p, k]),
      )
  return claims, numbers


def _sign(stat) -> str:
  return recipe.verdict(stat[2] < 0, stat[1] > 0)


def _entry(stat, null=None, limits=None) -> dict[str, float | None]:
  entry = {
    key: float(value) if np.isfinite(value) else None
    for key, value in zip(STATS, stat, strict=True)
  }
  if null is not None:
    entry["null"] = null
  if limits is not None:
    entry |= {"null_low": float(limits[0]), "null_high": float(limits[1])}
  return entry


def _draw(folder, found, behaviour, pair, report, subject):
  settings = subject.settings

  def interval(values):
    return two_graphs.over_groups(values, settings.resamples, settings.seed)

  model, bayes, _ = behaviour
  shown = ("energy_relative", "distance_correlation")
  figures.mixtures(
    folder / FIGURES[0].file,
    SHARES,
    {n: interval(found.values[n][:, :, report, -1]) for n in shown},
    {n: _limits(found.chance[n][:, 0, :, -1]) for n in shown},
    interval(model),
    interval(bayes),
    subject.report_layer,
  )
  figures.even_mixture(
    folder / FIGURES[1].file,
    pair.plan.sums.context_lengths,
    interval(found.values["energy_relative"][:, EVEN, report]),
    _limits(found.chance["energy_relative"][:, 0, EVEN]),
    interval(np.moveaxis(found.between[EVEN, report], -1, 0)),
    _limits(found.between_chance[:, EVEN, :, 0]),
    subject.report_layer,
  )


def _limits(draws):
  return np.stack(nulls.limits(draws))


def _table(found, behaviour, report, settings) -> recipe.Table:
  def text(values):
    return _text(
      two_graphs.over_groups(values, settings.resamples, settings.seed)
    )

  shown = ("energy_relative", "distance_correlation")
  rows = [
    (
      f"{share:g}",
      *(
        text(found.values[name][e, p, report, -1])
        for name in shown
        for e in range(2)
      ),
      *(text(odds[p]) for odds in behaviour[:2]),
    )
    for p, share in enumerate(SHARES)
  ]
  return recipe.Table(
    "Mixtures at the report layer and longest context, with 95% intervals",
    (
      "phi",
      "relative energy, first graph",
      "second graph",
      "distance correlation, first graph",
      "second graph",
      "log-odds of the second graph",
      "of a Bayesian reader",
    ),
    tuple(rows),
  )


def _dataset(found, behaviour, pair, settings) -> xr.Dataset:
  cell = ("phi", "layer", "context")
  model, bayes, _ = behaviour
  arrays = {
    name: (("graph", *cell, "group"), found.values[name])
    for name in two_graphs.NAMES
  }
  for name in two_graphs.NAMES:
    draws = found.chance[name]
    arrays[f"{name}_chance"] = (
      ("graph", "phi", "context", "limit"),
      np.stack([draws.mean(axis=0), *nulls.limits(draws)], axis=-1),
    )
  chance = found.between_chance
  return xr.Dataset(
    arrays
    | {
      "angle_cosine": ((*cell, "group", "angle"), found.between),
      "angle_cosine_chance": (
        ("phi", "context", "angle", "limit"),
        np.stack([chance.mean(axis=0), *nulls.limits(chance)], axis=-1),
      ),
      "log_odds": (("phi", "group"), model),
      "log_odds_bayes": (("phi", "group"), bayes),
    },
    coords={
      "phi": list(SHARES),
      "layer": list(pair.plan.layers),
      "context": list(pair.plan.sums.context_lengths),
      "graph": ["first", "second"],
      "limit": ["mean", "low", "high"],
    },
    attrs={"graph_spec": SPEC, "walks": pair.walks},
  )


RECIPE = recipe.Recipe(
  name="mixtures",
  title="Two graphs at once, in any mixture",
  question=(
    "When steps of two graphs over the same words are mixed, which of them do"
    " representations and expectations follow?"
  ),
  source="arXiv 2605.08405 (abstract)",
  run=run,
)
