"""Which model of coin flips predicts sequences that it was not fitted to?

Sequences are split in halves by a seed; each model is fitted to one half and
scored on the other, both ways. The width of a window and the order of a chain
are chosen within the half that is fitted to. Beside the score stands how far
the sequences that each model makes are from those observed.
"""

from collections.abc import Callable
import dataclasses
from typing import NamedTuple

from jaxtyping import Int
import numpy as np

from icl_graphs import errors
from icl_graphs.analysis import nulls, sequences
from icl_graphs.theory import coin_fits, coin_models

WINDOWS = tuple(range(2, coin_models.WIDEST + 1))
ORDERS = (0, 1, 2, 3, 4, 5)
# Enough to be split twice.
_FEWEST = 8


class Shape(NamedTuple):
  """What a set of sequences looks like."""

  sd_of_mean: float
  alternation: float
  longest_run: float


@dataclasses.dataclass(frozen=True)
class Fitted:
  """One model.

  Attributes:
    name: key of `FITS`, or "stated" for the stated probability.
    parameters: fitted to the first and to the second half.
    nats: held-out negative log-likelihood per flip.
    low, high: its interval over sequences.
    gain: nats per flip that it saves over the Bernoulli model, with its
      interval (value, low, high) over the same sequences.
    shape: of as many simulated sequences as observed.
    distance: its entries' differences from the observed ones, in standard
      errors of the observed ones.
  """

  name: str
  parameters: tuple[dict[str, float], dict[str, float]]
  nats: float
  low: float
  high: float
  gain: tuple[float, float, float]
  shape: Shape
  distance: Shape


def shape(flips: Int[np.ndarray, "N T"]) -> Shape:
  """SD of sequence means, mean alternation rate, mean longest run."""
  return Shape(
    float(flips.mean(axis=1).std(ddof=1)),
    float(sequences.alternation_rate(flips).mean()),
    float(sequences.longest_run(flips).mean()),
  )


def _shape_errors(flips) -> Shape:
  """Standard errors of a shape; of the SD as for normal means."""
  number = len(flips)
  return Shape(
    float(flips.mean(axis=1).std(ddof=1) / np.sqrt(2 * (number - 1))),
    float(sequences.alternation_rate(flips).std(ddof=1) / np.sqrt(number)),
    float(sequences.longest_run(flips).std(ddof=1) / np.sqrt(number)),
  )


def _chosen(
  flips: Int[np.ndarray, "N T"],
  candidates: Callable[[Int[np.ndarray, "N T"]], list[coin_models.Model]],
) -> coin_models.Model:
  """The candidate that predicts one half from the other, fitted to both."""
  one, other = np.array_split(flips, 2)
  total = sum(
    np.array(
      [coin_models.score(model, test).sum() for model in candidates(train)]
    )
    for train, test in ((one, other), (other, one))
  )
  return candidates(flips)[int(np.argmax(total))]


def _window(flips):
  return _chosen(
    flips, lambda part: coin_fits.window_averages(part, np.array(WINDOWS))
  )


def _markov(flips):
  return _chosen(
    flips, lambda part: [coin_fits.markov(part, order) for order in ORDERS]
  )


FITS: dict[str, Callable[..., coin_models.Model]] = {
  "bernoulli": lambda flips: coin_fits.bernoulli(flips, smoothing=0.5),
  "window average": _window,
  "window average 5": lambda flips: coin_fits.window_averages(
    flips, np.array([5])
  )[0],
  "alternation chain": coin_fits.alternation,
  "Markov chain": _markov,
}


def compare(
  flips: Int[np.ndarray, "N T"],
  stated: float | None = None,
  seed: int = 0,
  resamples: int = 1000,
) -> list[Fitted]:
  """Fits every model both ways; best held-out score first.

  Args:
    flips: sequences, in any order.
    stated: probability of tails that was asked for; adds the ground truth.
    seed: of the split, of simulations and of the bootstrap.
    resamples: bootstrap draws over sequences.

  Raises:
    InputError: too few sequences, or a stated probability of 0 or 1.
  """
  flips = sequences.checked(flips)
  if len(flips) < _FEWEST:
    raise errors.InputError(
      f"{len(flips)} sequences cannot be split; give at least {_FEWEST}"
    )
  if stated is not None and not 0 < stated < 1:
    raise errors.InputError(
      f"a stated probability of {stated} makes flips impossible; give one"
      " between 0 and 1"
    )
  order = np.random.default_rng(seed).permutation(len(flips))
  halves = np.array_split(flips[order], 2)
  fits = dict(FITS)
  if stated is not None:
    fits["stated"] = lambda part: coin_models.Bernoulli(stated)
  models = {name: [fit(half) for half in halves] for name, fit in fits.items()}
  scores = {name: _held_out(pair, halves) for name, pair in models.items()}
  drawn = nulls.bootstrap_weights(len(flips), resamples, seed) / len(flips)
  found = []
  for name, pair in models.items():
    made = coin_models.simulate(pair[0], seed, len(halves[0]), flips.shape[1])
    rest = coin_models.simulate(
      pair[1], seed, len(halves[1]), flips.shape[1], first=len(halves[0])
    )
    made = shape(np.concatenate([made, rest]))
    found.append(
      Fitted(
        name,
        (_parameters(pair[0]), _parameters(pair[1])),
        *_interval(scores[name], drawn),
        _interval(scores["bernoulli"] - scores[name], drawn),
        made,
        _distance(made, flips),
      )
    )
  return sorted(found, key=lambda one: one.nats)


def _held_out(pair, halves):
  """Nats per flip of every sequence, by the model fitted to the other half."""
  return np.concatenate(
    [
      -coin_models.score(model, half).mean(axis=1)
      for model, half in zip(pair, reversed(halves), strict=True)
    ]
  )


def _distance(made: Shape, flips) -> Shape:
  """Differences from the observed shape in its standard errors."""
  parts = zip(made, shape(flips), _shape_errors(flips), strict=True)
  return Shape(
    *(
      (ours - theirs) / error if error > 0 else float("nan")
      for ours, theirs, error in parts
    )
  )


def _interval(values, drawn) -> tuple[float, float, float]:
  value = values.mean()
  low, high = nulls.interval(value, drawn @ values, len(values))
  return float(value), float(low), float(high)


def _parameters(model) -> dict[str, float]:
  """The numbers of a model, without the tables of a chain."""
  return {
    name: float(value)
    for name, value in model._asdict().items()
    if np.ndim(value) == 0
  }
