"""The only file that knows about devices: one pure step, run by many.

Walks are spread over a `data` axis. Every member of it runs the step on its
share of the walks; sums are added over the axis, per-walk arrays gathered. A
member is

- one device that holds all parameters: `jax.pmap`;
- for larger models, a row of `model` devices of a mesh, each of which holds a
  part of the parameters (`axes`) and does its part of the products. The walks
  are still mapped explicitly, so that no reshape of tokens can make the members
  repeat each other's work; only `model` is left to the compiler.

Several hosts run the same program over the devices of all (`join`).
"""

from collections.abc import Callable, Sequence
import contextlib
import dataclasses
import functools
import os
import pathlib
import re
from typing import Any

import jax
from jax import sharding
from jaxtyping import Array, Bool, Float, Int
import numpy as np

from icl_graphs import errors
from icl_graphs.engine import axes
from icl_graphs.models import config as config_lib

P = sharding.PartitionSpec
Params = Any


@dataclasses.dataclass(frozen=True)
class Spread:
  """How walks and parameters are spread over devices; hashable.

  Attributes:
    devices: of all hosts, host after host.
    model: devices that share one copy of the parameters.
  """

  devices: tuple[jax.Device, ...]
  model: int = 1

  @property
  def data(self) -> int:
    """Members among which the walks are divided."""
    return len(self.devices) // self.model

  @functools.cached_property
  def mesh(self) -> sharding.Mesh:
    if self.model == 1:
      return everywhere(self.devices).mesh
    return jax.make_mesh(
      (self.data, self.model),
      ("data", "model"),
      # By default axes are explicit ones, which Linen does not know.
      axis_types=(sharding.AxisType.Auto,) * 2,
      devices=self.devices,
    )

  def check(self, config: config_lib.DecoderConfig) -> None:
    """Refuses a model whose parameters cannot be cut into `model` parts.

    Raises:
      errors.InputError: naming what does not divide.
    """
    axes.check(config, self.model)

  def place(self, path: str, shape: tuple[int, ...]) -> sharding.NamedSharding:
    """Where a parameter lives; see `checkpoint.load`.

    Args:
      path: names joined by "/".
      shape: with the axis of the layers, where it has one.
    """
    spec = axes.spec(path, shape, self.model)
    return sharding.NamedSharding(self.mesh, P(*spec))

  def make(self, function: Callable[[], Params]) -> Params:
    """The parameters that a function returns, made where they will live."""
    shapes = jax.eval_shape(function)
    places = jax.tree_util.tree_map_with_path(
      lambda path, leaf: self.place(
        "/".join(str(part.key) for part in path), leaf.shape
      ),
      shapes,
    )
    return jax.jit(function, out_shardings=places)()

  @property
  def cuts_sums(self) -> bool:
    """Whether a device keeps its part of the width of class sums only.

    A host then fetches all of them from its own devices.
    """
    rows = self.mesh.devices.reshape(-1, self.model)
    return self.model > 1 and all(
      len({device.process_index for device in row}) == 1 for row in rows
    )

  def part(self, hidden: Float[Array, "B T D"]) -> Float[Array, "B T D"]:
    """Hidden states as they enter sums, the width over `model`.

    Sums of all layers may be larger than the model's share of a device. The
    residual stream is said to be whole first: the compiler would cut it too and
    gather it for every product.
    """
    if not self.cuts_sums or hidden.shape[-1] % self.model:
      return hidden
    hidden = jax.lax.with_sharding_constraint(hidden, P(None, None, None))
    return jax.lax.with_sharding_constraint(hidden, P(None, None, "model"))

  def put(self, tree: Any) -> Any:
    """Places a tree on every device, once and explicitly."""
    return jax.tree.map(lambda leaf: self._put(leaf, P()), tree)

  def put_like(self, tree: Any, like: Any) -> Any:
    """Places a tree on the devices as another one is, explicitly."""
    return jax.tree.map(
      lambda leaf, other: self._put(leaf, other.sharding.spec), tree, like
    )

  def walks(
    self, first: int, batch_size: int, total: int
  ) -> tuple[Int[jax.Array, "data B"], Bool[jax.Array, "data B"]]:
    """Indices of the next walks, a row per member, and which of them exist."""
    shape = (self.data, batch_size)
    index = first + np.arange(self.data * batch_size, dtype=np.int32)
    return tuple(
      self._put(array.reshape(shape), P("data"))
      for array in (index, index < total)
    )

  def _put(self, leaf: Any, spec: sharding.PartitionSpec) -> jax.Array:
    place = sharding.NamedSharding(self.mesh, spec)
    if jax.process_count() == 1:
      return jax.device_put(leaf, place)
    leaf = np.asarray(leaf)
    parts = place.addressable_devices_indices_map(leaf.shape)
    return jax.make_array_from_single_device_arrays(
      leaf.shape,
      place,
      [jax.device_put(leaf[part], device) for device, part in parts.items()],
    )

  def compile(
    self,
    step: Callable[..., tuple[Any, Any]],
    params: Params,
    work: Any,
    batch_size: int,
  ) -> jax.stages.Compiled:
    """Compiles step(params, work, walk_index [B], valid [B]) for all devices.

    Args:
      step: names no axis of devices.
      params: placed by `place`.
      work: placed by `put`.
      batch_size: B, walks per member.

    Returns:
      A function of `params`, `work` and what `walks` returns. The additive part
      of its result is summed over all members and the per-walk part has
      data * B rows in the order of the walks; every device has the whole.
    """

    def share(params, work, walk_index, valid):
      sums, per_walk = step(params, work, walk_index, valid)
      gathered = jax.lax.all_gather(per_walk, "data", tiled=True)
      return jax.lax.psum(sums, "data"), gathered

    def row(params, work, walk_index, valid):
      return share(params, work, walk_index[0], valid[0])

    if self.model == 1:
      mapped = jax.pmap(
        share,
        axis_name="data",
        in_axes=(None, None, 0, 0),
        out_axes=None,
        devices=self.devices,
        axis_size=self.data,
      )
    else:
      mapped = jax.jit(
        jax.shard_map(
          row,
          mesh=self.mesh,
          in_specs=(P(), P(), P("data"), P("data")),
          out_specs=P(),
          axis_names={"data"},
          check_vma=False,
        )
      )
    walks = self.walks(0, batch_size, 0)
    return mapped.lower(params, work, *walks).compile()


