"""Training data: walks over many graphs, under step laws drawn per scene.

A sequence is a few scenes: a graph, words for its nodes and a step law, all
drawn at random. In a share of the sequences the scene changes at random times,
so that recent words have to count more than old ones. The law is never told:
it has to be read off the context. Everything is drawn on the device, from one
key per step, so a run can continue from any step.

Legend: B sequences, T tokens, S scenes, M graphs, n largest graph, K largest
degree.
"""

import dataclasses
from typing import NamedTuple

import jax
from jax import numpy as jnp
from jax import random
from jaxtyping import Array, Bool, Int
import numpy as np

from icl_graphs.tasks import graphs
from icl_graphs.training import tokenizer

# Days and months walk on rings of their own length, in calendar order.
CALENDAR_LENGTHS = (7, 12)
_MORE_HOPS = 6


@dataclasses.dataclass(frozen=True)
class Mixture:
  """Shares and ranges of what is drawn; the rest of the scenes walk plainly.

  Attributes:
    non_backtracking: share of scenes that never turn round, but at dead ends.
    lazy: share that stays with a probability drawn from `stay`.
    hops: share whose every step may go on to a neighbour of the neighbour and
      so forth, each time with a probability drawn from `more`.
    teleport: share that jumps with a probability drawn from `jump`.
    noise: share in which the word of a random neighbour is shown instead of
      the node's own with a probability drawn from `misread`.
    calendar: share of scenes in which days or months walk on their ring.
    pairs: share of sequences made of neighbour pairs, not walks.
    switch: share of walks whose scene changes.
    scene_length: words between changes are `scene_length` times a factor drawn
      from 0.5 to 2 on average.
    least_stay, least_more: ranges of what every scene's law stays and goes on
      at least. The chance of a word then falls with its distance in the graph
      instead of vanishing beyond the neighbours.
    scenes: S, distinct scenes, and laws, of one sequence.
    law_switch: share of walks whose law changes within a scene, too.
    law_length: words between such changes, on average.
  """

  non_backtracking: float = 0.0
  lazy: float = 0.2
  hops: float = 0.2
  teleport: float = 0.03
  noise: float = 0.0
  calendar: float = 0.06
  pairs: float = 0.06
  switch: float = 0.6
  scene_length: float = 60.0
  scenes: int = 3
  law_switch: float = 0.0
  law_length: float = 40.0
  stay: tuple[float, float] = (0.2, 0.6)
  more: tuple[float, float] = (0.2, 0.7)
  jump: tuple[float, float] = (0.02, 0.17)
  misread: tuple[float, float] = (0.1, 0.5)
  least_stay: tuple[float, float] = (0.0, 0.0)
  least_more: tuple[float, float] = (0.0, 0.0)


PLAIN = Mixture(
  lazy=0.0, hops=0.0, teleport=0.0, pairs=0.0, switch=0.0, scenes=1
)

# Seeds that give connected graphs.
_RANDOM = (
  *("10:0.3:1", "10:0.3:2", "10:0.3:4", "14:0.25:2", "14:0.25:3", "14:0.25:4"),
  *("16:0.25:1", "16:0.25:2", "16:0.25:4", "20:0.2:1", "20:0.2:2", "20:0.2:3"),
  *("24:0.15:1", "24:0.15:3", "24:0.15:4"),
  *("30:0.12:0", "30:0.12:1", "30:0.12:2"),
)
_COMMUNITIES = (
  *("6,6:0.6:0.06:0", "8,8:0.6:0.06:0", "5,5,5:0.6:0.06:1"),
  *("10,10:0.6:0.06:0", "7,7,7:0.6:0.06:0"),
)

HELD_OUT = (
  *("grid:4x4", "ring:10", "hex:3x3", "grid:3x5", "grid:5x5"),
  *("regular:16:3:7", "triangular:3x5"),
)


