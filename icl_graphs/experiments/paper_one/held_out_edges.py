"""Edges of the graph that the walk never takes: does the model expect them?

Every walk is on the 4x4 grid without a few random edges, with words of its own
on the nodes. What the model expects of a held-out edge is compared with pairs
that are no edges but look alike from the walk; see `analysis.unwalked`.
"""

import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from icl_graphs.analysis import unwalked
from icl_graphs.engine import forward
from icl_graphs.experiments import recipe
from icl_graphs.experiments.paper_one import estimates
from icl_graphs.report.paper_one import held_out_edges as figures
from icl_graphs.tasks import graph_edits, mixed_walks, prompts, walks

_text = estimates.fixed

SPEC, HELD = "grid:4x4", 3
STATS = ("value", "low", "high", "null", "null_low", "null_high")

CLAIMS = GAIN, BEYOND = (
  (
    "Edges that exist but were never walked are expected more than pairs that"
    " are no edges (one public study of GPT-4.1 found 4 of 112).",
    "Second half of the context: mean log-probability of held-out edges less"
    " that of matched non-edges (same place, distance and degree in the walked"
    " graph); 95% interval over sets above 0, and above the 97.5% limit of"
    " matched nodes that are called held out at random.",
  ),
  (
    "What is expected of held-out edges goes beyond the walked graph's"
    " multi-step structure.",
    "Least squares over all pairs never walked, on distance, degrees and"
    " multi-step reach: the coefficient of being a held-out edge has a 95%"
    " interval over sets above 0.",
  ),
)

NOTES = (
  "A Bayesian reader of observed steps is at 0 by construction: all words that"
  " never followed the current one are alike to it.",
  "Ends of a held-out edge of a grid are three steps apart along at most two"
  " shortest paths; other pairs at that distance have up to three. Matching on"
  " distance and degree leaves that difference in, the second claim takes it"
  " out.",
)

FIGURES = (
  recipe.Figure(
    "held_out_edges.png",
    "What the model expects of pairs of words that no step of the walk joined,"
    " by their distance in the walked graph, and of the edges that were held"
    " out; walked edges for scale. Right: the gain of held-out edges over"
    " matched non-edges with its 95% interval, the same of a reader who mixes"
    " steps of several lengths, and (grey) chance.",
    "Dots of probabilities by distance, and gains with intervals.",
  ),
)


def reduce_step(plan: forward.Plan, params, fixed, rows, valid):
  """Expectations summed over the visits of every node in the second half.

  Args:
    plan: of a pass; its class sums are not used.
    params: of the model.
    fixed: (tables [M, n, K] of the sets, seed).
    rows: [B] int32, walk i is on the graph of set i.
    valid: rows that count.

  Returns:
    (nothing, (mass [B, n, n], logs [B, n, n], visits [B, n])).
  """
  table, seed = fixed
  table = jax.tree.map(lambda leaf: leaf[rows], table)
  nodes = walks.sample_walks(table, seed, rows, length=plan.words)
  batch = prompts.assemble(plan.layout, nodes)
  _, nodes, log_probs = forward.read(plan, params, batch, rows, valid)
  n = log_probs.shape[-1]
  late = jnp.arange(plan.words) >= plan.words // 2
  here = jax.nn.one_hot(nodes, n) * late[None, :, None].astype(jnp.float32)

  def summed(values):
    return jnp.einsum(
      "bti,btk->bik", here, values, precision=jax.lax.Precision.HIGHEST
    )

  return (), (summed(jnp.exp(log_probs)), summed(log_probs), here.sum(axis=1))


