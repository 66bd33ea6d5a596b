"""Distances of activations and of behaviour, with nulls and intervals."""

from jaxtyping import Float, Shaped
import numpy as np
import xarray as xr

from icl_graphs.analysis import behaviour, distances, nulls
from icl_graphs.analysis import gram as gram_lib

NEIGHBOURS = 4
PERMUTATIONS = 1000
# Activations against behaviour; the last within pairs at one distance in the
# graph.
MEASURES = ("straight", "geodesic", "mixed", "beyond")
STATS = ("value", "low", "high", "null", "null_sd", "null_high")


def correlate(
  gram: Float[np.ndarray, "L1 C G n G n"],
  probs: Float[np.ndarray, "C G n n"],
  count: Shaped[np.ndarray, "C G n"],
  adjacency: Float[np.ndarray, "n n"],
  *,
  layer: int,
  resamples: int,
  seed: int,
) -> xr.Dataset:
  """Correlations over pairs of nodes, after arXiv 2605.05115.

  Measures: `straight` lines; `geodesic` ways on both sides; `mixed`, geodesic
  ways between activations and Hellinger distances; `beyond`, straight lines
  among pairs of nodes at one distance in the graph.

  Args:
    gram: inner products of class sums of activations.
    probs: sums of next-node distributions per current node.
    count: terms in both.
    adjacency: of the graph.
    layer: the report layer; at other layers only the last context is measured.
    resamples: of the groups.
    seed: of all draws.

  Returns:
    `correlation` (layer, context, measure, stat of `STATS`), where the null is
    that of relabelled nodes; `gain` (layer, context, limit), geodesic minus
    straight; at the last context `probs` (node, next), `hellinger`, `ideal`
    (that of a perfect predictor), `steps` and, at the report layer,
    `activation` (node, node_) distances; `follows_graph` and `follows_ideal`,
    how `hellinger` correlates with `steps` and `ideal`.
  """
  layers, contexts, groups, nodes = gram.shape[:4]
  weights = np.concatenate(
    [np.ones((1, groups)), nulls.bootstrap_weights(groups, resamples, seed)]
  )
  labels = nulls.permutations(nodes, PERMUTATIONS, seed)
  steps = distances.hops(adjacency)
  neighbours = min(NEIGHBOURS, nodes - 1)
  table = np.full((layers, contexts, len(MEASURES), len(STATS)), np.nan)
  gain = np.full((layers, contexts, 3), np.nan)
  for c in range(contexts):
    terms = np.tensordot(weights, count[c], 1)[..., None]
    mean = np.tensordot(weights, probs[c], 1)
    predicted = behaviour.hellinger(mean / np.where(terms > 0, terms, np.nan))
    along = behaviour.geodesics(predicted, neighbours).lengths
    for k in range(layers):
      if k != layer and c != contexts - 1:
        continue
      pooled, _ = gram_lib.pooled(gram[k, c], count[c], weights)
      apart = behaviour.straight(pooled)
      ways = behaviour.geodesics(apart, neighbours).lengths
      sides = {
        "straight": (apart, predicted, None),
        "geodesic": (ways, along, None),
        "mixed": (ways, predicted, None),
        "beyond": (apart, predicted, steps),
      }
      found = {}
      for m, (name, (one, other, strata)) in enumerate(sides.items()):
        found[name] = behaviour.agreement(one, other, strata)
        chance = behaviour.agreement(
          one[0], behaviour.relabelled(other[0], labels), strata
        )
        table[k, c, m] = (
          *_interval(found[name], groups),
          *(chance.mean(), chance.std(), nulls.limits(chance)[1]),
        )
      gain[k, c] = _interval(found["geodesic"] - found["straight"], groups)
  row = adjacency / adjacency.sum(axis=1, keepdims=True)
  at_end = xr.Dataset(
    {
      "correlation": (("layer", "context", "measure", "stat"), table),
      "gain": (("layer", "context", "limit"), gain),
      "probs": (("node", "next"), mean[0] / terms[0]),
      "hellinger": (("node", "node_"), predicted[0]),
      "ideal": (("node", "node_"), behaviour.hellinger(row)),
      "steps": (("node", "node_"), steps),
    },
    coords={
      "layer": np.arange(layers),
      "measure": list(MEASURES),
      "stat": list(STATS),
      "limit": list(STATS[:3]),
    },
  )
  last, _ = gram_lib.pooled(gram[layer, -1], count[-1])
  at_end["activation"] = (("node", "node_"), behaviour.straight(last))
  for name, other in (("follows_graph", steps), ("follows_ideal", "ideal")):
    other = at_end[other].values if isinstance(other, str) else other
    at_end[name] = float(behaviour.agreement(predicted[0], other))
  return at_end


def _interval(values, groups):
  limits = nulls.interval(values[0], values[1:], groups, bounds=(-2.0, 2.0))
  return (values[0], *limits)
