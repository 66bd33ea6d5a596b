"""How straight the way is that hidden states take from word to word.

The angle at word t is that between the displacements r_t - r_(t-1) and
r_(t+1) - r_t: 0 on a straight line, 180 degrees where the way turns back, 120
on average among unrelated points in many dimensions. The participation ratio
of a stretch of the way is (sum S^2)^2 / sum S^4 over the singular values of its
points about their mean, the number of dimensions it fills (after arXiv
2601.22364; the angle relative to hidden state 0 is taken by `analysis`).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from icl_graphs.models import config as config_lib
from icl_graphs.models import decoder


class Ways(NamedTuple):
  """Per walk, hidden state and window.

  Attributes:
    angle: mean over the window, in degrees, of words that differ from the one
      before and the one after; NaN where there is none.
    forward: the same over words where the walk does not step back either.
    participation: participation ratio of the window's hidden states.
  """

  angle: Float[Array, "B L1 C"]
  forward: Float[Array, "B L1 C"]
  participation: Float[Array, "B L1 C"]


def angles(hidden: Shaped[Array, "B T D"]) -> Float[Array, "B T-2"]:
  """Angles at words 2 to T - 1, in degrees; NaN where the way stands still."""
  way = jnp.diff(hidden.astype(jnp.float32), axis=1)
  length = jnp.sqrt(jnp.sum(way**2, axis=-1))
  along = jnp.sum(way[:, 1:] * way[:, :-1], axis=-1)
  cosine = along / (length[:, 1:] * length[:, :-1])
  return jnp.rad2deg(jnp.arccos(jnp.clip(cosine, -1, 1)))


def participation_ratio(hidden: Shaped[Array, "B W D"]) -> Float[Array, " B"]:
  """Of W points each, about their mean; 1 on a line, at most W - 1."""
  points = hidden.astype(jnp.float32)
  points -= jnp.mean(points, axis=1, keepdims=True)
  gram = jnp.einsum(
    "bwd,bvd->bwv", points, points, precision=jax.lax.Precision.HIGHEST
  )
  trace = jnp.trace(gram, axis1=1, axis2=2)
  return trace**2 / jnp.sum(gram**2, axis=(1, 2))


def step(
  config: config_lib.DecoderConfig,
  offset: int,
  windows: tuple[tuple[int, int], ...],
  params: decoder.Params,
  fixed: tuple,
  rows: dict[str, Int[Array, "B ..."]],
  valid: Bool[Array, " B"],
) -> tuple[tuple, Ways]:
  """Reads walks and reduces every hidden state's way where it arises.

  Args:
    config: of the model.
    offset: tokens before the first word.
    windows: half-open ranges of words, three words at least.
    params: of the model.
    fixed: nothing.
    rows: `tokens` [B, offset + T]; `nodes` [B, T].
    valid: unused, every row is kept.

  Returns:
    Nothing that adds, and `Ways`.
  """
  del fixed, valid
  nodes = rows["nodes"]
  # A word repeated is no step at all in hidden state 0.
  moving = nodes[:, 1:] != nodes[:, :-1]
  moving = moving[:, 1:] & moving[:, :-1]
  onward = moving & (nodes[:, 2:] != nodes[:, :-2])

  def observe(hidden):
    words = hidden[:, offset:]
    angle = angles(words)
    found = []
    for start, stop in windows:
      inside = slice(start, stop - 2)
      mean = jnp.mean(angle[:, inside], axis=1, where=moving[:, inside])
      some = jnp.mean(angle[:, inside], axis=1, where=onward[:, inside])
      found.append(
        jnp.stack([mean, some, participation_ratio(words[:, start:stop])])
      )
    # [B, kind, C]
    return jnp.moveaxis(jnp.stack(found), -1, 0).swapaxes(1, 2)

  _, seen = decoder.Decoder(config).apply(
    {"params": params}, rows["tokens"], observe
  )
  return (), Ways(*jnp.moveaxis(seen, (1, 2), (1, 0)))
