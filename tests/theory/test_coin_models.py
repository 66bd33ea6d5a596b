"""Models of coin flips: by hand, against scipy, and the document's numbers."""

import collections
import itertools

import numpy as np
import pytest
from scipy import optimize, stats

from icl_graphs import errors
from icl_graphs.analysis import sequences, subsequences
from icl_graphs.theory import coin_fits, coin_models

RNG = np.random.default_rng(0)
FLIPS = RNG.integers(0, 2, (6, 27))
TABLES = RNG.random((coin_models.DEEPEST + 1, 2**coin_models.DEEPEST))


def _window(p, w, lapse):
  def tails(past):
    history = ([p, *past])[-w:]
    wanted = min(max(2 * p - sum(history) / len(history), 0), 1)
    return (1 - lapse) * wanted + lapse / 2

  return tails


def _alternation(q, a):
  """The formulas of the document's section 5, as they stand."""

  def tails(past):
    if not past:
      return 1 - q
    if past[-1] == 0:
      return a * (1 - q) / ((1 - a) * q + a * (1 - q))
    return (1 - a) * (1 - q) / (a * q + (1 - a) * (1 - q))

  return tails


def _markov(order):
  def tails(past):
    used = min(order, len(past))
    code = int("".join(map(str, past[len(past) - used :])) or "0", 2)
    return TABLES[used, code]

  return tails


MODELS = {
  "bernoulli": (coin_models.Bernoulli(0.3), lambda past: 0.3),
  "window 5": (coin_models.WindowAverage(0.4, 5, 0.1), _window(0.4, 5, 0.1)),
  "window 20": (coin_models.WindowAverage(0.7, 20, 0), _window(0.7, 20, 0)),
  "alternation": (coin_models.Alternation(0.6, 0.7), _alternation(0.6, 0.7)),
  "order 0": (coin_models.Markov(TABLES, 0), _markov(0)),
  "order 3": (coin_models.Markov(TABLES, 3), _markov(3)),
  "order 10": (coin_models.Markov(TABLES, 10), _markov(10)),
}


@pytest.mark.parametrize("name", MODELS)
def test_next_flips_have_the_probabilities_of_the_definition(name):
  model, tails = MODELS[name]
  found = coin_models.tails(model, FLIPS)
  wanted = [
    [tails(y[:t]) for t in range(FLIPS.shape[1])] for y in FLIPS.tolist()
  ]
  np.testing.assert_allclose(found, wanted, atol=2e-6)


@pytest.mark.parametrize("name", ["bernoulli", "window 5", "alternation"])
def test_simulated_sequences_have_their_likelihood(name):
  """Chi-square over all sequences of six flips."""
  model, number = MODELS[name][0], 20_000
  every = np.array(list(itertools.product((0, 1), repeat=6)))
  wanted = number * np.exp(coin_models.score(model, every).sum(axis=1))
  assert wanted.sum() == pytest.approx(number, rel=1e-4)
  made = coin_models.simulate(model, 1, number, 6)
  counts = np.bincount(made @ 2 ** np.arange(5, -1, -1), minlength=64)
  common = wanted > 8
  counts = np.append(counts[common], counts[~common].sum())
  wanted = np.append(wanted[common], wanted[~common].sum()) + 1e-9
  wanted *= counts.sum() / wanted.sum()
  assert stats.chisquare(counts, wanted).pvalue > 1e-3


def test_simulations_do_not_depend_on_the_batch():
  model = MODELS["window 5"][0]
  whole = coin_models.simulate(model, 5, 9, 20)
  parts = [coin_models.simulate(model, 5, 3, 20, first) for first in (0, 3, 6)]
  np.testing.assert_array_equal(np.concatenate(parts), whole)
  assert (coin_models.simulate(model, 6, 9, 20) != whole).any()


