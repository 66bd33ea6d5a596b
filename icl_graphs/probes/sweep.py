"""Many sets of ablated heads at once, none of them computed twice.

Two configurations that leave a model alone up to some layer, or change it alike
up to there, compute the same numbers up to there. The configurations of a sweep
therefore form a tree: level l has one node for every different treatment of the
layers before l, and a layer is run once per node. What heads compute in a layer
is shared even by those that differ in this layer for the first time. Rows of
one batch are nodes x sequences, masks are data: programs depend on the numbers
of nodes only.

Legend: C configurations, L layers, N heads, H head size, U nodes of a level,
B sequences, T time, D width, F kinds of fill.
"""

from collections.abc import Callable
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree, Shaped
import numpy as np

from icl_graphs import errors
from icl_graphs.models import block as block_lib
from icl_graphs.models import config as config_lib
from icl_graphs.models import decoder, layers

# Loops over layers that a program has at most; see `stretches`.
_STRETCHES = 8


class Level(NamedTuple):
  """What becomes of a layer's head outputs on the way to the next level.

  Attributes:
    parent: node before the layer, of each of the U nodes after it.
    scale: as `edits.Edits.head_scale`.
    fill: which kind of fill takes an output's place.
  """

  parent: Int[Array, " U"]
  scale: Float[Array, "U N"]
  fill: Int[Array, " U"]


class Tree(NamedTuple):
  """A sweep, ready to be run.

  Attributes:
    levels: one per layer.
    ancestor: [L + 1, C] node of every configuration at hidden state k.
    fills: what takes the place of head outputs, by kind.
  """

  levels: tuple[Level, ...]
  ancestor: Int[Array, "L+1 C"]
  fills: Float[Array, "F L N H"]

  @property
  def work(self) -> float:
    """Layers run, as a share of those of all configurations one by one.

    The half of a layer before its head outputs counts as half of it.
    """
    before = [1, *(len(level.parent) for level in self.levels)]
    halves = sum(before[:-1]) + sum(before[1:])
    return halves / 2 / len(self.levels) / self.ancestor.shape[1]


def tree(
  scale: Shaped[np.ndarray, "C L N"],
  fill: Int[np.ndarray, " C"],
  fills: Float[np.ndarray, "F L N H"],
) -> Tree:
  """Finds what configurations share.

  Args:
    scale: 1 keeps a head, 0 takes its output away, by configuration.
    fill: kind of fill of each configuration.
    fills: by kind; all zero for zero ablation, mean outputs for mean ablation.

  Returns:
    Numpy arrays.

  Raises:
    errors.InputError: no configuration, or arrays that do not fit each other.
  """
  scale, fill = np.asarray(scale, np.float32), np.asarray(fill, np.int32)
  fills = np.asarray(fills, np.float32)
  if scale.ndim != 3 or not len(scale) or fill.shape != scale.shape[:1]:
    raise errors.InputError(
      f"a sweep needs scales [C, L, N] and C kinds of fill, not {scale.shape}"
      f" and {fill.shape}"
    )
  if fills.ndim != 4 or fills.shape[1:3] != scale.shape[1:]:
    raise errors.InputError(
      f"fills of shape {fills.shape} do not fit scales of shape {scale.shape};"
      " they need [F, L, N, H]"
    )
  if fill.min() < 0 or fill.max() >= len(fills):
    raise errors.InputError(
      f"configurations name fills {fill.min()} to {fill.max()}; there are"
      f" fills 0 to {len(fills) - 1}"
    )
  node = np.zeros(len(scale), np.int32)
  ancestor, levels = [node], []
  for layer in range(scale.shape[1]):
    here = scale[:, layer]
    # Where nothing is taken away, nothing takes its place.
    kind = np.where((here == 1).all(axis=1), 0, fill)
    key = np.column_stack([node, kind, here])
    _, first, after = np.unique(
      key, axis=0, return_index=True, return_inverse=True
    )
    levels.append(Level(node[first], here[first], kind[first]))
    node = after.reshape(-1).astype(np.int32)
    ancestor.append(node)
  return Tree(tuple(levels), np.stack(ancestor), fills)


