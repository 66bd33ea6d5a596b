"""What a pass can reach at most on machines that are not at hand.

A step reads B walks of T tokens on every member of the `data` axis: a row of m
devices that share one copy of the parameters (see `parallel`). Three things
bound its time on a device:

- products: operations / (peak * m);
- memory: the weights once, activations as often as they are written and read;
- links: two all-reduces of the residual stream per layer, one of the embedding,
  and one of the class sums over the members.

The first two overlap. The links do not: each all-reduce waits for a product and
the next product for it. Weights and activations are bfloat16.

Letters as in the package, and m devices per copy of the parameters.
"""

import dataclasses
from typing import NamedTuple

from icl_graphs.engine import throughput
from icl_graphs.models import config as config_lib

# Bytes of an activation or weight, and of a sum or logit.
_HALF, _SINGLE = 2, 4
# Tokens whose logits exist at once, at least; see `probes.readout`.
_CHUNK = 256
# The sums in the scan, in the result, of the step before and of all steps.
_COPIES_OF_SUMS = 4
# Of a device's memory, for fragments; and tokens of a step that more do not
# make faster. Both as in `batch_size`.
_RESERVE, _TOKENS = 0.1, 2**17


@dataclasses.dataclass(frozen=True)
class Device:
  """One accelerator of a host; figures as its vendor publishes them.

  Attributes:
    flops: dense bfloat16 operations per second.
    memory: bytes.
    bandwidth: of the memory, bytes per second.
    link: bytes per second that it sends to others of its host.
    network: bytes per second that it sends beyond its host.
    per_host: devices of a host.
    products: share of `flops` that large products alone reach; assumed.
  """

  flops: float
  memory: float
  bandwidth: float
  link: float
  network: float
  per_host: int
  products: float


# H100 and H200 SXM: NVLink 900 GB/s in both directions, one 400 Gb/s adapter
# each. TPU v5p: 1,200 GB/s in both directions over six links, two of which make
# the ring of one axis, also beyond the host (within a slice).
DEVICES = {
  "H100": Device(989e12, 80e9, 3.35e12, 450e9, 50e9, 8, products=0.7),
  "H200": Device(989e12, 141e9, 4.8e12, 450e9, 50e9, 8, products=0.7),
  "TPU v5p": Device(459e12, 102e9, 2.765e12, 200e9, 200e9, 4, products=0.9),
}
# Assumed until measured: what a pass reaches of what products alone reach, and
# an all-reduce of what the links could send.
PASS, LINKS = 0.85, 0.8


class Seconds(NamedTuple):
  """What bounds a step; see the module."""

  products: float
  memory: float
  links: float


