"""Are nodes near one another that the model continues alike?"""

import functools
import pathlib

import numpy as np
import xarray as xr

from icl_graphs.analysis import behaviour_agreement
from icl_graphs.analysis import gram as gram_lib
from icl_graphs.engine import forward
from icl_graphs.experiments import graph_subject, recipe
from icl_graphs.probes import class_sums, next_node
from icl_graphs.report.paper_one import behaviour as figure

GRID, CYLINDER, LARGE_CYLINDER = "grid:5x5", "cylinder:5x5", "cylinder:9x9"
# Words that a walk needs to know the 81 nodes of the paper's cylinder.
_WORDS_OF_LARGE = 1000
CONTEXTS = 5
PUBLISHED = {
  ("grid", "straight"): 0.90,
  ("grid", "geodesic"): 0.99,
  ("cylinder", "straight"): 0.81,
  ("cylinder", "geodesic"): 0.99,
}

_CLAIMS = {
  "straight": (
    "Distances between activations follow distances between predictions.",
    "at the report layer and the longest context, on both graphs, the interval"
    " of their correlation lies above what 97.5% of relabellings of the nodes"
    " reach (Mantel test)",
  ),
  "geodesic": (
    "They do so better along the surface on which the activations lie than in a"
    " straight line.",
    "there, on both graphs, the correlation of geodesic distances exceeds that"
    " of straight lines (interval of the paired difference above 0)",
  ),
  "beyond": (
    "Activations follow predictions beyond what both owe to the distance in the"
    " graph.",
    "there, on both graphs, the interval of the correlation among pairs of"
    " nodes at one distance lies above what 97.5% of relabellings reach (our"
    " control, not a claim of the paper)",
  ),
}


def measure(subject: graph_subject.GraphSubject, spec: str) -> xr.Dataset:
  """Reads walks on one graph; see `behaviour_agreement.correlate`."""
  settings, length = subject.settings, subject.context
  window = min(subject.report_window, length)
  contexts = class_sums.log_spaced_contexts(length, CONTEXTS, window)
  plan, graph = subject.plan(spec, contexts=contexts, windows=(window,))
  index = np.arange(settings.walks, dtype=np.int32)
  batch = forward.sample(plan, forward.task(graph, settings.seed), index)
  sums, _ = subject.evaluate(
    f"behaviour {spec}",
    functools.partial(
      next_node.step,
      subject.decoder,
      plan.sums,
      plan.layout.node_token_ids,
    ),
    {
      "tokens": np.asarray(batch.tokens),
      "nodes": np.asarray(batch.nodes),
      "group": index % plan.sums.num_groups,
    },
    words=length,
  )
  # Layer by layer the sums are of a size that float64 affords.
  products = [
    gram_lib.from_sums(class_sums.windowed(plan.sums, one, axis=0)[0])
    for one in sums.hidden
  ]
  ds = behaviour_agreement.correlate(
    np.stack(products),
    class_sums.windowed(plan.sums, sums.probs, axis=0)[0],
    class_sums.windowed(plan.sums, sums.count, axis=0)[0],
    np.asarray(graph.adjacency),
    layer=subject.report_layer,
    resamples=settings.resamples,
    seed=settings.seed,
  )
  return ds.assign_coords(context=list(contexts), node=list(plan.layout.words))


