"""The walks behind published numbers of Llama-3.1-8B, regenerated exactly.

Those of A. Arditi, "In-context learning of representations can be explained by
induction circuits" (ICLR Blogposts 2026), on the 4x4 grid: drawn with NumPy's
legacy generator, seed 42, each step uniform over the moves that the grid
allows, in the order up, down, left, right. With the same walks a comparison is
paired: what differs is the model's arithmetic, not the sample.
"""

import hashlib

from jaxtyping import UInt8
import numpy as np

from icl_graphs import errors

SPEC, WORDS_LIST = "grid:4x4", "paper30"
SIDE, LENGTH, SEED = 4, 1400, 42
# SHA-256 of the nodes as uint8, first 16 hexadecimal digits.
ACCURACY_SET_DIGEST, SINGLE_DIGEST = "cd48744055f37387", "313e1f69e92bee84"


def accuracy_set() -> UInt8[np.ndarray, "16 1400"]:
  """One walk from every node, in order, from one seed.

  Raises:
    InputError: this NumPy draws other numbers.
  """
  rng = np.random.RandomState(SEED)
  nodes = [_walk(rng, *divmod(start, SIDE)) for start in range(SIDE**2)]
  return _checked(np.array(nodes, np.uint8), ACCURACY_SET_DIGEST)


def single() -> UInt8[np.ndarray, " 1400"]:
  """The walk whose representations were published.

  Raises:
    InputError: this NumPy draws other numbers.
  """
  rng = np.random.RandomState(SEED)
  row = rng.randint(0, SIDE)
  column = rng.randint(0, SIDE)
  return _checked(np.array(_walk(rng, row, column), np.uint8), SINGLE_DIGEST)


def digest(nodes: UInt8[np.ndarray, "..."]) -> str:
  """What the walks are recognised by."""
  return hashlib.sha256(np.ascontiguousarray(nodes)).hexdigest()[:16]


def _walk(rng, row, column):
  nodes = [SIDE * row + column]
  for _ in range(LENGTH - 1):
    moves = (
      (row - 1, column),
      (row + 1, column),
      (row, column - 1),
      (row, column + 1),
    )
    moves = [move for move in moves if min(move) >= 0 and max(move) < SIDE]
    row, column = moves[rng.choice(len(moves))]
    nodes.append(SIDE * row + column)
  return nodes


def _checked(nodes, expected):
  found = digest(nodes)
  if found != expected:
    raise errors.InputError(
      f"NumPy {np.__version__} draws other walks than the published ones"
      f" ({found} instead of {expected}); take another version of NumPy"
    )
  return nodes