def _exact(tails, remembered, length=50):
  """SD of the mean, alternation, longest run's mean and SD: all histories.

  Two passes over what matters of a history: the last flips with their sum, and
  the last flips with the run they end in and the longest run.
  """
  sums, runs = {((), 0): 1.0}, {((), 0, 0): 1.0}
  changes = 0.0
  for _ in range(length):
    new_sums, new_runs = collections.Counter(), collections.Counter()
    for (past, total), share in sums.items():
      p = tails(list(past))
      for flip, chance in ((0, 1 - p), (1, p)):
        if past and flip != past[-1]:
          changes += share * chance
        key = (*past, flip)[-remembered:], total + flip
        new_sums[key] += share * chance
    for (past, run, longest), share in runs.items():
      p = tails(list(past))
      for flip, chance in ((0, 1 - p), (1, p)):
        here = run + 1 if past and flip == past[-1] else 1
        key = (*past, flip)[-remembered:], here, max(here, longest)
        new_runs[key] += share * chance
    sums = {key: share for key, share in new_sums.items() if share > 1e-12}
    runs = {key: share for key, share in new_runs.items() if share > 1e-9}

  def moments(pairs):
    values, shares = np.array(list(pairs)).T
    mean = values @ shares
    return mean, np.sqrt((values - mean) ** 2 @ shares)

  _, sd = moments((key[1] / length, share) for key, share in sums.items())
  run = moments((key[2], share) for key, share in runs.items())
  return sd, changes / (length - 1), *run


@pytest.mark.parametrize(
  ("tails", "remembered", "wanted"),
  [
    (lambda past: 0.5, 1, (0.0707, 0.500, 5.98, 1.73)),
    (lambda past: 0.2, 1, (0.0566, 0.320, 12.50, 4.67)),
    (lambda past: 0.05, 1, (0.0308, 0.095, 29.42, 10.47)),
    (0.5, 5, (0.0345, 0.561, 4.15, 0.66)),
    (0.2, 5, (0.0277, 0.359, 8.53, 2.25)),
  ],
)
def test_exact_reference_values(tails, remembered, wanted):
  """The exact columns of section 4, from all histories of 50 flips.

  A window of 5 flips has forgotten the pseudo-flip once it holds five others.
  """
  if not callable(tails):
    tails = _window(tails, 5, 0)
  found = _exact(tails, remembered)
  np.testing.assert_allclose(found, wanted, atol=5.1e-3)
  np.testing.assert_allclose(found[:2], wanted[:2], atol=5.1e-4)


