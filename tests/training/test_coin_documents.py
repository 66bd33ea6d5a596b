import dataclasses
import itertools

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
  1,
  flips=12,
  judged=8,
  stated=200,
  window=60,
  mixed=150,
  judgments=300,
)
OFTEN = dataclasses.replace(
  STAGE, questions=4, stated=1, window=1, mixed=1, label_weight=7.0
)
PIECES = np.array(coin_tokenizer.vocabulary())


@pytest.fixture(scope="module")
def drawn():
  sample = jax.jit(lambda key: coin_mixture.sample(key, STAGE))
  return jax.tree.map(np.asarray, sample(jax.random.key(0)))


@pytest.fixture(scope="module")
def often():
  sample = jax.jit(lambda key: coin_mixture.sample(key, OFTEN)[1])
  return jax.tree.map(np.asarray, sample(jax.random.key(0)))


def whole(rows):
  """Token ids of documents without branches, what came last included."""
  return np.concatenate([rows.tokens, rows.following[:, -1:]], axis=1)


def asked(rows):
  """(token ids up to a question's end, row, place of it) per row and question.

  The ids are those that the question's last token sees, in order.
  """
  positions, visible = rows.branches
  last = np.flatnonzero(np.any(rows.weights == OFTEN.label_weight, 0))
  for row, place in itertools.product(range(len(rows.tokens)), last):
    seen = np.flatnonzero(visible[place])
    np.testing.assert_array_equal(positions[seen], np.arange(len(seen)))
    yield rows.tokens[row, seen], row, place


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
  tokens, weights = whole(drawn[0])[:200], drawn[0].weights[:200]
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
  tokens, weights = whole(drawn[0])[260:410], drawn[0].weights[260:410]
  for text, row in zip(texts(tokens), weights, strict=True):
    flips = flips_of(text)
    assert len(flips) == 12 and row.sum() == 23
    assert text + "," == coins.tree(flips).text


def test_judgments_are_prompts_and_labels(drawn):
  rows = drawn[1]
  commas, counts, labels = [], [], []
  for text, row, ids in zip(
    texts(whole(rows)), rows.weights, rows.following, strict=True
  ):
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
    assert PIECES[ids[place]] == label
  assert set(counts) == set(range(1, 9))
  assert np.mean(commas) == pytest.approx(0.5, abs=0.1)
  assert np.mean(labels) == pytest.approx(0.25, abs=0.08)


def test_questions_are_asked_along_a_sequence(often):
  commas, counts, labels = [], [], []
  for ids, row, place in asked(often):
    (text,) = texts(ids[None])
    flips = flips_of(text)
    commas.append(",]" in text)
    counts.append(len(flips))
    assert text == coins.judgment(flips, trailing_comma=commas[-1]).text
    labels.append(PIECES[often.following[row, place]])
    # Of the flips drawn, the first are seen.
    drawn = flips_of("".join(PIECES[often.tokens[row]]))
    assert flips == drawn[: len(flips)] and len(drawn) == 8
  assert set(labels) == {" random", " non"}
  # The same numbers of flips for all sequences, from as many stretches.
  assert counts == counts[:4] * 300 and counts[:4] == sorted(counts[:4])
  assert commas == commas[:4] * 300
  assert (often.weights.sum(axis=1) == 8 + 4 * OFTEN.label_weight).all()


def test_all_lengths_and_commas_are_asked_about():
  stage = dataclasses.replace(OFTEN, judgments=1)
  sample = jax.jit(lambda key: coin_mixture.sample(key, stage)[1])
  commas, counts = [], []
  for seed in range(200):
    rows = jax.tree.map(np.asarray, sample(jax.random.key(seed)))
    for ids, *_ in asked(rows):
      (text,) = texts(ids[None])
      commas.append(",]" in text)
      counts.append(len(flips_of(text)))
  found = np.bincount(counts, minlength=9)[1:] / len(counts)
  # Of u squared, u uniform.
  wanted = np.diff(np.sqrt(np.arange(9) / 8))
  np.testing.assert_allclose(found, wanted, atol=4 * np.sqrt(0.25 / 800))
  assert np.mean(commas) == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(800))


def test_branches_are_read_as_documents_of_their_own(often):
  described = dataclasses.replace(
    coins_recipe.describe(), width=32, heads=2, layers=2, mlp_size=32
  )
  config = families.translate(described.hf_config())
  params = optimise.init(described, 0)
  rows = jax.tree.map(lambda leaf: leaf[:3], often._replace(branches=None))
  read = jax.jit(forward.logits, static_argnums=1)
  found = read(params, config, rows.tokens, often.branches)
  found = np.asarray(found).reshape(*rows.tokens.shape, -1)
  for ids, row, place in asked(rows._replace(branches=often.branches)):
    # Nothing sees the padding after it, and one length compiles once.
    alone = np.pad(ids, (0, rows.tokens.shape[1] - len(ids)))[None]
    alone = read(params, config, alone)[len(ids) - 1]
    np.testing.assert_allclose(found[row, place], alone, atol=2e-6)


def likely(text):
  """Exact chance of Tails after the prompt of a document, and flip by flip."""
  flips = np.array(flips_of(text))
  if "weighted coin" in text:
    percent = int(text.split(" and ")[1].split("%")[0])
    return np.full(len(flips) - 1, percent / 100), flips[1:]
  if "fair coin, with" in text:
    return exact.window_tails(flips[1:])[:-1], flips[1:]
  return exact.next_tails(flips)[:-1], flips


