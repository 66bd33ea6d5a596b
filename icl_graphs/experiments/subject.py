"""A model under study, and everything that was measured of it so far.

Recipes ask a subject; what two of them ask for is measured once. Measurements
are kept on disk as they are made, so that a killed run loses little.
"""

from collections.abc import Callable
import dataclasses
import functools
import hashlib
import json
import pathlib
from typing import Any, Self

import jax
import numpy as np

from icl_graphs.engine import rows
from icl_graphs.experiments import opened
from icl_graphs.models import decoder, hub

WORK = "work"


class Subject:
  """A model that any row can be shown to.

  Attributes:
    settings: of the model, the devices and the size of experiments.
    out: folder of the measurements.
    model: opened; no weight is read before it is needed.
    random_weights: whether this is the untrained control.
    decoder: configuration.
    tokenizer: of the model.
    bos_ids: what the model reads before a text.
  """

  def __init__(
    self,
    settings: Any,
    model: opened.Opened,
    out: pathlib.Path,
    save_seconds: float = 60.0,
  ):
    """Takes over a model.

    Args:
      settings: a dataclass that decides all numbers, with a `seed` and a
        `batch_size` (None for what fits).
      model: opened.
      out: folder of the measurements.
      save_seconds: least time between saves of unfinished work.
    """
    self.settings = settings
    self.model = model
    self.out = pathlib.Path(out)
    self.random_weights = False
    self.decoder = model.decoder
    self.tokenizer = model.tokenizer
    self.bos_ids = hub.bos_ids(model.tokenizer, model.decoder)
    self.save_seconds = save_seconds
    # Of this model or its control: there may not be room for two.
    self._held: dict[bool, decoder.Params] = {}

  @functools.cached_property
  def untrained(self) -> Self:
    """The same architecture with random weights, norms left at one."""
    other = object.__new__(type(self))
    vars(other).update(
      {k: v for k, v in vars(self).items() if k != "untrained"}
    )
    other.random_weights = True
    return other

  @property
  def params(self) -> decoder.Params:
    """Parameters on the devices; loaded when they are first asked for."""
    if self.random_weights not in self._held:
      self._held.clear()
      self._held[self.random_weights] = (
        self.model.untrained(self.settings.seed)
        if self.random_weights
        else self.model.load()
      )
    return self._held[self.random_weights]

  @property
  def fingerprint(self) -> str:
    """Names everything that decides the numbers of this subject."""
    return self.mark(dataclasses.asdict(self.settings), self.model.marks())

  def mark(self, *parts: Any) -> str:
    """Names parts of JSON, for this model or its control."""
    text = json.dumps([*parts, self.random_weights], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()

  def label(self, name: str) -> str:
    """A measurement's name beside its progress bar."""
    return f"{name} random_weights" if self.random_weights else name

  def evaluate(
    self,
    name: str,
    step: Callable[..., tuple[Any, Any]],
    rows_: Any,
    fixed: Any = (),
    *,
    words: int,
    batch_size: int | None = None,
  ) -> tuple[Any, Any]:
    """Runs a step over rows with this model; see `engine.rows.evaluate`.

    Args:
      name: of the measurement, unique within a recipe.
      step: step(params, fixed, rows, valid [B]) to (sums, per_row).
      rows_: arrays with a leading axis of R rows.
      fixed: arrays that every row shares.
      words: read per row, for the rate that is shown.
      batch_size: rows per step and member; default what pays and fits.

    Returns:
      (sums, per_row) as numpy arrays.
    """
    rows_, fixed = jax.tree.map(np.asarray, (rows_, fixed))
    mark = self.mark(self.fingerprint, name, *_named(step))
    mark = hashlib.sha256(mark.encode())
    for leaf in jax.tree.leaves((rows_, fixed)):
      mark.update(f"{leaf.shape}{leaf.dtype}".encode())
      mark.update(np.ascontiguousarray(leaf).tobytes())
    mark = mark.hexdigest()
    folder = self.out / WORK
    folder.mkdir(parents=True, exist_ok=True)
    return rows.evaluate(
      step,
      self.params,
      rows_,
      fixed,
      words=words,
      spread=self.model.spread,
      label=self.label(name),
      batch_size=batch_size or self.settings.batch_size,
      state_file=folder / f"{mark[:24]}.npz",
      fingerprint=mark,
      save_seconds=self.save_seconds,
    )


def _named(step: Callable) -> tuple[str, ...]:
  """A step's name and what is bound to it."""
  if isinstance(step, functools.partial):
    bound = repr((step.args, sorted(step.keywords.items())))
    return (*_named(step.func), bound)
  return (f"{step.__module__}.{step.__qualname__}",)
