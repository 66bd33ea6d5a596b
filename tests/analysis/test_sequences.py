"""Metrics of flips: against brute force, and the released definitions."""

import collections
import difflib
import gzip
import itertools
import math

import numpy as np
import pytest
from scipy import special

from icl_graphs import errors
from icl_graphs.analysis import concepts, sequences, subsequences

RNG = np.random.default_rng(0)
FLIPS = RNG.integers(0, 2, (12, 23))


@pytest.mark.parametrize(
  ("text", "flips", "others"),
  [
    (" Tails, Heads, Heads], Tails", [1, 0], 0),
    ("[Heads, [tails ,, H, t", [0, 1, 0, 1], 0),
    (" Heads, and so on, Tails,", [0, 1], 1),
    ("] Heads, Tails", [], 0),
    ("", [], 0),
    (" HEADS, 0, 1, tail\n, Heads ", [0, 1, 0], 2),
  ],
)
def test_text_is_parsed_by_the_released_rules(text, flips, others):
  found = sequences.parse(text)
  assert found.flips.tolist() == flips
  assert found.others == others


def test_short_sequences_are_dropped_and_counted():
  found = sequences.crop([[0, 1, 1], [1], [1, 0, 1, 1]], 3)
  assert found.flips.tolist() == [[0, 1, 1], [1, 0, 1]]
  assert found.kept.tolist() == [0, 2]
  assert found.drop_rate == pytest.approx(1 / 3)
  assert sequences.crop([[0]], 3).flips.shape == (0, 3)


def test_running_means_are_their_definition():
  for start in (0.5, None):
    found = sequences.running_mean(FLIPS, start)
    for row, y in zip(found, FLIPS, strict=True):
      v = np.mean(y) if start is None else start
      wanted = [(v + sum(y[:i])) / (i + 1) for i in range(len(y) + 1)]
      np.testing.assert_allclose(row, wanted)
  saved = sequences.running_extent(FLIPS)
  means = sequences.running_mean(FLIPS, None)
  np.testing.assert_allclose(saved.sd, [np.std(row) for row in means])
  np.testing.assert_allclose(saved.high, [max(row) for row in means])
  np.testing.assert_allclose(saved.low, [min(row) for row in means])


@pytest.mark.parametrize("window", [1, 4, 40])
def test_moving_averages_leave_out_the_flip_itself(window):
  found = sequences.moving_average(FLIPS, window)
  assert np.isnan(found[:, 0]).all()
  for row, y in zip(found, FLIPS, strict=True):
    for t in range(1, len(y)):
      assert row[t] == pytest.approx(np.mean(y[max(0, t - window) : t]))


def test_alternation_and_longest_runs():
  for y, rate, run in zip(
    FLIPS,
    sequences.alternation_rate(FLIPS),
    sequences.longest_run(FLIPS),
    strict=True,
  ):
    assert rate == pytest.approx(np.mean(np.abs(np.diff(y))))
    assert run == max(len(list(group)) for _, group in itertools.groupby(y))


def test_repeated_flips_and_gzip_s_sizes():
  repeated = np.tile([0, 1], 25)[None]
  constant = np.zeros((1, 50), int)
  assert sequences.alternation_rate(repeated).tolist() == [1]
  assert sequences.alternation_rate(constant).tolist() == [0]
  assert sequences.longest_run(repeated).tolist() == [1]
  assert sequences.longest_run(constant).tolist() == [50]
  assert sequences.gzip_bytes(repeated).tolist() == [25]
  assert sequences.gzip_bytes(constant).tolist() == [24]
  text = ["".join(map(str, y)).encode() for y in FLIPS]
  assert sequences.gzip_bytes(FLIPS).tolist() == [
    len(gzip.compress(one, 9)) for one in text
  ]
  joined = b"".join(text)
  assert sequences.gzip_together(FLIPS) == len(gzip.compress(joined, 9))


@pytest.mark.parametrize("omit_last", [False, True])
def test_windows_are_counted(omit_last):
  for width in (1, 3, 22):
    wanted = collections.Counter(
      tuple(y[i : i + width].tolist())
      for y in FLIPS
      for i in range(len(y) - width + 1 - omit_last)
    )
    found = subsequences.window_counts(FLIPS, width, omit_last=omit_last)
    assert found.unique == len(wanted)
    assert found.counts.tolist() == sorted(wanted.values(), reverse=True)
    for window, count in zip(found.windows, found.counts, strict=True):
      assert wanted[tuple(window.tolist())] == count
  assert subsequences.unique_windows(FLIPS, (3,)) == {
    3: subsequences.window_counts(FLIPS, 3).unique
  }


