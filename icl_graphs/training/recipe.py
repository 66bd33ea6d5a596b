"""What is trained, and how: one frozen description per task."""

import dataclasses
import hashlib
import json
from typing import Any, ClassVar

from icl_graphs import errors
from icl_graphs.training import coin_mixture, mixture


@dataclasses.dataclass(frozen=True)
class Stage:
  """A stretch of training on sequences of one length.

  Attributes:
    steps: optimiser steps.
    length: tokens that are read, BOS included.
    batch: sequences per step.
    max_nodes: larger graphs are left out.
    data: what is drawn.
    known_only: whether the loss leaves out words that the sequence has not
      shown yet, which nothing could predict.
  """

  steps: int
  length: int
  batch: int
  max_nodes: int
  data: mixture.Mixture
  known_only: bool = True

  @property
  def tokens(self) -> int:
    """Tokens read in one step."""
    return self.batch * self.length

  def __str__(self) -> str:
    return f"{self.length} words, up to {self.max_nodes} nodes"


@dataclasses.dataclass(frozen=True)
class Recipe:
  """A model and its training.

  Attributes:
    width, layers, heads, mlp_size, vocab_size, max_positions: of the Llama
      model.
    graphs: specs of the training graphs.
    stages: in order; all of walks, or all of coin flips.
    tied: whether the unembedding is the embedding.
    muon: the blocks' matrices are trained with Muon; all else, and everything
      without it, with AdamW.
    matrix_rate: peak learning rate of Muon.
    other_rate: peak learning rate of AdamW.
    weight_decay: of both, times the learning rate.
    warmup: steps to the peak.
    decay: share of all steps at the end over which the rates fall linearly.
    final: rates at the end, as a share of the peak.
    clip: largest norm of the gradient.
    embedding_scale: standard deviation of the embedding's entries at the start.
    common_scale: size of the vector that all words share at the start,
      relative to `embedding_scale`.
    head_scale: standard deviation of an untied unembedding's entries then.
  """

  width: int
  layers: int
  heads: int
  mlp_size: int
  vocab_size: int
  max_positions: int
  graphs: tuple[str, ...]
  stages: tuple[Stage | coin_mixture.Stage, ...]
  tied: bool = True
  muon: bool = True
  matrix_rate: float = 0.01
  other_rate: float = 0.003
  weight_decay: float = 0.01
  warmup: int = 100
  decay: float = 0.5
  final: float = 0.03
  clip: float = 1.0
  embedding_scale: float = 0.1
  common_scale: float = 1.0
  head_scale: float = 0.02
  # Not fields: they decide no weight of the walks.
  rope_theta: ClassVar[float] = 10000.0
  # Highest rates, as shares of the peaks, of the last stages, each of which has
  # a schedule of its own and a fresh optimiser.
  finishing: ClassVar[tuple[float, ...]] = ()

  @property
  def steps(self) -> int:
    """Optimiser steps of all stages."""
    return sum(stage.steps for stage in self.stages)

  @property
  def finishing_stages(self) -> tuple[Stage | coin_mixture.Stage, ...]:
    """The last stages, as many as `finishing` has rates."""
    return self.stages[len(self.stages) - len(self.finishing) :]

  @property
  def first_steps(self) -> int:
    """Steps of the first schedule, which finishing stages are not part of."""
    return self.steps - sum(stage.steps for stage in self.finishing_stages)

  def finishing_at(self, step: int) -> int | None:
    """Number of the finishing stage of a step counted from 0, if it has one."""
    begins, found = self.first_steps, None
    for number, stage in enumerate(self.finishing_stages):
      if step >= begins:
        found = number
      begins += stage.steps
    return found

  @property
  def tokens(self) -> int:
    """Tokens read in all stages."""
    return sum(stage.steps * stage.tokens for stage in self.stages)

  def stage_at(self, step: int) -> Stage | coin_mixture.Stage:
    """The stage of a step counted from 0."""
    for stage in self.stages:
      if step < stage.steps:
        return stage
      step -= stage.steps
    raise ValueError("step beyond the end of training")

  def hf_config(self) -> dict[str, Any]:
    """Content of `config.json`."""
    return {
      "architectures": ["LlamaForCausalLM"],
      "model_type": "llama",
      "dtype": "float32",
      "vocab_size": self.vocab_size,
      "hidden_size": self.width,
      "intermediate_size": self.mlp_size,
      "num_hidden_layers": self.layers,
      "num_attention_heads": self.heads,
      "num_key_value_heads": self.heads,
      "head_dim": self.width // self.heads,
      "hidden_act": "silu",
      "max_position_embeddings": self.max_positions,
      "rms_norm_eps": 1e-5,
      "rope_theta": self.rope_theta,
      "attention_bias": False,
      "mlp_bias": False,
      "tie_word_embeddings": self.tied,
      "bos_token_id": 0,
      "eos_token_id": None,
      "pad_token_id": None,
    }

  def fingerprint(self, seed: int) -> str:
    """Names everything that decides the weights, for resuming."""
    text = json.dumps([dataclasses.asdict(self), seed], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def scaled(recipe: Recipe, steps: int | None) -> Recipe:
  """The recipe with all stages shortened or stretched to `steps` in total.

  Raises:
    InputError: fewer steps than stages.
  """
  if steps is None or steps == recipe.steps:
    return recipe
  if steps < len(recipe.stages):
    raise errors.InputError(
      f"{steps} steps cannot cover the {len(recipe.stages)} stages of training;"
      f" give at least {len(recipe.stages)}"
    )
  stages, begun, taken = [], 0, 0
  for number, stage in enumerate(recipe.stages, start=1):
    begun += stage.steps
    end = round(begun * steps / recipe.steps)
    end = min(max(end, taken + 1), steps - (len(recipe.stages) - number))
    stages.append(dataclasses.replace(stage, steps=end - taken))
    taken = end
  warmup = max(1, round(recipe.warmup * steps / recipe.steps))
  return dataclasses.replace(recipe, stages=tuple(stages), warmup=warmup)
