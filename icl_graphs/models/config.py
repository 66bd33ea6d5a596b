"""What a decoder is: one frozen, hashable description for every family.

A family (see `families/`) translates its `config.json` into this. A later
family that needs another switch adds a field here with today's behaviour as its
default, and reads it in the one module that it concerns.
"""

import dataclasses
import math
from typing import Any

from icl_graphs import errors

ACTIVATIONS = ("silu",)
ROPE_KINDS = ("default", "linear", "llama3")
PRECISIONS = ("default", "high", "highest")

# Beyond any real model; keeps a nonsensical file from exhausting the host.
_MAX_SIZE = 2**31 - 1
_MAX_LAYERS = 4096


def _size(name: str, value: Any) -> None:
  if isinstance(value, bool) or not isinstance(value, int):
    raise errors.InputError(f"{name} must be an integer, not {value!r}")
  if not 1 <= value <= _MAX_SIZE:
    raise errors.InputError(f"{name} must be positive and sane, not {value}")


def _positive_number(name: str, value: Any) -> None:
  number = isinstance(value, int | float) and not isinstance(value, bool)
  if not number or not 0 < value < math.inf:
    raise errors.InputError(f"{name} must be a positive number, not {value!r}")


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
  if value not in known:
    raise errors.InputError(
      f"{name} {value!r} is not supported; supported: {', '.join(known)}"
    )


@dataclasses.dataclass(frozen=True)
class Rope:
  """Rotary position embedding, in the terms of Hugging Face's configurations.

  Attributes:
    kind: "default", "linear" (all frequencies divided by `factor`) or "llama3"
      (only long wavelengths divided, with a smooth transition).
    theta: base of the geometric series of wavelengths.
    factor: how much longer than in pretraining contexts may be.
    low_freq_factor: wavelengths above `original_positions / low_freq_factor`
      are divided by `factor` (llama3).
    high_freq_factor: wavelengths below `original_positions / high_freq_factor`
      are left alone (llama3).
    original_positions: context length in pretraining (llama3).
  """

  kind: str = "default"
  theta: float = 10_000.0
  factor: float = 1.0
  low_freq_factor: float = 1.0
  high_freq_factor: float = 4.0
  original_positions: int = 8192

  def __post_init__(self):
    _one_of("RoPE type", self.kind, ROPE_KINDS)
    _positive_number("RoPE theta", self.theta)
    _positive_number("RoPE factor", self.factor)
    _positive_number("RoPE low_freq_factor", self.low_freq_factor)
    _positive_number("RoPE high_freq_factor", self.high_freq_factor)
    _size("RoPE original_max_position_embeddings", self.original_positions)
    if self.high_freq_factor <= self.low_freq_factor:
      raise errors.InputError(
        f"RoPE high_freq_factor {self.high_freq_factor} must exceed"
        f" low_freq_factor {self.low_freq_factor}; correct config.json"
      )


@dataclasses.dataclass(frozen=True)
class DecoderConfig:
  """Shape and switches of a decoder-only transformer.

  Attributes:
    family: name under which `families` knows the layout of its checkpoints.
    vocab_size: V.
    hidden_size: D.
    num_layers: L.
    num_heads: N.
    num_kv_heads: K; a divisor of N (N: multi-head, 1: multi-query attention).
    head_size: H; not always D / N.
    mlp_size: F.
    max_positions: longest context that the model was made for.
    norm_epsilon: added to the mean square before the root.
    activation: non-linearity of the MLP's gate.
    rope: position embedding.
    qkv_bias: query, key and value projections have a bias.
    attention_output_bias: the projection after attention has a bias.
    mlp_bias: the MLP's projections have a bias.
    tied: the unembedding is the embedding.
    initializer_range: standard deviation of random weights; see `decoder.init`.
    precision: of matrix products between float32 arrays. "highest" gives the
      same numbers on every device; "default" lets a GPU use tf32 and a TPU
      bfloat16 passes. Half precision weights are not affected.

  Raises:
    errors.InputError: a value that no model can have.
  """

  family: str
  vocab_size: int
  hidden_size: int
  num_layers: int
  num_heads: int
  num_kv_heads: int
  head_size: int
  mlp_size: int
  max_positions: int
  norm_epsilon: float = 1e-6
  activation: str = "silu"
  rope: Rope = Rope()
  qkv_bias: bool = False
  attention_output_bias: bool = False
  mlp_bias: bool = False
  tied: bool = False
  initializer_range: float = 0.02
  precision: str = "highest"

  def __post_init__(self):
    for field in (
      "vocab_size",
      "hidden_size",
      "num_layers",
      "num_heads",
      "num_kv_heads",
      "head_size",
      "mlp_size",
      "max_positions",
    ):
      _size(field, getattr(self, field))
    if self.num_layers > _MAX_LAYERS:
      raise errors.InputError(
        f"num_layers {self.num_layers} is above {_MAX_LAYERS}: not a model"
      )
    _positive_number("norm_epsilon", self.norm_epsilon)
    _positive_number("initializer_range", self.initializer_range)
    _one_of("activation", self.activation, ACTIVATIONS)
    _one_of("precision", self.precision, PRECISIONS)
    if self.num_heads % self.num_kv_heads:
      raise errors.InputError(
        f"{self.num_heads} query heads cannot share {self.num_kv_heads}"
        " key/value heads evenly; correct config.json"
      )
    if self.head_size % 2:
      raise errors.InputError(
        f"head size {self.head_size} is odd, but RoPE rotates pairs; correct"
        " config.json"
      )

  @property
  def attention_scale(self) -> float:
    """What scores are multiplied with before the softmax."""
    return self.head_size**-0.5

  @property
  def axis_sizes(self) -> dict[str, int]:
    """Sizes of the axes that weights have, by their letter."""
    return {
      "V": self.vocab_size,
      "D": self.hidden_size,
      "N": self.num_heads,
      "K": self.num_kv_heads,
      "H": self.head_size,
      "F": self.mlp_size,
    }
