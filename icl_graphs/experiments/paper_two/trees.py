"""How probable it is that flips go on as the concept they repeat (figure 8).

Legend: S concepts, D depths, n context lengths.
"""

import pathlib
from typing import NamedTuple

from jaxtyping import Float, Int
import numpy as np
import xarray as xr

from icl_graphs import errors
from icl_graphs.analysis import concepts, curve_shapes, thresholds
from icl_graphs.experiments import coin_subject, recipe
from icl_graphs.experiments.paper_two import (
  first_letter,
  over_concepts,
  tree_claims,
)
from icl_graphs.report.paper_two import tree_drawing
from icl_graphs.report.paper_two import trees as figures
from icl_graphs.tasks import coins
from icl_graphs.theory import coin_mixture

DEPTHS = (4, 6)
# Drawn as a tree, after these numbers of flips.
DRAWN = "011"
AFTER = (0, 3, 6, 9, 12, 18)


class Read(NamedTuple):
  """Concept probabilities of one predictor.

  Attributes:
    curves: of the next flips repeating the concept, in any phase.
    tails: probability of Tails after every context of `DRAWN` and probe.
  """

  curves: Float[np.ndarray, "D S n"]
  tails: Float[np.ndarray, "n paths"]


def read(
  subject: coin_subject.CoinSubject,
) -> tuple[Read, Int[np.ndarray, " n"], concepts.Captured]:
  """What a model predicts, at which lengths, and the mass it puts on flips."""
  masses = {}
  for concept in coins.TREE_CONCEPTS:
    masses[concept], lengths = subject.trees(concept)
  tails = {name: concepts.share_of_second(one) for name, one in masses.items()}
  curves = [
    [
      concepts.concept_probability(one, name, depth)
      for name, one in tails.items()
    ]
    for depth in DEPTHS
  ]
  captured = concepts.captured(np.stack(list(masses.values())))
  return Read(np.array(curves), tails[DRAWN]), lengths, captured


def exact(lengths: Int[np.ndarray, " n"]) -> Read:
  """What the best predictor of the coin models' training mixture says."""
  curves = [
    [
      coin_mixture.concept_probability(name, lengths[-1], depth)[lengths]
      for name in coins.TREE_CONCEPTS
    ]
    for depth in DEPTHS
  ]
  context = coins.repeated(DRAWN, lengths[-1])
  tails = [exact_tails(context[:n], max(DEPTHS)) for n in lengths]
  return Read(np.array(curves), np.array(tails))


def exact_tails(
  context: Int[np.ndarray, " n"], depth: int
) -> Float[np.ndarray, " paths"]:
  """Probability of Tails after a context and each of `concepts.paths`."""
  found = []
  for length in range(depth):
    paths = [path for path in concepts.paths(depth) if len(path) == length]
    strings = np.array([[*context, *path, 1] for path in paths], np.int64)
    logs = coin_mixture.log_probability(strings)
    found.append(np.exp(logs[:, -1] - logs[:, -2]))
  return np.concatenate(found)


def run(
  subject: coin_subject.CoinSubject, folder: pathlib.Path
) -> recipe.Outcome:
  """See `recipe.Recipe`."""
  if subject.settings.tree + 1 < curve_shapes.FEWEST:
    raise errors.InputError(
      f"--tree={subject.settings.tree} flips make no curve; give at least"
      f" {curve_shapes.FEWEST - 1}"
    )
  model, lengths, captured = read(subject)
  ideal = exact(lengths) if subject.has_exact_answer else None
  random = read(subject.untrained)[0]
  settings = subject.settings
  evidence = tree_claims.Evidence(
    lengths,
    *(
      None if one is None else one.curves[-1] for one in (model, random, ideal)
    ),
    chance=np.array(
      [concepts.chance(name, DEPTHS[-1]) for name in coins.TREE_CONCEPTS]
    ),
    resamples=settings.resamples,
    seed=settings.seed,
  )
  letters, rules = first_letter.trees(subject, coins.AUTHORS_TREES, DEPTHS[-1])
  _draw(folder, lengths, model, random, ideal, evidence)
  return recipe.Outcome(
    tree_claims.claims(evidence),
    tree_claims.numbers(evidence)
    | {
      "captured_mass_median": captured.median,
      "captured_mass_low_share": captured.low_share,
    }
    | letters,
    _FIGURES,
    (_table(lengths, model, ideal), rules),
    _measurements(lengths, model, random, ideal),
    _NOTES,
  )