def graph_specs() -> tuple[str, ...]:
  """The training graphs; those of `HELD_OUT` and all hexagons are left out."""
  specs = [f"grid:{a}x{b}" for a in range(2, 6) for b in range(a, 9)]
  specs += [f"ring:{n}" for n in (5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 18, 21)]
  specs += [f"line:{n}" for n in (6, 8, 10, 12, 14, 18, 22)]
  specs += [f"torus:{s}" for s in ("3x3", "3x4", "4x4", "3x5", "4x5", "5x6")]
  for sides in ("2x4", "3x4", "3x3", "4x4", "4x6", "3x6", "4x5", "5x6"):
    specs.append(f"triangular:{sides}")
  specs += [f"tree:{shape}" for shape in ("2x2", "2x3", "3x2", "2x4")]
  specs += ["hypercube:3", "hypercube:4"]
  for sides in ("3x4", "4x5", "3x6", "5x5", "3x8", "4x7"):
    specs.append(f"cylinder:{sides}")
  for ring in ("10:1,2", "12:1,2", "14:1,3", "16:1,4", "20:1,2", "24:1,5"):
    specs.append(f"circulant:{ring}")
  for n in (8, 12, 16, 20, 26, 30):
    specs += [f"regular:{n}:3:{seed}" for seed in (0, 1)]
  specs.append("regular:20:4:0")
  specs += [f"gnp:{shape}" for shape in _RANDOM]
  specs += [f"sbm:{shape}" for shape in _COMMUNITIES]
  return tuple(
    spec
    for spec in specs
    if spec not in HELD_OUT and graphs.parse(spec).n in range(5, 31)
  )


class Tables(NamedTuple):
  """Graphs, padded; the last two are the calendars' rings.

  Attributes:
    neighbours: int32 [M, n, K].
    degree: int32 [M, n]; 0 marks padding.
    nodes: int32 [M].
  """

  neighbours: Int[Array, "M n K"]
  degree: Int[Array, "M n"]
  nodes: Int[Array, " M"]


def tables(specs: tuple[str, ...]) -> Tables:
  """Neighbour tables of the graphs and of the calendars' rings.

  Raises:
    InputError: a spec that names no graph.
  """
  specs = (*specs, *(f"ring:{n}" for n in CALENDAR_LENGTHS))
  parsed = [graphs.parse(spec) for spec in specs]
  rows = max(graph.n for graph in parsed)
  degrees = [np.bincount(g.arcs[:, 0], minlength=rows) for g in parsed]
  neighbours = np.zeros((len(parsed), rows, np.max(degrees)), np.int32)
  for table, graph in zip(neighbours, parsed, strict=True):
    for node in range(graph.n):
      ends = graph.arcs[graph.arcs[:, 0] == node, 1]
      table[node, : len(ends)] = ends
  return Tables(
    jnp.asarray(neighbours),
    jnp.asarray(np.stack(degrees).astype(np.int32)),
    jnp.asarray(np.array([graph.n for graph in parsed], np.int32)),
  )


def sample(
  key: Array,
  table: Tables,
  mixture: Mixture,
  *,
  batch: int,
  length: int,
  vocab_size: int,
  max_nodes: int,
) -> Int[Array, "B T"]:
  """Token sequences that start with BOS, int32 [B, T]; jittable.

  Args:
    key: a PRNG key, used for this batch only.
    table: the graphs.
    mixture: what is drawn, in which shares.
    batch: B.
    length: T.
    vocab_size: V; words are drawn from all tokens that are words.
    max_nodes: larger graphs are left out.
  """
  keys = random.split(key, 9)
  scenes = _scenes(keys[0], table, mixture, batch, vocab_size, max_nodes)
  pairs = _chance(keys[1], mixture.pairs, (batch,))
  switches = _chance(keys[2], mixture.switch, (batch,)) & ~pairs
  duration = mixture.scene_length * _between(keys[3], (0.5, 2.0), (batch,))
  changes = _chance(keys[4], (1 / duration)[None], (length - 1, batch))
  restless = _chance(keys[6], mixture.law_switch, (batch,))
  laws = _chance(keys[7], 1 / mixture.law_length, (length - 1, batch))
  draws = random.uniform(keys[5], (length - 1, batch, _MORE_HOPS + 7))
  _, tokens = jax.lax.scan(
    lambda state, now: jax.vmap(_advance, (0, 0, 0, None, 0, 0, 0, None))(
      state, scenes, pairs, *now, table
    ),
    tuple(jnp.full(batch, start, jnp.int32) for start in (0, -1, 0, 0)),
    (
      jnp.arange(length - 1),
      changes & switches[None],
      laws & restless[None],
      draws,
    ),
  )
  first = jnp.full((batch, 1), tokenizer.bos_id(), jnp.int32)
  return jnp.concatenate([first, tokens.T], axis=1)


class _Scenes(NamedTuple):
  """S scenes of B sequences, [B, S, ...]."""

  graph: Int[Array, "B S"]
  words: Int[Array, "B S n"]
  non_backtracking: Bool[Array, "B S"]
  stay: Array
  more: Array
  jump: Array
  misread: Array


def _chance(key, probability, shape):
  return random.uniform(key, shape) < probability


def _between(key, bounds, shape):
  return random.uniform(key, shape, minval=bounds[0], maxval=bounds[1])


