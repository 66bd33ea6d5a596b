"""Continuations: against transformers, brute force and separate runs."""

import dataclasses
import itertools

import jax
import numpy as np
import pytest
from scipy import special, stats
import torch
import transformers

from icl_graphs import errors
from icl_graphs.engine import generate
from icl_graphs.models import checkpoint, decoder, families

STEPS = 200
_COMMON = {
  "vocab_size": 61,
  "hidden_size": 32,
  "num_attention_heads": 4,
  "num_key_value_heads": 2,
  "num_hidden_layers": 3,
  "intermediate_size": 48,
  "head_dim": 8,
  "max_position_embeddings": 512,
  "tie_word_embeddings": False,
}
MODELS = {
  "llama": _COMMON,
  # Windows shorter than what is generated.
  "gemma2": _COMMON | {"sliding_window": 24, "query_pre_attn_scalar": 8},
  "gpt2": {"vocab_size": 61, "n_embd": 32, "n_head": 4, "n_layer": 3},
}


def _random(name, folder):
  torch.manual_seed(0)
  config = transformers.AutoConfig.for_model(name, **MODELS[name])
  model = transformers.AutoModelForCausalLM.from_config(
    config, attn_implementation="eager"
  ).eval()
  with torch.no_grad():
    for parameter in model.parameters():
      parameter.normal_(std=0.2)
  model.save_pretrained(folder)
  return model


def _ours(folder, prompts, sampler, continuations=1, key=0):
  config = families.read_config(folder)
  params = checkpoint.load(folder, config)
  tokens, lengths = generate.pad(prompts)
  generate.check(config, sampler, tokens.shape[1])
  drawn = generate.generate(
    params,
    tokens,
    lengths,
    jax.random.key(key),
    config=config,
    sampler=sampler,
    continuations=continuations,
  )
  return np.asarray(drawn.tokens), np.asarray(drawn.log_prob)


def _theirs(model, prompt):
  with torch.no_grad():
    out = model.generate(
      torch.tensor([prompt]),
      attention_mask=torch.ones((1, len(prompt)), dtype=torch.long),
      max_new_tokens=STEPS,
      min_new_tokens=STEPS,
      do_sample=False,
      pad_token_id=0,
    )
  return out[0, len(prompt) :].numpy()


def _without_end(model):
  """transformers stops at, or forbids, an end token; we draw on."""
  model.generation_config.eos_token_id = None
  return model


@pytest.mark.parametrize("name", MODELS)
def test_greedy_tokens_are_transformers(name, tmp_path):
  model = _without_end(_random(name, tmp_path))
  rng = np.random.default_rng(0)
  prompts = [rng.integers(1, 61, length).tolist() for length in (3, 11)]
  tokens, log_prob = _ours(
    tmp_path, prompts, generate.Sampler(STEPS, temperature=0)
  )
  for row, logs, prompt in zip(tokens, log_prob, prompts, strict=True):
    wanted = _theirs(model, prompt)
    np.testing.assert_array_equal(row, wanted)
    with torch.no_grad():
      whole = torch.tensor([[*prompt, *wanted]])
      logits = model(whole, use_cache=False).logits[0, len(prompt) - 1 : -1]
    expected = special.log_softmax(logits.numpy(), axis=-1)[
      np.arange(STEPS), wanted
    ]
    np.testing.assert_allclose(logs, expected, atol=1e-3)


def test_greedy_tokens_of_the_trained_checkpoint(stories):
  model = _without_end(
    transformers.AutoModelForCausalLM.from_pretrained(
      stories, dtype=torch.float32, attn_implementation="eager"
    ).eval()
  )
  expected = np.load(stories / "expected.npz")
  prompts = [
    expected["tokens_a"][:9].tolist(),
    expected["tokens_b"][:4].tolist(),
  ]
  tokens, _ = _ours(stories, prompts, generate.Sampler(STEPS, temperature=0))
  for row, prompt in zip(tokens, prompts, strict=True):
    np.testing.assert_array_equal(row, _theirs(model, prompt))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  path = tmp_path_factory.mktemp("llama")
  _random("llama", path)
  return path


def test_greedy_continuations_of_one_prompt_are_that_of_the_prompt(folder):
  prompts = [[5, 9, 2], [7, 7, 1, 30, 4]]
  sampler = generate.Sampler(12, temperature=0)
  alone, alone_log = _ours(folder, prompts, sampler)
  shared, shared_log = _ours(folder, prompts, sampler, continuations=3)
  np.testing.assert_array_equal(shared, np.repeat(alone, 3, axis=0))
  np.testing.assert_allclose(
    shared_log, np.repeat(alone_log, 3, axis=0), atol=1e-4
  )


