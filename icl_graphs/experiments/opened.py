"""A model and where it runs, known before any weight is read."""

import dataclasses
import pathlib
from typing import Any, Protocol, TypeVar

import jax

from icl_graphs import errors
from icl_graphs.engine import parallel, progress
from icl_graphs.models import (
  attention,
  checkpoint,
  decoder,
  families,
  hub,
  weight_files,
)
from icl_graphs.models import config as config_lib


class Settings(Protocol):
  """Which model, on what; a dataclass. `None` asks for a default."""

  model: str  # folder, hub id or bundled:NAME
  revision: str | None
  dtype: str | None  # float32 on a CPU, bfloat16 elsewhere
  attention: str | None  # the fastest that does all the model needs
  devices: int | None  # all of every host
  mesh: str | None  # every device has all parameters


AnySettings = TypeVar("AnySettings", bound=Settings)


@dataclasses.dataclass(frozen=True)
class Opened:
  """Everything about a model but its weights.

  Attributes:
    folder: of the model.
    decoder: configuration, with the attention that suits the devices.
    dtype: of the parameters.
    spread: where to run.
    tokenizer: of the model.
  """

  folder: pathlib.Path
  decoder: config_lib.DecoderConfig
  dtype: str
  spread: parallel.Spread
  tokenizer: Any

  def load(self) -> decoder.Params:
    """The parameters on the devices, with a bar if that takes long."""
    size = weight_files.total_bytes(self.folder)
    with progress.loading("weights", size) as advance:
      return checkpoint.load(
        self.folder,
        self.decoder,
        self.dtype,
        place=self.spread.place,
        advance=advance,
      )

  def untrained(self, seed: int) -> decoder.Params:
    """Random parameters in their place, norms left at one."""
    return self.spread.make(
      lambda: decoder.init(self.decoder, seed, self.dtype)
    )

  def marks(self) -> list[Any]:
    """What tells these weights and devices from others, for resuming.

    Devices decide the order of additions.
    """
    weights = sorted(
      (file.name, file.stat().st_size, file.stat().st_mtime_ns)
      for file in self.folder.glob("*.safetensors")
    )
    spread = self.spread
    platform = spread.devices[0].platform
    return [weights, spread.data, spread.model, platform]


def open_model(
  settings: AnySettings, cache_dir: pathlib.Path | None = None
) -> tuple[AnySettings, Opened]:
  """Finds and checks a model.

  Args:
    settings: which, and on what.
    cache_dir: where models of the hub live; by default the hub's usual cache.

  Returns:
    The settings with what was left open about devices filled in, and the
    model.

  Raises:
    InputError: a model or devices that cannot be used.
  """
  if settings.dtype not in (None, *checkpoint.DTYPES):
    raise errors.InputError(
      f"--dtype={settings.dtype} is not one of {', '.join(checkpoint.DTYPES)}"
    )
  spread = parallel.spread(settings.devices, settings.mesh)
  folder = hub.resolve(
    settings.model, revision=settings.revision, cache_dir=cache_dir
  )
  config = families.read_config(folder)
  spread.check(config)
  device = parallel.local_devices()[0]
  dtype = settings.dtype
  if dtype is None:
    dtype = "float32" if device.platform == "cpu" else "bfloat16"
  backend = settings.attention or attention.suited(
    config, dtype, device, split=spread.model > 1
  )
  config = dataclasses.replace(config, backend=backend)
  attention.check(config, dtype, device)
  settings = dataclasses.replace(
    settings,
    dtype=dtype,
    attention=backend,
    devices=len(spread.devices) // jax.process_count(),
  )
  tokenizer = hub.load_tokenizer(folder)
  return settings, Opened(folder, config, dtype, spread, tokenizer)