def run(subject, folder: pathlib.Path) -> recipe.Outcome:
  """Reads one walk per set, matches, tests, draws and judges."""
  settings, length = subject.settings, subject.context
  plan, graph = subject.plan(
    SPEC,
    contexts=(length,),
    windows=(length,),
    mode="walk",
    layers=(0,),
    report_layer=None,
    report_window=None,
    accuracy=True,
  )
  # One walk each: what counts is how many edges are held out.
  sets = 2 * settings.walks
  rng = np.random.default_rng(settings.seed)
  made = []
  for m in range(sets):
    whole = graph_edits.relabelled(graph, rng.permutation(graph.n))
    made.append((whole, *graph_edits.held_out(whole, HELD, settings.seed + m)))
  full = np.stack([whole.adjacency for whole, _, _ in made])
  walked = np.stack([left.adjacency for _, left, _ in made])
  edges = np.stack([gone for *_, gone in made])
  table = mixed_walks.tables([left for _, left, _ in made])
  _, (mass, logs, visits) = subject.evaluate(
    "held_out_edges",
    functools.partial(reduce_step, plan),
    np.arange(sets, dtype=np.int32),
    (table, np.uint32(settings.seed)),
    words=length,
  )
  mass, logs, visits = (x.astype(np.float64) for x in (mass, logs, visits))
  pairs = unwalked.matched(walked, full, edges)
  options = {"resamples": max(1000, settings.resamples), "seed": settings.seed}
  found = unwalked.tested(logs, visits, pairs, **options)
  reach = np.stack([unwalked.log_reach(one) for one in walked])
  reader = unwalked.tested(reach * visits[..., None], visits, pairs, **options)
  left = unwalked.adjusted(logs, visits, walked, full, **options)
  by_distance = unwalked.by_distance(mass, visits, walked, full, **options)
  numbers = {
    "gain": _entry(found),
    "gain_of_multi_step_reader": _entry(reader),
    "gain_of_bayes_on_observed_edges": 0.0,
    "adjusted_gain": _entry(left),
    "sets": sets,
    "held_out_edges": int(edges.shape[0] * edges.shape[1]),
    "matched_pairs": len(pairs.held),
    "context": length,
  } | {f"probability_{name}": _entry(x) for name, x in by_distance.items()}
  figures.held_out(folder / FIGURES[0].file, by_distance, found, reader, left)
  return recipe.Outcome(
    claims=_claims(found, reader, left),
    numbers=numbers,
    figures=FIGURES,
    tables=(_table(by_distance),),
    measurements=_dataset(mass, logs, visits, walked, full),
    notes=NOTES,
  )


def _claims(found, reader, left):
  shown = found.low > 0 and found.value > found.null_high
  return (
    recipe.Claim(
      *GAIN,
      recipe.verdict(shown, found.high < 0 or found.value <= found.null_high),
      f"Gain {_text(found)} nats (a factor of {np.exp(found.value):.2f});"
      f" chance {found.null_low:.2f} to {found.null_high:.2f}; a reader of"
      f" observed steps 0; a reader of multi-step reach {_text(reader)}.",
    ),
    recipe.Claim(
      *BEYOND,
      recipe.verdict(left[1] > 0, left[2] < 0 or left[1] <= 0 <= left[2]),
      f"Coefficient {_text(left)} nats.",
    ),
  )


def _entry(stat) -> dict[str, float | None]:
  return {
    key: float(value) if np.isfinite(value) else None
    for key, value in zip(STATS, stat, strict=False)
  }


def _table(by_distance) -> recipe.Table:
  return recipe.Table(
    "Probability of a word at the second half of the context",
    ("pairs", "probability [95% interval]"),
    tuple(
      (name.replace("_", " "), f"{x[0]:.4f} [{x[1]:.4f}, {x[2]:.4f}]")
      for name, x in by_distance.items()
    ),
  )


def _dataset(mass, logs, visits, walked, full) -> xr.Dataset:
  pair = ("set", "node", "other")
  return xr.Dataset(
    {
      "mass": (pair, mass),
      "log_mass": (pair, logs),
      "visits": (("set", "node"), visits),
      "walked": (pair, walked),
      "graph": (pair, full),
    },
    attrs={"graph_spec": SPEC, "held_out_per_set": HELD},
  )


RECIPE = recipe.Recipe(
  name="held_out_edges",
  title="Edges that were never walked",
  question=(
    "Does the model expect an edge of the graph that the walk never took, more"
    " than a pair that is none?"
  ),
  source="own extension; the specification's section 8",
  run=run,
)
