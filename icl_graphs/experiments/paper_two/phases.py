"""Both papers meet: a repeated concept is a ring of phases.

Paper one asks whether the words of a graph come to lie as the graph does. A
concept of P flips that is repeated walks round a ring of P phases.

Legend: R concepts, K hidden states, J contexts (j flips after the first
period), n context lengths of the trees.
"""

import pathlib

from jaxtyping import Float, Int
import numpy as np
import xarray as xr

from icl_graphs.analysis import concepts, phases, thresholds
from icl_graphs.experiments import coin_subject, recipe
from icl_graphs.experiments.paper_two import (
  phase_claims,
  phase_pictures,
  phase_reads,
  phase_scene,
)
from icl_graphs.tasks import coins
from icl_graphs.theory import coin_mixture

DEPTH = phase_pictures.DEPTH
DRAWS = 1000


def expected(
  subject: coin_subject.CoinSubject, names: tuple[str, ...]
) -> tuple[Float[np.ndarray, "R n"], Int[np.ndarray, " n"]]:
  """Concept probability, of the trees and of longer concepts likewise."""
  lengths = np.arange(subject.settings.tree + 1)
  tails = {
    name: concepts.share_of_second(subject.trees(name)[0])
    for name in names
    if name in coins.TREE_CONCEPTS
  }
  longer = [name for name in names if name not in tails]
  taken = {
    name: sorted(
      {
        tuple(string[:step])
        for string in concepts.rotations(name, DEPTH).tolist()
        for step in range(DEPTH)
      }
    )
    for name in longer
  }
  groups = []
  for name in longer:
    flips = coins.repeated(name, lengths[-1]).tolist()
    groups.append(
      [
        subject.encode(coins.tree([*flips[:n], *path]))
        for n in lengths
        for path in taken[name]
      ]
    )
  found = []
  if groups:
    found = subject.read("longer trees", groups, subject.law.sides)
  for name, log_mass in zip(longer, found, strict=True):
    tails[name] = np.full((len(lengths), 2**DEPTH - 1), np.nan)
    places = [concepts.place(path) for path in taken[name]]
    share = concepts.share_of_second(log_mass)
    tails[name][:, places] = share.reshape(len(lengths), -1)
  curves = [
    concepts.concept_probability(tails[name], name, DEPTH) for name in names
  ]
  return np.array(curves), lengths


def run(
  subject: coin_subject.CoinSubject, folder: pathlib.Path
) -> recipe.Outcome:
  """See `recipe.Recipe`."""
  settings = subject.settings
  repeated = phase_reads.rows(subject, phase_reads.CONCEPTS, phase_reads.FLIPS)
  fair = phase_reads.rows(
    subject, phase_reads.CONCEPTS, phase_reads.FLIPS, fair=True
  )
  curves, lengths = expected(subject, phase_reads.CONCEPTS)
  exact = None
  if subject.has_exact_answer:
    exact = _exact(phase_reads.CONCEPTS, lengths)
  means = {
    "concept": phase_reads.read(subject, "phases", repeated),
    "fair flips": phase_reads.read(subject, "phases of fair flips", fair),
    "random weights": phase_reads.read(subject.untrained, "phases", repeated),
  }
  layer = round(0.8 * subject.decoder.num_layers)
  found = phase_claims.Found(
    sizes=np.array([len(name) for name in phase_reads.CONCEPTS]),
    layer=layer,
    geometry={name: _geometry(one) for name, one in means.items()},
    order=_orders(means["concept"], layer, settings.seed),
    recent=np.array(
      [
        phases.recent_flips_energy(coins.bits(name))
        for name in phase_reads.CONCEPTS
      ]
    ),
    n50=thresholds.settled(curves, lengths),
    resamples=settings.resamples,
    seed=settings.seed,
  )
  predicted = {"the model": curves} | (
    {} if exact is None else {"exact Bayes": exact}
  )
  phase_pictures.draw(folder, found, means, predicted)
  return recipe.Outcome(
    phase_claims.claims(found),
    phase_claims.numbers(found),
    phase_pictures.FIGURES,
    (phase_claims.by_layer(found), _by_concept(found, lengths, exact)),
    _measurements(found, means, predicted, lengths),
    _NOTES,
    phase_scene.scene(means["concept"], found, curves),
  )


def _exact(names, lengths) -> np.ndarray:
  """What the best predictor of the training mixture expects, [R, n]."""
  return np.array(
    [
      coin_mixture.concept_probability(name, lengths[-1], DEPTH)[lengths]
      for name in names
    ]
  )