# SD of mean, alternation, longest run and its SD, gzip, gzip of 200 with its
# spread, unique windows of 10 and 15, similarity of pairs: section 4.
REFERENCES = {
  "bernoulli .5": (
    coin_models.Bernoulli(0.5),
    (0.0707, 0.500, 5.98, 1.73, 41.4, (1717, 6), 1024, 6470, 0.765),
  ),
  "window 5, .5": (
    coin_models.WindowAverage(0.5, 5, 0.0),
    (0.0345, 0.561, 4.15, 0.66, 41.3, (1628, 8), 855, 5602, 0.81),
  ),
  "window 10, .5": (
    coin_models.WindowAverage(0.5, 10, 0.0),
    (0.0362, 0.536, 4.92, 1.12, 41.7, (1697, 16), None, None, None),
  ),
  "bernoulli .2": (
    coin_models.Bernoulli(0.2),
    (0.0566, 0.320, 12.50, 4.67, 36.4, (1303, 13), 567, 2502, 0.84),
  ),
  "window 5, .2": (
    coin_models.WindowAverage(0.2, 5, 0.0),
    (0.0277, 0.359, 8.53, 2.25, 36.0, (1176, 7), 136, 1067, 0.865),
  ),
  "bernoulli .05": (
    coin_models.Bernoulli(0.05),
    (0.0308, 0.095, 29.42, 10.47, 28.6, (573, 30), None, None, None),
  ),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_document_s_reference_values(name):
  """Twenty runs of 200 sequences; exact columns within four standard errors."""
  model, wanted = REFERENCES[name]
  flips = coin_models.simulate(model, 11, 4000)
  means, runs = flips.mean(axis=1), sequences.longest_run(flips)
  changes = sequences.alternation_rate(flips)
  number = np.sqrt(len(flips))
  assert means.std() == pytest.approx(
    wanted[0], abs=4 * wanted[0] / np.sqrt(2 * len(flips)) + 5e-5
  )
  assert changes.mean() == pytest.approx(
    wanted[1], abs=4 * changes.std() / number + 5e-4
  )
  assert runs.mean() == pytest.approx(
    wanted[2], abs=4 * wanted[3] / number + 5e-3
  )
  assert runs.std() == pytest.approx(wanted[3], rel=0.06)
  assert sequences.gzip_bytes(flips[:400]).mean() == pytest.approx(
    wanted[4], abs=0.3
  )
  parts = flips.reshape(20, 200, 50)
  together = np.mean([sequences.gzip_together(part) for part in parts])
  assert together == pytest.approx(wanted[5][0], abs=wanted[5][1])
  if wanted[6] is None:
    return
  unique = [subsequences.unique_windows(part, (10, 15)) for part in parts]
  for width, value in zip((10, 15), wanted[6:8], strict=True):
    found = [one[width] for one in unique]
    # The document gives no spread for these columns: that of single runs.
    spread = max(1.0, 2 * np.std(found))
    assert np.mean(found) == pytest.approx(value, abs=spread)
  similar = 1 - subsequences.distances(parts[0]).indel.mean()
  assert similar == pytest.approx(wanted[8], abs=6e-3)


def test_published_likelihoods_are_kept_under_their_names():
  p, w = 0.4, 5
  found = coin_models.count_log_likelihood(p, FLIPS)
  for value, y in zip(found, FLIPS, strict=True):
    assert value == pytest.approx(stats.binom.logpmf(y.sum(), len(y), p))
  found = coin_models.window_log_likelihood_as_published(p, w, FLIPS)
  for row, y in zip(found, FLIPS.tolist(), strict=True):
    for t, value in enumerate(row):
      history = [p, *y[: t + 1]][-w:]
      wanted = min(max(2 * p - sum(history) / len(history), 0), 1)
      wanted = wanted if y[t] else 1 - wanted
      assert value == pytest.approx(np.log(max(wanted, 1e-9)))


@pytest.mark.parametrize("prior", [0.0, coin_fits.PRIOR])
def test_alternation_chain_is_that_of_a_general_optimiser(prior):
  flips = coin_models.simulate(coin_models.Alternation(0.4, 0.65), 3, 40)

  def loss(parts):
    q, a = parts
    tails = _alternation(q, a)
    total = prior * sum(np.log(v) for v in (q, 1 - q, a, 1 - a))
    found = coin_fits.counts(flips)
    for start, number in enumerate(found.starts):
      total += number * np.log(tails([]) if start else 1 - tails([]))
    for (i, j), number in np.ndenumerate(found.steps):
      total += number * np.log(tails([i]) if j else 1 - tails([i]))
    return -total

  wanted = optimize.minimize(
    loss, (0.5, 0.5), bounds=[(1e-6, 1 - 1e-6)] * 2, method="L-BFGS-B"
  )
  found = coin_fits.alternation(flips, prior)
  np.testing.assert_allclose([*found], wanted.x, atol=1e-4)


def test_alternation_chain_recovers_what_was_planted():
  for heads, change in ((0.5, 0.5), (0.3, 0.7), (0.6, 0.4), (0.9, 0.6)):
    planted = coin_models.Alternation(heads, change)
    fits = [
      coin_fits.alternation(coin_models.simulate(planted, seed, 400))
      for seed in range(8)
    ]
    for values, wanted in zip(zip(*fits, strict=True), planted, strict=True):
      error = np.std(values, ddof=1) / np.sqrt(len(values))
      assert np.mean(values) == pytest.approx(wanted, abs=4 * error + 1e-3)
      assert np.std(values) < 0.02


def test_many_alternation_chains_are_fitted_at_once():
  data = [
    coin_models.simulate(coin_models.Alternation(0.5, a), 1, 30)
    for a in (0.4, 0.6)
  ]
  one = [coin_fits.counts(flips) for flips in data]
  both = coin_fits.Counts(*map(np.stack, zip(*one, strict=True)))
  prior = np.float32(coin_fits.PRIOR)
  np.testing.assert_allclose(
    coin_fits.alternation_logits(both, prior),
    np.stack([coin_fits.alternation_logits(x, prior) for x in one]),
    atol=1e-5,
  )
  # Without a prior, a sequence that only alternates has no finite optimum.
  endless = coin_fits.alternation(np.tile([0, 1], (3, 20)), prior=0.0)
  assert endless.change > 0.999


def test_lapses_are_the_likeliest():
  planted = coin_models.WindowAverage(0.5, 5, 0.2)
  flips = coin_models.simulate(planted, 2, 150)
  fits = coin_fits.window_averages(flips, np.array([3, 5, 8]))
  for fit in fits:

    def loss(lapse, fit=fit):
      model = fit._replace(lapse=float(lapse))
      return -coin_models.score(model, flips).sum()

    wanted = optimize.minimize_scalar(loss, bounds=(1e-4, 1), method="bounded")
    assert fit.lapse == pytest.approx(wanted.x, abs=2e-3)
  assert fits[1].lapse == pytest.approx(0.2, abs=0.05)
  assert fits[1].p == flips.mean()


def test_chains_count_what_follows_what():
  found = coin_fits.markov(FLIPS, 2)
  text = ["".join(map(str, y)) for y in FLIPS]
  for order in range(3):
    for code in range(2**order):
      past = f"{code:0{order}b}" if order else ""
      heads, tails = (
        sum(
          y.startswith(past + side, t)
          for y in text
          for t in range(len(y) - order)
        )
        for side in "01"
      )
      wanted = (tails + 0.5) / (tails + heads + 1)
      assert found.tables[order, code] == pytest.approx(wanted)


def test_positive_control_of_held_out_likelihood():
  """Section 5: nats per flip on a window average of 5 flips at one half."""
  truth = coin_models.WindowAverage(0.5, 5, 0.0)
  train = coin_models.simulate(truth, 1, 4000)
  test = coin_models.simulate(truth, 2, 4000)
  # The document's numbers are of flips that have all that a chain asks for.
  wanted = {1: 0.686, 2: 0.678, 3: 0.669, 4: 0.655, 5: 0.634}
  for order, value in wanted.items():
    nats = -coin_models.score(coin_fits.markov(train, order), test)
    assert nats[:, order:].mean() == pytest.approx(value, abs=1e-3)
  for model, value in ((truth, 0.634), (coin_fits.bernoulli(train), 0.693)):
    nats = -coin_models.score(model, test)
    assert nats[:, 5:].mean() == pytest.approx(value, abs=1e-3)


@pytest.mark.parametrize(
  ("act", "words"),
  [
    (lambda: coin_models.score(coin_models.Bernoulli(0.5), [0]), "expected"),
    (lambda: coin_models.simulate(MODELS["order 3"][0], 0, 0), "0 sequences"),
    (lambda: coin_models.numbers(coin_models.Bernoulli(1.2)), "p of Bernoulli"),
    (
      lambda: coin_models.numbers(coin_models.WindowAverage(0.5, 21, 0.0)),
      "window of WindowAverage must lie in 1 to 20",
    ),
    (
      lambda: coin_models.numbers(coin_models.Markov(TABLES, 11)),
      "order of Markov",
    ),
  ],
)
def test_bad_input_is_named(act, words):
  with pytest.raises(errors.InputError, match=words):
    act()
