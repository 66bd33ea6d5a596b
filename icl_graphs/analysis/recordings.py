"""Activations recorded by any other tool, from files to observations.

A recording becomes the same labelled dataset that a run of this package yields,
with one layer, window and context, so `measurements.derive` reads both.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import json
import pathlib
import zipfile

from jaxtyping import Float, Int
import numpy as np
import xarray as xr

from icl_graphs import errors
from icl_graphs.analysis import gram as gram_lib


@dataclasses.dataclass(frozen=True, eq=False)
class Recording:
  """Class sums of one recording.

  sums [G, n, D]; count [G, n]; node_words, n names; window and context, the
  number of positions that entered and that came before and in it;
  counts_known, whether `count` is more than a stand-in; nodes [T] and
  position_group [T], where known, of the whole text: node at each position (-1:
  none) and the group it belongs to (-1: before the window).
  """

  sums: Float[np.ndarray, "G n D"]
  count: Int[np.ndarray, "G n"]
  node_words: tuple[str, ...]
  window: int
  context: int
  counts_known: bool = True
  nodes: Int[np.ndarray, " T"] | None = None
  position_group: Int[np.ndarray, " T"] | None = None


def read(
  activations: str,
  nodes: str | None,
  node_words: Sequence[str] | None,
  default_words: Sequence[str],
  *,
  last: int | None = None,
  groups: int = 8,
) -> Recording:
  """Reads and checks a recording.

  Args:
    activations: npz with `class_means` [n, D] (optionally `counts` [n]), or
      `activations` [T, D]. With both, activations are used if nodes are known.
    nodes: file with the node of every position, ids from 0 (-1: none) or
      words; None looks for `nodes` or `words` in the npz. May cover more of the
      text than the activations do, if `last` is given.
    node_words: words of the n nodes in node order; None looks for `node_words`
      in the npz and then takes `default_words`.
    default_words: the graph's own names of its n nodes.
    last: use the last positions only.
    groups: contiguous blocks of time, for intervals.

  Raises:
    InputError: a file is missing, damaged or needs pickle; shapes, words or
      ids do not fit the graph; a value is not finite.
  """
  arrays = _read_npz(activations)
  n = len(default_words)
  words = _node_words(node_words, arrays, default_words)
  labels = _labels(nodes, arrays)
  if "activations" in arrays and labels is not None:
    return _from_positions(arrays["activations"], labels, words, last, groups)
  if "class_means" in arrays:
    if nodes is not None or last is not None:
      raise errors.InputError(
        f"{activations} holds class_means but no activations, so --nodes and "
        "--last have nothing to select from"
      )
    return _from_means(arrays, words, n)
  if "activations" in arrays:
    raise errors.InputError(
      f"{activations} holds activations but not their nodes; add `nodes` or "
      "`words` to it or give --nodes"
    )
  raise errors.InputError(
    f"{activations} holds {sorted(arrays)}; expected `class_means` [n, D] or "
    "`activations` [T, D]"
  )


def to_raw(
  recording: Recording,
  *,
  graph: str,
  adjacency: Float[np.ndarray, "n n"],
  positions: Float[np.ndarray, "n 2"],
  directed: bool,
  layer: int,
) -> xr.Dataset:
  """The recording as observations that `measurements.derive` reads."""
  groups = np.arange(len(recording.count))
  products = gram_lib.from_sums(recording.sums)
  words = list(recording.node_words)
  recorded = {}
  if recording.nodes is not None:
    recorded = {
      "recorded_nodes": ("recorded", recording.nodes),
      "recorded_group": ("recorded", recording.position_group),
    }
  return xr.Dataset(
    recorded
    | {
      "gram": (
        ("layer", "window", "context", "group", "node", "group_", "node_"),
        products[None, None, None],
      ),
      "count": (
        ("window", "context", "group", "node"),
        recording.count[None, None].astype(np.float64),
      ),
      "adjacency": (("node", "node_"), adjacency),
      "position": (("node", "xy"), positions),
    },
    coords={
      "layer": [layer],
      "window": [recording.window],
      "context": [recording.context],
      "group": groups,
      "group_": groups,
      "node": words,
      "node_": words,
    },
    attrs={
      "graph": graph,
      "directed": int(directed),
      "hidden_size": recording.sums.shape[-1],
      "counts_known": int(recording.counts_known),
      "report_layer": layer,
      "report_window": recording.window,
    },
  )


def _read_npz(path: str) -> dict[str, np.ndarray]:
  stored = _load(path)
  if isinstance(stored, np.ndarray):
    raise errors.InputError(
      f"{path} is a single array; save an npz with `class_means` or "
      "`activations`"
    )
  return stored


def _load(path: str) -> dict[str, np.ndarray] | np.ndarray:
  try:
    # numpy leaves a file it opened itself open when it turns out damaged.
    with open(path, "rb") as file:
      stored = np.load(file, allow_pickle=False)
      return stored if isinstance(stored, np.ndarray) else dict(stored)
  except FileNotFoundError as error:
    raise errors.InputError(f"there is no file {path}") from error
  except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
    raise errors.InputError(
      f"cannot read {path}: {error}. Save plain number and string arrays with "
      "numpy.savez; objects that need pickle are refused"
    ) from error


def _labels(
  path: str | None, arrays: Mapping[str, np.ndarray]
) -> np.ndarray | None:
  """Ids or words of all positions, [T]."""
  if path is None:
    for name in ("nodes", "words"):
      if name in arrays:
        return _flat(arrays[name], name)
    return None
  kind = pathlib.Path(path).suffix
  if kind in (".npz", ".npy"):
    stored = _load(path)
    if isinstance(stored, np.ndarray):
      return _flat(stored, path)
    for name in ("nodes", "words"):
      if name in stored:
        return _flat(stored[name], f"{name} of {path}")
    raise errors.InputError(
      f"{path} holds {sorted(stored)}; expected `nodes` or `words`"
    )
  try:
    text = pathlib.Path(path).read_text(encoding="utf-8")
    listed = json.loads(text) if kind == ".json" else text.split()
  except FileNotFoundError as error:
    raise errors.InputError(f"there is no file {path}") from error
  except (OSError, ValueError) as error:
    raise errors.InputError(f"cannot read {path}: {error}") from error
  if not isinstance(listed, list) or not all(
    isinstance(entry, str | int) for entry in listed
  ):
    raise errors.InputError(f"{path} is not a flat list of words or ids")
  return _flat(np.array(listed), path)


def _flat(labels: np.ndarray, source: str) -> np.ndarray:
  if labels.ndim != 1 or labels.dtype.kind not in "iuU":
    raise errors.InputError(
      f"{source} has shape {labels.shape} and type {labels.dtype}; expected "
      "one integer id or one word per position"
    )
  return labels


def _node_words(given, arrays, default) -> tuple[str, ...]:
  words = arrays.get("node_words") if given is None else given
  words = tuple(str(word) for word in (default if words is None else words))
  if len(words) != len(default):
    raise errors.InputError(
      f"{len(words)} node words but the graph has {len(default)} nodes"
    )
  if repeated := sorted({word for word in words if words.count(word) > 1}):
    raise errors.InputError(f"node words are not distinct: {repeated}")
  return words


def _ids(labels: np.ndarray, words: tuple[str, ...]) -> np.ndarray:
  """Integers are ids; strings are words or, where none is, written ids."""
  if labels.dtype.kind != "U":
    return labels.astype(np.int64)
  index = {word: node for node, word in enumerate(words)}
  stripped = [label.strip() for label in labels.tolist()]
  unknown = sorted({label for label in stripped if label not in index})
  if not unknown:
    return np.array([index[label] for label in stripped])
  try:
    return np.array([int(label) for label in stripped])
  except ValueError as error:
    shown = ", ".join(unknown[:8]) + (", ..." if len(unknown) > 8 else "")
    raise errors.InputError(
      f"{len(unknown)} words are not nodes: {shown}. The node words are "
      f"{', '.join(words[:8])}{', ...' if len(words) > 8 else ''}; name all "
      "of them in node order with --words"
    ) from error


def _known_ids(labels: np.ndarray, words: tuple[str, ...]) -> np.ndarray:
  """Ids of what came before the window: -1 for anything that is no node."""
  if labels.dtype.kind != "U":
    ids = labels.astype(np.int64)
    return np.where((ids >= 0) & (ids < len(words)), ids, -1)
  index = {word: node for node, word in enumerate(words)}
  index |= {str(node): node for node in range(len(words))} | index
  found = [index.get(label.strip(), -1) for label in labels.tolist()]
  return np.array(found, np.int64)


def _numbers(values: np.ndarray, name: str) -> np.ndarray:
  if values.ndim != 2 or values.dtype.kind not in "fiu" or not values.size:
    raise errors.InputError(
      f"{name} has shape {values.shape} and type {values.dtype}; expected two "
      "dimensions of real numbers (save bfloat16 as float32)"
    )
  return values.astype(np.float64)


def _from_positions(values, labels, words, last, groups) -> Recording:
  values = _numbers(values, "activations")
  context, text = len(labels), labels
  if last is not None:
    for name, array in (("activations", values), ("nodes", labels)):
      if len(array) < last:
        raise errors.InputError(
          f"--last={last} but there are {len(array)} {name}"
        )
    values, labels = values[-last:], labels[-last:]
  if len(values) != len(labels):
    raise errors.InputError(
      f"{len(values)} activations but {len(labels)} nodes; give one node per "
      "position, or --last=N to use the last N of both"
    )
  used = _ids(labels, words)
  sums, count = gram_lib.class_sums(values, used, len(words), groups)
  blocks = [
    np.full(len(block), group)
    for group, block in enumerate(np.array_split(used, groups))
  ]
  before = _known_ids(text[: context - len(values)], words)
  blocks = [np.full(len(before), -1), *blocks]
  return Recording(
    *(sums, count, words, len(values), context),
    nodes=np.concatenate([before, used]),
    position_group=np.concatenate(blocks),
  )


def _from_means(arrays, words, n) -> Recording:
  means = _numbers(arrays["class_means"], "class_means")
  if len(means) != n:
    raise errors.InputError(
      f"class_means has {len(means)} rows but the graph has {n} nodes"
    )
  if not np.isfinite(means).all():
    bad = np.flatnonzero(~np.isfinite(means).all(axis=1)).tolist()
    raise errors.InputError(f"class_means is not finite in rows {bad}")
  known = "counts" in arrays
  count = arrays["counts"] if known else np.ones(n, np.int64)
  if count.shape != (n,) or count.dtype.kind not in "iuf" or (count < 0).any():
    raise errors.InputError(
      f"counts has shape {count.shape}; expected the {n} numbers of "
      "occurrences behind class_means"
    )
  used = max(int(count.sum()), 1)
  return Recording(
    (means * count[:, None])[None], count[None], words, used, used, known
  )