def assert_flips_are_expected(text, written, other, chance):
  tails, flips = likely(text)
  is_flip = np.char.strip(written) != ","
  expected = np.where(flips == 1, 1 - tails, tails)
  np.testing.assert_allclose(chance[is_flip], expected, atol=1e-6)
  assert all(
    {one.strip(), two.strip()} == set(coins.WORDS)
    and one.startswith(" ") == two.startswith(" ")
    for one, two in zip(written[is_flip], other[is_flip], strict=True)
  )
  assert (chance[~is_flip] == 0).all()


def assert_label_is_expected(flips, label, other, chance):
  assert {label, other} == {" random", " non"}
  not_random = exact.not_random(np.array(flips))[-1]
  told = 1 - not_random if label == " non" else not_random
  assert chance == pytest.approx(told, abs=1e-6)


def test_losses_expect_what_could_have_been_drawn(drawn):
  for rows in drawn:
    for text, *row in zip(texts(whole(rows)), *rows[1:5], strict=True):
      following, others, chances, weights = row
      counted = weights > 0
      written, other = (PIECES[leaf][counted] for leaf in (following, others))
      chance = chances[counted]
      if rows is drawn[1]:
        last = (written[-1], other[-1], chance[-1])
        assert_label_is_expected(flips_of(text), *last)
        written, other, chance = written[:-1], other[:-1], chance[:-1]
      assert_flips_are_expected(text, written, other, chance)


def test_losses_along_a_sequence_expect_the_same(often):
  for row, weights in enumerate(often.weights):
    counted = weights == 1
    text = "".join(PIECES[often.tokens[row]]).split("]")[0]
    written, other = (
      PIECES[leaf[row]][counted] for leaf in (often.following, often.others)
    )
    assert_flips_are_expected(text, written, other, often.chances[row][counted])
  for ids, row, place in asked(often):
    (text,) = texts(ids[None])
    label, other = (
      PIECES[leaf[row, place]] for leaf in (often.following, often.others)
    )
    assert_label_is_expected(
      flips_of(text), label, other, often.chances[row, place]
    )


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


@pytest.mark.parametrize("questions", [0, 3])
def test_the_key_decides_the_documents(questions):
  stage = coin_mixture.Stage(1, 4, 4, questions, 2, 2, 2, 2)
  sample = jax.jit(lambda key: coin_mixture.sample(key, stage))
  first, again, other = (
    np.concatenate([rows.tokens.ravel() for rows in sample(jax.random.key(s))])
    for s in (1, 1, 2)
  )
  assert (first == again).all() and (first != other).any()
  assert stage.tokens == first.size


def test_the_recipe_ends_with_whole_documents_of_all_kinds():
  described = coins_recipe.describe()
  last = described.stages[-1]
  parts = (last.stated, last.window, last.mixed, last.judgments)
  assert min(parts) / sum(parts) > 0.05
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
  stage = coin_mixture.Stage(1, 4, 4, 2, 2, 1, 2, 3)
  described = dataclasses.replace(
    coins_recipe.describe(), width=32, heads=2, layers=1, mlp_size=32
  )
  config = families.translate(described.hf_config())
  params = optimise.init(described, 0)

  @jax.jit
  def both(params, key):
    parts = [
      (rows, forward.logits(params, config, rows.tokens, rows.branches))
      for rows in coin_mixture.sample(key, stage)
    ]
    return coins_recipe.loss(params, config, stage, key), parts

  found, parts = both(params, jax.random.key(3))
  total, weight = 0.0, 0.0
  for rows, logits in jax.tree.map(np.asarray, parts):
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    place = np.arange(len(logs))
    chance = rows.chances.ravel()
    each = (1 - chance) * logs[place, rows.following.ravel()]
    each += chance * logs[place, rows.others.ravel()]
    total -= each @ rows.weights.ravel()
    weight += rows.weights.sum()
  assert float(found) == pytest.approx(total / weight, rel=1e-5)


@pytest.fixture(scope="module")
def started():
  described = coins_recipe.describe()
  return jax.jit(lambda: coins_recipe.start(described, 0))()


def test_a_bracket_begins_near_a_comma_in_the_last_stage(started):
  changed = coins_recipe.before_finishing(coins_recipe.describe(), started)
  words = np.asarray(changed["embedding"])
  known = coin_tokenizer.ids()
  words = words - words[1:].mean(axis=0)
  alike = words @ words[known[","]] / np.linalg.norm(words, axis=1)
  alike /= np.linalg.norm(words[known[","]])
  order = np.argsort(-alike)
  assert list(order[:2]) == [known[","], known["]"]]
  assert alike[order[1]] > 0.9 and alike[order[2]] < 0.5


def test_heads_start_at_their_lags(started):
  described = coins_recipe.describe()
  config = families.translate(described.hf_config())
  tokens = jnp.tile(jnp.array([5, 6]), 60)

  @jax.jit
  def scores(params):
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

  found = np.asarray(scores(started))
  lags = coins_recipe.lags(described)
  assert [lag for *_, lag in lags] == list(range(1, 42, 2))
  for layer, head, lag in lags:
    # Tokens alternate, so a neighbour may be preferred a little.
    assert abs(119 - found[layer, head].argmax() - lag) <= 1