def spread(count: int | None = None, mesh: str | None = None) -> Spread:
  """Devices as asked for on the command line.

  Args:
    count: devices of every host; default all.
    mesh: such as "data:2,model:4", or "model:4" for as many rows as there is
      room for; None gives every device all parameters.

  Raises:
    errors.InputError: a mesh that cannot be read, or too few devices.
  """
  count = len(local_devices(count))
  hosts: dict[int, list[jax.Device]] = {}
  for device in jax.devices():
    hosts.setdefault(device.process_index, []).append(device)
  if min(map(len, hosts.values())) < count:
    raise errors.InputError(
      f"{count} devices per host asked for, but one has fewer; lower --devices"
    )
  devices = tuple(d for host in sorted(hosts) for d in hosts[host][:count])
  if mesh is None:
    return Spread(devices)
  sizes = dict(re.findall(r"(data|model):([1-9]\d*)(?=,|$)", mesh))
  if ",".join(f"{k}:{v}" for k, v in sizes.items()) != mesh:
    raise errors.InputError(f"--mesh={mesh} is not of the form data:2,model:4")
  model = int(sizes.get("model", 1))
  used = model * int(sizes.get("data", max(1, len(devices) // model)))
  if used > len(devices) or (len(hosts) > 1 and used < len(devices)):
    raise errors.InputError(
      f"--mesh={mesh} takes {used} devices, but there are {len(devices)};"
      " change it or --devices"
    )
  return Spread(devices[:used], model)


def fetch(tree: Any) -> Any:
  """A tree on this host; its own devices have all of every array."""

  def whole(leaf):
    if leaf.is_fully_addressable or leaf.is_fully_replicated:
      return jax.device_get(leaf)
    found = np.empty(leaf.shape, leaf.dtype)
    for shard in leaf.addressable_shards:
      found[shard.index] = jax.device_get(shard.data)
    return found

  return jax.tree.map(whole, tree)


def one_device_per_core() -> None:
  """Makes every core of this machine's CPU a device, each with its own walks.

  XLA runs the many small products of a small model on one core. To be called
  before jax looks for devices. What XLA_FLAGS or JAX_NUM_CPU_DEVICES say stays
  as it is; accelerators are not touched.

  Raises:
    RuntimeError: devices are in use already.
  """
  flags = os.environ.get("XLA_FLAGS", "")
  if "host_platform_device_count" in flags:
    return
  if "JAX_NUM_CPU_DEVICES" not in os.environ:
    jax.config.update("jax_num_cpu_devices", len(os.sched_getaffinity(0)))


def local_devices(count: int | None = None) -> list[jax.Device]:
  """The first `count` devices of this host (default all).

  Raises:
    errors.InputError: more devices are asked for than there are.
  """
  devices = jax.local_devices()
  if count is None:
    return devices
  if not 1 <= count <= len(devices):
    raise errors.InputError(
      f"{count} devices asked for, but this machine has {len(devices)} "
      f"({devices[0].platform}); lower --devices"
    )
  return devices[:count]


def everywhere(devices: Sequence[jax.Device]) -> sharding.NamedSharding:
  """The placement of an array of which every device has the whole."""
  mesh = sharding.Mesh(np.asarray(devices), ("data",))
  return sharding.NamedSharding(mesh, P())


def device_bytes(device: jax.Device) -> int:
  """Memory that programs on one device of this host may use.

  Devices of a CPU have equal parts of the host's memory, or of what a container
  allows. Not what happens to be free: a run that is started again must decide
  the same.
  """
  stats = device.memory_stats() or {}
  if "bytes_limit" in stats:
    return stats["bytes_limit"]
  limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
  allowed = pathlib.Path("/sys/fs/cgroup/memory.max")
  with contextlib.suppress(OSError, ValueError):
    limits.append(int(allowed.read_text()))
  return min(limits) // jax.local_device_count()


def out_of_memory(error: Exception) -> bool:
  """Whether a device refused to hold what a program needs."""
  return isinstance(
    error, jax.errors.JaxRuntimeError
  ) and "RESOURCE_EXHAUSTED" in str(error)
