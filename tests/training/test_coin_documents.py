import dataclasses

import jax
from jax import numpy as jnp
import numpy as np
import pytest

from icl_graphs.models import families, rope
from icl_graphs.tasks import coins
from icl_graphs.theory import coin_mixture as exact
from icl_graphs.training import (
  coin_mixture,
  coin_processes,
  coin_tokenizer,
  forward,
  optimise,
)
from icl_graphs.training import coins as coins_recipe

STAGE = coin_mixture.Stage(
  1, flips=12, judged=8, stated=200, window=60, mixed=150, judgments=300
)
PIECES = np.array(coin_tokenizer.vocabulary())


@pytest.fixture(scope="module")
def drawn():
  sample = jax.jit(lambda key: coin_mixture.sample(key, STAGE))
  return jax.tree.map(np.asarray, sample(jax.random.key(0)))


def texts(tokens):
  return [
    "".join(row).removeprefix(coin_tokenizer.BOS).replace("<|pad|>", "")
    for row in PIECES[tokens]
  ]


def flips_of(text):
  listed = text.rsplit("[", 1)[1].split("]")[0]
  words = [word.strip() for word in listed.split(",") if word.strip()]
  return [coins.WORDS.index(word) for word in words]


def test_stated_documents_are_prompts_and_flips(drawn):
  tokens, weights = (leaf[:200] for leaf in drawn[0][:2])
  percents = []
  for text, row in zip(texts(tokens), weights, strict=True):
    percent = int(text.split(" and ")[1].split("%")[0])
    percents.append(percent)
    written = coins.generation(percent).text
    flips = flips_of(text)
    assert text == written + "".join(
      f"{',' * (k > 0)} {coins.WORDS[flip]}" for k, flip in enumerate(flips[1:])
    )
    assert len(flips) == 13 and row.sum() == 23 and row[-1] == 1
  assert min(percents) >= 1 and max(percents) <= 99
  assert len(set(percents)) > 70
  each = [np.mean(flips_of(text)[1:]) for text in texts(tokens)]
  assert np.corrcoef(percents, each)[0, 1] > 0.8


def test_tree_documents_are_prompts_and_flips(drawn):
  tokens, weights = (leaf[260:410] for leaf in drawn[0][:2])
  for text, row in zip(texts(tokens), weights, strict=True):
    flips = flips_of(text)
    assert len(flips) == 12 and row.sum() == 23
    assert text + "," == coins.tree(flips).text


def test_judgments_are_prompts_and_labels(drawn):
  tokens, weights = drawn[1][:2]
  commas, counts, labels = [], [], []
  for text, row, ids in zip(texts(tokens), weights, tokens, strict=True):
    flips = flips_of(text)
    commas.append(",]" in text)
    counts.append(len(flips))
    prompt = coins.judgment(flips, trailing_comma=commas[-1]).text
    assert text.startswith(prompt)
    label = text.removeprefix(prompt)
    assert label in (" random", " non")
    labels.append(label == " non")
    assert row.sum() == len(flips) + 5
    (place,) = np.flatnonzero(row == 5)
    assert PIECES[ids[1:][place]] == label
  assert set(counts) == set(range(1, 9))
  assert np.mean(commas) == pytest.approx(0.5, abs=0.1)
  assert np.mean(labels) == pytest.approx(0.25, abs=0.08)


def likely(text):
  """Exact chance of Tails after the prompt of a document, and flip by flip."""
  flips = np.array(flips_of(text))
  if "weighted coin" in text:
    percent = int(text.split(" and ")[1].split("%")[0])
    return np.full(len(flips) - 1, percent / 100), flips[1:]
  if "fair coin, with" in text:
    return exact.window_tails(flips[1:])[:-1], flips[1:]
  return exact.next_tails(flips)[:-1], flips


