"""Batches in, observations out: the loop around the compiled step."""

from collections.abc import Callable
import functools
import pathlib
import time
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from icl_graphs import errors
from icl_graphs.engine import batch_size as batch_size_lib
from icl_graphs.engine import forward, hosts, parallel, progress
from icl_graphs.engine import state as state_lib


class Plan(Protocol):
  """What a step computes; hashable, one compilation per plan.

  Attributes:
    words: of a walk, for the rate that is shown.
  """

  words: int

  def build(self, part: forward.Part) -> Callable[..., tuple[Any, Any]]:
    """Returns step(params, work, walk_index [B], valid [B]).

    The first of its two results adds over walks, in the second every array has
    a leading axis of B walks.
    """


def collect(
  plan: Plan,
  params: forward.Params,
  work: Any,
  *,
  walks: int,
  spread: parallel.Spread,
  label: str,
  batch_size: int | None = None,
  state_file: pathlib.Path | None = None,
  fingerprint: str = "",
  save_seconds: float = 60.0,
) -> state_lib.State:
  """Observes walks 0..walks-1, resuming from `state_file` where it exists.

  A batch that does not fit into memory after all is halved, and the run goes on
  from what is done.

  Args:
    plan: what to compute: `forward.Plan`, or rows of another kind (`rows`).
    params: decoder parameters, placed by `spread.place`.
    work: arrays that all walks share, such as a `forward.Task`.
    walks: number of walks.
    spread: where to run. It decides the order of float additions and so belongs
      in `fingerprint`, like the batch size that was asked for.
    label: shown beside the progress bar.
    batch_size: walks per member of the spread and step; None for what fits. The
      one in use is part of the state: a resumed run goes on with it.
    state_file: where unfinished work is kept, by the first host.
    fingerprint: names the settings; a state of other settings is refused.
    save_seconds: least time between two saves.

  Returns:
    The observations, on every host.

  Raises:
    InputError: `state_file` is damaged or of another run, or a single walk does
      not fit into memory.
    LostHostError: a step of several hosts failed.
  """
  work = spread.put(work)
  with hosts.together():
    state = _restored(plan, params, work, state_file, fingerprint)
    if not state.batch_size:
      state.batch_size = batch_size or _programs.fitting(
        plan, spread, params, work, walks
      )
    loop = _Loop(spread, state, walks)
    tokens = walks * plan.words, state.done * plan.words
    with progress.bar(label, *tokens, hidden=not hosts.first()) as advance:

      def keep():
        if state_file is not None and hosts.first():
          state_lib.save(state_file, loop.state(), fingerprint)

      while state.done < walks:
        try:
          step = _programs.step(plan, spread, params, work, state.batch_size)
          with jax.transfer_guard("disallow"):
            loop.run(
              functools.partial(step, params, work),
              lambda count: advance(count * plan.words),
              keep,
              save_seconds,
            )
        except jax.errors.JaxRuntimeError as error:
          state.batch_size = _smaller(state.batch_size, error)
    keep()
  return loop.state()


class _Loop:
  """Batch after batch; what is done is what the host has seen.

  Attributes:
    spread: of the walks.
    walks: how many in all.
  """

  def __init__(self, spread, state, walks):
    self.spread = spread
    self.walks = walks
    self._state = state
    self._total = None

  def state(self) -> state_lib.State:
    """Everything that is done, on the host."""
    if self._total is not None:
      self._state.sums = parallel.fetch(self._total)
    return self._state

  def _count(self, sums):
    if self._total is None and self._state.sums is not None:
      self._total = self.spread.put_like(self._state.sums, sums)
    self._total = sums if self._total is None else _add(self._total, sums)

  def run(self, step, advance, keep, save_seconds) -> None:
    """Runs all that is left, dispatching a batch before fetching the last."""
    batch_size = self._state.batch_size
    rows = self.spread.data * batch_size
    pending = None
    saved = time.monotonic()

    def settle():
      # Added only now: a step that failed must leave no trace in the total.
      sums, per_walk, count = pending
      fetched = jax.device_get(per_walk)
      self._count(sums)
      self._state.append(jax.tree.map(lambda x: x[:count], fetched), count)
      advance(count)

    for start in range(self._state.done, self.walks, rows):
      walks = self.spread.walks(start, batch_size, self.walks)
      launched = *step(*walks), min(rows, self.walks - start)
      # The step above runs while the batch before it is fetched.
      if pending is not None:
        settle()
      pending = launched
      if time.monotonic() - saved >= save_seconds:
        settle()
        pending = None
        keep()
        saved = time.monotonic()
    if pending is not None:
      settle()


@functools.partial(jax.jit, donate_argnums=0)
def _add(total, sums):
  return jax.tree.map(jnp.add, total, sums)


def _restored(plan, params, work, state_file, fingerprint) -> state_lib.State:
  """What an earlier run left, read by the first host and told to all."""
  state = state_lib.State()
  several = jax.process_count() > 1
  found = state_file is not None and state_file.exists()
  if not several and not found:
    return state
  index = jax.ShapeDtypeStruct((1,), "int32")
  valid = jax.ShapeDtypeStruct((1,), "bool")
  like = jax.eval_shape(
    plan.build(lambda hidden: hidden), params, work, index, valid
  )
  if found and hosts.first():
    state = state_lib.load(state_file, fingerprint, like)
  return state.shared(*like) if several else state


def _smaller(batch_size: int, error: Exception) -> int:
  """Half the batch, where it was too large for the memory.

  Hosts do not halve: a device that waits for the others cannot be called back.
  """
  if not parallel.out_of_memory(error):
    raise error
  advice = f"start again with --batch_size={max(1, batch_size // 2)}"
  if jax.process_count() > 1:
    advice += " on every host, and another --out"
  elif batch_size > 1:
    progress.say(
      f"out of memory with {batch_size} walks per step; going on with"
      f" {batch_size // 2}"
    )
    return batch_size // 2
  else:
    advice = "take a shorter --context, --dtype=bfloat16 or --mesh=model:N"
  raise errors.InputError(
    f"out of memory with {batch_size} walks per step; {advice}"
  ) from error


class _Programs:
  """Compiled steps: one per plan and shape, however many models run through."""

  def __init__(self):
    self._made = {}

  def step(self, plan, spread, params, work, batch_size):
    """The program for a batch size; see `parallel.Spread.compile`."""

    def make():
      step = plan.build(spread.part)
      return spread.compile(step, params, work, batch_size)

    return self._once((plan, spread, batch_size), params, work, make)

  def fitting(self, plan, spread, params, work, walks) -> int:
    """The batch size that fits, said aloud when it is found."""

    def make():
      fit = batch_size_lib.choose(
        functools.partial(self.step, plan, spread, params, work),
        parallel.local_devices()[0],
        walks=-(-walks // spread.data),
        words=plan.words,
      )
      progress.say(str(fit))
      return hosts.least(fit.batch_size)

    return self._once((plan, spread, walks, "fit"), params, work, make)

  def _once(self, key, params, work, make):
    leaves = jax.tree.leaves((params, work))
    key += tuple((x.shape, x.dtype.name, x.sharding) for x in leaves)
    if key not in self._made:
      self._made[key] = make()
    return self._made[key]


_programs = _Programs()
