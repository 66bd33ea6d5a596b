"""Pictures of the words taking the shape of the graph, and a test of them.

arXiv 2501.00070, figures 1 and 2 and the notebooks of its code.
"""

import pathlib

import numpy as np
import xarray as xr

from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_one import emergence_claims, paper_graphs
from icl_graphs.report import view
from icl_graphs.report.paper_one import animation, drawing
from icl_graphs.report.paper_one import emergence as figures

# Contexts around t whose accuracies are averaged: a factor of this each way.
NEARBY = 1.12
DECIMALS = 3


def run(subject, folder: pathlib.Path) -> recipe.Outcome:
  """Observes the paper's graphs, draws them and judges the pictures."""
  asked, notes = paper_graphs.possible(subject)
  ones = paper_graphs.observe(subject, asked)
  found = {spec: figures.states(one) for spec, one in ones.items()}
  return recipe.Outcome(
    claims=emergence_claims.claims(ones, found),
    numbers=emergence_claims.numbers(ones, found),
    figures=_draw(folder, ones),
    tables=tuple(
      emergence_claims.onsets(one, found[spec]) for spec, one in ones.items()
    ),
    measurements=_measurements(ones, found),
    notes=(*notes, *emergence_claims.NOTES),
    scene=tuple(scene(one) for one in ones.values()),
  )


def _draw(
  folder: pathlib.Path, ones: dict[str, view.GraphView]
) -> tuple[recipe.Figure, ...]:
  made = []

  def add(file, drawn, caption, alt):
    if drawn:
      made.append(recipe.Figure(file, caption, alt))

  file = "emergence.png"
  add(
    file,
    drawing.write(folder / file, figures.over_context, list(ones.values())),
    "Each dot is the mean representation of one word, drawn in the plane in "
    "which the words differ most; colours say where the word stands in the "
    "graph (left) and lines join its neighbours. Read from left to right: the "
    "model has read more and more words. The energy is the squared distance "
    "between neighbours over its average over all relabellings: 1 means no "
    "structure.",
    "Rows of pictures in which scattered words arrange themselves into a grid, "
    "a ring and a hexagonal lattice as the context grows.",
  )
  for spec, one in ones.items():
    for components in ((0, 1), (1, 2)):
      if components != (0, 1) and not spec.startswith("ring"):
        continue
      suffix = "" if components == (0, 1) else "_pc23"
      file = f"emergence_{one.slug}{suffix}.png"
      add(
        file,
        drawing.write(
          folder / file, figures.over_layers, one, components, fine=False
        ),
        _caption(spec, components),
        f"Pictures of {spec} at several layers (rows) and contexts (columns).",
      )
    file = f"emergence_{one.slug}.gif"
    add(
      file,
      animation.write(one, folder / file),
      f"{spec}: the same as the model reads on. Every frame is a measurement, "
      "nothing is interpolated; pictures are turned as wholes onto one another "
      "so that the eye can follow, which changes no distance in them.",
      f"Animation of {spec}: the words move into place as the context grows.",
    )
  return tuple(made)


def _caption(spec: str, components: tuple[int, int]) -> str:
  text = (
    f"{spec}: deeper layers above, longer contexts to the right. Colours say "
    "where a word stands in the graph. Pictures are turned as wholes onto one "
    "another (Procrustes, display only) and scaled to fill their frames."
  )
  if components == (0, 1):
    return text
  return (
    f"{text} Components 2 and 3, which the notebook of the paper shows for the "
    "ring; the components are those with most variance after the first."
  )


def _measurements(ones, found) -> xr.DataTree:
  """What the pictures show, of the model and of random weights."""
  kept = ["energy_relative", "principal_cosine_1", "principal_cosine_2"]
  kept += ["pca_scores", "explained_ratio", "adjacency", "position"]
  tree = {}
  for spec, one in ones.items():
    own = one.dataset[kept]
    own["state"] = (("layer", "context"), found[spec].astype(str))
    tree[spec] = own
    tree[f"{spec}/random_weights"] = one.control.dataset[kept]
  return xr.DataTree.from_dict(tree)


def scene(one: view.GraphView) -> dict:
  """One graph for the viewer of the page.

  Returns:
    `xy` [layer][context][n][2], turned and scaled to fill a square from -1 to
    1, None where a word is missing; `accuracy` per context (whole vocabulary);
    `energy`, the relative energy, `null_energy`, the lower limit of relabelled
    words (one-sided 2.5%), and `untrained_energy`, all [layer][context].
  """
  points = figures.turned(one)
  pictures = [[fitted(picture) for picture in row] for row in points]
  energy = one.stat("energy_relative")[:, one.window]
  limit = one.null_band("energy_relative")[0][:, one.window]
  untrained = one.control.stat("energy_relative")[:, one.window]
  return {
    "graph": one.spec,
    "words": one.words,
    "edges": [list(edge) for edge in one.edges],
    "positions": fitted(one.positions),
    "layers": one.labels("layer"),
    "contexts": one.labels("context"),
    "unit": one.unit,
    "window": one.labels("window")[one.window],
    "report_layer": one.labels("layer")[one.layer],
    "xy": pictures,
    "accuracy": nearby(one, "accuracy_full_mean"),
    "energy": rounded(energy),
    "null_energy": rounded(limit),
    "untrained_energy": rounded(untrained),
  }


def fitted(points: np.ndarray) -> list | None:
  """Points centred and scaled into the square from -1 to 1."""
  if not np.isfinite(points).all():
    return None
  low, high = points.min(axis=0), points.max(axis=0)
  side = (high - low).max() / 2 or 1.0
  return rounded((points - (low + high) / 2) / side)


def rounded(values: np.ndarray) -> list:
  """Nested lists of short floats, None where not finite."""
  values = np.asarray(values, np.float64)
  if values.ndim > 1:
    return [rounded(part) for part in values]
  return [
    round(float(value), DECIMALS) if np.isfinite(value) else None
    for value in values
  ]


def nearby(one: view.GraphView, name: str) -> list | None:
  """A curve along time at the contexts, averaged over similar lengths."""
  curve = one.curve(name)
  if curve is None:
    return None
  times = np.array(one.labels("time"))
  means = []
  for context in one.labels("context"):
    inside = (times >= context / NEARBY) & (times <= context * NEARBY)
    part = curve[inside & np.isfinite(curve)]
    means.append(part.mean() if part.size else np.nan)
  return rounded(np.array(means))


RECIPE = recipe.Recipe(
  name="emergence",
  title="The graph appears",
  question="Do the words take the shape of the graph as the context grows?",
  source="arXiv 2501.00070, figures 1 and 2",
  run=run,
)
