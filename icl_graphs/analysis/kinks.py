"""Whether a curve has a kink, or bends smoothly: held-out comparison.

Two straight segments in log10 t always fit better than one. Whether they also
predict other walks better than a smooth rise of as few parameters does is asked
here: both are fitted to the mean of one half of the groups and judged on the
other half.
"""

from typing import NamedTuple

from jaxtyping import Float
import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import log_odds, transitions


class Kink(NamedTuple):
  """Over random halves of the groups.

  share: of the splits in which two segments predict the other half better than
  log-odds that grow with t^(1 - alpha). segments, smooth: root mean square
  errors there, averaged.
  """

  share: float
  segments: float
  smooth: float


def compare(
  sums: Float[np.ndarray, "G T"],
  count: Float[np.ndarray, "G T"],
  t: Float[np.ndarray, " P"],
  splits: int,
  seed: int,
) -> Kink:
  """Two segments (4 parameters, either bend) against a smooth rise (3).

  Args:
    sums, count: of each group at t = 1..T.
    t: context lengths of both fits.
    splits: random halves.
    seed: of the splits.

  Raises:
    InputError: fewer than four groups.
  """
  groups = len(sums)
  if groups < 4:
    raise errors.InputError(
      f"{groups} groups cannot be halved; give at least 4"
    )
  rng = np.random.default_rng(seed)
  first = rng.permuted(
    np.tile(np.arange(groups) < groups // 2, (splits, 1)), axis=1
  )
  places = np.asarray(t) - 1
  sums, count = sums[:, places], count[:, places]
  train, test = (
    (part @ sums) / (part @ count)
    for part in (first.astype(float), (~first).astype(float))
  )
  bent = transitions.two_segments(train, t).curve(t)
  smooth = log_odds.fit(np.clip(train, 0, 1), t).curve(t)
  errors_ = [
    np.sqrt(((guess - test) ** 2).mean(axis=1)) for guess in (bent, smooth)
  ]
  return Kink(
    float((errors_[0] < errors_[1]).mean()), *(float(e.mean()) for e in errors_)
  )
