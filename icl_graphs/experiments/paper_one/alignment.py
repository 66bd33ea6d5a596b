"""Principal components of the words against the smoothest modes of the graph.

arXiv 2501.00070, theorem 5.1: where the energy is minimal, the first components
are the eigenvectors of the graph's Laplacian that belong to its smallest
eigenvalues. Where those are tied, only whole eigenspaces can be compared.
"""

import pathlib

import numpy as np
import xarray as xr

from icl_graphs import errors
from icl_graphs.analysis import eigenspace_alignment, pca, spectrum
from icl_graphs.analysis import gram as gram_lib
from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_one import alignment_claims, paper_graphs
from icl_graphs.report import view
from icl_graphs.report.paper_one import drawing
from icl_graphs.report.paper_one import spectral_alignment as figures

OTHERS = ("grid:3x3", "grid:5x5", "ring:12", "line:16", "torus:4x4")
COMPONENTS, DRAWS = 4, 1000


def run(subject, folder: pathlib.Path) -> recipe.Outcome:
  """Observes all graphs, compares components with modes and judges."""
  ones, notes = _observe(subject)
  matches = {
    spec: match(one, subject.settings.seed) for spec, one in ones.items()
  }
  made = []
  file = "alignment.png"
  if drawing.write(folder / file, figures.by_layer, list(ones.values())):
    made.append(
      recipe.Figure(
        file,
        "Does the picture of the words (their first two principal components) "
        "lie in the two smoothest modes of the graph, as it would at the "
        "minimum of the energy? 1: fully. Bold: better than all but 2.5% of "
        "relabelled words. Right: the same architecture with random weights.",
        "Heat maps of the smaller principal cosine by graph and layer.",
      )
    )
  file = "alignment_modes.png"
  shares = {spec: share(one) for spec, one in ones.items()}
  if drawing.write(
    folder / file, figures.by_space, shares, subject.report_layer
  ):
    made.append(
      recipe.Figure(
        file,
        "Where each principal component lies among the modes of the graph, "
        "from smooth (left) to rough (right): at the minimum of the energy the "
        "first components would stand in the leftmost columns.",
        "Shares of four components in the eigenspaces of eight graphs.",
      )
    )
  return recipe.Outcome(
    claims=alignment_claims.claims(ones, matches),
    numbers=alignment_claims.numbers(ones, matches),
    figures=tuple(made),
    tables=alignment_claims.tables(ones, matches),
    measurements=_measurements(ones, matches),
    notes=(*notes, *alignment_claims.NOTES),
  )


def _observe(subject):
  asked, notes = paper_graphs.possible(subject)
  for spec in OTHERS:
    # The last context only.
    changed = {
      "contexts": (subject.context,),
      "windows": (subject.report_window,),
    }
    if spec.startswith("ring") and paper_graphs.RING in asked:
      ring = asked[paper_graphs.RING]
      changed |= {key: ring[key] for key in ring if key != "contexts"}
    try:
      subject.plan(spec, **changed)
    except errors.InputError as error:
      notes += (f"{spec} is left out: {str(error).splitlines()[0]}.",)
      continue
    asked[spec] = changed
  return paper_graphs.observe(subject, asked), notes


def _last(one: view.GraphView, layer: int):
  """Class sums of one layer at the report window and last context."""
  raw = one.dataset.isel(window=one.window, context=one.context)
  gram = raw["gram"].isel(layer=layer)
  return (
    gram.transpose("group", "node", "group_", "node_").values,
    raw["count"].transpose("group", "node").values,
  )


def match(one: view.GraphView, seed: int) -> eigenspace_alignment.Matched:
  """Components 1 and 2 against z2 and z3, every layer: [L, 2] each."""
  modes = spectrum.laplacian_modes(one.adjacency)
  found = [
    eigenspace_alignment.matched(*_last(one, layer), modes, 2, DRAWS, seed)
    for layer in range(one.size("layer"))
  ]
  return eigenspace_alignment.Matched(*map(np.stack, zip(*found, strict=True)))


def share(one: view.GraphView) -> figures.Shares:
  """In which eigenspaces the components of the report layer lie."""
  modes = spectrum.laplacian_modes(one.adjacency)
  gram, _ = gram_lib.pooled(*_last(one, one.layer))
  spaces = np.arange(1, modes.space[-1] + 1)
  first = np.searchsorted(modes.space, spaces)
  return figures.Shares(
    eigenspace_alignment.by_space(pca.axes(gram).vectors, modes, COMPONENTS),
    modes.values[first],
    np.bincount(modes.space)[1:],
  )


def _measurements(ones, matches) -> xr.DataTree:
  kept = ["principal_cosine_1", "principal_cosine_2", "laplacian_power"]
  tree = {}
  for spec, one in ones.items():
    at = {"window": one.window, "context": one.context}
    own = one.dataset[kept].isel(at)
    for name, part in zip(
      eigenspace_alignment.Matched._fields, matches[spec], strict=True
    ):
      own[f"vector_cosine_{name}"] = (("layer", "pair"), part)
    tree[spec] = own
    tree[f"{spec}/random_weights"] = one.control.dataset[kept].isel(at)
  return xr.DataTree.from_dict(tree)


RECIPE = recipe.Recipe(
  name="alignment",
  title="Components and modes of the graph",
  question=(
    "Are the first principal components the smoothest modes of the graph?"
  ),
  source="arXiv 2501.00070, theorem 5.1",
  run=run,
)