def test_draws_follow_the_model_s_distribution(folder):
  """Chi-square over all sequences of two draws from two allowed tokens."""
  config = families.read_config(folder)
  params = checkpoint.load(folder, config)
  allowed, prompt, temperature = (11, 40), [3, 8, 20], 1.7
  drawn, log_prob = _ours(
    folder,
    [prompt],
    generate.Sampler(2, temperature=temperature, allowed=allowed),
    continuations=3000,
  )
  sequences = list(itertools.product(allowed, repeat=2))
  tokens = np.array([[*prompt, *pair] for pair in sequences], np.int32)
  final, _ = decoder.Decoder(config).apply({"params": params}, tokens)
  logits = np.asarray(decoder.logits(params, config, final), np.float64)[:, 2:4]
  full = special.log_softmax(logits, axis=-1)
  chosen = np.take_along_axis(
    special.log_softmax(logits[..., list(allowed)] / temperature, axis=-1),
    np.array([[allowed.index(t) for t in pair] for pair in sequences])[
      ..., None
    ],
    axis=-1,
  )[..., 0].sum(axis=-1)
  counts = np.array([(drawn == pair).all(axis=1).sum() for pair in sequences])
  assert counts.sum() == 3000
  assert stats.chisquare(counts, 3000 * np.exp(chosen)).pvalue > 1e-3
  for pair, rows in zip(sequences, full, strict=True):
    found = log_prob[(drawn == pair).all(axis=1)]
    wanted = rows[[0, 1], list(pair)]
    np.testing.assert_allclose(
      found, np.tile(wanted, (len(found), 1)), atol=1e-4
    )


def test_one_draw_has_the_probabilities_of_the_whole_vocabulary():
  """Several groups of neighbours, the last one not full, and the impossible."""
  rows, vocabulary, temperature = 40_000, 300, 1.3
  rng = np.random.default_rng(0)
  logits = rng.normal(0, 2, vocabulary).astype(np.float32)
  logits[[0, 5, 127, 128, 299]] = -np.inf
  drawn, log_prob = jax.jit(generate.choose, static_argnums=2)(
    np.tile(logits, (rows, 1)),
    jax.random.split(jax.random.key(7), rows),
    generate.Sampler(1, temperature),
  )
  counts = np.bincount(drawn, minlength=vocabulary)
  wanted = rows * special.softmax(logits.astype(np.float64) / temperature)
  assert not counts[wanted == 0].any()
  # Chi-square is an approximation where few draws are expected: those together.
  many = wanted > 10
  counts = np.append(counts[many], counts[~many].sum())
  wanted = np.append(wanted[many], wanted[~many].sum())
  assert stats.chisquare(counts, wanted).pvalue > 1e-3
  np.testing.assert_allclose(
    log_prob, special.log_softmax(logits.astype(np.float64))[drawn], atol=1e-5
  )


def test_a_single_token_can_be_drawn(folder):
  prompts = [[5, 9, 2], [7, 7, 1, 30, 4]]
  sampler = generate.Sampler(1, temperature=0)
  alone, _ = _ours(folder, prompts, sampler)
  shared, _ = _ours(folder, prompts, sampler, continuations=2)
  np.testing.assert_array_equal(shared, np.repeat(alone, 2, axis=0))


def test_a_row_does_not_depend_on_the_rest_of_the_batch(folder):
  sampler = generate.Sampler(6)
  prompts = [[5, 9, 2], [7, 7, 1, 30, 4]]
  both, _ = _ours(folder, prompts, sampler, key=3)
  first, _ = _ours(folder, prompts[:1], sampler, key=3)
  np.testing.assert_array_equal(both[:1], first)
  other, _ = _ours(folder, prompts[:1], sampler, key=4)
  assert (other != first).any()


@pytest.mark.parametrize(
  ("act", "words"),
  [
    (lambda: generate.pad([[1], []]), "every prompt needs at least one token"),
    (lambda: generate.pad([]), "every prompt needs"),
    (lambda: generate.Sampler(0), "0 tokens cannot be drawn"),
    (lambda: generate.Sampler(1, temperature=-1.0), "temperature -1.0"),
    (lambda: generate.Sampler(1, allowed=()), "no token is allowed"),
  ],
)
def test_bad_input_is_named(act, words):
  with pytest.raises(errors.InputError, match=words):
    act()


def test_the_model_s_limits_are_named(folder):
  config = families.read_config(folder)
  generate.check(config, generate.Sampler(12), 500)
  with pytest.raises(errors.InputError, match="500 tokens of prompt and 13"):
    generate.check(config, generate.Sampler(13), 500)
  sampler = dataclasses.replace(generate.Sampler(1), allowed=(3, 61))
  with pytest.raises(errors.InputError, match=r"\[61\] are not in"):
    generate.check(config, sampler, 5)
