"""What the devices of a compiled program tell each other, read from its text.

Every computation of the text runs as often as its callers do, the body of a
loop as often as it turns. So a collective of a layer counts once per layer.
"""

import collections
import math
import re
from typing import NamedTuple

_KINDS = (
  "all-reduce",
  "all-gather",
  "reduce-scatter",
  "collective-permute",
  "all-to-all",
)
_BYTES = {"pred": 1, "bf16": 2, "f16": 2, "s32": 4, "u32": 4, "f32": 4}
_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.-]+) .*\{$")
_CALLED = re.compile(
  r"(?:body|calls|to_apply|(?:true|false)_computation)=%?([\w.-]+)"
)
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
_CONDITION = re.compile(r"condition=%?([\w.-]+)")
_TURNS = re.compile(r'known_trip_count":\{"n":"(\d+)"')
_DEVICES = re.compile(r"num_(?:partitions|replicas)=(\d+)")
_CONSTANT = re.compile(r"= s32\[\]\S* constant\((\d+)\)")
_COLLECTIVE = re.compile(rf"= (\(.*?\)|\S+) ({'|'.join(_KINDS)})(-start)?\(.*")
_ARRAY = re.compile(r"\b(pred|bf16|f16|s32|u32|f32)\[([\d,]*)\]")


class Collective(NamedTuple):
  """One instruction by which devices exchange data.

  Attributes:
    kind: such as "all-reduce".
    times: how often it runs in one call of the program.
    shapes: of its results on one device.
    bytes: of these, for one run.
    group: devices that take part together.
    name: of the operation it serves, as JAX calls it.
  """

  kind: str
  times: int
  shapes: tuple[str, ...]
  bytes: int
  group: int
  name: str

  @property
  def sent(self) -> float:
    """Bytes that a device sends in one run, if they go round a ring."""
    if self.kind == "all-reduce":
      return 2 * (self.group - 1) / self.group * self.bytes
    if self.kind == "reduce-scatter":
      return (self.group - 1) * self.bytes
    return (self.group - 1) / self.group * self.bytes


def read(text: str) -> list[Collective]:
  """The collectives of a program.

  Args:
    text: `as_text()` of a compiled program.

  Returns:
    All of them, those that send most in one call of the program first.
  """
  computations, entry = _computations(text)
  times = collections.Counter()

  def visit(name, runs):
    times[name] += runs
    for line in computations.get(name, ()):
      called = _CALLED.findall(line)
      for branches in _BRANCHES.findall(line):
        called += re.findall(r"[\w.-]+", branches)
      for other in called:
        visit(other, runs * _turns(line, computations))

  visit(entry, 1)
  devices = _DEVICES.search(text)
  everyone = int(devices[1]) if devices else 1
  found = [
    _collective(match, line, times[name], everyone)
    for name, lines in computations.items()
    if times[name]
    for line in lines
    if (match := _COLLECTIVE.search(line))
  ]
  return sorted(found, key=lambda one: -one.times * one.sent)


def largest_array(text: str) -> tuple[int, str]:
  """Bytes and shape of the largest array that a program names."""
  arrays = {match[0]: _size(*match.groups()) for match in _ARRAY.finditer(text)}
  shape = max(arrays, key=arrays.__getitem__)
  return arrays[shape], shape


def _computations(text: str) -> tuple[dict[str, list[str]], str]:
  computations: dict[str, list[str]] = {}
  entry = lines = None
  for line in text.splitlines():
    if start := _COMPUTATION.match(line):
      lines = computations.setdefault(start[2], [])
      entry = start[2] if start[1] else entry
    elif lines is not None:
      lines.append(line)
  if entry is None:
    raise ValueError("no text of a compiled program")
  return computations, entry


def _turns(line: str, computations: dict[str, list[str]]) -> int:
  """How often what a line calls runs: more than once in a loop only.

  Loops over layers or chunks count to a constant. Compilers for a CPU note it
  beside the loop; for others it is what the condition compares with.
  """
  condition = _CONDITION.search(line)
  if condition is None:
    return 1
  if known := _TURNS.search(line):
    return int(known[1])
  text = "\n".join(computations.get(condition[1], ()))
  constants = set(_CONSTANT.findall(text))
  return int(constants.pop()) if len(constants) == 1 else 1


def _collective(
  match: re.Match, line: str, times: int, everyone: int
) -> Collective:
  shapes = [found.groups() for found in _ARRAY.finditer(match[1])]
  if match[3] and match[2] == "all-gather":
    # What starts one names its operands before its results.
    shapes = shapes[len(shapes) // 2 :]
  name = re.search(r'op_name="([^"]*)"', line)
  return Collective(
    kind=match[2],
    times=times,
    shapes=tuple(f"{kind}[{sizes}]" for kind, sizes in shapes),
    bytes=sum(_size(kind, sizes) for kind, sizes in shapes),
    group=_group(line, everyone),
    name=name[1] if name else "",
  )


def _group(line: str, everyone: int) -> int:
  """Devices of one group; none listed means everyone."""
  if listed := re.search(r"replica_groups=\{\{([\d,]*)\}", line):
    return len(listed[1].split(","))
  if counted := re.search(r"replica_groups=\[(\d+),(\d+)\]", line):
    return int(counted[2])
  return everyone


def _size(kind: str, sizes: str) -> int:
  return _BYTES[kind] * math.prod(
    int(size) for size in sizes.split(",") if size
  )
