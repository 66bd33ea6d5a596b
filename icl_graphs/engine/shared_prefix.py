"""Many contexts that begin alike are read in one pass over what they share.

The contexts of a group (the prompts of one sequence of coin flips at every
length, say) form a tree of tokens. Its heaviest path, the trunk, is read once
and its keys and values are kept; everything else branches from it, packed into
rows of equal length, and is read in a second pass (`models.branches`). Every
token of the tree is read once, and positions and attention are those of the
context read alone, whatever the tokenizer merges: what two contexts share is
found in their token ids.

Legend: R groups with trunks of P tokens, M rows of T tokens on branches, Q
contexts to be read at their last token, S sets of tokens.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int
import numpy as np

from icl_graphs import errors
from icl_graphs.engine import token_tree
from icl_graphs.models import branches, decoder
from icl_graphs.models import cache as cache_lib
from icl_graphs.models import config as config_lib
from icl_graphs.probes import masses

Params = Any


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
    _by_depth(tree, token_tree.pack(blocks, width))
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


def _by_depth(tree, lines):
  """Rows ordered by how much of the trunk they see."""
  return sorted(
    lines, key=lambda line: max(tree.positions[block.start] for block in line)
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


def check(config: config_lib.DecoderConfig, planned: Plan) -> None:
  """Refuses contexts that the model cannot read, or not in one pass.

  Raises:
    errors.InputError: naming the limit.
  """
  longest = 1 + max(
    planned.rows.trunk.shape[1] - 1, planned.rows.places.position.max()
  )
  if longest > config.max_positions:
    raise errors.InputError(
      f"a context of {longest} tokens exceeds the {config.max_positions}"
      " positions of the model; read fewer flips"
    )
  for rope in (config.rope, config.local_rope):
    if rope and rope.kind == "longrope" and longest > rope.original_positions:
      raise errors.InputError(
        f"this model turns positions differently in contexts of more than"
        f" {rope.original_positions} tokens, so that one of {longest} cannot"
        " share what shorter ones read; read fewer flips"
      )


def hidden(
  params: Params,
  config: config_lib.DecoderConfig,
  rows: Rows,
  passes: tuple[Pass, ...] = (),
) -> Float[Array, "R Q D"]:
  """Hidden states after the final norm at the last token of every context.

  Args:
    params: decoder parameters.
    config: of the decoder.
    rows: of a plan that `check` accepts.
    passes: of the plan; without, one that looks at the whole trunk.
  """
  model = decoder.Decoder(config)
  variables = {"params": params}
  groups, length = rows.trunk.shape
  # Only models that `check` may refuse ask how long contexts become.
  final, _, read = model.apply(
    variables,
    rows.trunk,
    jnp.full((groups,), length, jnp.int32),
    method="prefill",
  )
  found = [final]
  for first, stop, slots in passes or (Pass(0, rows.tokens.shape[1], length),):
    tokens, places = jax.tree.map(
      lambda leaf, first=first, stop=stop: leaf[:, first:stop],
      (rows.tokens, rows.places),
    )
    trunk = cache_lib.Prefix(
      read.key[:, :, :slots], read.value[:, :, :slots], read.length
    )
    branched, _ = model.apply(
      variables,
      tokens.reshape(-1, tokens.shape[2]),
      branches.Branches(trunk, places),
      length,
      method="branch",
    )
    found.append(branched.reshape(groups, -1, final.shape[-1]))
  every = jnp.concatenate(found, axis=1)
  return jnp.take_along_axis(every, rows.reads[..., None], axis=1)


def log_masses(
  params: Params,
  fixed: Any,
  rows: Rows,
  valid: Bool[Array, " R"],
  *,
  config: config_lib.DecoderConfig,
  sets: masses.Sets,
  passes: tuple[Pass, ...] = (),
) -> tuple[tuple[()], Float[Array, "R Q S"]]:
  """Log-probabilities of sets of next tokens; a step for `rows.evaluate`.

  Args:
    params: decoder parameters.
    fixed: unused.
    rows: of a plan that `check` accepts.
    valid: unused: rows do not depend on each other.
    config: of the decoder.
    sets: disjoint sets of token ids, accepted by `masses.check`.
    passes: of the plan; without, one that looks at the whole trunk.

  Returns:
    Nothing that adds over rows, and log-probabilities in float32.
  """
  del fixed, valid
  found = masses.log_masses(
    hidden(params, config, rows, passes),
    decoder.unembedding(params, config),
    sets,
    softcap=config.logit_softcap,
    backend=config.backend,
  )
  return (), found
