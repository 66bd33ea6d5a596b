"""The conditions of the re-encoding experiment, named and as arrays."""

import dataclasses

import numpy as np

from icl_graphs.experiments.paper_one import hidden_states
from icl_graphs.models import config as config_lib
from icl_graphs.probes import reencoding
from icl_graphs.report.paper_one import reencoding as names

CLEAN, RECIPE, BARE = names.CLEAN, names.RECIPE, names.BARE
WORD_ONLY, OTHER_MEANS = names.WORD_ONLY, "shuffled target means"
PAIRS = ((3, 4), (5, 6))
RANDOM, BARE_RANDOM = names.RANDOM, names.BARE_RANDOM
SEEDS = 4  # random directions of a condition
_SCAN = (1, 2, 3, 4, 6, 8, 12)


@dataclasses.dataclass(frozen=True)
class Condition:
  """One way to change the last position.

  Attributes:
    kind: what is added; conditions of one kind, components and layers differ
      in the random direction only.
    first, last: principal components whose terms are added, from 1; none
      where last < first.
    layers: hidden states where it is added.
    unembedding: multiples of the target word's unit unembedding row.
    shuffled: whether another node's mean stands in for the target's.
    drawn: number of a random direction; 0 for the vector itself.
  """

  kind: str
  first: int
  last: int
  layers: tuple[int, ...]
  unembedding: float = 0.0
  shuffled: bool = False
  drawn: int = 0


def components(first: int) -> str:
  """The kind of condition that adds components `first` and the next."""
  return f"PCs {first}-{first + 1} instead"


def late(config: config_lib.DecoderConfig) -> tuple[int, ...]:
  """Hidden states of the recipe: after the last eighth of the blocks.

  The released code takes the last four blocks of 32; of any model the last two
  are taken at least (or its only one).
  """
  layers = config.num_layers
  count = min(layers, max(2, round(layers / 8)))
  return tuple(range(layers - count + 1, layers + 1))


def scan(nodes: int) -> tuple[int, ...]:
  """Numbers of components that are tried, up to all n - 1."""
  return tuple(n for n in _SCAN if n < nodes - 1) + (nodes - 1,)


def make(config: config_lib.DecoderConfig, nodes: int) -> list[Condition]:
  """Every condition: recipe, its parts, controls, scans of N and of layers.

  Args:
    config: of the model.
    nodes: n of the graph, at least 4; components of which there are too few
      are left out.
  """
  layers = late(config)
  made = [
    Condition(CLEAN, 1, 0, ()),
    Condition(WORD_ONLY, 1, 0, layers, -2),
    Condition(OTHER_MEANS, 1, 2, layers, -2, shuffled=True),
  ]
  for first, last in PAIRS:
    if last < nodes:
      made.append(Condition(components(first), first, last, layers, -2))
  for count in scan(nodes):
    made += _with_controls(count, layers)
  for layer in hidden_states.some(config.num_layers, *layers, first=1):
    made += _with_controls(2, (layer,))
  # A model may have a single late layer; nothing is asked twice.
  return list(dict.fromkeys(made))


def _with_controls(count: int, layers: tuple[int, ...]) -> list[Condition]:
  seeds = range(1, SEEDS + 1)
  return [
    Condition(RECIPE, 1, count, layers, -count),
    Condition(BARE, 1, count, layers),
    *(Condition(RANDOM, 1, count, layers, -count, drawn=s) for s in seeds),
    *(Condition(BARE_RANDOM, 1, count, layers, drawn=s) for s in seeds),
  ]


def as_arrays(
  conditions: list[Condition], config: config_lib.DecoderConfig, nodes: int
) -> reencoding.Conditions:
  """What the model's pass needs to know of them."""
  order = np.arange(1, nodes)
  states = range(config.num_layers + 1)
  return reencoding.Conditions(
    weights=np.array(
      [(c.first <= order) & (order <= c.last) for c in conditions], np.float32
    ),
    unembedding=np.array([c.unembedding for c in conditions], np.float32),
    layers=np.array([[k in c.layers for k in states] for c in conditions]),
    shuffled=np.array([c.shuffled for c in conditions]),
    drawn=np.array([c.drawn for c in conditions], np.int32),
  )
