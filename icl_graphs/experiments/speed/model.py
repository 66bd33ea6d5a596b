"""One pass of a model over walks: how fast, and what measuring costs.

All rivals read the same files and the same sequences. Rows:

  bare                 blocks, final norm, log-sum-exp over the vocabulary
  useful               class means of all layers, log-probabilities of the nodes
  useful_chosen        the same, log-probabilities at the checkpoints only
  transformers_bare    model(input_ids): all logits, which is what it offers
  transformers_useful  hidden states and logits, then the same reductions
  hooks_useful         hooks on transformers that reduce each layer where it
                       appears; logits in chunks
  walk_sampling        1,024 walks of as many words, sampled on the device
"""

import contextlib
import dataclasses
import functools
import math
import pathlib
import tempfile
import types

import jax
import numpy as np

from icl_graphs import errors
from icl_graphs.engine import progress, throughput
from icl_graphs.experiments.speed import job as job_lib
from icl_graphs.experiments.speed import (
  memory,
  ours,
  random_checkpoint,
  shapes,
  summary,
  timing,
)
from icl_graphs.models import checkpoint, families, hub, weight_files
from icl_graphs.tasks import graphs, walks

TORCH_ROWS = ("transformers_bare", "transformers_useful", "hooks_useful")
ROWS = (*ours.ROWS, *TORCH_ROWS, "walk_sampling")
_WALKS = 1024
_CACHE = "jax_enable_compilation_cache"
# Greatest difference of two implementations, relative to the greatest value.
_TOLERANCE = {"float32": 1e-3, "bfloat16": 5e-2, "float16": 1e-2}


@dataclasses.dataclass(frozen=True)
class Settings:
  """What is measured; see the help of the flags."""

  shape: str = timing.option(
    "llama-3.2-1b", f"Shape of the model: {', '.join(shapes.SHAPES)}."
  )
  layers: int | None = timing.option(
    None, "Blocks of the random model; by default 4 on a CPU, elsewhere all."
  )
  vocab: int | None = timing.option(
    None,
    "Vocabulary of the random model; by default 32,000 on a CPU, elsewhere"
    " that of the shape.",
  )
  length: int = timing.option(512, "T, tokens of a sequence.")
  batch: int = timing.option(2, "B, sequences in one pass.")
  folder: str | None = timing.option(
    None, "Where the random checkpoint is made and kept; default: not kept."
  )
  checkpoint: str | None = timing.option(
    None, "Folder of a model to measure instead of a random one."
  )
  tokens: str | None = timing.option(
    None,
    "An .npz file with the sequences: tokens [B, T], nodes [B, T] (-1 off the"
    " nodes), node_token_ids [n], context_lengths [C], window. A context of"
    " length c is the first c positions, as they are given; its window the last"
    " `window` of these. Class means and node masses go to outputs.npz in"
    " --out: class_means [L+1, C, n, D] (NaN where a node does not occur),"
    " counts [C, n], node_log_probs [B, T, n], node_mass [B, T].",
  )
  dtype: str | None = timing.option(
    None, "float32 (on a CPU) or bfloat16 (elsewhere), on both sides."
  )
  attention: str | None = timing.option(
    None, "Our attention backend; default: what suits the model and the device."
  )
  devices: int | None = timing.option(None, "Our devices; default all.")
  rows: str | None = timing.option(
    None, f"What to measure; default all: {','.join(ROWS)}."
  )
  repeats: int = timing.option(3, "Interleaved repeats.")
  memory: bool = timing.option(
    False, "Also measure peak memory, every row in a process of its own."
  )
  trace_dir: str | None = timing.option(
    None, "Where jax.profiler writes a trace of one useful pass."
  )


def measure(
  settings: Settings, baseline: types.ModuleType | None
) -> timing.Result:
  """Times the rows in turn and compares what they give.

  Args:
    settings: of the model, the sequences and the rows.
    baseline: the rivals in torch; or None.

  Raises:
    InputError: an unknown shape, row or dtype, or a bad checkpoint or job.
    AssertionError: the useful outputs of two rivals differ.
  """
  rows = _rows(settings.rows, baseline)
  if settings.dtype not in (None, *checkpoint.DTYPES):
    known = ", ".join(checkpoint.DTYPES)
    raise errors.InputError(f"--dtype={settings.dtype}; known: {known}")
  with contextlib.ExitStack() as stack:
    # Times of compilation are told, so nothing may come from an older run.
    stack.callback(
      jax.config.update, _CACHE, jax.config.jax_enable_compilation_cache
    )
    jax.config.update(_CACHE, False)
    folder = _folder(settings, stack)
    config = families.read_config(folder)
    if settings.tokens is not None:
      job = job_lib.read(settings.tokens, config)
    else:
      job = job_lib.sampled(config.vocab_size, settings.batch, settings.length)
    length = job.tokens.shape[1]
    if config.learned_positions and length > config.max_positions:
      raise errors.InputError(
        f"sequences of {length:,} tokens, but the model has "
        f"{config.max_positions:,} positions; shorten them"
      )
    return _measure(settings, rows, baseline, folder, job)


