"""The ablations of the subspace experiment, named and as arrays."""

import dataclasses
from typing import NamedTuple

from jaxtyping import Array, Bool, Float, Int
import numpy as np

from icl_graphs.analysis import subspaces
from icl_graphs.experiments.paper_one import hidden_states
from icl_graphs.report.paper_one import subspaces as names

CLEAN, TAKEN, KEPT = names.CLEAN, names.TAKEN, names.KEPT
INSIDE, ANYWHERE = names.INSIDE, names.ANYWHERE
INSIDE_MATCHED = INSIDE + names.MATCHED
ANYWHERE_MATCHED = ANYWHERE + names.MATCHED
ONE, ONWARDS = names.EXTENTS
SEEDS = 3  # of every random subspace
# Controls of a layer sweep, which asks about fewer things.
SWEPT = (subspaces.GRAPH_PLANE, subspaces.EVERY)
MATCHED = (subspaces.GRAPH_PLANE, subspaces.PARITY, subspaces.EVERY)


@dataclasses.dataclass(frozen=True)
class Condition:
  """One ablation.

  Attributes:
    kind: what is taken away.
    target: name of the subspace, or of the one that a control stands beside;
      controls by rank alone stand beside every subspace of that rank.
    rank: directions.
    start: hidden state, the first that is changed.
    extent: `ONE` or `ONWARDS`.
    seed: of a random subspace.
  """

  kind: str
  target: str = ""
  rank: int = 0
  start: int = 0
  extent: str = ONE
  seed: int = 0


class Arrays(NamedTuple):
  """All conditions for the model's pass.

  Attributes:
    bank: orthonormal rows that conditions select from.
    select: rows of each condition; any where the weight is 0.
    weight: of each selected row at each hidden state; its square is the share
      that is taken away.
    keep: where all else is taken away instead.
    centre: mean of the class means.
  """

  bank: Float[Array, "L+1 V D"]
  select: Int[Array, "S R"]
  weight: Float[Array, "S L+1 R"]
  keep: Bool[Array, "S L+1"]
  centre: Float[Array, "L+1 D"]


def make(
  targets: list[subspaces.Subspace], report_layer: int, layers: int
) -> list[Condition]:
  """Every condition.

  At the report layer all subspaces with all their controls; at the other hidden
  states, from 1 on, some of them.

  Args:
    targets: from `subspaces.of_graph`.
    report_layer: hidden state.
    layers: L.
  """
  made = [Condition(CLEAN)]
  every = next(t.rank for t in targets if t.name == subspaces.EVERY)
  for extent in (ONE, ONWARDS):
    for start in hidden_states.some(layers, report_layer, first=1, most=6):
      whole = start == report_layer
      at = {"start": start, "extent": extent}
      for target in targets:
        if whole or target.name in SWEPT:
          made.append(Condition(TAKEN, target.name, target.rank, **at))
      if whole:
        kept = (subspaces.GRAPH_PLANE, subspaces.EVERY)
        made += [
          Condition(KEPT, t.name, t.rank, **at)
          for t in targets
          if t.name in kept
        ]
      ranks = sorted({t.rank for t in targets if whole or t.name in SWEPT})
      for seed in range(SEEDS if whole else 1):
        made += [
          *(
            Condition(INSIDE, "", rank, seed=seed, **at)
            for rank in ranks
            if rank <= every // 2
          ),
          *(Condition(ANYWHERE, "", rank, seed=seed, **at) for rank in ranks),
        ]
        # Taken away again at later hidden states, the part would be subtracted
        # twice over, or put back: norms can match at one hidden state only.
        if whole and extent == ONE:
          made += _matched(targets, seed, at)
  return made


def _matched(targets, seed, at) -> list[Condition]:
  return [
    Condition(kind, t.name, t.rank, seed=seed, **at)
    for t in targets
    if t.name in MATCHED
    for kind in (INSIDE_MATCHED, ANYWHERE_MATCHED)
    if kind == ANYWHERE_MATCHED or t.name != subspaces.EVERY
  ]