def _draw(folder, lengths, model, random, ideal, evidence) -> None:
  series = {"the model": model.curves, "random weights": random.curves}
  if ideal is not None:
    series["exact Bayes"] = ideal.curves
  chance = np.array(
    [[concepts.chance(name, depth) for name in coins.TREE_CONCEPTS]
     for depth in DEPTHS]
  )  # fmt: skip
  figures.by_concept(
    folder / "by_concept.png", lengths, coins.TREE_CONCEPTS, series, DEPTHS,
    chance,
  )  # fmt: skip
  figures.overall(
    folder / "overall.png",
    lengths,
    {name: curves[-1] for name, curves in series.items()},
    chance[-1],
    coins.TREE_CONCEPTS,
    {
      name: [
        thresholds.settled(curves[-1], lengths, level) for level in (0.5, 0.9)
      ]
      for name, curves in series.items()
      if name != "random weights"
    },
    DEPTHS[-1],
  )
  places = [place for place, n in enumerate(lengths) if n in AFTER]
  rows = {"the model": model} | (
    {"exact Bayes": ideal} if ideal is not None else {}
  )
  tree_drawing.trees(
    folder / "predictive_trees.png",
    {name: one.tails[places] for name, one in rows.items()},
    lengths[places],
    DRAWN,
    DEPTHS[-1],
  )


def _table(lengths, model, ideal) -> recipe.Table:
  columns = [("model", model)] + ([("exact", ideal)] if ideal else [])
  header = ["concept", "chance, d = 6"]
  for name, _ in columns:
    for depth in DEPTHS:
      header += [
        f"{name} n{100 * level:.0f}, d = {depth}" for level in (0.5, 0.9)
      ]
  header += ["model's smoothed n50", "10-90% width"]
  found = [
    thresholds.settled(one.curves[place], lengths, level)
    for _, one in columns
    for place in range(len(DEPTHS))
    for level in (0.5, 0.9)
  ]
  widths = tree_claims.widths(model.curves[-1], lengths)
  rows = []
  for place, name in enumerate(coins.TREE_CONCEPTS):
    # Curves ripple with the phase.
    smooth = thresholds.window_average(
      model.curves[-1, place : place + 1], lengths, len(name)
    )
    crossing = float(thresholds.crossing(*smooth)[0])
    rows.append(
      (
        name,
        f"{concepts.chance(name, DEPTHS[-1]):.3f}",
        *(_flips(values[place]) for values in found),
        "never" if np.isnan(crossing) else f"{crossing:.1f}",
        "-" if np.isnan(widths[place]) else f"{widths[place]:.1f}",
      )
    )
  return recipe.Table(
    "Flips until a concept is expected to go on", tuple(header), tuple(rows)
  )


def _flips(value: float) -> str:
  return "never" if np.isnan(value) else f"{value:.0f}"


def _measurements(lengths, model, random, ideal) -> xr.Dataset:
  dims = ("depth", "concept", "length")
  kept = {"model": model, "random_weights": random} | (
    {"exact": ideal} if ideal is not None else {}
  )
  data = {}
  for name, one in kept.items():
    data[f"{name}_concept_probability"] = (dims, one.curves)
    data[f"{name}_tails"] = (("length", "path"), one.tails)
  paths = ["".join(map(str, path)) for path in concepts.paths(max(DEPTHS))]
  return xr.Dataset(
    data,
    {
      "depth": list(DEPTHS),
      "concept": list(coins.TREE_CONCEPTS),
      "length": lengths,
      "path": paths,
    },
    {"drawn": DRAWN},
  )


_FIGURES = (
  recipe.Figure(
    "by_concept.png",
    "Each panel is a word of flips that is repeated (0 = Heads, 1 = Tails). The"
    " lines show how probable it is, after n flips, that the next d = 4 or 6"
    " flips go on repeating the word, whatever the phase; dotted: fair flips.",
    "Concept probability against flips seen, one panel per concept.",
  ),
  recipe.Figure(
    "overall.png",
    "Left: the mean over all concepts with a 95% interval over concepts, at"
    " d = 6. Right: the number of flips from which the concept is expected with"
    " probability .5 (n50) and .9 (n90) to the end, concept by concept; a"
    " missing mark means never.",
    "Mean concept probability, and n50 and n90 by concept.",
  ),
  recipe.Figure(
    "predictive_trees.png",
    f"What may come after n flips of {DRAWN} repeated, six flips deep. Every"
    " fork goes up to Heads (pink, solid) and down to Tails (light blue,"
    " dashed); the wider an edge, the more probable is the path that ends in"
    " it. Dots mark the paths on which the concept goes on, from any phase. At"
    " first all paths are alike; later a single one is thick.",
    "Trees of next flips after growing contexts.",
  ),
)
_NOTES = (
  "Concept probability pools all phases: chance is not zero, and a model that"
  " goes on in a wrong phase counts as well.",
  "Probabilities of Heads and Tails are divided by their sum; the mass that"
  " both together had is among the numbers.",
  "The released code of the paper has no transition statistic; n50, n90, widths"
  " and the shape test are this project's.",
  "A steep curve does not tell selection from averaging: see the recipe on"
  " selection.",
  over_concepts.NOTE,
  first_letter.NOTE,
)

RECIPE = recipe.Recipe(
  "trees",
  "Repeating a concept",
  "Does generation switch from random-looking flips to repeating a pattern?",
  "arXiv 2310.17639, figure 8",
  run,
)
