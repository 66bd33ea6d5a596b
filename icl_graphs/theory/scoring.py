"""Scores of all accounts on given halves of the groups, and under draws.

Letters: K accounts, L layers, X splits in both directions, B draws.
"""

from collections.abc import Callable, Sequence

from jaxtyping import Float, Int
import numpy as np

from icl_graphs.theory import eigenspaces, held_out

NAMES = ("score", "log_likelihood")
# At most this many entries of Gram matrices at once, per layer.
_BLOCK = 3_000_000


class Scored:
  """Every account fitted on `train` and scored on `test`.

  scores: name to [K, L, B]; chosen: per account [L, B * X] parameter points;
  flat_error: [L, B]; ceiling: [L, B], score of `train` itself as prediction.
  """

  def __init__(
    self,
    train: Float[np.ndarray, "L BX n n"],
    test: Float[np.ndarray, "L BX n n"],
    predicted: Sequence[held_out.Predicted],
    spaces: eigenspaces.Eigenspaces,
    directions: int,
    scale: Float[np.ndarray, "L 1"] | None = None,
  ):
    """Fits and scores.

    Args:
      train: Gram matrices to fit on, splits of one draw side by side.
      test: Gram matrices to score on.
      predicted: of each account.
      spaces: eigenspaces of the walk matrix.
      directions: X.
      scale: what scores are a share of; by default the error of a flat
        spectrum.
    """
    count = spaces.multiplicity
    fitted = eigenspaces.powers(train, spaces)
    scored = eigenspaces.powers(test, spaces)
    shape = (len(train), -1, directions)

    def error(guess):
      found = held_out.squared_error(scored, guess, count)
      return found.reshape(shape).sum(axis=-1)

    self.flat_error = error(spaces.flat)
    scale = self.flat_error if scale is None else scale
    scale = np.where(scale > 0, scale, np.nan)
    self.ceiling = (self.flat_error - error(fitted)) / scale
    self.chosen = [held_out.fit(fitted, one, count) for one in predicted]
    explained, likelihood = [], []
    for one, chosen in zip(predicted, self.chosen, strict=True):
      guess = held_out.take(one.power, chosen)
      explained.append((self.flat_error - error(guess)) / scale)
      gained = held_out.log_likelihood(
        train,
        test,
        held_out.take(one.inverse, chosen),
        held_out.take(one.log_volume, chosen),
      )
      likelihood.append(gained.reshape(shape).mean(axis=-1))
    self.scores = {
      "score": np.stack(explained),
      "log_likelihood": np.stack(likelihood),
    }


def drawn(
  draws: np.ndarray,
  halves: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
  predicted: Sequence[held_out.Predicted],
  spaces: eigenspaces.Eigenspaces,
  directions: int,
  scale: Float[np.ndarray, "L 1"] | None = None,
) -> dict[str, Float[np.ndarray, "K L B"]]:
  """Scores of many draws, in blocks of bounded memory.

  Args:
    draws: one per entry of the first axis.
    halves: draws to the Gram matrices to fit and to score on.
    predicted: of each account.
    spaces: eigenspaces of the walk matrix.
    directions: X.
    scale: as in `Scored`.
  """
  nodes = spaces.operators.shape[-1]
  step = max(1, _BLOCK // (directions * nodes**2))
  found = [
    Scored(
      *halves(draws[start : start + step]), predicted, spaces, directions, scale
    ).scores
    for start in range(0, len(draws), step)
  ]
  return {
    name: np.concatenate([one[name] for one in found], axis=-1)
    for name in NAMES
  }


def relabelled(
  gram: Float[np.ndarray, "L X n n"], labels: Int[np.ndarray, "P n"]
) -> Float[np.ndarray, "L PX n n"]:
  """Gram matrices under relabellings of the nodes, X side by side for each."""
  moved = gram[:, :, labels[:, :, None], labels[:, None, :]]
  moved = np.moveaxis(moved, 2, 1)
  return moved.reshape(len(gram), -1 if moved.size else 0, *gram.shape[2:])
