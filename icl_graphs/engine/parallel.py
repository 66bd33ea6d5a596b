"""The only file that knows about devices: walks spread over them by pmap."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax import sharding
import numpy as np

from icl_graphs import errors


def local_devices(count: int | None = None) -> list[jax.Device]:
  """The first `count` local devices (default all).

  Raises:
    InputError: more devices are asked for than there are.
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
  return sharding.NamedSharding(mesh, sharding.PartitionSpec())


def replicate(tree: Any, devices: Sequence[jax.Device]) -> Any:
  """Places a tree on every device, once.

  Arrays left on one device would be copied to the others by each mapped call.
  """
  return jax.device_put(tree, everywhere(devices))


def spread_walks(
  step: Callable[..., tuple[Any, Any]], devices: Sequence[jax.Device]
) -> Callable[..., tuple[Any, Any]]:
  """Maps step(params, task, walk_index, valid) over devices.

  The additive part of its result is summed over devices; the per-walk part
  keeps the leading device axis of `walk_index` [devices, B] and `valid`.
  """

  def on_one_device(params, task, walk_index, valid):
    sums, per_walk = step(params, task, walk_index, valid)
    return jax.lax.psum(sums, "data"), per_walk

  return jax.pmap(
    on_one_device,
    axis_name="data",
    in_axes=(None, None, 0, 0),
    out_axes=(None, 0),
    devices=devices,
  )
