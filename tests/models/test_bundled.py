"""The models that ship: loadable by transformers as they are, and equal."""

import json

import numpy as np
import pytest
import torch
import transformers

from icl_graphs.experiments import tracing_settings
from icl_graphs.models import checkpoint, decoder, families, hub
from icl_graphs.tasks import coins, words

MEGABYTE = 2**20


def walk(positions):
  generator = np.random.default_rng(0)
  concepts = generator.choice(words.concept_words("paper30"), positions - 1)
  return "".join(f" {word}" for word in concepts)


def flips(positions):
  """A prompt of 35 tokens with BOS, then flips and commas between them."""
  drawn = np.random.default_rng(0).integers(0, 2, (positions - 34) // 2)
  words = "".join(f" {coins.WORDS[flip]}," for flip in drawn)
  return coins.generation(30).text + words.removesuffix(",")


TEXTS = {"walks": walk, "coins": flips}


@pytest.fixture(scope="module", params=hub.bundled())
def folder(request):
  return hub.resolve(f"{hub.BUNDLED_PREFIX}{request.param}")


def test_there_is_one_for_each_paper():
  assert hub.bundled() == ("coins", "walks")


def test_small_and_documented(folder):
  files = list(folder.iterdir())
  assert sum(file.stat().st_size for file in files) <= 8 * MEGABYTE
  assert "README.md" in {file.name for file in files}
  assert json.loads((folder / "scores.json").read_text())


def test_transformers_agrees_on_every_layer_and_logits(folder):
  module = transformers.AutoModelForCausalLM.from_pretrained(
    folder, attn_implementation="eager", dtype=torch.float32
  ).eval()
  tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
  config = families.read_config(folder)
  text = TEXTS[folder.name](config.max_positions)
  tokens = tokenizer(text, return_tensors="pt")["input_ids"]
  # BOS and one token per piece, as the card says.
  assert tokens.shape == (1, config.max_positions)
  last = []
  module.model.norm.register_forward_pre_hook(
    lambda _, inputs: last.append(inputs[0])
  )
  with torch.no_grad():
    expected = module(tokens, output_hidden_states=True)
  hidden = [*expected.hidden_states[:-1], last[0]]

  params = checkpoint.load(folder, config)
  final, observed = decoder.Decoder(config).apply(
    {"params": params}, tokens.numpy(), lambda state: state
  )
  logits = decoder.logits(params, config, final)
  pairs = [*zip(observed, hidden, strict=True), (logits, expected.logits)]
  for ours, theirs in pairs:
    theirs = theirs.numpy()
    scale = np.sqrt(np.mean(np.square(theirs)))
    np.testing.assert_allclose(ours, theirs, atol=1e-4 * max(scale, 1))


def test_main_job_accepts_it_as_it_is(folder):
  if folder.name != "walks":
    pytest.skip("made for another task")
  prepared = tracing_settings.prepare(tracing_settings.Settings())
  assert set(prepared.plans) == {"grid:4x4", "ring:10", "hex:3x3"}
  assert prepared.plans["grid:4x4"].words >= 256
