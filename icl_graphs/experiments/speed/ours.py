"""This package's side: a checkpoint on its devices, and passes over a job."""

import dataclasses
import functools
import pathlib
import time

import jax
from jax import sharding

from icl_graphs import errors
from icl_graphs.engine import parallel, throughput
from icl_graphs.experiments.speed import job as job_lib
from icl_graphs.experiments.speed import passes
from icl_graphs.models import attention, checkpoint, families

ROWS = ("bare", "useful", "useful_chosen")


class Ours:
  """Loads a checkpoint and compiles passes over a job.

  Attributes:
    config: of the model, with the attention backend.
    dtype: of weights and activations.
    load_seconds: from files to devices.
    compile_seconds: by row, tracing included.
    compiled_bytes: by row, memory beyond weights as the compiler plans it.
  """

  def __init__(
    self,
    folder: pathlib.Path,
    job: job_lib.Job,
    *,
    dtype: str,
    backend: str | None,
    devices: int | None,
  ):
    """Loads.

    Args:
      folder: of the checkpoint.
      job: the sequences.
      dtype: of weights and activations.
      backend: of attention; default: what suits the model and the device.
      devices: how many local ones; default all.

    Raises:
      InputError: a checkpoint, backend or number of devices that does not do.
    """
    self.job = job
    self.dtype = dtype
    self.devices = parallel.local_devices(devices)
    if len(job.tokens) % len(self.devices):
      raise errors.InputError(
        f"{len(job.tokens)} sequences cannot be shared evenly by "
        f"{len(self.devices)} devices; change --batch or --devices"
      )
    config = families.read_config(folder)
    if backend is None:
      backend = attention.suited(config, dtype, self.devices[0])
    self.config = dataclasses.replace(config, backend=backend)
    attention.check(self.config, dtype, self.devices[0])
    everywhere = parallel.everywhere(self.devices)
    mesh = everywhere.mesh
    spread = sharding.NamedSharding(mesh, sharding.PartitionSpec("data"))
    begin = time.perf_counter()
    self.params = checkpoint.load(
      folder, self.config, dtype, lambda path, shape: everywhere
    )
    jax.block_until_ready(self.params)
    self.load_seconds = time.perf_counter() - begin
    self._mesh = mesh
    self._arguments = (
      self.params,
      jax.device_put(job.tokens, spread),
      jax.device_put(job.nodes, spread),
      jax.device_put(job.node_token_ids, everywhere),
    )
    self.compile_seconds: dict[str, float] = {}
    self.compiled_bytes: dict[str, int | None] = {}

  def run(self, row: str):
    """A compiled pass of `ROWS`, ready to be called without arguments."""
    function, out = self._pass(row)
    everywhere, spread = (
      sharding.PartitionSpec(),
      sharding.PartitionSpec("data"),
    )
    mapped = jax.shard_map(
      function,
      mesh=self._mesh,
      in_specs=(everywhere, spread, spread, everywhere),
      out_specs=out,
      check_vma=False,
    )
    begin = time.perf_counter()
    compiled = jax.jit(mapped).lower(*self._arguments).compile()
    self.compile_seconds[row] = time.perf_counter() - begin
    self.compiled_bytes[row] = throughput.compiled_bytes(compiled)
    return functools.partial(compiled, *self._arguments)

  def _pass(self, row):
    spread = sharding.PartitionSpec("data")
    if row == "bare":
      return passes.bare(self.config), spread
    positions = self.job.scored if row == "useful_chosen" else None
    everywhere = sharding.PartitionSpec()
    return passes.useful(
      self.config, self.job.sums, axis="data", positions=positions
    ), job_lib.Output(everywhere, everywhere, spread)

  def flops(self, row: str) -> int:
    """What a row has to compute."""
    batch, time = self.job.tokens.shape
    scored = len(self.job.scored) if row == "useful_chosen" else None
    return throughput.forward_flops(self.config, batch, time, scored)

  def product(self, shape: tuple[int, int, int]):
    """A matrix product of these sizes on one device, ready to run."""
    dtype = self.params["embedding"].dtype
    return throughput.product(shape, dtype, self.config.precision)

  def device_peak_bytes(self) -> int | None:
    """Peak of the first accelerator beyond weights; None on a CPU."""
    peak = throughput.device_peak_bytes(self.devices[0])
    if peak is None:
      return None
    return peak - sum(leaf.nbytes for leaf in jax.tree.leaves(self.params))
