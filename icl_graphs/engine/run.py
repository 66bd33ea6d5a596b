"""Batches in, observations out: the loop around the compiled step."""

from collections.abc import Sequence
import functools
import pathlib
import time

import jax
import numpy as np

from icl_graphs.engine import forward, parallel, progress
from icl_graphs.engine import state as state_lib


@jax.jit
def _add(left, right):
  return jax.tree.map(jax.numpy.add, left, right)


@functools.cache
def _step(plan: forward.Plan, devices: tuple[jax.Device, ...]):
  """One compilation per plan, however many models or seeds run through it."""
  return parallel.spread_walks(forward.build(plan), devices)


def collect(
  plan: forward.Plan,
  params: forward.Params,
  work: forward.Task,
  *,
  walks: int,
  batch_size: int,
  devices: Sequence[jax.Device],
  label: str,
  state_file: pathlib.Path | None = None,
  fingerprint: str = "",
  save_seconds: float = 60.0,
) -> state_lib.State:
  """Observes walks 0..walks-1, resuming from `state_file` where it exists.

  Args:
    plan: what to compute.
    params: decoder parameters, already on `devices` (`parallel.replicate`).
    work: the graph and the walk on it.
    walks: number of walks.
    batch_size: walks per device and step. Like the number of devices it
      decides the order of float additions and so belongs in `fingerprint`.
    devices: where to run.
    label: shown beside the progress bar.
    state_file: where unfinished work is kept.
    fingerprint: names the settings; a state of other settings is refused.
    save_seconds: least time between two saves.

  Returns:
    The observations, on the host.

  Raises:
    InputError: `state_file` is damaged or of another run.
  """
  state = state_lib.State()
  if state_file is not None:
    state = state_lib.load(state_file, fingerprint)
  step = _step(plan, tuple(devices))
  work = parallel.replicate(work, devices)
  rows = batch_size * len(devices)
  shape = (len(devices), batch_size)
  total = state.sums
  if total is not None:
    total = parallel.replicate(total, devices)
  pending = None
  saved = time.monotonic()

  def fetch(per_walk, valid):
    """Brings one batch to the host, without the padding walks."""
    rows = (np.asarray(x).reshape(-1, *x.shape[2:]) for x in per_walk)
    state.append(forward.PerWalk(*(x[valid] for x in rows)))
    advance(int(valid.sum()) * plan.words)

  def save():
    state.sums = jax.device_get(total)
    if state_file is not None:
      state_lib.save(state_file, state, fingerprint)

  tokens = walks * plan.words, state.done * plan.words
  with progress.bar(label, *tokens) as advance:
    for start in range(state.done, walks, rows):
      index = np.arange(start, start + rows, dtype=np.int32)
      valid = index < walks
      sums, per_walk = step(
        params, work, index.reshape(shape), valid.reshape(shape)
      )
      total = sums if total is None else _add(total, sums)
      # The step above runs while the batch before it is fetched.
      if pending is not None:
        fetch(*pending)
      pending = per_walk, valid
      if time.monotonic() - saved >= save_seconds:
        fetch(*pending)
        pending = None
        save()
        saved = time.monotonic()
    if pending is not None:
      fetch(*pending)
    save()
  return state