def test_losses_expect_what_could_have_been_drawn(drawn):
  label = {" random", " non"}
  for rows in drawn:
    for text, *row in zip(texts(rows.tokens), *rows, strict=True):
      tokens, weights, others, chances = row
      counted = weights > 0
      written = PIECES[tokens[1:]][counted]
      other, chance = PIECES[others][counted], chances[counted]
      tails, flips = likely(text)
      is_flip = np.char.strip(written) != ","
      if written[-1] in label:
        assert {written[-1], other[-1]} == label
        not_random = exact.not_random(flips)[-1]
        told = 1 - not_random if written[-1] == " non" else not_random
        assert chance[-1] == pytest.approx(told, abs=1e-6)
        is_flip[-1] = False
      expected = np.where(flips == 1, 1 - tails, tails)
      np.testing.assert_allclose(chance[is_flip], expected, atol=1e-6)
      assert all(
        {one.strip(), two.strip()} == set(coins.WORDS)
        and one.startswith(" ") == two.startswith(" ")
        for one, two in zip(written[is_flip], other[is_flip], strict=True)
      )
      assert (chance[written == ","] == 0).all()


@pytest.mark.parametrize("flips", [1, 20, 150])
def test_the_posterior_is_that_of_the_exact_predictor(flips):
  draw = jax.jit(lambda key: coin_processes.process(key, 50, flips, 0.7, 0.0))
  drawn, _ = draw(jax.random.key(flips))
  found = jax.jit(coin_processes.posterior)(drawn)
  drawn = np.asarray(drawn)
  for one, right in zip(
    found, (exact.next_tails(drawn), exact.not_random(drawn)), strict=True
  ):
    np.testing.assert_allclose(one, right, atol=2e-6)


def test_the_process_is_that_of_the_exact_predictor():
  draw = jax.jit(lambda key: coin_processes.process(key, 20_000, 40))
  flips, repeats = map(np.asarray, draw(jax.random.key(1)))
  assert repeats.mean() == pytest.approx(0.25, abs=0.012)
  posterior = exact.not_random(flips)
  for n in (1, 6, 12, 20):
    assert posterior[:, n].mean() == pytest.approx(0.25, abs=0.015)
    # Calibrated: of those judged not random with p, a share p are not.
    surprise = (repeats - posterior[:, n]) * posterior[:, n]
    error = surprise.std() / np.sqrt(len(surprise))
    assert abs(surprise.mean()) <= 4 * error + 1e-9
  # A word of length l is constant with chance 2^(1 - l).
  words = flips[repeats]
  constant = (words[:, 1:] == words[:, :1]).all(axis=1).mean()
  weights = exact.length_weights() / 2.0 ** np.arange(20)
  assert constant == pytest.approx(weights.sum(), abs=0.03)


def test_window_averages_are_those_of_the_exact_predictor():
  draw = jax.jit(lambda key: coin_processes.window_average(key, 20_000, 50))
  flips, told = map(np.asarray, draw(jax.random.key(2)))
  tails = exact.window_tails(flips)[:, :-1]
  np.testing.assert_allclose(told, tails, atol=1e-6)
  assert ((flips == 0) | (tails > 0)).all() and (
    (flips == 1) | (tails < 1)
  ).all()
  for history in range(0, 50, 7):
    error = (flips - tails)[:, history]
    assert abs(error.mean()) < 4 * 0.5 / np.sqrt(len(error))
  means = flips.mean(axis=1)
  assert means.mean() == pytest.approx(0.507, abs=1e-3)
  assert means.std() == pytest.approx(0.0347, abs=1e-3)
  changes = flips[:, 1:] != flips[:, :-1]
  assert changes.mean() == pytest.approx(0.557, abs=3e-3)


def test_constants_are_those_of_the_exact_predictor():
  for name in ("NOT_RANDOM", "LONGEST_WORD", "WINDOW"):
    assert getattr(coin_processes, name) == getattr(exact, name)