class Bank:
  """Directions that conditions select from, and what they remove.

  Attributes:
    rows: [L+1, V, D] orthonormal within every subspace.
    square: [L+1, V] mean square of hidden states along them, about the centre.
  """

  def __init__(
    self,
    means: Float[np.ndarray, "L+1 n D"],
    samples: Float[np.ndarray, "N L+1 D"],
    targets: list[subspaces.Subspace],
  ):
    """Draws the random subspaces: the first directions of larger ones."""
    self.centre = means.mean(axis=1)
    every = next(t for t in targets if t.name == subspaces.EVERY)
    most = every.rank
    parts = {t.name: t.rows for t in targets}
    for seed in range(SEEDS):
      parts[f"{INSIDE} {seed}"] = subspaces.random_inside(means, most, 2 * seed)
      parts[f"{ANYWHERE} {seed}"] = np.broadcast_to(
        subspaces.random_anywhere(means.shape[-1], most, 2 * seed + 1),
        (len(means), most, means.shape[-1]),
      )
    ends = np.cumsum([rows.shape[1] for rows in parts.values()])
    self._first = dict(zip(parts, [0, *ends[:-1].tolist()], strict=True))
    self.rows = np.concatenate(list(parts.values()), axis=1)
    about = np.swapaxes(samples - self.centre, 0, 1)
    along = about @ np.swapaxes(self.rows, 1, 2)
    self.square = (along**2).mean(axis=1)
    self.total = (about**2).sum(axis=2).mean(axis=1)

  def select(self, one: Condition) -> np.ndarray:
    """Rows of a condition."""
    name = one.target
    if one.kind in (INSIDE, INSIDE_MATCHED):
      name = f"{INSIDE} {one.seed}"
    elif one.kind in (ANYWHERE, ANYWHERE_MATCHED):
      name = f"{ANYWHERE} {one.seed}"
    if not name:
      return np.zeros(0, int)
    return self._first[name] + np.arange(one.rank)

  def stretch(self, one: Condition) -> Float[np.ndarray, " L+1"]:
    """Times the part along the rows that is taken away; 1 if not matched."""
    own = self.square[:, self.select(one)].sum(axis=1)
    if one.kind not in (INSIDE_MATCHED, ANYWHERE_MATCHED):
      return np.ones(len(own))
    goal = self._first[one.target] + np.arange(one.rank)
    wanted = self.square[:, goal].sum(axis=1)
    return np.sqrt(wanted / np.where(own > 0, own, np.inf))

  def removed(self, one: Condition) -> float:
    """Share of the mean square about the centre, at the first hidden state."""
    if one.kind == CLEAN:
      return 0.0
    part = self.square[one.start, self.select(one)].sum()
    part *= self.stretch(one)[one.start] ** 2
    share = float(part / self.total[one.start])
    return 1 - share if one.kind == KEPT else share


def as_arrays(conditions: list[Condition], bank: Bank) -> Arrays:
  """What the model's pass needs to know of all conditions."""
  states = np.arange(len(bank.rows))
  most = max(one.rank for one in conditions)
  select = np.zeros((len(conditions), most), np.int32)
  weight = np.zeros((len(conditions), len(states), most), np.float32)
  keep = np.zeros((len(conditions), len(states)), bool)
  for number, one in enumerate(conditions):
    if one.kind == CLEAN:
      continue
    here = states == one.start
    if one.extent == ONWARDS:
      here = states >= one.start
    rows = bank.select(one)
    select[number, : len(rows)] = rows
    stretch = np.sqrt(bank.stretch(one))
    weight[number][:, : len(rows)] = (here * stretch)[:, None]
    keep[number] = here & (one.kind == KEPT)
  return Arrays(
    bank.rows.astype(np.float32),
    select,
    weight,
    keep,
    bank.centre.astype(np.float32),
  )
