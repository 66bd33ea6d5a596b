"""Taking the graph's directions out of the hidden states.

Subspaces of the class means (the plane of the graph's smoothest modes, parity,
every eigenspace, principal components, all of them, all but them) are removed
at every word, at one hidden state or from there on, beside random subspaces.

Legend: R rows (condition and walk), S conditions, G groups of walks, L layers,
n nodes, D width.
"""

import functools
import pathlib

import jax.numpy as jnp
import numpy as np
import xarray as xr

from icl_graphs import errors
from icl_graphs.analysis import accuracy, geometry, gram, spectrum, subspaces
from icl_graphs.experiments import graph_subject, recipe
from icl_graphs.experiments.paper_one import class_means, subspaces_verdicts
from icl_graphs.experiments.paper_one import subspaces_conditions as kinds
from icl_graphs.models import decoder
from icl_graphs.probes import edits, readout
from icl_graphs.report.paper_one import subspaces as figures
from icl_graphs.tasks import prompts

SPEC = "grid:4x4"
MEANS_WALKS, SAMPLES = 64, 4
LEAST_WALKS, GROUPS = 10, 5
READOUTS = ("accuracy_full", "node_mass", "accuracy_restricted")


def run(
  subject: graph_subject.GraphSubject, folder: pathlib.Path
) -> recipe.Outcome:
  """Estimates the subspaces on some walks and ablates them on others.

  Raises:
    InputError: hidden states have fewer dimensions than the graph has nodes.
  """
  plan, graph = subject.plan(SPEC)
  if plan.decoder.hidden_size < 2 * graph.n:
    raise errors.InputError(
      f"hidden states of {plan.decoder.hidden_size} dimensions leave no room "
      f"beside the class means of {graph.n} nodes; take a wider model"
    )
  walks = max(LEAST_WALKS, subject.settings.walks // 24)
  window = plan.words // 2
  means, samples = class_means.estimate(
    *(subject, "class means", plan, graph),
    **{"first": walks, "count": MEANS_WALKS},
    **{"window": window, "samples": SAMPLES},
  )
  frame = geometry.frame(graph.adjacency)
  targets = subspaces.of_graph(means, frame)
  samples = np.moveaxis(samples, 2, 1).reshape(-1, *means.shape[::2])
  bank = kinds.Bank(means, samples, targets)
  conditions = kinds.make(
    targets, subject.report_layer, plan.decoder.num_layers
  )
  nodes = class_means.sample(
    graph, subject.settings.seed, np.arange(walks), plan
  )
  walk = np.tile(np.arange(walks, dtype=np.int32), len(conditions))
  arrays = kinds.as_arrays(conditions, bank)
  linked = np.asarray(graph.adjacency) > 0
  sums, per_row = subject.evaluate(
    "ablation of subspaces",
    functools.partial(_step, plan.decoder, plan.layout, window),
    {
      "condition": np.repeat(np.arange(len(conditions), dtype=np.int32), walks),
      "walk": walk,
    },
    {"arrays": arrays, "nodes": nodes, "edges": linked},
    words=plan.words,
  )
  measured = _measured(conditions, bank, frame, sums, per_row, walks)
  measured.attrs |= {
    "graph": graph.spec,
    "report_layer": subject.report_layer,
    "layers": plan.decoder.num_layers,
    "seed": subject.settings.seed,
    "window": window,
    "chance": float((linked.sum(1) ** 2).sum() / linked.sum() / graph.n),
  }
  return subspaces_verdicts.outcome(measured, figures.write(measured, folder))


def _step(config, layout, window, params, fixed, rows, valid):
  """Readouts of the last fifth; class sums of the last hidden state."""
  arrays = fixed["arrays"]
  batch = prompts.assemble(
    layout, jnp.take(fixed["nodes"], rows["walk"], axis=0)
  )
  condition = rows["condition"]
  basis = jnp.take(
    arrays.bank, jnp.take(arrays.select, condition, axis=0), axis=1
  )
  weight = jnp.take(arrays.weight, condition, axis=0)
  made = edits.Edits(
    at=batch.nodes >= 0,
    basis=basis * jnp.moveaxis(weight, 0, 1)[..., None],
    centre=arrays.centre[:, None],
    keep=jnp.take(arrays.keep, condition, axis=0).T,
  )
  every = jnp.arange(len(layout.words))[None, None]
  members = batch.nodes[:, -window:, None] == every
  members = members & valid[:, None, None]

  def reduce(hidden):
    return jnp.einsum(
      "bsn,bsd->bnd",
      members.astype(hidden.dtype),
      hidden[:, -window:],
      precision="highest",
      preferred_element_type=jnp.float32,
    )

  final, hidden = edits.read(
    *(config, params, batch.tokens, made, reduce),
    observed=(config.num_layers,),
  )
  last = accuracy.last_fifth(batch.nodes.shape[1] - layout.offset)
  last = slice(last.start + layout.offset, last.stop + layout.offset)
  log_probs = readout.node_log_probs(
    final[:, last],
    decoder.unembedding(params, config),
    jnp.asarray(layout.node_token_ids, jnp.int32),
    softcap=config.logit_softcap,
    backend=config.backend,
  )
  scores = readout.score(
    log_probs, batch.nodes[:, last], batch.scored[:, last], fixed["edges"]
  )
  count = jnp.sum(members.astype(jnp.float32), axis=1)
  places = (condition, rows["walk"] % GROUPS)
  empty = (len(arrays.select), GROUPS)

  def gathered(values):
    return jnp.zeros((*empty, *values.shape[1:])).at[places].add(values)

  return {"hidden": gathered(hidden[0]), "count": gathered(count)}, jnp.stack(
    [
      jnp.mean(scores.accuracy_full, axis=1),
      jnp.mean(scores.node_mass, axis=1),
      jnp.mean(scores.accuracy_full / scores.node_mass, axis=1),
    ],
    axis=1,
  )


def _measured(conditions, bank, frame, sums, per_row, walks) -> xr.Dataset:
  """Readouts per walk, and powers of the last hidden state per group."""
  readouts = per_row.reshape(len(conditions), walks, len(READOUTS))
  return xr.Dataset(
    {
      "per_walk": (("condition", "walk", "readout"), readouts),
      "removed": ("condition", [bank.removed(one) for one in conditions]),
      "power": (
        ("condition", "space"),
        _powers(sums["hidden"].sum(1), sums["count"].sum(1), frame),
      ),
      # Leaving out one group at a time.
      "power_without_group": (
        ("group", "condition", "space"),
        np.stack(
          [
            _powers(
              sums["hidden"].sum(1) - sums["hidden"][:, g],
              sums["count"].sum(1) - sums["count"][:, g],
              frame,
            )
            for g in range(GROUPS)
          ]
        ),
      ),
    },
    {
      "readout": list(READOUTS),
      "space": _spaces(frame),
      "flat": ("space", _flat(frame)),
      **{
        name: ("condition", [getattr(one, name) for one in conditions])
        for name in ("kind", "target", "rank", "start", "extent", "seed")
      },
    },
  )


def _spaces(frame: geometry.Frame) -> list[str]:
  """Names of the eigenspaces, then of parity."""
  values, space = frame.modes.values, frame.modes.space
  names = [
    f"eigenvalue {values[space == k][0]:.2f}" for k in range(1, space[-1] + 1)
  ]
  return [*names, *(["parity"] if frame.parity is not None else [])]


def _flat(frame: geometry.Frame) -> list[float]:
  """Power of every space when there is no structure."""
  sizes = np.bincount(frame.modes.space)[1:].tolist()
  parity = [1] if frame.parity is not None else []
  return [size / (len(frame.modes.values) - 1) for size in [*sizes, *parity]]


def _powers(sums, count, frame) -> np.ndarray:
  """[S, spaces] shares of the variance of the class means."""
  with np.errstate(divide="ignore", invalid="ignore"):
    means = np.asarray(sums, np.float64) / count[..., None]
  products = gram.from_rows(np.nan_to_num(means, nan=np.nan))
  modes = spectrum.power(products, frame.modes)
  space = frame.modes.space[1:]
  powers = [
    modes[..., space == k].sum(axis=-1) for k in range(1, space[-1] + 1)
  ]
  if frame.parity is not None:
    centred = gram.centre(products)
    powers.append(gram.inner(centred, frame.parity) / gram.variance(products))
  return np.stack(powers, axis=-1)


RECIPE = recipe.Recipe(
  name="subspaces",
  title="Taking the graph's directions out of the hidden states",
  question=(
    "Does the model use the directions in which its representations draw the "
    "graph?"
  ),
  source="Added to arXiv 2501.00070: what its pictures show, tested causally",
  run=run,
)