def test_the_key_decides_the_documents():
  stage = coin_mixture.Stage(1, 4, 4, 2, 2, 2, 2)
  sample = jax.jit(lambda key: coin_mixture.sample(key, stage))
  first, again, other = (
    np.concatenate([rows.tokens.ravel() for rows in sample(jax.random.key(s))])
    for s in (1, 1, 2)
  )
  assert (first == again).all() and (first != other).any()
  assert stage.tokens == sum(
    rows.weights.size for rows in sample(jax.random.key(1))
  )


def test_the_recipe_ends_with_the_documents_of_the_mixture():
  described = coins_recipe.describe()
  last = described.stages[-1]
  parts = np.array([last.stated, last.window, last.mixed, last.judgments])
  np.testing.assert_allclose(parts / parts.sum(), [0.3, 0.1, 0.3, 0.3])
  assert (last.flips, last.judged) == (150, 100)
  assert 0.25 <= last.repeated < 1 and last.power <= 1
  assert described.max_positions == 352
  assert described.hf_config()["rope_theta"] == described.rope_theta


def test_a_stage_may_repeat_more_and_longer_words():
  draw = jax.jit(
    lambda key: coin_processes.process(key, 4000, 60, repeated=0.9, power=0.0)
  )
  flips, repeats = map(np.asarray, draw(jax.random.key(5)))
  assert repeats.mean() == pytest.approx(0.9, abs=0.02)
  words = flips[repeats]
  fits = (words[:, 20:] == words[:, :-20]).all(axis=1).mean()
  # Lengths that divide 20: 6 of 20; others by chance.
  assert fits == pytest.approx(0.3, abs=0.06)


def test_the_loss_is_the_weighted_mean():
  stage = coin_mixture.Stage(1, 4, 4, 2, 1, 2, 3)
  described = dataclasses.replace(
    coins_recipe.describe(), width=32, heads=2, layers=1, mlp_size=32
  )
  config = families.translate(described.hf_config())
  params = optimise.init(described, 0)

  @jax.jit
  def both(params, key):
    parts = [
      (rows, forward.logits(params, config, rows.tokens[:, :-1]))
      for rows in coin_mixture.sample(key, stage)
    ]
    return coins_recipe.loss(params, config, stage, key), parts

  found, parts = both(params, jax.random.key(3))
  total, weight = 0.0, 0.0
  for rows, logits in jax.tree.map(np.asarray, parts):
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    place = np.arange(len(logs))
    chance = rows.chances.ravel()
    each = (1 - chance) * logs[place, rows.tokens[:, 1:].ravel()]
    each += chance * logs[place, rows.others.ravel()]
    total -= each @ rows.weights.ravel()
    weight += rows.weights.sum()
  assert float(found) == pytest.approx(total / weight, rel=1e-5)


def test_heads_start_at_their_lags():
  described = coins_recipe.describe()
  config = families.translate(described.hf_config())
  tokens = jnp.tile(jnp.array([5, 6]), 60)

  @jax.jit
  def scores():
    params = coins_recipe.start(described, 0)
    hidden = params["embedding"][tokens]
    hidden /= jnp.sqrt(jnp.mean(hidden**2, axis=1, keepdims=True))
    attention = params["blocks"]["attention"]
    turn = rope.rotation(config.rope, 16, jnp.arange(120), jnp.float32)
    sides = [
      jnp.stack(
        [
          rope.rotate(jnp.einsum("td,dnh->tnh", hidden, kernel)[None], turn)[0]
          for kernel in attention[name]["kernel"]
        ]
      )
      for name in ("query", "key")
    ]
    return jnp.einsum("lnh,lsnh->lns", sides[0][:, -1], sides[1])

  found = np.asarray(scores())
  lags = coins_recipe.lags(described)
  assert [lag for *_, lag in lags] == list(range(1, 42, 2))
  for layer, head, lag in lags:
    # Tokens alternate, so a neighbour may be preferred a little.
    assert abs(119 - found[layer, head].argmax() - lag) <= 1
