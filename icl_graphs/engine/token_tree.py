"""Contexts as a tree of tokens: a trunk, and branches packed into rows."""

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Int
import numpy as np


class Tree(NamedTuple):
  """Distinct beginnings of contexts; each node is one, in depth-first order.

  Attributes:
    tokens: id of the last token of each.
    parents: node without that token; -1 for a single token.
    positions: tokens before the last one.
    sizes: nodes that begin with this one, itself included; they follow it.
    ends: node of every distinct context.
  """

  tokens: Int[np.ndarray, " nodes"]
  parents: Int[np.ndarray, " nodes"]
  positions: Int[np.ndarray, " nodes"]
  sizes: Int[np.ndarray, " nodes"]
  ends: dict[tuple[int, ...], int]


class Block(NamedTuple):
  """A branch: nodes `start` to `stop` - 1, hanging from the trunk."""

  start: int
  stop: int

  @property
  def size(self) -> int:
    return self.stop - self.start


def build(contexts: Sequence[Sequence[int]]) -> Tree:
  """The tree of some contexts, each of at least one token."""
  tokens, parents, positions, ends = [], [], [], {}
  path: list[int] = []
  before: tuple[int, ...] = ()
  for context in sorted({tuple(context) for context in contexts}):
    shared = _common(before, context)
    del path[shared:]
    for place in range(shared, len(context)):
      parents.append(path[-1] if path else -1)
      path.append(len(tokens))
      tokens.append(context[place])
      positions.append(place)
    ends[context] = path[-1]
    before = context
  sizes = [1] * len(tokens)
  for node in range(len(tokens) - 1, 0, -1):
    if parents[node] >= 0:
      sizes[parents[node]] += sizes[node]
  arrays = (np.array(x, np.int32) for x in (tokens, parents, positions, sizes))
  return Tree(*arrays, ends)


def _common(one: tuple[int, ...], other: tuple[int, ...]) -> int:
  """Tokens with which both begin."""
  shortest = min(len(one), len(other))
  low, high = 0, shortest
  while low < high:
    middle = (low + high + 1) // 2
    if one[low:middle] == other[low:middle]:
      low = middle
    else:
      high = middle - 1
  return low


def split(tree: Tree) -> tuple[list[int], list[Block]]:
  """The path that goes to the larger branch everywhere, and what leaves it."""
  children: dict[int, list[int]] = {}
  for node, parent in enumerate(tree.parents.tolist()):
    children.setdefault(parent, []).append(node)
  trunk: list[int] = []
  blocks: list[Block] = []
  here = -1
  while here in children:
    largest = max(children[here], key=lambda node: tree.sizes[node])
    blocks += [
      Block(node, node + int(tree.sizes[node]))
      for node in children[here]
      if node != largest
    ]
    trunk.append(largest)
    here = largest
  return trunk, blocks


def pack(tree: Tree, blocks: Sequence[Block], width: int) -> list[list[Block]]:
  """Rows of blocks of together at most `width` nodes; first fit, large first.

  Args:
    tree: of the blocks.
    blocks: none of them larger than `width`.
    width: T.

  Returns:
    Rows, those that see little of the trunk first.
  """
  rows: list[list[Block]] = []
  room: list[int] = []
  for block in sorted(blocks, key=lambda block: -block.size):
    fits = (row for row, free in enumerate(room) if free >= block.size)
    row = next(fits, len(rows))
    if row == len(rows):
      rows.append([])
      room.append(width)
    rows[row].append(block)
    room[row] -= block.size
  return sorted(
    rows, key=lambda row: max(tree.positions[block.start] for block in row)
  )


def leads(tree: Tree, block: Block) -> np.ndarray:
  """Bool [size, size]: whether the second node leads to, or is, the first."""
  found = np.eye(block.size, dtype=bool)
  for node in range(1, block.size):
    parent = tree.parents[block.start + node] - block.start
    found[node] |= found[parent]
  return found
