"""Stand-ins for a model: they answer as a known process would."""

from collections.abc import Callable
import re

import numpy as np

from icl_graphs.engine import flip_law
from icl_graphs.experiments import coin_subject
from icl_graphs.tasks import coins
from icl_graphs.theory import coin_mixture, coin_models


class Generator:
  """Generates flips of a given model of flips at every stated probability."""

  has_exact_answer = True

  def __init__(self, process: Callable[[float], coin_models.Model], **changes):
    self.settings = coin_subject.Settings(**changes)
    self.process = process

  def generated(self, percents, *, fair=False):
    """The first sequence of every prompt ends early."""
    number, length = self.settings.sequences, self.settings.flips
    found = {}
    for percent in percents:
      flips = coin_models.simulate(
        self.process(percent / 100), 7 + percent + fair, number, length
      )
      counts = np.full(number, length)
      counts[0] = 3
      mass = np.log(np.full((number, length, 2), 0.45))
      tokens = np.full((number, 1), -1)
      found[percent] = flip_law.Drawn(
        tokens, flips, mass, counts, np.zeros(number, np.int64), mass
      )
    return found


class Judge:
  """The exact Bayesian observer, or one who calls everything random."""

  has_exact_answer = True
  law = flip_law.Law((0,), (1,), (2,))

  def __init__(self, *, blind: bool = False, mass: float = 1.0, **changes):
    self.settings = coin_subject.Settings(**changes)
    self.blind = blind
    self.mass = mass

  def judged(self, stimuli, *, trailing_comma=None):
    non = coin_mixture.not_random(np.asarray(stimuli))
    if self.blind:
      non = np.full_like(non, 0.25)
    shares = np.stack([1 - non, non], axis=-1)
    return np.log(np.maximum(self.mass * shares, 1e-12))

  def judgment_contexts(self, stimuli):
    return stimuli

  def by_letter(self, name, groups, letters, counts):
    """With few tokens nothing is heard of what is improbable."""
    masses = np.exp(self.judged(groups))[:, :, None]
    kept = [masses * (masses > 1 / count) for count in counts]
    return np.concatenate(kept, axis=2)

  def encode(self, prompt: coins.Prompt):
    return prompt.opening

  def read(self, name, groups, sets):
    return [
      np.log(np.stack([self._next(text) for text in group])) for group in groups
    ]

  def _next(self, text: str):
    flips = [coins.WORDS.index(one) for one in re.findall("[HT][a-z]+", text)]
    # Nothing is known before the first flip.
    tails = 0.5
    if flips:
      tails = coin_mixture.next_tails(np.array(flips, np.int64))[-1]
    return np.maximum([1 - tails, tails], 1e-12)