def _measure(settings, rows, baseline, folder, job) -> timing.Result:
  platform = jax.local_devices()[0].platform
  dtype = settings.dtype or ("float32" if platform == "cpu" else "bfloat16")
  load_ours = functools.partial(
    ours.Ours,
    *(folder, job),
    dtype=dtype,
    backend=settings.attention,
    devices=settings.devices,
  )
  loaders = dict.fromkeys(ours.ROWS, load_ours)
  own, other = load_ours(), None
  if set(rows) & set(TORCH_ROWS):
    device = "cuda" if platform == "gpu" else "cpu"
    load_other = functools.partial(baseline.Model, folder, job, dtype, device)
    loaders |= dict.fromkeys(TORCH_ROWS, load_other)
    other = load_other()
    other.choose_threads()
  print(summary.heading(own, other))
  runs = {
    row: (own if row in ours.ROWS else other).run(row)
    for row in rows
    if row in loaders
  }
  # These runs warm up, too.
  outputs = {
    row: job_lib.Output(*map(to_host, runs[row]()))
    for row in ("useful", "transformers_useful", "hooks_useful")
    if row in runs
  }
  found = differences(outputs, _TOLERANCE[dtype])
  rivals = [
    timing.Rival(row, run, job.size, warm_ups=row not in outputs)
    for row, run in runs.items()
  ]
  if "walk_sampling" in rows:
    rivals.append(_walks(job))
  timed = _time([*rivals, *_products(own, other)], settings.repeats)
  if settings.trace_dir is not None:
    with jax.profiler.trace(settings.trace_dir):
      jax.block_until_ready((runs.get("useful") or own.run("useful"))())
  peaks = {}
  if settings.memory:
    peaks = {row: memory.peak_bytes(loaders[row], row) for row in runs}
  files = {}
  if settings.tokens is not None and "useful" in outputs:
    files["outputs.npz"] = functools.partial(
      job_lib.save, output=outputs["useful"], given=True
    )
  return summary.result(own, other, timed, found, peaks, files)


def _time(rivals: list[timing.Rival], repeats: int) -> list[timing.Row]:
  """Interleaved repeats, with a bar."""

  def tokens(rival):
    return int(rival.units) if rival.unit == "tokens" else 0

  total = sum((repeats + r.warm_ups) * tokens(r) for r in rivals)
  with progress.bar("measuring", total) as advance:
    return timing.interleave(rivals, repeats, lambda r: advance(tokens(r)))


def _rows(wanted: str | None, baseline) -> list[str]:
  """Rows to measure, in their order."""
  known = [row for row in ROWS if baseline is not None or row not in TORCH_ROWS]
  if wanted is None:
    return known
  names = [name.strip() for name in wanted.split(",")]
  for name in names:
    if name not in known:
      raise errors.InputError(
        f"--rows: {name!r} is not one of {', '.join(known)}"
        + (" (without torch)" if baseline is None else "")
      )
  return [row for row in known if row in names]


def _folder(settings: Settings, stack: contextlib.ExitStack) -> pathlib.Path:
  """The given checkpoint, or a random one of the shape that is asked for."""
  if settings.checkpoint is not None:
    return hub.resolve(settings.checkpoint)
  small = jax.local_devices()[0].platform == "cpu"
  shape = shapes.config(
    settings.shape,
    settings.layers or (4 if small else None),
    settings.vocab or (32000 if small else None),
  )
  if settings.folder is None:
    made = tempfile.TemporaryDirectory(prefix="icl_graphs-benchmark-")
    folder = pathlib.Path(stack.enter_context(made))
  else:
    folder = pathlib.Path(settings.folder)
    if (folder / weight_files.SINGLE).exists():
      if families.read_config(folder) != families.translate(shape):
        raise errors.InputError(
          f"--folder={folder} holds a model of another shape; choose another"
        )
      return folder
  random_checkpoint.write(folder, shape)
  return folder


def to_host(array) -> np.ndarray:
  """A jax array or a torch tensor on the host, in float32."""
  if isinstance(array, jax.Array):
    return np.asarray(array, np.float32)
  return array.float().cpu().numpy()


def differences(outputs, tolerance) -> dict[str, float]:
  """By row: greatest relative difference from ours, per layer at its worst."""
  if "useful" not in outputs:
    return {}
  mine = outputs["useful"]
  found = {}
  for row, other in outputs.items():
    if row == "useful":
      continue
    if not np.array_equal(mine.counts, other.counts):
      raise AssertionError(f"{row} counts other words than useful does")
    pairs = [
      *zip(mine.class_means, other.class_means, strict=True),
      (mine.node_log_probs, other.node_log_probs),
    ]
    found[row] = max(throughput.relative_difference(*pair) for pair in pairs)
    if not found[row] <= tolerance:
      raise AssertionError(
        f"{row} differs from useful by {found[row]:.2g} of the greatest value;"
        f" at most {tolerance:.0e} is rounding"
      )
  return found


def _walks(job) -> timing.Rival:
  """Sampling walks of the length of the job's sequences."""
  table = walks.transition_table(graphs.parse("grid:4x4"))
  length = job.tokens.shape[1]
  index = np.arange(_WALKS, dtype=np.int32)
  sample = jax.jit(
    lambda index: walks.sample_walks(table, 0, index, length=length)
  )
  return timing.Rival(
    "walk_sampling", lambda: sample(index), _WALKS * length, warm_ups=2
  )


def _products(own, other) -> list[timing.Rival]:
  """Matrix products of this model, in jax and in torch."""
  rivals = []
  for shape in throughput.ceiling_products(own.config, own.job.size):
    makers = {"jax": own.product} | ({"torch": other.product} if other else {})
    for library, make in makers.items():
      name = f"{library} " + "x".join(map(str, shape))
      flops = 2 * math.prod(shape)
      rivals.append(timing.Rival(name, make(shape), flops, unit="operations"))
  return rivals