@dataclasses.dataclass(frozen=True)
class Roofline:
  """One model on one mesh.

  Attributes:
    config: of the model.
    device: of which `hosts` hosts are full.
    model: m, devices that share one copy of the parameters.
    time: T, tokens of a walk.
    hosts: how many.
    sum_rows: S G n, vectors that are summed per hidden state; 0 for none.
    sums_cut: whether the width of the sums is divided over the m devices, as it
      is where they are of one host.
    scores_in_memory: attention without a kernel that keeps scores on the chip.
  """

  config: config_lib.DecoderConfig
  device: Device
  model: int = 1
  time: int = 2048
  hosts: int = 1
  sum_rows: int = 0
  sums_cut: bool = True
  scores_in_memory: bool = False

  @property
  def members(self) -> int:
    """Rows of `model` devices, each with walks of its own."""
    return self.hosts * self.device.per_host // self.model

  @property
  def kv_heads(self) -> int:
    """Key/value heads that a device stores: all, where they do not divide."""
    kv = self.config.num_kv_heads
    return kv if kv % self.model else kv // self.model

  def weight_bytes(self) -> int:
    """Of one device: products cut into m parts, norms and the rest whole."""
    c, m = self.config, self.model
    embeddings = (1 if c.tied else 2) * c.vocab_size * c.hidden_size // m
    heads = c.head_size * (2 * c.num_heads // m + 2 * self.kv_heads)
    mlp = (3 if c.gated else 2) * c.mlp_size // m
    norms = (4 if c.norm_placement == "both" else 2) * c.hidden_size
    block = c.hidden_size * (heads + mlp) + norms
    return _HALF * (embeddings + c.num_layers * block + c.hidden_size)

  def flops_per_token(self) -> float:
    """Of the whole model; see `throughput.forward_flops`."""
    return throughput.forward_flops(self.config, 1, self.time) / self.time

  def sum_bytes(self) -> int:
    """Float32 sums of all L + 1 hidden states on one device."""
    c = self.config
    width = c.hidden_size // (self.model if self.sums_cut else 1)
    return _SINGLE * (c.num_layers + 1) * self.sum_rows * width

  def sent_per_layer(self) -> float:
    """Bytes per token that a device sends: two all-reduces of [D]."""
    return 2 * self._around(self.model) * _HALF * self.config.hidden_size

  def sent_per_token(self) -> float:
    """Bytes that a device sends: all layers, and the embedding's all-reduce."""
    return (self.config.num_layers + 0.5) * self.sent_per_layer()

  def token_bytes(self) -> float:
    """Activations of one token that a device's memory moves.

    Every operation reads its operands and writes its result once: per layer 15
    D (two norms, two residual sums, four products and the class sums), 4 D more
    with all-reduces, queries, keys and values twice, the MLP's width six times;
    at the end float32 logits twice. Scores, where they leave the chip, three
    times 4 bytes per pair of query and key.
    """
    c, m = self.config, self.model
    queries = c.num_heads * c.head_size / m
    keys = 2 * max(1, c.num_kv_heads / m) * c.head_size
    layer = (15 if m == 1 else 19) * c.hidden_size
    layer += 4 * queries + 2 * keys + (6 if c.gated else 4) * c.mlp_size / m
    layer *= _HALF
    if self.scores_in_memory:
      layer += 3 * _SINGLE * c.num_heads / m * (self.time + 1) / 2
    return c.num_layers * layer + 2 * _SINGLE * c.vocab_size / m

  def intensity(self, batch: int) -> float:
    """Operations per byte of memory traffic of a device."""
    tokens = batch * self.time
    operations = tokens * self.flops_per_token() / self.model
    return operations / (self.weight_bytes() + tokens * self.token_bytes())

  def seconds(self, batch: int) -> Seconds:
    """Of a step with B walks per member, by what it takes."""
    d, tokens = self.device, batch * self.time
    moved = self.weight_bytes() + tokens * self.token_bytes()
    inside, hosts = self._spread(self.model)
    streams = (2 * self.config.num_layers + 1) * tokens
    links = self._all_reduce(
      streams * _HALF * self.config.hidden_size, inside, hosts
    )
    # Members of one host, then hosts.
    together = max(1, d.per_host // self.model)
    links += self._all_reduce(
      self.sum_bytes(), together, self.members // together
    )
    return Seconds(
      products=tokens * self.flops_per_token() / self.model / d.flops,
      memory=moved / d.bandwidth,
      links=links,
    )

  def bound(self, batch: int) -> float:
    """Tokens per second and host that the vendor's figures allow."""
    s = self.seconds(batch)
    return self._rate(batch, max(s.products, s.memory) + s.links)

  def expected(self, batch: int) -> float:
    """Tokens per second and host with the shares assumed above."""
    s = self.seconds(batch)
    products = s.products / (self.device.products * PASS)
    return self._rate(batch, max(products, s.memory) + s.links / LINKS)

  def walk_bytes(self) -> int:
    """Memory that one more walk of a step takes on a device.

    The residual stream and what is added to it, beside either twice the width
    of the MLP or queries, keys, values and their mixture, and float32 scores of
    a block of queries, twice. Compiled programs take less: half as much for
    70B on a TPU v5p.
    """
    c, m = self.config, self.model
    queries = c.num_heads * c.head_size // m
    keys = 2 * max(1, c.num_kv_heads // m) * c.head_size
    attention = _HALF * (2 * queries + keys)
    if self.scores_in_memory:
      attention += 2 * _SINGLE * _CHUNK * c.num_heads // m
    mlp = _HALF * 2 * c.mlp_size // m
    return self.time * (_HALF * 2 * c.hidden_size + max(attention, mlp))

  def batch(self) -> int:
    """Walks per member that fit, and at most those that still pay; 0: none."""
    fixed = self.weight_bytes() + _COPIES_OF_SUMS * self.sum_bytes()
    fixed += 2 * _SINGLE * _CHUNK * self.config.vocab_size // self.model
    room = (1 - _RESERVE) * self.device.memory - fixed
    return max(0, min(int(room // self.walk_bytes()), _TOKENS // self.time))

  def used_bytes(self, batch: int) -> int:
    """Memory of a device with B walks per member."""
    fixed = self.weight_bytes() + _COPIES_OF_SUMS * self.sum_bytes()
    fixed += 2 * _SINGLE * _CHUNK * self.config.vocab_size // self.model
    return fixed + batch * self.walk_bytes()

  def _rate(self, batch, seconds):
    return self.members * batch * self.time / seconds / self.hosts

  def _spread(self, devices: int) -> tuple[int, int]:
    """Of neighbouring devices: how many of a host, and hosts."""
    inside = min(devices, self.device.per_host)
    return inside, devices // inside

  def _all_reduce(self, size: float, inside: int, hosts: int) -> float:
    """Seconds: parts are summed within hosts, then each over the hosts."""
    within = self._around(inside) * size / self.device.link
    return within + self._around(hosts) * size / inside / self.device.network

  @staticmethod
  def _around(devices: int) -> float:
    """What a device sends in an all-reduce, of the array's size: a ring."""
    return 2 * (devices - 1) / devices
