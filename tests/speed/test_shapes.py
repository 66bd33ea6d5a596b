"""Named shapes are the published ones."""

import dataclasses

import pytest

from icl_graphs import errors
from icl_graphs.experiments.speed import shapes
from icl_graphs.models import families
from tests.models import published

NAMES = {
  "llama-3.2-1b": "Llama-3.2-1B",
  "llama-3.1-8b": "Llama-3.1-8B",
  "llama-3.1-70b": "Llama-3.1-70B",
  "llama-3.1-405b": "Llama-3.1-405B",
  "gemma-2-2b": "gemma-2-2b",
  "gemma-2-9b": "gemma-2-9b",
  "gemma-3-1b": "gemma-3-1b-pt",
  "qwen2.5-7b": "Qwen2.5-7B",
  "qwen3-8b": "Qwen3-8B",
  "mistral-7b": "Mistral-7B-v0.3",
  "olmo-2-7b": "OLMo-2-1124-7B",
  "pythia-1b": "pythia-1b",
  "gpt2": "gpt2",
}


def test_every_shape_is_checked():
  assert set(NAMES) == set(shapes.SHAPES)


@pytest.mark.parametrize("name", NAMES)
def test_shape_is_the_published_one(name):
  expected = families.translate(published.MODELS[NAMES[name]])
  assert families.translate(shapes.config(name)) == expected


@pytest.mark.parametrize("name", NAMES)
def test_depth_and_vocabulary_change_nothing_else(name):
  cut = families.translate(shapes.config(name, layers=2, vocab=100))
  full = families.translate(shapes.config(name))
  assert cut == dataclasses.replace(
    full, num_layers=2, vocab_size=100, sliding=full.sliding[:2]
  )


def test_unknown_name():
  with pytest.raises(errors.InputError, match="llama-9.*llama-3.2-1b"):
    shapes.config("llama-9")
