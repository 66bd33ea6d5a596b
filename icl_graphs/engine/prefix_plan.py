"""Contexts that begin alike, arranged as one trunk with branches.

The contexts of a group (the prompts of one sequence of coin flips at every
length, say) form a tree of tokens. Its heaviest path is the trunk; everything
else branches from it and is packed into rows of equal length. Every token of
the tree is there once, whatever the tokenizer merges: what two contexts share
is found in their token ids. `shared_prefix` reads them.

Legend: R groups with trunks of P tokens, M rows of T tokens on branches, Q
contexts to be read at their last token.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
from jaxtyping import Float, Int
import numpy as np

from icl_graphs import errors
from icl_graphs.engine import token_tree
from icl_graphs.models import branches

# Over branches: with more, ever less of the trunk is looked at in vain.
PASSES = 4


class Rows(NamedTuple):
  """Groups as arrays, padded to the largest of them.

  Attributes:
    trunk: token ids.
    tokens: token ids on branches.
    places: of these; padding sees itself only.
    reads: which of the P + M * T tokens is the last of each context.
  """

  trunk: Int[np.ndarray, "R P"]
  tokens: Int[np.ndarray, "R M T"]
  places: branches.Places
  reads: Int[np.ndarray, "R Q"]


class Pass(NamedTuple):
  """Rows of branches that are read together; hashable.

  Attributes:
    first, stop: rows of M.
    slots: tokens of the trunk that they can see; they look at no others.
  """

  first: int
  stop: int
  slots: int


class Plan(NamedTuple):
  """What is read, and where each context is found in it.

  Attributes:
    rows: see `Rows`.
    passes: over branches, those that leave the trunk early first.
    index: of every group, the place in Q of each of its contexts; equal
      contexts have the same.
    tokens: read in all groups, without padding.
    separate: tokens of all distinct contexts of each group.
  """

  rows: Rows
  passes: tuple[Pass, ...]
  index: tuple[Int[np.ndarray, " contexts"], ...]
  tokens: int
  separate: int

  @property
  def words(self) -> int:
    """Tokens computed per group, padding included."""
    return self.rows.trunk.shape[1] + self.rows.tokens[0].size

  def pick(
    self, found: Float[np.ndarray, "R Q ..."]
  ) -> list[Float[np.ndarray, "contexts ..."]]:
    """What was read, per group in the order of its contexts."""
    return [one[index] for one, index in zip(found, self.index, strict=True)]


def plan(
  groups: Sequence[Sequence[Sequence[int]]], passes: int = PASSES
) -> Plan:
  """Arranges groups of contexts.

  Args:
    groups: token ids of every context of every group. Contexts of a group
      should share most of what they begin with.
    passes: most passes over branches. More of them look at less of the trunk,
      and each takes its time to compile.

  Raises:
    errors.InputError: no group, a group without contexts, or an empty context.
  """
  if not groups or not all(groups) or not all(all(one) for one in groups):
    raise errors.InputError(
      "every group needs a context, and every context at least one token"
    )
  trees = [token_tree.build(contexts) for contexts in groups]
  parts = [token_tree.split(tree) for tree in trees]
  trunk = max(len(path) for path, _ in parts)
  width = max([1, *(block.size for _, blocks in parts for block in blocks)])
  packed = [
    token_tree.pack(tree, blocks, width)
    for tree, (_, blocks) in zip(trees, parts, strict=True)
  ]
  height = max([1, *map(len, packed)])
  filled, index = [], []
  for tree, (path, _), lines, contexts in zip(
    trees, parts, packed, groups, strict=True
  ):
    row, found = _fill(tree, path, lines, (trunk, height, width))
    ends = list(tree.ends.values())
    place = {context: number for number, context in enumerate(tree.ends)}
    index.append(np.array([place[tuple(context)] for context in contexts]))
    filled.append(row._replace(reads=found[ends].astype(np.int32)))
  queries = max(len(row.reads) for row in filled)
  filled = [
    row._replace(reads=np.pad(row.reads, (0, queries - len(row.reads))))
    for row in filled
  ]
  rows = jax.tree.map(lambda *leaves: np.stack(leaves), *filled)
  return Plan(
    rows,
    _passes(rows.places.depth, passes),
    tuple(index),
    sum(len(tree.tokens) for tree in trees),
    sum(len(context) for tree in trees for context in tree.ends),
  )


def _passes(depth, most):
  """Parts of rows of equal number, none of which is empty."""
  height = depth.shape[1]
  ends = sorted({height * part // most for part in range(1, most + 1)} - {0})
  return tuple(
    Pass(first, stop, max(1, int(depth[:, first:stop].max())))
    for first, stop in zip([0, *ends[:-1]], ends, strict=True)
  )


def _fill(tree, path, lines, sizes):
  """One group without its reads, and where in P + M * T every node is."""
  trunk, height, width = sizes
  shape = (height, width)
  found = np.zeros(len(tree.tokens), np.int64)
  found[path] = np.arange(len(path))
  row = Rows(
    np.zeros(trunk, np.int32),
    np.zeros(shape, np.int32),
    branches.Places(
      np.zeros(shape, np.int32),
      np.zeros(shape, np.int32),
      np.tile(np.eye(width, dtype=bool), (height, 1, 1)),
    ),
    np.zeros(0, np.int32),
  )
  row.trunk[: len(path)] = tree.tokens[path]
  for number, line in enumerate(lines):
    first = 0
    for block in line:
      here = slice(first, first + block.size)
      nodes = slice(block.start, block.stop)
      row.tokens[number, here] = tree.tokens[nodes]
      row.places.position[number, here] = tree.positions[nodes]
      row.places.depth[number, here] = tree.positions[block.start]
      row.places.leads[number, here, here] = token_tree.leads(tree, block)
      found[nodes] = trunk + number * width + np.arange(first, here.stop)
      first = here.stop
  return row, found