def read(
  config: config_lib.DecoderConfig,
  params: decoder.Params,
  tokens: Int[Array, "B T"],
  sweep: Tree,
  finish: Callable[[Float[Array, "B T D"]], PyTree],
  observe: Callable[[Float[Array, "B T D"]], PyTree] | None = None,
  observed: tuple[int, ...] = (),
) -> tuple[PyTree, tuple[PyTree, ...]]:
  """Reads every sequence in every configuration; the numbers of `edits.read`.

  Args:
    config: of the model.
    params: of the model.
    tokens: ids.
    sweep: of `tree`, for this model.
    finish: reduces hidden states after the final norm; mapped over nodes.
    observe: reduces hidden states likewise.
    observed: which hidden states, 0 to L.

  Returns:
    What `finish` returned, and what `observe` returned of each observed hidden
    state, with a further leading axis C.
  """
  batch, time = tokens.shape
  hidden = _embedded(config, params, tokens)
  context = block_lib.Context(
    *block_lib.turns(config, jnp.arange(time), hidden.dtype, time), None, None
  )
  together = max(1, _tokens(config) // (batch * time))
  run = functools.partial(
    _layer,
    block_lib.Block(config),
    params["blocks"],
    context,
    jnp.asarray(sweep.fills),
    together,
  )
  norm = layers.Norm(config.norm)

  def of_all(reduce, nodes, k):
    """Reduced nodes, one for every configuration."""
    return jax.tree.map(
      lambda leaf: jnp.take(leaf, sweep.ancestor[k], axis=0),
      _over_nodes(reduce, nodes, together),
    )

  nodes = hidden[None]
  seen = [of_all(observe, nodes, 0)] if 0 in observed else []
  sizes = 1, *(len(level.parent) for level in sweep.levels)
  for start, stop in stretches(sizes, observed):
    nodes = _stretch(run, start, nodes, sweep.levels[start:stop])
    if stop in observed:
      seen.append(of_all(observe, nodes, stop))

  def end(hidden):
    return finish(norm.apply({"params": params["final_norm"]}, hidden))

  return of_all(end, nodes, len(sweep.levels)), tuple(seen)


def stretches(
  sizes: tuple[int, ...], borders: tuple[int, ...], most: int = _STRETCHES
) -> list[tuple[int, int]]:
  """Consecutive layers that become one loop, with the least padding.

  Layers of a loop have as many nodes as its last one. A loop per layer would
  need none, but take as long to compile as the model is deep.

  Args:
    sizes: nodes at hidden states 0 to L, ascending.
    borders: hidden states that no loop may pass.
    most: loops, unless the borders need more.

  Returns:
    (first layer, layer after the last one) of every loop.
  """
  best: dict[int, tuple[int, list[tuple[int, int]]]] = {0: (0, [])}
  for _ in range(max(most, len(borders) + 1)):
    longer = dict(best)
    for start, (cost, path) in best.items():
      for stop in range(start + 1, len(sizes)):
        if any(start < border < stop for border in borders):
          break
        total = cost + (stop - start) * (sizes[stop - 1] + sizes[stop])
        if stop not in longer or total < longer[stop][0]:
          longer[stop] = total, [*path, (start, stop)]
    best = longer
  return best[len(sizes) - 1][1]


def _stretch(run, start, nodes, levels):
  """Nodes [U, B, T, D] before some layers to those after them."""
  if len(levels) == 1:
    return run(nodes, levels[0], start)
  before, after = (len(level.parent) for level in levels[-2:])

  def padded(array):
    room = [(0, after - len(array))] + [(0, 0)] * (array.ndim - 1)
    return jnp.pad(array, room)

  stacked = jax.tree.map(
    lambda *leaves: jnp.stack([padded(leaf) for leaf in leaves]), *levels
  )
  nodes, _ = jax.lax.scan(
    lambda nodes, here: (run(nodes[:before], *here), None),
    padded(nodes),
    (stacked, jnp.arange(start, start + len(levels))),
  )
  return nodes


def _tokens(config):
  """How many a step takes: what a CPU's caches hold, what fills others."""
  return 2**10 if config.backend == "cpu" else 2**16


def _embedded(config, params, tokens):
  """Hidden state 0."""
  _, (embedded,) = decoder.Decoder(config, (0,)).apply(
    {"params": params}, tokens, lambda hidden: hidden
  )
  return embedded


def _layer(block, stacked, context, fills, together, nodes, level, layer):
  """Nodes [U, B, T, D] of one level to those of the next one."""
  sliding = jnp.array(
    block.config.sliding or (False,) * block.config.num_layers
  )
  params = {"params": jax.tree.map(lambda leaf: leaf[layer], stacked)}
  fills = fills[:, layer]

  def mix(hidden):
    mixing, _ = block.apply(
      params, hidden, sliding[layer], context, method=block_lib.Block.mix
    )
    return mixing.mixed

  mixed = _over_nodes(mix, nodes, together)

  def write(level):
    here = _ablated(mixed[level.parent], level.scale, fills[level.fill])
    before = nodes[level.parent]
    return block.apply(params, before, here, method=block_lib.Block.write)

  return _over_nodes(write, level, together)


def _over_nodes(apply, data, together):
  """apply(data of one node) for every node, `together` of them at a time."""
  data = jax.tree.map(jnp.asarray, data)
  count = len(jax.tree.leaves(data)[0])
  if together == 1:
    return jax.lax.map(apply, data)
  steps = -(-count // together)
  size = -(-count // steps)
  # The last node stands in where there are none left.
  index = jnp.minimum(jnp.arange(steps * size), count - 1)
  parts = jax.tree.map(
    lambda leaf: jnp.take(leaf, index, axis=0).reshape(
      steps, size, *leaf.shape[1:]
    ),
    data,
  )
  found = jax.lax.map(jax.vmap(apply), parts)
  return jax.tree.map(
    lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:count], found
  )


def _ablated(mixed, scale, fill):
  """scale * o + (1 - scale) * fill, in float32, as `edits` does it."""
  scale = scale[:, None]
  wide = mixed.astype(jnp.float32) * scale[None, None]
  wide += ((1 - scale) * fill)[None, None]
  return wide.astype(mixed.dtype)
