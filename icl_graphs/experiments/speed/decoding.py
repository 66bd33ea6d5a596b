"""Decoding: continuations of one prompt, beside transformers' `generate`."""

import contextlib
import dataclasses
import pathlib
import tempfile
import types

import jax
import numpy as np

from icl_graphs.engine import generate
from icl_graphs.experiments.speed import random_checkpoint, timing
from icl_graphs.models import checkpoint, families

# 10.5 million parameters, 42 MB in float32; logits about as uneven as those of
# a trained model.
MODEL = {
  "model_type": "llama",
  "architectures": ["LlamaForCausalLM"],
  "hidden_act": "silu",
  "hidden_size": 256,
  "initializer_range": 0.1,
  "intermediate_size": 768,
  "max_position_embeddings": 2048,
  "num_attention_heads": 8,
  "num_hidden_layers": 8,
  "num_key_value_heads": 4,
  "rms_norm_eps": 1e-5,
  "rope_theta": 10000.0,
  "tie_word_embeddings": False,
  "vocab_size": 8192,
}
# Largest difference between log-probabilities of the same tokens.
_TOLERANCE = 1e-3


@dataclasses.dataclass(frozen=True)
class Settings:
  """What the benchmark of decoding does; both sides draw at temperature 1."""

  checkpoint: str | None = timing.option(
    None, "Folder of a model instead of a random one of 42 MB."
  )
  sequences: int = timing.option(512, "Continuations of the prompt.")
  steps: int = timing.option(300, "Tokens drawn for each.")
  prompt_length: int = timing.option(40, "Tokens of the prompt.")
  torch_sequences: int | None = timing.option(
    None,
    "Continuations that transformers draws, then scaled; default all. It goes"
    " through them in batches, by trial of a size that it likes.",
  )
  checked_sequences: int = timing.option(
    32, "Sequences of either side that transformers scores in one pass."
  )
  repeats: int = timing.option(3, "Interleaved repeats.")
  seed: int = 0


def measure(
  settings: Settings, baseline: types.ModuleType | None
) -> timing.Result:
  """Times both and lets transformers score what both have drawn.

  Args:
    settings: how much of what.
    baseline: `Model` in torch; or None.

  Raises:
    InputError: a bad checkpoint, or more tokens than it has positions.
    AssertionError: transformers finds other log-probabilities for our tokens.
  """
  with contextlib.ExitStack() as stack:
    folder = settings.checkpoint
    if folder is None:
      folder = stack.enter_context(tempfile.TemporaryDirectory())
      random_checkpoint.write(pathlib.Path(folder), MODEL, settings.seed)
    return _measure(settings, baseline, pathlib.Path(folder))


def _measure(settings, baseline, folder) -> timing.Result:
  config = families.read_config(folder)
  params = checkpoint.load(folder, config, dtype="float32")
  sampler = generate.Sampler(settings.steps)
  generate.check(config, sampler, settings.prompt_length)
  rng = np.random.default_rng(settings.seed)
  prompt = rng.integers(0, config.vocab_size, settings.prompt_length).tolist()
  tokens, lengths = generate.pad([prompt])
  keys = iter(jax.random.split(jax.random.key(settings.seed), 1000))
  drawn = None

  def ours():
    nonlocal drawn
    drawn = generate.generate(
      params,
      *(tokens, lengths, next(keys)),
      config=config,
      sampler=sampler,
      continuations=settings.sequences,
    )
    return drawn

  size = sum(leaf.nbytes for leaf in jax.tree.leaves(params))
  print(
    f"{settings.sequences:,} sequences of {settings.steps:,} tokens after a"
    f" prompt of {settings.prompt_length}; {config.family}, {size / 1e6:.0f} MB"
    f" in float32, {config.num_layers} layers, vocabulary"
    f" {config.vocab_size:,}"
  )
  units = settings.sequences * settings.steps
  rivals = [timing.Rival("icl_graphs", ours, units)]
  if baseline is None:
    return timing.Result(timing.interleave(rivals, settings.repeats))
  part = settings.torch_sequences or settings.sequences
  other = baseline.Model(folder, prompt, part, settings.steps)
  print(f"transformers: {other.choose()}")
  # Choosing has warmed it up.
  scale = settings.sequences / part
  rivals.append(
    timing.Rival("transformers", other.generate, units, scale, warm_ups=0)
  )
  rows = timing.interleave(rivals, settings.repeats)
  checked = settings.checked_sequences
  own = np.asarray(drawn.tokens)[:checked]
  difference = np.abs(
    np.asarray(drawn.log_prob)[:checked] - other.log_prob(own)
  ).max()
  if difference > _TOLERANCE:
    raise AssertionError(
      f"log-probabilities of drawn tokens differ by {difference:.1e}"
    )
  means = {
    "icl_graphs": _mean(np.asarray(drawn.log_prob)),
    "transformers": _mean(other.log_prob(other.drawn[:checked])),
  }
  ratio = rows[0].rate["median"] / rows[1].rate["median"]
  return timing.Result(
    rows,
    {
      "ratio_vs_transformers": ratio,
      "log_prob_difference": float(difference),
      "mean_log_prob": means,
      "transformers": other.choice,
    },
    [
      f"{ratio:.2f} times the tokens/s of transformers",
      f"log-probabilities of {own.size:,} of our tokens differ by at most"
      f" {difference:.1e} from transformers'; mean log-probability per token"
      + ",".join(
        f" {name} {mean:.4f} +- {error:.4f}"
        for name, (mean, error) in means.items()
      ),
    ],
  )


def _mean(log_prob) -> tuple[float, float]:
  """Mean over tokens, and its standard error over sequences."""
  sequences = log_prob.mean(axis=1)
  return float(sequences.mean()), float(
    sequences.std(ddof=1) / np.sqrt(len(sequences))
  )
