"""Prompts: walks over nodes written as token ids, with labels per position.

A walk reads BOS, then " word" for every node. Neighbour pairs read BOS, then
" w1 w2/" for every pair, or " w1 w2" without a separator (arXiv 2501.00070 and
its released code). Legend: B batch, P positions = offset + context.
"""

from collections.abc import Sequence
import dataclasses
from typing import NamedTuple

from jax import numpy as jnp
from jaxtyping import Array, Bool, Int
import numpy as np
import transformers

from icl_graphs import errors
from icl_graphs.tasks import words as words_lib

MODES = ("walk", "pairs")


@dataclasses.dataclass(frozen=True)
class Layout:
  """How nodes are written as tokens; hashable, so a static jit argument.

  Attributes:
    bos_ids: ids before the first word; may be empty.
    node_token_ids: n ids, of " word" for each node.
    words: n words.
    mode: "walk" or "pairs".
    separator_id: id after each pair, or None.
    separator: its text, or None.
  """

  bos_ids: tuple[int, ...]
  node_token_ids: tuple[int, ...]
  words: tuple[str, ...]
  mode: str = "walk"
  separator_id: int | None = None
  separator: str | None = None

  @property
  def offset(self) -> int:
    """Position of the first word: context t is read at offset + t - 1."""
    return len(self.bos_ids)


class Batch(NamedTuple):
  """Sequences for the model, labelled.

  Attributes:
    tokens: int32 [B, P].
    nodes: int32 [B, P], the node whose word stands there; -1 at BOS and
      separators.
    scored: bool [B, P], where the prediction of the next word counts: every
      word of a walk, the first word of a pair.
  """

  tokens: Int[Array, "B P"]
  nodes: Int[Array, "B P"]
  scored: Bool[Array, "B P"]


def layout(
  tokenizer: transformers.PreTrainedTokenizerBase,
  words: Sequence[str],
  *,
  bos_ids: Sequence[int],
  mode: str = "walk",
  separator: str | None = "/",
) -> Layout:
  """Looks up and checks all token ids of a kind of prompt.

  Args:
    tokenizer: of the model in use.
    words: n words, one per node.
    bos_ids: what the model reads before the first word.
    mode: "walk" or "pairs".
    separator: text after each pair, None or "" for none; unused in walks.

  Raises:
    InputError: unknown mode, a word that is not one token, or a separator
      that is not one token right after every word.
  """
  if mode not in MODES:
    raise errors.InputError(
      f"unknown prompt mode {mode!r}; choose one of {', '.join(MODES)}"
    )
  ids = words_lib.single_token_ids(tokenizer, words).tolist()
  if mode == "walk" or not separator:
    separator, separator_id = None, None
  else:
    separator_id = _separator_id(tokenizer, words, ids, separator)
  made = Layout(
    bos_ids=tuple(int(id_) for id_ in bos_ids),
    node_token_ids=tuple(ids),
    words=tuple(words),
    mode=mode,
    separator_id=separator_id,
    separator=separator,
  )
  every_node = np.arange(len(words))
  if mode == "pairs":
    every_node = np.stack([every_node, np.roll(every_node, -1)], axis=1)
  check_literal(made, tokenizer, every_node)
  return made


def assemble(
  layout: Layout, nodes: Int[Array, "B T"] | Int[Array, "B Q 2"]
) -> Batch:
  """Writes nodes as tokens; jittable with `layout` static.

  Args:
    layout: how to write them.
    nodes: int [B, T] of walks, or [B, pairs, 2].

  Returns:
    A `Batch` of P = offset + T positions, or offset + 3 * pairs (2 * pairs
    without a separator).
  """
  nodes = jnp.asarray(nodes, jnp.int32)
  if (layout.mode == "pairs") != (nodes.ndim == 3):
    raise ValueError(f"nodes of shape {nodes.shape} in mode {layout.mode!r}")
  tokens = jnp.asarray(layout.node_token_ids, jnp.int32)[nodes]
  scored = jnp.ones(nodes.shape, bool)
  if layout.mode == "pairs":
    scored = scored.at[..., 1].set(False)
    if layout.separator_id is not None:
      column = ((0, 0), (0, 0), (0, 1))
      tokens = jnp.pad(tokens, column, constant_values=layout.separator_id)
      nodes = jnp.pad(nodes, column, constant_values=-1)
      scored = jnp.pad(scored, column, constant_values=False)
    size = (nodes.shape[0], nodes.shape[1] * nodes.shape[2])
    tokens, nodes, scored = (x.reshape(size) for x in (tokens, nodes, scored))
  before = ((0, 0), (layout.offset, 0))
  bos = jnp.asarray(layout.bos_ids, jnp.int32)
  bos = jnp.broadcast_to(bos[None], (nodes.shape[0], layout.offset))
  return Batch(
    tokens=jnp.concatenate([bos, tokens], axis=1),
    nodes=jnp.pad(nodes, before, constant_values=-1),
    scored=jnp.pad(scored, before, constant_values=False),
  )


def text(layout: Layout, nodes: Int[np.ndarray, "..."]) -> str:
  """The literal prompt after BOS.

  Args:
    layout: how nodes are written.
    nodes: int [T] of a walk or [pairs, 2]; or a row [P] of `Batch.nodes`,
      where -1 stands for BOS at the start and for the separator later.
  """
  nodes = np.asarray(nodes)
  if nodes.ndim == 2 and layout.separator is not None:
    nodes = np.pad(nodes, ((0, 0), (0, 1)), constant_values=-1)
  row = nodes.ravel().tolist()
  while row and row[0] == -1:
    row = row[1:]
  return "".join(
    (layout.separator or "") if node == -1 else f" {layout.words[node]}"
    for node in row
  )


def check_literal(
  layout: Layout,
  tokenizer: transformers.PreTrainedTokenizerBase,
  nodes: Int[np.ndarray, "..."],
) -> None:
  """Checks that the literal text tokenizes to the ids that `assemble` writes.

  Args:
    layout: how nodes are written.
    tokenizer: of the model in use.
    nodes: int [T] of one walk, or [pairs, 2].

  Raises:
    InputError: names the first place where they differ.
  """
  # In numpy: a handful of compiled operations would take longer.
  ids = np.array(layout.node_token_ids)[nodes]
  if layout.mode == "pairs" and layout.separator_id is not None:
    ids = np.pad(ids, ((0, 0), (0, 1)), constant_values=layout.separator_id)
  words_lib.check_literal(tokenizer, text(layout, nodes), ids.ravel().tolist())


def _separator_id(
  tokenizer: transformers.PreTrainedTokenizerBase,
  words: Sequence[str],
  ids: Sequence[int],
  separator: str,
) -> int:
  found = None
  for word, id_ in zip(words, ids, strict=True):
    written = f" {word}{separator} {word}{separator}"
    pieces = words_lib.encode(tokenizer, written)
    found = pieces[1] if found is None and len(pieces) == 4 else found
    if pieces != [id_, found, id_, found] or found in ids:
      raise errors.InputError(
        f"the separator {separator!r} is not one token after the word"
        f" {word!r}: {written!r} gives"
        f" {tokenizer.convert_ids_to_tokens(pieces)}; choose another separator,"
        " such as '/', or none"
      )
  # A word-level vocabulary turns an unknown separator into <unk>.
  if found in tokenizer.all_special_ids:
    raise errors.InputError(
      f"the separator {separator!r} is unknown to this tokenizer; choose"
      " another one, or none"
    )
  return found