def run(
  subject: graph_subject.GraphSubject, folder: pathlib.Path
) -> recipe.Outcome:
  """See `recipe.Recipe`."""
  layer = subject.report_layer
  cylinder = LARGE_CYLINDER if subject.context >= _WORDS_OF_LARGE else CYLINDER
  found = {spec: measure(subject, spec) for spec in (GRID, cylinder)}
  figure.draw(folder / "behaviour.png", found, layer)
  numbers = {}
  for spec, ds in found.items():
    here = ds.sel(layer=layer).isel(context=-1)
    for name in behaviour_agreement.MEASURES:
      values = here.correlation.sel(measure=name).values
      numbers[f"{name} {spec}"] = dict(
        zip(behaviour_agreement.STATS, map(float, values), strict=True)
      )
    numbers[f"gain {spec}"] = dict(
      zip(
        behaviour_agreement.STATS[:3], map(float, here.gain.values), strict=True
      )
    )
    for name in ("follows_graph", "follows_ideal"):
      numbers[f"{name} {spec}"] = float(ds[name])
  context = int(found[GRID].context[-1])
  return recipe.Outcome(
    claims=_claims(numbers, found, layer, context),
    numbers=numbers,
    figures=(
      recipe.Figure(
        "behaviour.png",
        "Every dot is a pair of nodes. Across: how differently the model"
        " continues after the two words (Hellinger distance between the mean"
        " next-node distributions, 1 = nothing in common). Up: how far apart"
        " its activations for them are. Dark dots are pairs that are near in"
        " the graph. Right: the correlation of the two at every hidden state,"
        " in straight lines, along neighbour graphs, and among pairs at one"
        " distance in the graph; bands are 95% intervals over groups of walks,"
        " the dotted line is what 97.5% of relabellings stay below.",
        "Activation distance against Hellinger distance for all pairs of"
        " nodes, and their correlation by hidden state.",
      ),
    ),
    tables=(_table(numbers, found, layer),),
    measurements=xr.DataTree.from_dict(
      {spec.replace(":", "_"): ds for spec, ds in found.items()}
    ),
    notes=(
      "Published correlations are those of the authors, on their model and"
      " with manifolds fitted by them; our geodesics are shortest ways along a"
      f" graph of {behaviour_agreement.NEIGHBOURS} or more nearest neighbours,"
      " on both sides.",
      "Predictions are computed from the last hidden state, so that some"
      " agreement there is arithmetic; earlier hidden states say more.",
      "Intervals are about other walks with the same words on the same nodes.",
      "On a bipartite graph a perfect predictor continues nodes of the two"
      " sides without overlap, so that Hellinger distances mostly tell the"
      " sides apart.",
    ),
  )


def _claims(numbers, found, layer, context):
  claims = []
  for name, claim in _CLAIMS.items():
    shown, parts = True, []
    for spec in found:
      entry = numbers[f"{name} {spec}"]
      text = f"{spec} {_text(entry)}"
      if name == "geodesic":
        difference = numbers[f"gain {spec}"]
        held = difference["low"] > 0
        text += f", minus straight {_text(difference)}"
      else:
        held = entry["low"] > entry["null_high"]
        text += f" (relabelled up to {entry['null_high']:.2f})"
      shown &= bool(held)
      parts.append(text)
    known = all(np.isfinite(numbers[f"{name} {spec}"]["low"]) for spec in found)
    verdict = recipe.SHOWN if shown else recipe.NOT_SHOWN
    claims.append(
      recipe.Claim(
        *claim,
        verdict if known else recipe.CANNOT_TELL,
        f"hidden state {layer}, {context} words: {'; '.join(parts)}.",
      )
    )
  return tuple(claims)


def _text(entry):
  return "{value:.2f} [{low:.2f}, {high:.2f}]".format(**entry)


def _table(numbers, found, layer):
  titles = {
    "straight": "straight lines",
    "geodesic": "geodesics on both sides",
    "mixed": "geodesic activations, straight Hellinger",
    "beyond": "straight lines, pairs at one graph distance",
  }
  rows = []
  for spec in found:
    family = spec.split(":")[0]
    for name, title in titles.items():
      entry = numbers[f"{name} {spec}"]
      published = PUBLISHED.get((family, name))
      rows.append(
        (
          *(spec, title, _text(entry)),
          f"{entry['null']:.2f} ± {entry['null_sd']:.2f}",
          f"{published:.2f}" if published else "",
        )
      )
  return recipe.Table(
    f"Correlation of activation and behaviour distances, hidden state {layer}",
    (
      "graph",
      "distances",
      "this model",
      "relabelled",
      "published by 2605.05115",
    ),
    tuple(rows),
  )


RECIPE = recipe.Recipe(
  name="behaviour_geometry",
  title="Behaviour geometry",
  question="Are nodes near one another that the model continues alike?",
  source="Wurgaft et al., arXiv 2605.05115",
  run=run,
)
