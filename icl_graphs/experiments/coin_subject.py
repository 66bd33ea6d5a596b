"""A model under study that reads, judges and continues coin flips.

What two recipes ask for is measured once: results are kept as they are made.
"""

from collections.abc import Sequence
import dataclasses
import functools
import pathlib
from typing import Self

from jaxtyping import Float, Int
import numpy as np

from icl_graphs.engine import flip_law, flips, prefix_plan, shared_prefix
from icl_graphs.experiments import coin_checks, coin_forms, opened, subject
from icl_graphs.tasks import coins, first_tokens, flip_tokens
from icl_graphs.training import coin_tokenizer

# Sequences of one prompt that are drawn together.
_TOGETHER = 64
Flips = Sequence[int] | Int[np.ndarray, " n"]


@dataclasses.dataclass(frozen=True)
class Settings:
  """Everything that decides the numbers of a run; saved in `run.json`.

  `None` asks for the default stated beside the field.
  """

  model: str = "bundled:coins"
  revision: str | None = None
  form: str = "raw"  # of the prompts, as the authors gave base models
  percents: tuple[int, ...] = coins.PERCENTS
  sequences: int = 200
  flips: int = 50
  tokens: int = 300
  judged: int = coins.LONGEST_JUDGED
  tree: int = coins.LONGEST_TREE
  trailing_comma: bool = False
  questions: str | None = None  # our own
  resamples: int = 1000
  dtype: str | None = None  # float32 on a CPU, bfloat16 elsewhere
  attention: str | None = None  # the fastest that does all the model needs
  seed: int = 0
  batch_size: int | None = None  # what pays and fits
  devices: int | None = None  # all of every host
  mesh: str | None = None  # every device has all parameters