def _geometry(means: phase_reads.Means) -> dict[str, np.ndarray]:
  """Measures of every concept, [R, K, J]."""
  rings = []
  for name, gram, size in zip(
    phase_reads.CONCEPTS, means.gram, means.size, strict=True
  ):
    number = len(name)
    word = coins.bits(name)
    rings.append(phases.measure(gram[..., :number, :number], size, word))
  result = {key: np.stack([one[key] for one in rings]) for key in rings[0]}
  result["phase_share"] = _share(means.between, means.total, means.size)
  result["flip_share"] = _share(
    means.side_between, means.side_total, means.size
  )
  result["flip_distance"] = np.sqrt(means.side_apart / means.side_size)
  return result


def _share(between, total, size):
  """Share of the variance between classes; NaN where nothing varies."""
  varies = total > phase_claims.LEAST * size
  return np.where(varies, between / np.where(varies, total, 1), np.nan)


def _orders(means, layer, seed) -> np.ndarray:
  """Mean ring energy over concepts in random orders, [draws, J]."""
  drawn = []
  for row, name in enumerate(phase_reads.CONCEPTS):
    number = len(name)
    gram = means.gram[row, layer, :, :number, :number]
    word = coins.bits(name)
    drawn.append(phases.reordered_energy(gram, word, DRAWS, seed + row))
  return np.mean(drawn, axis=0)


def _by_concept(found: phase_claims.Found, lengths, exact) -> recipe.Table:
  best = np.full(len(found.sizes), np.nan)
  if exact is not None:
    best = thresholds.settled(exact, lengths)
  energy = found.energy()
  forms = phase_claims.forms_at(found)
  rows = [
    (
      name,
      "never" if np.isnan(found.n50[row]) else f"{found.n50[row]:.0f}",
      "-" if np.isnan(best[row]) else f"{best[row]:.0f}",
      "-" if np.isnan(forms[row]) else f"{forms[row]:.1f}",
      f"{energy[row, 0]:.2f}",
      f"{energy[row, -1]:.2f}",
      f"{found.recent[row]:.2f}",
    )
    for row, name in enumerate(phase_reads.CONCEPTS)
  ]
  return recipe.Table(
    "Ring of phases at the report layer, by concept",
    (
      *("concept", "n50 of concept probability", "n50, exact Bayes"),
      "half-way of energy (flips)",
      *("energy, first period", "energy, at the end"),
      "energy, last 3 flips alone",
    ),
    tuple(rows),
  )


def _measurements(found, means, predicted, lengths) -> xr.Dataset:
  dims = ("concept", "layer", "flips_after_period")
  data = {}
  for name, one in found.geometry.items():
    short = name.replace(" ", "_")
    for key, values in one.items():
      data[f"{short}_{key}"] = (dims, values)
    data[f"{short}_gram"] = (
      (*dims, "phase", "phase_"),
      means[name].gram.astype(np.float32),
    )
  for name, curves in predicted.items():
    short = "exact_" if name.startswith("exact") else ""
    data[f"{short}concept_probability"] = (("concept", "length"), curves)
  data["order_energy"] = (("draw", dims[-1]), found.order)
  return xr.Dataset(
    data,
    {"concept": list(phase_reads.CONCEPTS), "length": lengths},
    {"report_layer": found.layer, "flips": phase_reads.FLIPS},
  )


_NOTES = (
  "Phases are read at the comma after a flip, which is the same token for all"
  " phases; at the embedding there is nothing to tell them apart.",
  "Means are over the last period, so a mean at n flips speaks of a time about"
  " half a period earlier; the half-way points are corrected for that.",
  "The flip just read is taken out: class means less the mean of all phases"
  " with the same flip. In words with long runs it alone looks like a ring,"
  " with random weights as well. Plain relative energies are in the table.",
  "Neighbouring phases can share earlier flips too, so some ring comes without"
  " any knowledge of the phase: hence the control of the last three flips and"
  " of the first period.",
  "Random weights average what they have read, which changes little from flip"
  " to flip: a ring by itself, and the control that is hardest to beat.",
  "Two class means, of Heads and Tails, have one component and one distance,"
  " which are their whole energy and spectrum.",
  "Neither paper makes these claims; the question is this project's.",
)

RECIPE = recipe.Recipe(
  "phases",
  "Both papers meet: the ring of phases",
  "Does the model arrange the phases of a repeated concept as a ring?",
  "this project, with the measures of arXiv 2501.00070",
  run,
)
