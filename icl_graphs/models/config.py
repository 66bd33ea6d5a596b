"""What a decoder is: one frozen, hashable description for every family.

A family (see `families/`) translates its `config.json` into this. A later
family that needs another switch adds a field here with today's behaviour as its
default, and reads it in the one module that it concerns.
"""

import dataclasses
import math
from typing import Any

from icl_graphs import errors

ACTIVATIONS = ("silu", "gelu", "gelu_tanh", "relu")
ROPE_KINDS = ("default", "linear", "llama3", "yarn", "longrope")
NORM_KINDS = ("rms", "layer")
NORM_ORDERS = ("round_first", "weight_first", "one_plus_weight")
NORM_PLACEMENTS = ("pre", "post", "both")
QK_NORMS = ("none", "head", "projection")
PRECISIONS = ("default", "high", "highest")
BACKENDS = ("reference", "cpu", "cudnn", "tokamax")

# Beyond any real model; keeps a nonsensical file from exhausting the host.
_MAX_SIZE = 2**31 - 1
MAX_LAYERS = 4096


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
    kind: "default", "linear" (all frequencies divided by `factor`), "llama3"
      (only long wavelengths divided, with a smooth transition), "yarn"
      (arXiv 2309.00071: pairs that turn rarely divided, with a ramp) or
      "longrope" (arXiv 2402.13753: every pair divided by a factor of its own).
    theta: base of the geometric series of wavelengths.
    rotated: share of a head's entries that rotate, the first ones.
    factor: how much longer than in pretraining contexts may be.
    low_freq_factor: wavelengths above `original_positions / low_freq_factor`
      are divided by `factor` (llama3).
    high_freq_factor: wavelengths below `original_positions / high_freq_factor`
      are left alone (llama3).
    original_positions: context length in pretraining (llama3, yarn, longrope).
    beta_fast, beta_slow: turns within `original_positions` above which a pair
      is left alone, and below which it is divided by `factor` (yarn).
    truncate: whether the ends of the ramp are whole pairs (yarn).
    short_factors, long_factors: divisors of each pair up to and beyond
      `original_positions` of context (longrope).
    attention_factor: multiplies cosines and sines, and so, twice, the scores
      (yarn, longrope).
  """

  kind: str = "default"
  theta: float = 10_000.0
  rotated: float = 1.0
  factor: float = 1.0
  low_freq_factor: float = 1.0
  high_freq_factor: float = 4.0
  original_positions: int = 8192
  beta_fast: float = 32.0
  beta_slow: float = 1.0
  truncate: bool = True
  short_factors: tuple[float, ...] = ()
  long_factors: tuple[float, ...] = ()
  attention_factor: float = 1.0

  def __post_init__(self):
    _one_of("RoPE type", self.kind, ROPE_KINDS)
    for field in (
      *("theta", "rotated", "factor", "low_freq_factor", "high_freq_factor"),
      *("beta_fast", "beta_slow", "attention_factor"),
    ):
      _positive_number(f"RoPE {field}", getattr(self, field))
    for factor in (*self.short_factors, *self.long_factors):
      _positive_number("RoPE short_factor or long_factor", factor)
    _size("RoPE original_max_position_embeddings", self.original_positions)
    if self.rotated > 1:
      raise errors.InputError(
        f"RoPE cannot rotate {self.rotated} of a head; correct"
        " partial_rotary_factor in config.json"
      )
    if self.kind == "yarn" and self.theta <= 1:
      raise errors.InputError(
        f"RoPE theta {self.theta} must exceed 1; correct config.json"
      )
    if self.high_freq_factor <= self.low_freq_factor:
      raise errors.InputError(
        f"RoPE high_freq_factor {self.high_freq_factor} must exceed"
        f" low_freq_factor {self.low_freq_factor}; correct config.json"
      )

  def rotated_size(self, head_size: int) -> int:
    """Entries of a head that rotate."""
    return int(head_size * self.rotated)


@dataclasses.dataclass(frozen=True)
class Norm:
  """A normalisation, always computed in float32.

  Attributes:
    kind: "rms" (divide by the root mean square) or "layer" (subtract the mean,
      divide by the standard deviation).
    epsilon: added to the mean square or variance before the root.
    weight: whether entries are then multiplied by a learned weight.
    bias: whether a learned bias is added after that.
    order: when the result is rounded to the dtype of the hidden state.
      "round_first": then multiplied by the weight (Llama); "weight_first":
      multiplied in float32, then rounded (OLMo 2, every layer norm);
      "one_plus_weight": multiplied by one plus the weight in float32, then
      rounded (Gemma).
  """

  kind: str = "rms"
  epsilon: float = 1e-6
  weight: bool = True
  bias: bool = False
  order: str = "round_first"

  def __post_init__(self):
    _one_of("norm kind", self.kind, NORM_KINDS)
    _positive_number("norm epsilon", self.epsilon)
    _one_of("norm order", self.order, NORM_ORDERS)


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
    norm: of the blocks, of queries and keys, and before the unembedding.
    norm_placement: "pre" (before attention and MLP), "post" (on what they
      return, before it is added) or "both".
    parallel: attention and MLP read the same hidden state and are added
      together, each with its own norm (GPT-NeoX).
    qk_norm: queries and keys are normalised before rotation: per "head", over
      the whole "projection", or "none".
    activation: non-linearity of the MLP; "gelu" is exact, "gelu_tanh" its
      approximation.
    gated: the activation of one projection multiplies another one.
    rope: rotary position embedding; None without.
    local_rope: that of sliding-window layers, where it differs.
    learned_positions: a learned vector per position joins the embedding.
    window: positions that sliding-window layers see, their own included; None
      where no layer slides.
    sliding: per layer, whether attention sees only `window` positions; empty
      where no layer slides.
    scale: what scores are multiplied with; None for H ** -0.5.
    attention_softcap: c in c * tanh(score / c), before the mask; None without.
    logit_softcap: c in c * tanh(logit / c); None without.
    embedding_scale: multiplies the embedding, rounded to its dtype first.
    qkv_clip: queries, keys and values are clipped to +-this; None without.
    qkv_bias: query, key and value projections have a bias.
    attention_output_bias: the projection after attention has a bias.
    mlp_bias: the MLP's projections have a bias.
    tied: the unembedding is the embedding.
    initializer_range: standard deviation of random weights; see `decoder.init`.
    precision: of matrix products between float32 arrays. "highest" gives the
      same numbers on every device; "default" lets a GPU use tf32 and a TPU
      bfloat16 passes. Half precision weights are not affected.
    backend: what computes attention; see `attention.attention`. "cpu" also
      takes everything else by as many tokens as a CPU's caches like.

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
  norm: Norm = Norm()
  norm_placement: str = "pre"
  parallel: bool = False
  qk_norm: str = "none"
  activation: str = "silu"
  gated: bool = True
  rope: Rope | None = Rope()
  local_rope: Rope | None = None
  learned_positions: bool = False
  window: int | None = None
  sliding: tuple[bool, ...] = ()
  scale: float | None = None
  attention_softcap: float | None = None
  logit_softcap: float | None = None
  embedding_scale: float = 1.0
  qkv_clip: float | None = None
  qkv_bias: bool = False
  attention_output_bias: bool = False
  mlp_bias: bool = False
  tied: bool = False
  initializer_range: float = 0.02
  precision: str = "highest"
  backend: str = "reference"

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
    if self.num_layers > MAX_LAYERS:
      raise errors.InputError(
        f"num_layers {self.num_layers} is above {MAX_LAYERS}: not a model"
      )
    _positive_number("initializer_range", self.initializer_range)
    _positive_number("embedding_scale", self.embedding_scale)
    for field in ("scale", "attention_softcap", "logit_softcap", "qkv_clip"):
      if getattr(self, field) is not None:
        _positive_number(field, getattr(self, field))
    _one_of("norm_placement", self.norm_placement, NORM_PLACEMENTS)
    _one_of("qk_norm", self.qk_norm, QK_NORMS)
    _one_of("activation", self.activation, ACTIVATIONS)
    _one_of("precision", self.precision, PRECISIONS)
    _one_of("attention backend", self.backend, BACKENDS)
    if self.num_heads % self.num_kv_heads:
      raise errors.InputError(
        f"{self.num_heads} query heads cannot share {self.num_kv_heads}"
        " key/value heads evenly; correct config.json"
      )
    if self.parallel and self.norm_placement != "pre":
      raise errors.InputError(
        "parallel attention and MLP are implemented with norms before them only"
      )
    self._check_windows()
    for rope in (self.rope, self.local_rope):
      if rope is not None:
        self._check_rotation(rope)

  def _check_windows(self):
    if self.window is not None:
      _size("window", self.window)
    if self.sliding and len(self.sliding) != self.num_layers:
      raise errors.InputError(
        f"{len(self.sliding)} layer types are given for {self.num_layers}"
        " layers; correct layer_types in config.json"
      )
    if any(self.sliding) and self.window is None:
      raise errors.InputError(
        "config.json has sliding-window layers but no sliding_window"
      )

  def _check_rotation(self, rope):
    size = rope.rotated_size(self.head_size)
    if size < 2 or size % 2:
      raise errors.InputError(
        f"RoPE rotates pairs, but {size} of {self.head_size} entries of a head"
        " are to rotate; correct head_dim or partial_rotary_factor in"
        " config.json"
      )
    for factors in (rope.short_factors, rope.long_factors):
      if rope.kind == "longrope" and len(factors) != size // 2:
        raise errors.InputError(
          f"RoPE short_factor and long_factor need {size // 2} numbers each,"
          f" not {len(factors)}; correct config.json"
        )

  @property
  def attention_scale(self) -> float:
    """What scores are multiplied with before the softmax."""
    return self.head_size**-0.5 if self.scale is None else self.scale

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
      "P": self.max_positions,
    }