class CoinSubject(subject.Subject):
  """A subject that is asked about coin flips.

  Attributes:
    law: what is drawn, and which tokens are what.
    labels: tokens that begin "random" and "non", in this order.
  """

  settings: Settings

  def __init__(
    self,
    settings: Settings,
    out: pathlib.Path,
    *,
    cache_dir: pathlib.Path | None = None,
    save_seconds: float = 60.0,
  ):
    """Checks the settings and the vocabulary; no weight is read yet.

    Raises:
      InputError: a setting, a model or a tokenizer that cannot be used; it
        names the token that begins two answers.
    """
    coin_checks.settings(settings)
    settings, model = opened.open_model(settings, cache_dir)
    super().__init__(settings, model, out, save_seconds)
    with coin_checks.asking(settings.model):
      sides, labels, marks = self._vocabulary()
    self.labels = labels["random"], labels["non"]
    self._trees: dict = {}
    self.law = flip_law.Law(
      **sides,
      **marks._asdict(),
      flips=settings.flips,
      steps=settings.tokens,
    )

  def _vocabulary(self):
    """Tokens of the flips, of the labels and between flips."""
    questions = coins.generation(), coins.judgment((0,)), coins.tree((0,))
    flipped, judged, _ = (one.text for one in questions)
    found = (
      first_tokens.answers(self.tokenizer, flipped, first_tokens.FLIPS),
      first_tokens.answers(self.tokenizer, judged, first_tokens.JUDGMENTS),
      flip_tokens.marks(self.tokenizer, self.decoder.vocab_size),
    )
    longest = max(len(self.encode(one)) for one in questions)
    coin_checks.prompts_fit(longest, self.decoder.max_positions)
    return found

  @functools.cached_property
  def untrained(self) -> Self:
    """See `subject.Subject`; what was read is the trained model's own."""
    other = super().untrained
    other._trees = {}
    return other

  @functools.cached_property
  def has_exact_answer(self) -> bool:
    """Whether the model's vocabulary is that of the bundled coin model.

    Its training mixture then says what the right answer is, see
    `theory.coin_mixture`.
    """
    return self.tokenizer.get_vocab() == coin_tokenizer.ids()

  def encode(self, prompt: coins.Prompt) -> list[int]:
    """Token ids of a prompt in the form that was asked for.

    Raises:
      InputError: as `coin_forms.encode`.
    """
    return coin_forms.encode(
      self.tokenizer, prompt, self.settings.form, self.bos_ids
    )

  def generated(
    self, percents: Sequence[int], *, fair: bool = False
  ) -> dict[int, flip_law.Drawn]:
    """Sequences of flips at each stated probability of Tails.

    Args:
      percents: 100 times the probability.
      fair: the disabled wording of the original, at 50 only.

    Returns:
      percent to what was drawn, arrays with `settings.sequences` rows.
    """
    prompts = [
      self.encode(coins.generation(percent, fair=fair)) for percent in percents
    ]
    settings = self.settings
    longest = max(map(len, prompts))
    law = dataclasses.replace(
      self.law, steps=self._steps(settings.tokens, longest)
    )
    flip_law.check(self.decoder, law, longest)
    together = min(_TOGETHER, settings.sequences)
    rows = flips.blocks(prompts, settings.sequences, together)
    step = functools.partial(
      flips.draw,
      config=self.decoder,
      law=law,
      together=together,
      leave_early=self.model.spread.model == 1,
    )
    _, drawn = self.evaluate(
      f"generation{' fair' if fair else ''}",
      step,
      rows,
      np.uint32(settings.seed),
      words=longest + together * law.steps,
      batch_size=1,
    )
    drawn = flips.by_prompt(drawn, len(prompts), settings.sequences)
    return {
      percent: type(drawn)(*(leaf[place] for leaf in drawn))
      for place, percent in enumerate(percents)
    }

  def _steps(self, wanted: int, longest: int) -> int:
    """Tokens that can be drawn after the longest prompt."""
    return min(wanted, self.decoder.max_positions - longest)

  def judged(
    self, stimuli: Sequence[Flips], *, trailing_comma: bool | None = None
  ) -> Float[np.ndarray, "stimuli n 2"]:
    """Log-probability of "random" and "non" after every length of flips.

    Args:
      stimuli: flips, of equal length.
      trailing_comma: default as in the settings.

    Returns:
      For lengths 0 (an empty list) to n.
    """
    groups = self.judgment_contexts(stimuli, trailing_comma)
    return np.stack(self.read("judgment", groups, self.labels))

  def judgment_contexts(
    self, stimuli: Sequence[Flips], trailing_comma: bool | None = None
  ) -> list[list[list[int]]]:
    """Token ids of the questions of `judged`, by stimulus and length."""
    if trailing_comma is None:
      trailing_comma = self.settings.trailing_comma
    return [
      [
        self.encode(coins.judgment(one[:n], trailing_comma=trailing_comma))
        for n in range(len(one) + 1)
      ]
      for one in stimuli
    ]

  def trees(
    self, concept: str, depth: int = coins.DEEPEST_PROBE
  ) -> tuple[Float[np.ndarray, "lengths probes 2"], Int[np.ndarray, " n"]]:
    """Log-probability of Heads and Tails after every context and probe.

    Args:
      concept: repeated from its first flip, for 0 to `settings.tree` flips.
      depth: longest probe; its strings are in the order of `coins.probes`.

    Returns:
      (log-probabilities, lengths of the context).
    """
    if (concept, depth) not in self._trees:
      self._read_trees(concept, depth)
    return self._trees[concept, depth]

  def _read_trees(self, concept, depth):
    """Reads the trees of all the paper's concepts at once, or of another."""
    known = concept in coins.TREE_CONCEPTS
    concepts = coins.TREE_CONCEPTS if known else (concept,)
    lengths = range(self.settings.tree + 1)
    contexts = [coins.tree_contexts(one, lengths, depth) for one in concepts]
    found = self.read(
      "trees" if known else f"tree {concept}",
      [[self.encode(coins.tree(x)) for x in one.flips] for one in contexts],
      self.law.sides,
    )
    for name, one, log_mass in zip(concepts, contexts, found, strict=True):
      self._trees[name, depth] = log_mass[one.index], one.lengths

  def read(
    self,
    name: str,
    groups: Sequence[Sequence[Sequence[int]]],
    sets: tuple[tuple[int, ...], ...],
  ) -> list[Float[np.ndarray, "contexts sets"]]:
    """Log-probability of sets of next tokens after many contexts.

    Args:
      name: of the measurement.
      groups: token ids of contexts that begin alike, group by group.
      sets: disjoint sets of token ids.

    Raises:
      InputError: a context that does not fit into the model.
    """
    plan, found = self._read(name, groups, shared_prefix.log_masses, sets=sets)
    return plan.pick(found)

  def by_letter(
    self,
    name: str,
    groups: Sequence[Sequence[Sequence[int]]],
    letters: Sequence[str],
    counts: Sequence[int],
  ) -> list[Float[np.ndarray, "contexts counts letters"]]:
    """Probability of first letters among the likeliest next tokens.

    The authors' rule, see `first_tokens.first_letter`; otherwise as `read`.

    Args:
      name, groups: as in `read`.
      letters: lower-case, one per answer.
      counts: how many tokens are looked at, each for itself.
    """
    size = self.decoder.vocab_size
    places = np.minimum(counts, size) - 1
    plan, (tokens, log_probs) = self._read(
      name, groups, shared_prefix.most_likely, count=int(places.max()) + 1
    )
    begins = first_tokens.first_letter(self.tokenizer, size, letters)
    sums = np.cumsum(np.exp(log_probs) * begins[:, tokens], axis=-1)
    return plan.pick(np.moveaxis(sums[..., places], 0, -1))

  def _read(self, name, groups, step, **bound):
    plan = prefix_plan.plan(groups)
    shared_prefix.check(self.decoder, plan)
    step = functools.partial(
      step, config=self.decoder, passes=plan.passes, **bound
    )
    _, found = self.evaluate(name, step, plan.rows, words=plan.words)
    return plan, found