def _scenes(key, table, mixture, batch, vocab_size, max_nodes) -> _Scenes:
  shape = (batch, mixture.scenes)
  keys = random.split(key, 9)
  ordinary = len(table.nodes) - len(CALENDAR_LENGTHS)
  odds = jnp.where(table.nodes[:ordinary] <= max_nodes, 0.0, -jnp.inf)
  drawn = random.categorical(keys[0], odds, shape=shape).astype(jnp.int32)
  calendar = _chance(keys[1], mixture.calendar, shape)
  which = random.randint(keys[2], shape, 0, len(CALENDAR_LENGTHS))
  rows = table.degree.shape[1]
  start = tokenizer.first_word_id()

  def assign(key):
    return random.permutation(key, vocab_size - start)[:rows] + start

  draw_words = jax.vmap(jax.vmap(assign))
  shuffled = draw_words(random.split(keys[3], shape))
  firsts = start + np.cumsum([0, *CALENDAR_LENGTHS])[:-1]
  in_order = jnp.asarray(firsts[:, None] + np.arange(rows), jnp.int32)
  words = jnp.where(calendar[..., None], in_order[which], shuffled)
  law = random.uniform(keys[4], shape)
  bounds = jnp.cumsum(
    jnp.array(
      [
        *(0.0, mixture.non_backtracking, mixture.lazy, mixture.hops),
        *(mixture.teleport, mixture.noise),
      ]
    )
  )
  kinds = [
    (law >= low) & (law < high)
    for low, high in zip(bounds[:-1], bounds[1:], strict=True)
  ]
  ranges = (mixture.stay, mixture.more, mixture.jump, mixture.misread)
  strengths = [
    jnp.where(kind, _between(key, bounds, shape), 0.0)
    for kind, key, bounds in zip(kinds[1:], keys[5:], ranges, strict=True)
  ]
  for which_law, least in enumerate((mixture.least_stay, mixture.least_more)):
    lowest = _between(random.fold_in(key, which_law), least, shape)
    strengths[which_law] = jnp.maximum(strengths[which_law], lowest)
  graph = jnp.where(calendar, ordinary + which, drawn)
  return _Scenes(graph, words, kinds[0], *strengths)


def _advance(state, scenes, pairs, time, change, law_change, draws, table):
  """One token of one sequence: state is node, previous node, scene, law."""
  node, previous, scene, law = state
  count = scenes.graph.shape[0]
  scene = (scene + change.astype(jnp.int32)) % count
  law = (law + (change | law_change).astype(jnp.int32)) % count
  graph, words, *laws = scenes
  here = _Scenes(graph[scene], words[scene], *(field[law] for field in laws))
  neighbours, degree = table.neighbours[here.graph], table.degree[here.graph]
  more = draws[:_MORE_HOPS]
  jump, stay, spot, misread, wrong, turn, pick = draws[_MORE_HOPS:]

  def index(uniform, count):
    scaled = uniform * count.astype(jnp.float32)
    return jnp.minimum(scaled.astype(jnp.int32), count - 1)

  def neighbour(of, uniform):
    return neighbours[of, index(uniform, degree[of])]

  uniform_node = index(spot, table.nodes[here.graph])
  chosen = index(pick, degree[node])
  moved = neighbours[node, chosen]
  # The next slot but a random number on: uniform over the other neighbours.
  others = jnp.maximum(degree[node] - 1, 1)
  other = (chosen + 1 + index(turn, others)) % degree[node]
  back = here.non_backtracking & (moved == previous)
  moved = jnp.where(back, neighbours[node, other], moved)
  goes_on = jnp.bool_(True)
  for uniform in more:
    # What is left of the number after the comparison is uniform again.
    goes_on &= uniform < here.more
    moved = jnp.where(
      goes_on,
      neighbour(moved, uniform / jnp.maximum(here.more, 1e-6)),
      moved,
    )
  moved = jnp.where(stay < here.stay, node, moved)
  fresh = (time == 0) | change | (jump < here.jump)
  moved = jnp.where(fresh, uniform_node, moved)
  place = time % 3
  paired = jnp.where(place == 1, neighbour(node, pick), uniform_node)
  moved = jnp.where(pairs, paired, moved)
  shown = jnp.where(misread < here.misread, neighbour(moved, wrong), moved)
  token = here.words[jnp.where(pairs, moved, shown)]
  token = jnp.where(
    pairs & (place == 2), tokenizer.separator_id(), token
  ).astype(jnp.int32)
  return (moved, node, scene, law), token
