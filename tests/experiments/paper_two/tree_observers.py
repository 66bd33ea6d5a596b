"""Stand-ins for a model whose trees are those of a known process."""

import re
import types

import numpy as np

from icl_graphs.experiments import coin_subject
from icl_graphs.experiments.paper_two import trees
from icl_graphs.tasks import coins


class Observer:
  """The exact predictor, or one to whom every flip is fair."""

  has_exact_answer = True
  law = types.SimpleNamespace(sides=())

  def __init__(self, *, blind: bool = False, tree: int = 20):
    self.settings = coin_subject.Settings(tree=tree, resamples=100)
    self.blind = blind

  @property
  def untrained(self):
    return Observer(blind=True, tree=self.settings.tree)

  def encode(self, prompt):
    return prompt.opening

  def read(self, name, groups, sets):
    return [np.array([self._next(text) for text in one]) for one in groups]

  def by_letter(self, name, groups, letters, counts):
    return [
      np.repeat(np.exp(one)[:, None], len(counts), axis=1)
      for one in self.read(name, groups, ())
    ]

  def _next(self, text):
    words = re.findall("[HT][a-z]+", text)
    flips = np.array([coins.WORDS.index(word) for word in words], np.int64)
    tails = 0.5 if self.blind else trees.exact_tails(flips, 1)[0]
    return np.log([1 - tails, tails])

  def trees(self, concept, depth=coins.DEEPEST_PROBE):
    lengths = np.arange(self.settings.tree + 1)
    context = coins.repeated(concept, lengths[-1])
    if self.blind:
      tails = np.full((len(lengths), 2 ** (depth + 1) - 1), 0.5)
    else:
      tails = np.array(
        [trees.exact_tails(context[:n], depth + 1) for n in lengths]
      )
    return np.log(np.stack([1 - tails, tails], axis=-1)), lengths