def _edits(one, other, substitution):
  """The table of edit distances, cell by cell."""
  row = list(range(len(other) + 1))
  for i, a in enumerate(one, 1):
    above, row = row, [i]
    for j, b in enumerate(other, 1):
      change = above[j - 1] + (0 if a == b else substitution)
      row.append(min(change, above[j] + 1, row[-1] + 1))
  return row[-1]


@pytest.mark.parametrize("length", [1, 23, 62])
def test_distances_are_those_of_the_table(length):
  flips = RNG.integers(0, 2, (7, length))
  found = subsequences.distances(flips)
  pairs = list(itertools.combinations(flips.tolist(), 2))
  np.testing.assert_allclose(
    found.indel, [_edits(*pair, 2) / (2 * length) for pair in pairs]
  )
  np.testing.assert_allclose(
    found.unit, [_edits(*pair, 1) / length for pair in pairs]
  )
  itself = [
    1 - _edits(a, b, 2) / (2 * length)
    for a, b in itertools.product(flips.tolist(), repeat=2)
  ]
  assert subsequences.similarity_with_itself(flips) == pytest.approx(
    np.mean(itself)
  )
  # Matching blocks are some common subsequence.
  ratio = difflib.SequenceMatcher(None, *pairs[0], autojunk=False).ratio()
  assert 1 - found.indel[0] >= ratio - 1e-12


@pytest.mark.parametrize(
  ("concept", "chances"),
  [
    ("01", (0.125, 0.03125)),
    ("001", (0.1875, 0.046875)),
    ("0110", (0.25, 0.0625)),
    ("00011", (0.3125, 0.078125)),
  ],
)
def test_chance_is_that_of_the_science_document(concept, chances):
  assert [concepts.chance(concept, d) for d in (4, 6)] == list(chances)


def test_concept_probability_sums_over_every_phase():
  depth = 4
  tails = RNG.random((3, 2**5 - 1))
  tree = dict(zip(concepts.paths(5), tails.T, strict=True))
  for concept in ("01", "011", "0", "00101"):
    wanted = 0
    for string in itertools.product((0, 1), repeat=depth):
      phases = [concept[i:] + concept[:i] for i in range(len(concept))]
      text = "".join(map(str, string))
      if any((phase * depth).startswith(text) for phase in phases):
        wanted += math.prod(
          tree[string[:t]] if flip else 1 - tree[string[:t]]
          for t, flip in enumerate(string)
        )
    found = concepts.concept_probability(tails, concept, depth)
    np.testing.assert_allclose(found, wanted)
  fair = np.full(2**6 - 1, 0.5)
  assert concepts.concept_probability(fair, "001", 6) == pytest.approx(
    concepts.chance("001", 6)
  )


def test_masses_are_divided_and_the_rest_is_reported():
  mass = np.array([[0.3, 0.1], [0.2, 0.6], [1e-30, 3e-30], [np.nan, 0.1]])
  log_mass = np.log(mass)
  np.testing.assert_allclose(
    concepts.share_of_second(log_mass)[:3], [0.25, 0.75, 0.75]
  )
  found = concepts.captured(log_mass)
  assert found.median == pytest.approx(0.4)
  assert found.low_share == pytest.approx(2 / 3)
  assert found.flagged.tolist() == [True, False, True, False]
  np.testing.assert_allclose(
    concepts.log_odds([0, 0.5, 0.7, 1]), [-4, 0, special.logit(0.7), 4]
  )


def test_judgment_advantage_is_a_difference_of_means():
  fair, concept = RNG.random((4, 3)), RNG.random((2, 3))
  np.testing.assert_allclose(
    concepts.judgment_advantage(fair, concept),
    np.abs(fair.mean(axis=0) - concept.mean(axis=0)),
  )


@pytest.mark.parametrize(
  ("act", "words"),
  [
    (lambda: sequences.crop([]), "no sequences"),
    (lambda: sequences.checked([0, 1]), "expected"),
    (lambda: sequences.checked([[0, 2]]), "0 .heads. or 1"),
    (lambda: sequences.moving_average(FLIPS, 0), "window of 0"),
    (lambda: sequences.alternation_rate([[1]]), "single flip"),
    (lambda: subsequences.window_counts(FLIPS, 24), "at most 23"),
    (lambda: subsequences.distances(FLIPS[:1]), "need two"),
    (lambda: subsequences.distances(np.zeros((2, 63))), "at most 62"),
    (lambda: concepts.rotations("02", 3), "zeros and ones"),
    (lambda: concepts.rotations("01", 0), "at least one flip"),
    (lambda: concepts.concept_probability([0.5], "01", 3), "takes 7"),
    (
      lambda: concepts.judgment_advantage(np.ones((2, 3)), np.ones((2, 4))),
      "compare equal ones",
    ),
  ],
)
def test_bad_input_is_named(act, words):
  with pytest.raises(errors.InputError, match=words):
    act()
