"""Any measurement, row by row: the loop of `run` for what is no plain walk.

A row is one sequence to read in one condition. Interventions, sequences made
elsewhere and readouts of their own come this way, with the same batches,
devices, progress and unfinished work as walks.
"""

from collections.abc import Callable
import dataclasses
import functools
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from icl_graphs import errors
from icl_graphs.engine import forward, parallel, run

Step = Callable[..., tuple[Any, Any]]


@dataclasses.dataclass(frozen=True)
class Rows:
  """A `run.Plan` of a step over rows.

  Attributes:
    function: step(params, fixed, rows, valid [B]) to (sums, per_row), pure and
      hashable: it names the compiled program.
    arguments, keywords: hashable ones that come before those of a step.
    words: of a row.
  """

  function: Step
  arguments: tuple[Any, ...]
  keywords: tuple[tuple[str, Any], ...]
  words: int

  def build(self, part: forward.Part) -> Step:
    """See `run.Plan`; class sums in a step are placed by whoever makes them."""
    del part
    call = functools.partial(
      self.function, *self.arguments, **dict(self.keywords)
    )

    def step(params, work, row_index, valid):
      fixed, rows = work
      # Rows beyond the last one are not valid; any other stands in for them.
      here = jax.tree.map(
        lambda leaf: jnp.take(leaf, row_index, axis=0, mode="clip"), rows
      )
      return call(params, fixed, here, valid)

    return step


def evaluate(
  step: Step,
  params: forward.Params,
  rows: Any,
  fixed: Any = (),
  *,
  words: int,
  spread: parallel.Spread,
  label: str,
  batch_size: int | None = None,
  state_file: pathlib.Path | None = None,
  fingerprint: str = "",
  save_seconds: float = 60.0,
) -> tuple[Any, Any]:
  """Runs a step over all rows; see `run.collect` for what is not said here.

  Args:
    step: step(params, fixed, rows, valid [B]) to (sums, per_row): what adds
      over rows (rows that are not valid must add nothing), and arrays with a
      leading axis of B rows. Either may be `()`. A pure function, or a
      `functools.partial` of one with hashable arguments.
    params: decoder parameters.
    rows: arrays with a leading axis of R rows; or indices into `fixed`.
    fixed: arrays that every row shares.
    words: read per row, for the rate that is shown.
    spread: where to run.
    label: shown beside the progress bar.

  Returns:
    (sums, per_row) as numpy arrays, per_row with R rows.

  Raises:
    InputError: rows of different numbers, or as `run.collect`.
  """
  counts = {len(leaf) for leaf in jax.tree.leaves(rows)}
  if len(counts) != 1 or not min(counts):
    raise errors.InputError(
      f"the rows of {label!r} have {sorted(counts)} entries; all arrays need "
      "the same number, at least one"
    )
  bound = step if isinstance(step, functools.partial) else None
  plan = Rows(
    bound.func if bound else step,
    bound.args if bound else (),
    tuple(sorted(bound.keywords.items())) if bound else (),
    words,
  )
  state = run.collect(
    plan,
    params,
    jax.tree.map(np.asarray, (fixed, rows)),
    walks=counts.pop(),
    spread=spread,
    label=label,
    batch_size=batch_size,
    state_file=state_file,
    fingerprint=fingerprint,
    save_seconds=save_seconds,
  )
  return jax.tree.map(np.asarray, (state.sums, state.per_walk))
