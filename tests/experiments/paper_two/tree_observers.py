"""Stand-ins for a model whose trees are those of a known process."""

import numpy as np

from icl_graphs.experiments import coin_subject
from icl_graphs.experiments.paper_two import trees
from icl_graphs.tasks import coins


class Observer:
  """The exact predictor, or one to whom every flip is fair."""

  has_exact_answer = True

  def __init__(self, *, blind: bool = False, tree: int = 20):
    self.settings = coin_subject.Settings(tree=tree, resamples=100)
    self.blind = blind

  @property
  def untrained(self):
    return Observer(blind=True, tree=self.settings.tree)

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
