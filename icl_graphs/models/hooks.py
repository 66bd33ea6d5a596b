"""Where others may look into a forward pass, or change it.

The model knows nothing of what they do: it hands over what it computed and goes
on with what it gets back. A decoder without hooks is the same program as if
there were none to give.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jaxtyping import Array, Bool, Float, PyTree


class Mixing(NamedTuple):
  """What attention of one layer computed, before its output projection.

  Attributes:
    query, key: after rotation.
    mixed: values that every head brings together, its output.
    slides: whether this layer sees only the model's window.
  """

  query: Float[Array, "B T N H"]
  key: Float[Array, "B T K H"]
  mixed: Float[Array, "B T N H"]
  slides: Bool[Array, ""]


class Hooks(NamedTuple):
  """Functions that the scan over layers calls, and what they need per layer.

  Attributes:
    heads: (mixing, one layer of `of_heads`) to the head outputs [B, T, N, H]
      that the model goes on with, and a pytree of notes to keep of the layer.
    hidden: (hidden state [B, T, D], one entry of `of_hidden`) to the hidden
      state that the model goes on with and shows to its observer.
    of_heads: leading axis L, the layers.
    of_hidden: leading axis L + 1, the hidden states 0 to L.
  """

  heads: Callable[[Mixing, PyTree], tuple[Array, PyTree]] | None = None
  hidden: Callable[[Array, PyTree], Array] | None = None
  of_heads: PyTree = None
  of_hidden: PyTree = None

  def at_heads(self, mixing: Mixing, data: PyTree) -> tuple[Array, PyTree]:
    """Head outputs to go on with, and notes; data is of this layer."""
    if self.heads is None:
      return mixing.mixed, None
    return self.heads(mixing, data)

  def at_hidden(self, hidden: Any, data: PyTree) -> Any:
    """The hidden state to go on with; data is of this hidden state."""
    return hidden if self.hidden is None else self.hidden(hidden, data)

  def of_embedding(self) -> PyTree:
    """What `hidden` needs at hidden state 0."""
    return jax.tree.map(lambda leaf: leaf[0], self.of_hidden)

  def of_layers(self) -> tuple[PyTree, PyTree]:
    """What both need, scanned beside the layers."""
    return self.of_heads, jax.tree.map(lambda leaf: leaf[1:], self.of_hidden)


NONE = Hooks()
