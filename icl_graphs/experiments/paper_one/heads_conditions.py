"""Which heads are ablated, and the random ones they are compared with."""

from collections.abc import Sequence
import dataclasses
import random

import numpy as np

from icl_graphs.models import config as config_lib
from icl_graphs.probes import edits, sweep

CLEAN = "clean run"
INDUCTION, PREVIOUS = "induction heads", "previous-token heads"
RANDOM = "random heads"
LISTS = (INDUCTION, PREVIOUS)
ZERO, MEAN = "zero", "mean"
SEEDS = (100, 101, 102, 103)
MOST = 32  # of the published ablations

Head = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Condition:
  """Heads whose outputs are taken away.

  Attributes:
    kind: which list they are from.
    size: how many.
    ablation: what takes the place of their outputs; "" where there are none.
    seed: of the draw; 0 of a list.
    heads: (layer, head), from 0.
  """

  kind: str
  size: int = 0
  ablation: str = ""
  seed: int = 0
  heads: tuple[Head, ...] = ()


def sizes(config: config_lib.DecoderConfig) -> tuple[int, ...]:
  """Powers of two up to 32, and up to half of the model's heads."""
  most = min(MOST, max(1, config.num_layers * config.num_heads // 2))
  return tuple(2**k for k in range(most.bit_length()))


def make(
  config: config_lib.DecoderConfig,
  induction: Sequence[Head],
  previous: Sequence[Head],
) -> list[Condition]:
  """Every set of heads by zero and by mean ablation, after the clean run.

  Random sets of k heads are drawn outside the first k of both lists, from the
  other heads layer by layer, as in andyrdt/iclr_induction; none where fewer
  than k are left.

  Args:
    config: of the model.
    induction, previous: all heads by falling score.
  """
  made = [Condition(CLEAN)]
  for size in sizes(config):
    sets = [
      (INDUCTION, 0, tuple(induction[:size])),
      (PREVIOUS, 0, tuple(previous[:size])),
    ]
    taken = {*induction[:size], *previous[:size]}
    others = [head for head in _heads(config) if head not in taken]
    if len(others) >= size:
      sets += [
        (RANDOM, seed, tuple(random.Random(seed).sample(others, size)))
        for seed in SEEDS
      ]
    made += [
      Condition(kind, size, ablation, seed, heads)
      for kind, seed, heads in sets
      for ablation in (ZERO, MEAN)
    ]
  return made


def _heads(config):
  return [
    (layer, head)
    for layer in range(config.num_layers)
    for head in range(config.num_heads)
  ]


def as_tree(
  conditions: Sequence[Condition],
  config: config_lib.DecoderConfig,
  means: np.ndarray,
) -> sweep.Tree:
  """The sweep over all conditions.

  Args:
    conditions: in the order of the sweep's configurations.
    config: of the model.
    means: mean head outputs [L, N, H].
  """
  return sweep.tree(
    np.stack([edits.without(config, one.heads) for one in conditions]),
    np.array([int(one.ablation == MEAN) for one in conditions]),
    np.stack([np.zeros_like(means), means]),
  )


def find(
  conditions: Sequence[Condition], kind: str, size: int, ablation: str
) -> list[int]:
  """Numbers of the conditions of a kind: one, or one per random seed."""
  return [
    number
    for number, one in enumerate(conditions)
    if (one.kind, one.size, one.ablation) == (kind, size, ablation)
  ]


def matched(conditions: Sequence[Condition]) -> int:
  """The largest size that has random sets too; 0 where none has."""
  return max((c.size for c in conditions if c.kind == RANDOM), default=0)
