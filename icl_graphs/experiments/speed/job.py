"""The work that every rival does: given sequences, the same reductions.

The useful output of a pass: the mean hidden state of every node, in every layer
and every window of the context, and the log-probabilities of the node words at
every position.

Positions are taken as they are given, whatever the tokens mean (BOS, text): the
context of length c is positions 0 to c - 1, and its window the last `window` of
these, or all where there are fewer. A position off the nodes (-1) enters no
mean but is a position.
"""

import dataclasses
import pathlib
from typing import NamedTuple
import zipfile

from jaxtyping import Float, Int
import numpy as np

from icl_graphs import atomic, errors
from icl_graphs.models import config as config_lib
from icl_graphs.probes import class_sums
from icl_graphs.tasks import graphs, walks

_ARRAYS = {
  "tokens": 2,
  "nodes": 2,
  "node_token_ids": 1,
  "context_lengths": 1,
  "window": 0,
}


class Output(NamedTuple):
  """The useful output.

  Attributes:
    class_means: NaN where a node does not occur; hidden state 0 is the
      embedding, hidden state L the last block's output before the final norm.
    counts: terms of each mean.
    node_log_probs: log p of each node's word at every position, over the whole
      vocabulary.
  """

  class_means: Float[np.ndarray, "L+1 W C n D"]
  counts: Float[np.ndarray, "W C n"]
  node_log_probs: Float[np.ndarray, "B T n"]


@dataclasses.dataclass(frozen=True)
class Job:
  """Sequences, and what is asked about them.

  Attributes:
    tokens: int32 ids.
    nodes: int32, the node at every position, -1 off the nodes.
    node_token_ids: int32, the token of every node.
    sums: windows and context lengths.
  """

  tokens: Int[np.ndarray, "B T"]
  nodes: Int[np.ndarray, "B T"]
  node_token_ids: Int[np.ndarray, " n"]
  sums: class_sums.ClassSums

  @property
  def size(self) -> int:
    """Tokens, none of which is padding."""
    return self.tokens.size

  @property
  def scored(self) -> np.ndarray:
    """The last position of every context, for accuracies at a few only."""
    return np.asarray(self.sums.context_lengths) - 1


def sampled(
  vocab: int,
  batch: int,
  length: int,
  *,
  graph: str = "grid:4x4",
  checkpoints: int = 16,
  windows: tuple[int, ...] = (50, 200),
  seed: int = 0,
) -> Job:
  """Random walks of node words that are random tokens, after one BOS (id 0).

  Args:
    vocab: V.
    batch: B sequences.
    length: T tokens of each, BOS included.
    graph: on which to walk.
    checkpoints: log-spaced context lengths, fewer where they coincide.
    windows: those longer than the sequence are cut to it.
    seed: of walks and tokens.

  Raises:
    InputError: a vocabulary with fewer words than the graph has nodes.
  """
  parsed = graphs.parse(graph)
  count = len(parsed.adjacency)
  if vocab <= count:
    raise errors.InputError(
      f"BOS and {count} node words do not fit into a vocabulary of {vocab}; "
      "raise --vocab"
    )
  if length < 2:
    raise errors.InputError(f"--length={length} has no room beside BOS")
  rng = np.random.default_rng(seed)
  ids = 1 + rng.choice(vocab - 1, count, replace=False)
  table = walks.transition_table(parsed)
  index = np.arange(batch, dtype=np.int32)
  nodes = walks.sample_walks(table, seed, index, length=length - 1)
  nodes = np.pad(np.asarray(nodes), ((0, 0), (1, 0)), constant_values=-1)
  tokens = np.where(nodes < 0, 0, ids[nodes])
  sums = class_sums.ClassSums(
    count,
    1,
    class_sums.log_spaced_contexts(length, checkpoints),
    tuple(sorted({min(window, length) for window in windows})),
    0,
  )
  return Job(
    tokens.astype(np.int32), nodes.astype(np.int32), ids.astype(np.int32), sums
  )


def read(path: str, config: config_lib.DecoderConfig) -> Job:
  """Reads a job from an .npz file.

  Args:
    path: holds tokens [B, T], nodes [B, T] (-1 off the nodes), node_token_ids
      [n], context_lengths [C] (increasing) and window (a number), all integers.
    config: of the model that is to read the tokens.

  Raises:
    InputError: no such file, or arrays that are missing, of another shape or
      out of range.
  """
  arrays = _load(path)
  tokens, nodes = arrays["tokens"], arrays["nodes"]
  ids, contexts = arrays["node_token_ids"], arrays["context_lengths"]
  window = int(arrays["window"])
  batch, length = tokens.shape
  problems = [
    (nodes.shape != tokens.shape, "nodes and tokens differ in shape"),
    (not tokens.size or not ids.size or not contexts.size, "an array is empty"),
    (_outside(tokens, 0, config.vocab_size), "tokens leave the vocabulary"),
    (
      _outside(ids, 0, config.vocab_size),
      "node_token_ids leave the vocabulary",
    ),
    (_outside(nodes, -1, len(ids)), "nodes must lie in -1 to n - 1"),
    (_outside(contexts, 1, length + 1), "context_lengths must lie in 1 to T"),
    (np.any(np.diff(contexts) <= 0), "context_lengths must increase"),
    (window < 1, "window must be at least 1"),
  ]
  found = [text for wrong, text in problems if wrong]
  if found:
    raise errors.InputError(
      f"--tokens={path}: {'; '.join(found)} (B={batch}, T={length},"
      f" n={len(ids)}, vocabulary {config.vocab_size})"
    )
  contexts = tuple(int(c) for c in contexts)
  window = min(window, contexts[-1])
  sums = class_sums.ClassSums(len(ids), 1, contexts, (window,), 0)
  return Job(*(x.astype(np.int32) for x in (tokens, nodes, ids)), sums)


def _load(path) -> dict[str, np.ndarray]:
  try:
    with np.load(path, allow_pickle=False) as file:
      arrays = {name: file[name] for name in file.files}
  except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
    raise errors.InputError(
      f"--tokens={path} cannot be read as an .npz file: {error}"
    ) from error
  except TypeError as error:
    raise errors.InputError(
      f"--tokens={path} is a single array, not an .npz file"
    ) from error
  missing = [name for name in _ARRAYS if name not in arrays]
  if missing:
    raise errors.InputError(
      f"--tokens={path} lacks {', '.join(missing)}; it holds "
      f"{', '.join(arrays) or 'nothing'}"
    )
  for name, rank in _ARRAYS.items():
    array = arrays[name]
    if rank == 0 and array.size == 1:
      array = arrays[name] = array.reshape(())
    if array.ndim != rank or not np.issubdtype(array.dtype, np.integer):
      raise errors.InputError(
        f"--tokens={path}: {name} must be integers of rank {rank}, not "
        f"{array.dtype} of shape {list(array.shape)}"
      )
  return arrays


def _outside(array, low, stop) -> bool:
  return bool(array.size and (array.min() < low or array.max() >= stop))


def save(path: pathlib.Path, output: Output, given: bool) -> None:
  """Writes outputs.npz.

  Args:
    path: of the file.
    output: what one rival found.
    given: the job came from a file with one window, whose axis is dropped.
  """
  means, counts = output.class_means, output.counts
  if given:
    means, counts = means[:, 0], counts[0]
  with atomic.replaced(path) as partial, partial.open("wb") as file:
    np.savez(
      file,
      class_means=means,
      counts=counts,
      node_log_probs=output.node_log_probs,
      node_mass=np.exp(output.node_log_probs).sum(axis=-1),
    )
