"""Changes made to a forward pass, as data: what interventions are written in.

Every kind of edit is an array with a leading axis over layers (of heads) or
over hidden states 0 to L, and a batch axis of B, or of 1 where all sequences
share it. One compiled program so runs any number of configurations side by
side, rows of a batch. Kinds that are absent (None) leave the program as it is.

Legend: B batch, T time, D width, N query heads, H head size, L layers, R rank.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree, Shaped
import numpy as np

from icl_graphs import errors
from icl_graphs.models import config as config_lib
from icl_graphs.models import decoder, hooks

_AXES = {
  "head_scale": ("L", "B", "N"),
  "head_fill": ("L", "B", "N", "H"),
  "at": ("B", "T"),
  "basis": ("L + 1", "B", "R", "D"),
  "centre": ("L + 1", "B", "D"),
  "keep": ("L + 1", "B"),
  "add": ("L + 1", "B", "D"),
  "replace": ("L + 1", "B", "D"),
  "replaced": ("L + 1", "B"),
}
_NEEDS = (
  ("head_fill", "head_scale"),
  ("centre", "basis"),
  ("keep", "basis"),
  ("replace", "replaced"),
  ("replaced", "replace"),
)


class Edits(NamedTuple):
  """What to change; None for nothing. B stands for the batch, or for 1.

  Head outputs, at every position, before the output projection: o becomes
  scale * o + (1 - scale) * fill. Hidden states, at the positions `at`: first r
  becomes r - sum_g g g'(r - centre), or centre + sum_g g g'(r - centre) where
  that is kept, then r + add, then the value of `replace`.

  Attributes:
    head_scale: 1 keeps a head, 0 takes its output away.
    head_fill: what takes its place; default 0 (zero ablation).
    at: positions at which hidden states change; default all.
    basis: orthonormal directions g to take away; zero rows take nothing.
    centre: what remains of a hidden state along them; default 0.
    keep: where all but these directions is taken away instead.
    add: added to hidden states.
    replace: takes the place of hidden states.
    replaced: where it does, by hidden state and sequence.
  """

  head_scale: Float[Array, "L B N"] | None = None
  head_fill: Float[Array, "L B N H"] | None = None
  at: Bool[Array, "B T"] | None = None
  basis: Float[Array, "L+1 B R D"] | None = None
  centre: Float[Array, "L+1 B D"] | None = None
  keep: Bool[Array, "L+1 B"] | None = None
  add: Float[Array, "L+1 B D"] | None = None
  replace: Float[Array, "L+1 B D"] | None = None
  replaced: Bool[Array, "L+1 B"] | None = None


class _OfHidden(NamedTuple):
  """What changes one hidden state, or all of them with a leading axis."""

  basis: Array | None
  centre: Array | None
  keep: Array | None
  add: Array | None
  replace: Array | None
  replaced: Array | None


def identity(
  config: config_lib.DecoderConfig,
  tokens: Int[Array, "B T"],
  rank: int = 1,
) -> Edits:
  """Every kind of edit, each of them changing nothing; to start from.

  Args:
    config: of the model.
    tokens: only their shape counts.
    rank: R, directions that there is room for.

  Returns:
    Numpy arrays: scales 1, everything else 0, every position, none replaced.
  """
  c, (batch, time) = config, tokens.shape
  layers, hidden = (c.num_layers, batch), (c.num_layers + 1, batch)
  vectors = np.zeros((*hidden, c.hidden_size), np.float32)
  return Edits(
    head_scale=np.ones((*layers, c.num_heads), np.float32),
    head_fill=np.zeros((*layers, c.num_heads, c.head_size), np.float32),
    at=np.ones((batch, time), bool),
    basis=np.zeros((*hidden, rank, c.hidden_size), np.float32),
    centre=vectors,
    keep=np.zeros(hidden, bool),
    add=vectors,
    replace=vectors,
    replaced=np.zeros(hidden, bool),
  )


def without(
  config: config_lib.DecoderConfig, heads: Iterable[tuple[int, int]]
) -> Float[np.ndarray, "L N"]:
  """Scales of one configuration of ablated heads: 0 for them, 1 for others.

  Args:
    config: of the model.
    heads: (layer, head), both from 0.

  Raises:
    errors.InputError: the model has no such head.
  """
  scale = np.ones((config.num_layers, config.num_heads), np.float32)
  for layer, head in heads:
    if not (0 <= layer < config.num_layers and 0 <= head < config.num_heads):
      raise errors.InputError(
        f"the model has no head {layer}.{head}; it has {config.num_layers}"
        f" layers of {config.num_heads} heads, counted from 0"
      )
    scale[layer, head] = 0
  return scale


def check(
  config: config_lib.DecoderConfig, tokens: Shaped[Array, "B T"], edits: Edits
) -> None:
  """Refuses edits that do not fit the model and its sequences.

  Raises:
    errors.InputError: naming the kind of edit, and the shape it must have.
  """
  batch, time = tokens.shape
  layers = config.num_layers
  sizes = {"L": layers, "L + 1": layers + 1, "B": batch, "T": time}
  sizes |= {axis: config.axis_sizes[axis] for axis in "NHD"}
  for name, array in edits._asdict().items():
    if array is not None:
      _check_one(name, array, sizes)
  for name, needs in _NEEDS:
    if getattr(edits, name) is not None and getattr(edits, needs) is None:
      raise errors.InputError(f"edit {name!r} needs {needs!r} as well")


def _check_one(name, array, sizes):
  axes, shape = _AXES[name], tuple(np.shape(array))
  shared = 1 if name != "at" else None
  fits = len(axes) == len(shape) and all(
    size == sizes.get(axis, size) or (axis == "B" and size == shared)
    for axis, size in zip(axes, shape, strict=True)
  )
  if not fits:
    spelled = ", ".join(
      f"{axis} = {sizes[axis]}" if axis in sizes else axis for axis in axes
    )
    raise errors.InputError(
      f"edit {name!r} must have the shape [{spelled}]"
      f"{' (B may be 1)' if shared else ''}, not {list(shape)}"
    )
  of_truth = name in ("at", "keep", "replaced")
  kind = jnp.result_type(array)
  if not jnp.issubdtype(kind, jnp.bool_ if of_truth else jnp.floating):
    raise errors.InputError(
      f"edit {name!r} must be {'true or false' if of_truth else 'of floats'},"
      f" not {kind}; convert it"
    )


def as_hooks(edits: Edits) -> hooks.Hooks:
  """What makes the edits inside a decoder."""
  of_hidden = _OfHidden(*(getattr(edits, name) for name in _OfHidden._fields))
  at = edits.at

  def change(hidden, data):
    return _edit_hidden(hidden, data, at)

  return hooks.Hooks(
    heads=None if edits.head_scale is None else _edit_heads,
    hidden=change if any(x is not None for x in of_hidden) else None,
    of_heads=(edits.head_scale, edits.head_fill),
    of_hidden=of_hidden,
  )


def read(
  config: config_lib.DecoderConfig,
  params: decoder.Params,
  tokens: Int[Array, "B T"],
  edits: Edits,
  observe: Callable[[Float[Array, "B T D"]], PyTree] | None = None,
  observed: tuple[int, ...] | None = None,
) -> tuple[Float[Array, "B T D"], PyTree]:
  """Runs the decoder with edits; pure, to be called under `jax.jit`.

  Args:
    config: of the model.
    params: of the model.
    tokens: ids.
    edits: what to change.
    observe, observed: as in `decoder.Decoder`; `observe` is shown the edited
      hidden states.

  Returns:
    Hidden states after the final norm, and what `observe` returned.

  Raises:
    errors.InputError: edits of another shape than the model and its sequences.
  """
  check(config, tokens, edits)
  final, seen, _ = decoder.Decoder(config, observed).apply(
    {"params": params},
    tokens,
    as_hooks(edits),
    observe,
    method=decoder.Decoder.hooked,
  )
  return final, seen


def _edit_heads(mixing, data):
  """scale * o + (1 - scale) * fill, in float32."""
  scale, fill = data
  wide = mixing.mixed.astype(jnp.float32)
  scale = scale.astype(jnp.float32)[:, None, :, None]
  wide *= scale
  if fill is not None:
    wide += (1 - scale) * fill.astype(jnp.float32)[:, None]
  return wide.astype(mixing.mixed.dtype), None


def _edit_hidden(hidden, data, at):
  """Projects, adds, replaces, in float32."""

  def vectors(array):
    return array.astype(jnp.float32)[:, None]

  wide = hidden.astype(jnp.float32)
  if data.basis is not None:
    off = wide if data.centre is None else wide - vectors(data.centre)
    lost = _within(off, data.basis.astype(jnp.float32))
    if data.keep is not None:
      lost = jnp.where(data.keep[:, None, None], off - lost, lost)
    wide -= lost
  if data.add is not None:
    wide += vectors(data.add)
  if data.replace is not None:
    wide = jnp.where(data.replaced[:, None, None], vectors(data.replace), wide)
  edited = wide.astype(hidden.dtype)
  return edited if at is None else jnp.where(at[..., None], edited, hidden)


def _within(
  vectors: Float[Array, "B T D"], basis: Float[Array, "B R D"]
) -> Float[Array, "B T D"]:
  """The part of vectors that lies in the span of orthonormal directions."""
  rows = "brd" if basis.shape[0] == vectors.shape[0] else "rd"
  directions = basis if rows == "brd" else basis[0]
  highest = jax.lax.Precision.HIGHEST
  along = jnp.einsum(f"btd,{rows}->btr", vectors, directions, precision=highest)
  return jnp.einsum(f"btr,{rows}->btd", along, directions, precision=highest)
